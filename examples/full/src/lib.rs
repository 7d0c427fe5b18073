//! What the examples share: an operation as people see it, the client of a `serve`, the dashboard.

mod board;
mod draw;
mod listen;
mod local;
mod remote;
mod seen;
mod table;

pub use board::{Board, Key, News};
pub use draw::draw;
pub use listen::listen;
pub use local::follow;
pub use remote::{Event, Remote, encode};
pub use seen::{Seen, age};
pub use table::{counts_table, table};

/// What goes wrong in an example is told to people.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

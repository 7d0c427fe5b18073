//! A private PostgreSQL server for tests, and what breaks the way to it.

mod cluster;
mod hold;
mod pooler;
mod proxy;
mod server;

pub use self::hold::Held;
pub use self::pooler::Pooler;
pub use self::proxy::{Cut, Proxy};
pub use self::server::{Server, Settings, pool_options};

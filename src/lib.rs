//! Background job-state tracker.
pub mod clock;
mod error;
pub mod model;
pub mod store;

pub use error::{Error, ErrorKind, Result};

//! Background job-state tracker.
pub mod clock;
mod error;
#[cfg(feature = "http")]
pub mod http;
pub mod model;
pub mod store;
mod tracker;
pub mod wire;

pub use error::{Error, ErrorKind, Result};
pub use model::{Failure, NewOperation, Operation, OperationId, Patch, Progress, State, Status};
pub use tracker::{
    Builder, Created, EndError, IdSource, List, Reporter, Run, RunError, Swept, SystemIds, Tracker, Watch, Watched,
};

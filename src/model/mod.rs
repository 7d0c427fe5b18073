//! What an operation is and what may become of it. Pure: no async, no I/O, no clock, no randomness.

#![deny(clippy::arithmetic_side_effects)]

mod amount;
pub mod holder;
mod id;
mod json;
pub(crate) mod log;
mod more;
mod new;
mod operation;
mod page;
mod patch;
mod precondition;
mod rejection;
mod rules;
mod state;
pub(crate) mod text;
mod timestamp;
mod trace;

pub use amount::{Amount, Told};
pub use id::{InvalidId, OperationId};
pub use json::{Json, JsonError, MAX_DEPTH, MAX_KEYS};
pub(crate) use more::More;
pub use new::NewOperation;
pub(crate) use operation::Parts;
pub use operation::{Operation, ResultError, Stamps, Version};
pub use page::{OrderBy, Page, PageToken, Query};
pub use patch::{Applied, Patch};
pub use precondition::{ETag, MalformedETag, Precondition, Tags, Unmet};
pub use rejection::Rejection;
pub use rules::Rules;
pub use state::{Failure, Progress, State, Status, Work};
pub use text::Unfit;
pub use timestamp::{TICKS_PER_SECOND, Timestamp, TimestampError};
pub use trace::TraceParent;

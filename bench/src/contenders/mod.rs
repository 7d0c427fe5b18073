//! One contender a file, and the list of their names.

pub mod log;

use anyhow::{Result, bail};

use crate::{
    job::{Job, Measurement},
    works,
};

/// The log that every ratio is taken to.
pub const LOG: &str = "log";

/// The log over blocks written beforehand.
pub const CEILING: &str = "log-preallocated";

/// The contenders that this build holds, in the order of the table.
pub const NAMES: &[&str] = &[CEILING, LOG];

/// Makes the measurement with the contender that the job names.
///
/// # Errors
/// No such contender here, or its own errors.
pub async fn measure(job: &Job) -> Result<Measurement> {
    match job.contender.as_str() {
        LOG => works::run::<log::Log<false>>(job).await,
        CEILING => works::run::<log::Log<true>>(job).await,
        other => bail!("no contender {other} in this build"),
    }
}

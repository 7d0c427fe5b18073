//! One measurement in a process of its own.

use std::future::Future;

use anyhow::Result;

use crate::{
    contenders,
    job::{Job, Measurement},
};

/// Makes one measurement with a contender of this package and prints it.
///
/// # Errors
/// Whatever the contender reports.
pub fn run(job: &Job) -> Result<()> {
    answer(contenders::measure(job))
}

/// Runs a measurement on a runtime and prints it, as the parent expects: for contenders that are binaries of their own.
///
/// # Errors
/// Whatever the contender reports.
pub fn answer(measurement: impl Future<Output = Result<Measurement>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(measurement)?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

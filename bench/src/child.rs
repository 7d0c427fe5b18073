//! One measurement in a process of its own.

use std::future::Future;

use anyhow::{Result, bail};

use crate::{
    args,
    contender::Contender,
    contenders,
    job::{Job, Measurement},
    works,
};

/// Makes one measurement with a contender of this package and prints it.
///
/// # Errors
/// Whatever the contender reports.
pub fn run(job: &Job) -> Result<()> {
    answer(contenders::measure(job))
}

/// The whole `main` of a contender that is a program of its own.
///
/// # Errors
/// The command line is not the parent's, or whatever the contender reports.
pub fn serve<C: Contender>() -> Result<()> {
    match args::parse()? {
        args::Command::Child(job) => answer(works::run::<C>(&job)),
        _ => bail!("this program makes one measurement for longrun-bench"),
    }
}

fn answer(measurement: impl Future<Output = Result<Measurement>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(measurement)?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

//! One step of growth: opens what the step before left, fills it up, moves some, and says what it takes.
//!
//! The parent kills the process that lingers and asks for the next opening: after a kill, after a close.

use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::Instant,
};

use anyhow::Result;

use super::transition;
use crate::{
    contender::Contender,
    job::{Case, Job, Measurement},
    space,
};

/// The names of the figures, which the parent looks for.
pub mod figure {
    /// Milliseconds until the store answered.
    pub const OPEN_MS: &str = "open ms";
    /// Operations made in a second.
    pub const INSERTS: &str = "inserts/s";
    /// Random moves in a second, of those that this step made.
    pub const TRANSITIONS: &str = "transitions/s";
    /// Resident memory that the store added to the process, for each operation.
    pub const MEMORY: &str = "memory bytes/operation";
    /// What the folder occupies, for each operation.
    pub const FOLDER: &str = "folder bytes/operation";
}

/// How many of the step's operations are moved at most.
const MOVED: usize = 100_000;

#[expect(clippy::cast_precision_loss, reason = "figures are read to four digits")]
pub(super) async fn run<C: Contender>(job: &Job) -> Result<Measurement> {
    let before = space::resident().unwrap_or_default();
    let began = Instant::now();
    let contender = Arc::new(C::open(&job.folder, job).await?);
    let mut measured = Measurement { durability: contender.durability(), ..Measurement::default() };
    let mut note = |name: &str, value: f64| {
        measured.cases.push(Case { name: name.into(), value: Some(value), ..Case::default() });
    };
    note(figure::OPEN_MS, began.elapsed().as_secs_f64() * 1000.0);

    let missing = job.records.saturating_sub(job.held);
    if missing > 0 {
        let began = Instant::now();
        let keys = super::fill_keeping(&contender, missing, job.callers, missing.div_ceil(MOVED)).await?;
        note(figure::INSERTS, missing as f64 / began.elapsed().as_secs_f64());
        note(figure::TRANSITIONS, transition::of(&contender, job, keys).await?.rate());
        let after = space::resident().unwrap_or_default();
        note(figure::MEMORY, after.saturating_sub(before) as f64 / job.records as f64);
        note(figure::FOLDER, space::folder_bytes(&job.folder)? as f64 / job.records as f64);
    }
    if job.linger {
        println!("{}", serde_json::to_string(&measured)?);
        io::stdout().flush()?;
        // The end of the input, or the kill that the parent means to send.
        let _ = io::stdin().read(&mut [0]);
    }
    super::close(contender).await?;
    Ok(measured)
}

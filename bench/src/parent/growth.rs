//! Growth step by step in one folder: grow, kill -9, open, close, open.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use anyhow::{Context, Result};

use super::{Series, child, fresh_folder, job, measure, read, series, settle, tell};
use crate::{
    args::Options,
    job::{Case, Job, Measurement},
    report::{REOPEN_CLOSED, REOPEN_KILLED},
    works::figure,
};

/// One series for each contender and step, in the order of the steps.
pub(super) fn run(options: &Options) -> Result<Vec<Series>> {
    let mut all = series(options);
    for contender in &options.contenders {
        let folder = fresh_folder(options, contender)?;
        let mut held = 0;
        for step in all.iter_mut().filter(|series| &series.contender == contender) {
            let job = Job { held, linger: true, ..job(options, step, folder.path()) };
            let mut measured = grow_and_kill(&job).with_context(|| format!("{contender} at {}", job.records))?;
            settle(folder.path());
            let reopen = Job { held: job.records, linger: false, ..job };
            for name in [REOPEN_KILLED, REOPEN_CLOSED] {
                let opened = opened_in(&measure(&reopen)?);
                measured.cases.push(Case { name: name.into(), value: opened, ..Case::default() });
            }
            tell("grown", step, &measured);
            step.rounds.push(measured);
            held = step.records;
        }
    }
    Ok(all)
}

fn opened_in(measured: &Measurement) -> Option<f64> {
    measured.cases.iter().find(|case| case.name == figure::OPEN_MS)?.value
}

/// Lets a process grow the store and kills it while the store is open.
fn grow_and_kill(job: &Job) -> Result<Measurement> {
    let mut process = child(job)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let said = process.stdout.take().context("no output")?;
    let read_line = BufReader::new(said).read_line(&mut line);
    process.kill()?;
    process.wait()?;
    read_line?;
    read(&line)
}

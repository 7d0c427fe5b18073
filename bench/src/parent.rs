//! Interleaves the contenders: every round measures each of them once, at every number of callers.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    args::Options,
    job::{Job, Measurement},
    strace, table,
};

/// All rounds of one contender at one number of callers.
#[derive(Debug)]
pub struct Series {
    /// Who.
    pub contender: String,
    /// How many called.
    pub callers: usize,
    /// One for each round.
    pub rounds: Vec<Measurement>,
    /// What a round under strace counted.
    pub syncs: Option<strace::Syncs>,
}

/// Compares the contenders and prints what came out.
///
/// # Errors
/// A contender's own, and those of the machine.
pub fn run(options: &Options) -> Result<()> {
    fs::create_dir_all(&options.dir).with_context(|| format!("make {}", options.dir.display()))?;
    let mut all: Vec<Series> = options
        .callers
        .iter()
        .flat_map(|callers| {
            options.contenders.iter().map(|contender| Series {
                contender: contender.clone(),
                callers: *callers,
                rounds: Vec::new(),
                syncs: None,
            })
        })
        .collect();
    for round in 1..=options.rounds {
        for series in &mut all {
            let measured = in_fresh_folder(options, series, measure)?;
            eprintln!(
                "round {round}/{}: {} at {}: {:.0}/s, p50 {:.0} us, p99 {:.0} us",
                options.rounds,
                series.contender,
                series.callers,
                measured.rate(),
                measured.p50_us,
                measured.p99_us
            );
            series.rounds.push(measured);
        }
    }
    if options.strace {
        for series in &mut all {
            series.syncs = Some(in_fresh_folder(options, series, strace::measure)?);
        }
    }
    table::print(options, &all)
}

fn in_fresh_folder<T>(options: &Options, series: &Series, what: impl FnOnce(&Job) -> Result<T>) -> Result<T> {
    let folder = tempfile::Builder::new().prefix(&series.contender).tempdir_in(&options.dir)?;
    let job = Job {
        contender: series.contender.clone(),
        work: options.work,
        callers: series.callers,
        seconds: options.seconds,
        records: options.records,
        transitions: options.transitions,
        folder: folder.path().to_path_buf(),
        linger: false,
    };
    let found = what(&job).with_context(|| format!("{} at {} callers", series.contender, series.callers));
    settle(folder.path());
    found
}

/// What a measurement left in the page cache must not be written back within the next one's window.
fn settle(folder: &Path) {
    if let Ok(handle) = fs::File::open(folder) {
        let _ = rustix::fs::syncfs(handle);
    }
}

/// Runs a job in a process of its own.
///
/// # Errors
/// The child failed, or said nothing that can be read.
pub fn measure(job: &Job) -> Result<Measurement> {
    answer_of(&mut child(job)?)
}

/// The command that runs a job.
///
/// # Errors
/// This program cannot be found.
pub fn child(job: &Job) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("--child").arg(serde_json::to_string(job)?);
    Ok(command)
}

/// Runs a command and reads the measurement on its last line.
///
/// # Errors
/// It failed, or said nothing that can be read.
pub fn answer_of(command: &mut Command) -> Result<Measurement> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the measurement ended with {}", output.status);
    }
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().context("the measurement said nothing")?;
    serde_json::from_str(line).with_context(|| format!("the measurement said {line:?}"))
}

//! Interleaves the contenders: every round measures each of them once, at every number of callers.

mod growth;
mod peers;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{
    args::Options,
    job::{Job, Measurement},
    report, strace,
    works::Work,
};

/// All rounds of one contender at one number of callers and records.
#[derive(Debug)]
pub struct Series {
    /// Who.
    pub contender: String,
    /// How many called.
    pub callers: usize,
    /// How many records there were.
    pub records: usize,
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
    peers::build(&options.contenders)?;
    let all = if options.work == Work::Growth { growth::run(options)? } else { interleave(options)? };
    report::print(options, &all)
}

fn interleave(options: &Options) -> Result<Vec<Series>> {
    let mut all = series(options);
    for round in 1..=options.rounds {
        for series in &mut all {
            let measured = in_fresh_folder(options, series, measure)?;
            tell(&format!("round {round}/{}", options.rounds), series, &measured);
            series.rounds.push(measured);
        }
    }
    if options.strace {
        for series in &mut all {
            series.syncs = Some(in_fresh_folder(options, series, strace::measure)?);
        }
    }
    Ok(all)
}

/// Every contender at every number of callers and records, nothing measured yet.
fn series(options: &Options) -> Vec<Series> {
    let mut all = Vec::new();
    for callers in &options.callers {
        for records in &options.records {
            for contender in &options.contenders {
                all.push(Series {
                    contender: contender.clone(),
                    callers: *callers,
                    records: *records,
                    rounds: Vec::new(),
                    syncs: None,
                });
            }
        }
    }
    all
}

fn tell(round: &str, series: &Series, measured: &Measurement) {
    eprint!("{round}: {} at {} callers, {} records:", series.contender, series.callers, series.records);
    if measured.ops > 0 {
        eprint!(" {:.0}/s, p50 {:.0} us, p99 {:.0} us", measured.rate(), measured.p50_us, measured.p99_us);
    }
    for case in &measured.cases {
        let figures = [case.ops_per_s, case.p50_us, case.p99_us, case.at, case.value];
        let figures: Vec<String> = figures.iter().flatten().map(|figure| format!("{figure:.0}")).collect();
        eprint!("; {} {}", case.name, figures.join(" "));
    }
    eprintln!();
}

fn in_fresh_folder<T>(options: &Options, series: &Series, what: impl FnOnce(&Job) -> Result<T>) -> Result<T> {
    let folder = fresh_folder(options, &series.contender)?;
    let found = what(&job(options, series, folder.path()))
        .with_context(|| format!("{} at {} callers", series.contender, series.callers));
    settle(folder.path());
    found
}

fn fresh_folder(options: &Options, contender: &str) -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix(contender).tempdir_in(&options.dir)?)
}

fn job(options: &Options, series: &Series, folder: &Path) -> Job {
    Job {
        contender: series.contender.clone(),
        work: options.work,
        callers: series.callers,
        seconds: options.seconds,
        records: series.records,
        held: 0,
        transitions: options.transitions,
        folder: folder.to_path_buf(),
        linger: false,
    }
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
/// The contender's program cannot be found.
pub fn child(job: &Job) -> Result<Command> {
    let mut command = Command::new(peers::program(&job.contender)?);
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
    read(text.lines().last().context("the measurement said nothing")?)
}

fn read(line: &str) -> Result<Measurement> {
    serde_json::from_str(line).with_context(|| format!("the measurement said {line:?}"))
}

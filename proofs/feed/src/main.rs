//! `longrun-feed COUNT|short [--store sled] [--seed S]` records COUNT histories, with kill -9 in the middle, and judges them.
//!
//! Each history is one sled store, four writers and a reader of the feed in a child process, which is killed
//! two to four times and begun again where its reader was. The last line says how many histories had how
//! many kills and violations; the exit status says the same. A history with a violation is printed whole.

mod child;

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use child::Numbers;
use feed::{Judged, Line, judge};

/// Writes of each writer that end a history.
const ROUNDS: u64 = 60;
/// The histories of `short`.
const SHORT: u64 = 60;
const USAGE: &str = "usage: longrun-feed COUNT|short [--store sled] [--seed S]";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match &*words {
        ["child", folder, seed, rounds, position] => be_child(folder, seed, rounds, position).map(|()| true),
        [count, options @ ..] => prove(count, options),
        [] => Err(USAGE.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody is left to tell if this cannot be written either.
            let _ = writeln!(io::stderr(), "longrun-feed: {error}");
            ExitCode::from(2)
        }
    }
}

fn be_child(folder: &str, seed: &str, rounds: &str, position: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    runtime.block_on(child::run(Path::new(folder), seed.parse()?, rounds.parse()?, position))
}

fn prove(count: &str, options: &[&str]) -> Result<bool, Box<dyn Error>> {
    let count: u64 = if count == "short" { SHORT } else { count.parse()? };
    let mut first: u64 = fastrand::u32(..).into();
    for option in options.chunks(2) {
        match option {
            ["--seed", text] => first = text.parse()?,
            ["--store", "sled"] => {}
            _ => return Err(USAGE.into()),
        }
    }
    let mut out = io::stdout().lock();
    let (mut entries, mut compared, mut kills, mut violations) = (0, 0, 0, 0);
    for history in 0..count {
        let seed = first.wrapping_mul(1_000_003).wrapping_add(history);
        let lines = record(seed)?;
        let Judged { entries: of, compared: times, kills: killed, violations: wrong, .. } = judge(&lines);
        (entries, compared, kills) = (entries + of, compared + times, kills + killed);
        if !wrong.is_empty() {
            for (at, line) in lines.iter().enumerate() {
                writeln!(out, "{:6} {line}", at + 1)?;
            }
            for what in &wrong {
                writeln!(out, "history {seed}: {what}")?;
            }
        }
        violations += wrong.len();
    }
    writeln!(
        out,
        "feed: {count} histories, {kills} kills, {entries} entries, {compared} comparisons at the end: {violations} violations, seed {first}"
    )?;
    Ok(violations == 0)
}

/// Records one history.
fn record(seed: u64) -> Result<Vec<Line>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let mut numbers = Numbers::new(seed);
    let sessions = 2 + numbers.below(3);
    let mut lines = Vec::new();
    let mut position = longrun::store::Position::START.to_string();
    for session in 0..=sessions {
        let kill_after = (session < sessions).then(|| 20 + numbers.below(300));
        // A child that is to be killed has no end of its own.
        let rounds = if kill_after.is_some() { u64::MAX } else { ROUNDS };
        let mut child = Command::new(std::env::current_exe()?)
            .args(["child", &store.display().to_string(), &(seed ^ (session << 48)).to_string()])
            .args([rounds.to_string(), position.clone()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut reader = BufReader::new(child.stdout.take().ok_or("the child has no output")?);
        let mut read = 0_u64;
        loop {
            let mut text = String::new();
            reader.read_line(&mut text)?;
            // What a kill cut short was never told.
            let Some(text) = text.strip_suffix('\n') else { break };
            let line: Line = text.parse()?;
            if let Line::At(at, _) = &line {
                position.clone_from(at);
            }
            lines.push(line);
            read += 1;
            if kill_after == Some(read) {
                // What is in the pipe already is read on: it was told before the kill.
                child.kill()?;
            }
        }
        let status = child.wait()?;
        match kill_after {
            Some(_) => lines.push(Line::Kill),
            None if status.success() => {}
            None => return Err(format!("history {seed}: the child ended with {status}").into()),
        }
    }
    Ok(lines)
}

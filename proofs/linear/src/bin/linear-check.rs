//! `linear-check FILE..` judges recorded histories of operations (JSON lines).
//!
//! Histories of one name are one, whichever files they lie in. Those that have no order are shown; the
//! last line counts all, and the exit status is 0 only if every one is linearizable and there is one.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use linear::operation::{Ask, Recording, Worth, judge, read};
use linear::{Evidence, Verdict};

/// Steps for each operation of a history; one that wants more is reported as undecided.
const BOUND: u64 = 4_000_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    let outcome = if files.is_empty() { Err("usage: linear-check FILE..".into()) } else { run(&files) };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody is left to tell if this cannot be written either.
            let _ = writeln!(io::stderr(), "linear-check: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(files: &[std::ffi::OsString]) -> Result<bool> {
    let mut lines = Vec::new();
    for file in files {
        let name = file.to_string_lossy();
        let text = fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
        // A file says for itself which history it begins with.
        lines.push(linear::operation::Line::History { name: "".into() });
        lines.extend(read(&text).map_err(|error| format!("{name}: {error}"))?);
    }
    let mut out = io::stdout().lock();
    let (mut right, mut wrong, mut undecided, mut counting) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut total = Worth::default();
    for recording in Recording::all(lines)? {
        let worth = Worth::of(&recording);
        counting += u64::from(worth.counts());
        total += worth;
        match judge(&recording, BOUND)? {
            Verdict::Linearizable => right += 1,
            Verdict::Undecided => {
                undecided += 1;
                writeln!(out, "history {:?}: undecided after {BOUND} steps", recording.name())?;
            }
            Verdict::Illegal(evidence) => {
                wrong += 1;
                show(&mut out, &recording, &evidence)?;
            }
        }
    }
    let Worth { calls, overlapping, lost, open, crashes } = total;
    writeln!(out, "{calls} calls, {overlapping} overlapping, {lost} lost, {open} open-ended, {crashes} crashes")?;
    writeln!(
        out,
        "{} histories ({counting} with a race and a loser), {right} linearizable, {wrong} not, {undecided} undecided",
        right + wrong + undecided
    )?;
    Ok(right > 0 && wrong == 0 && undecided == 0)
}

fn show(out: &mut impl Write, recording: &Recording, evidence: &Evidence) -> Result<()> {
    writeln!(out, "history {:?}: no order explains these answers", recording.name())?;
    let mut line = |mark: &str, index: usize| -> Result<()> {
        let Some(call) = recording.calls().get(index) else { return Ok(()) };
        let until = call.until().map_or_else(|| "..".to_owned(), |until| until.to_string());
        let input = match &call.input {
            Ask::Of { id, verb } => format!("{id}: {}", serde_json::to_string(verb)?),
            Ask::Crash => "crash".to_owned(),
        };
        let output = call.output().map(serde_json::to_string).transpose()?.unwrap_or_default();
        Ok(writeln!(out, "  {mark} [{}, {until}] {input} -> {output}", call.called)?)
    };
    for &index in &evidence.placed {
        line("fits  ", index)?;
    }
    line("stuck ", evidence.stuck)?;
    for &index in &evidence.part {
        if index != evidence.stuck && !evidence.placed.contains(&index) {
            line("unused", index)?;
        }
    }
    Ok(())
}

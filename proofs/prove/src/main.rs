//! Proofs that anyone can run: `prove NAME COUNT [--seed S]`.
//!
//! Each prints a last line such as `COUNT cycles, 0 lost, 0 illegal, 0 failed opens, seed S`, and exits by it.

mod child;
mod disk;
mod flip;
mod full;
mod histories;
mod io;
mod kill;
mod open;
mod oracle;
mod plan;
mod planted;
mod power;
mod process;
mod reopen;
mod tally;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// The result of everything here: who runs a proof reads the error.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "prove kill|power|io|full|linear|flip|orphans COUNT|short [--store sled|memory] [--seed S] | planted [--seed S]";
/// The cycles of `short`.
const SHORT: u64 = 60;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let (name, rest) = arguments.split_first().ok_or(USAGE)?;
    if name == "child" {
        return child::run(&child::Orders::parse(rest)?);
    }
    if name == "open" {
        return open::run(rest);
    }
    if name == "planted" {
        let seed = rest.iter().position(|option| option == "--seed").and_then(|at| rest.get(at + 1));
        return planted::run(
            seed.map(|seed| seed.parse()).transpose()?.unwrap_or_else(|| fastrand::u32(..).into()),
        );
    }
    let (count, options) = rest.split_first().ok_or(USAGE)?;
    let count = if count == "short" { SHORT } else { count.parse()? };
    let mut over = histories::Over::Sled;
    let mut seed = fastrand::u32(..).into();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match (option.as_str(), options.next()) {
            ("--seed", Some(text)) => seed = text.parse()?,
            ("--store", Some(store)) if store == "sled" => {}
            ("--store", Some(store)) if store == "memory" && name == "linear" => over = histories::Over::Memory,
            _ => return Err(USAGE.into()),
        }
    }
    match name.as_str() {
        "kill" => kill::run(count, seed, plan::Mix::All),
        "orphans" => kill::run(count, seed, plan::Mix::Running),
        "power" => power::run(count, seed),
        "io" => io::run(count, seed),
        "full" => full::run(count, seed),
        "linear" => histories::run(count, seed, over),
        "flip" => flip::run(count, seed),
        _ => Err(USAGE.into()),
    }
}

pub(crate) fn print(line: &str) {
    // Who closed the pipe does not want to read.
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// A folder for one life: in memory where the machine has such a place.
pub(crate) fn scratch() -> std::io::Result<tempfile::TempDir> {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

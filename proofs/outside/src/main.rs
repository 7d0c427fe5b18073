//! `outside FOLDER` runs the suites of others against longrun's parsers, and its judge of histories
//! against porcupine's.
//!
//! One line per suite: cases, passed, and the deliberate differences with their reasons. A difference that
//! is not stated, one that is stated and is none, and a panic are shown and make the exit status 1.

mod files;
mod formats;
mod histories;
mod json;
mod odata;
mod ours;
mod suite;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use files::Fault;
use suite::Suite;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        return said("usage: outside FOLDER");
    };
    match suites(Path::new(&folder)) {
        Ok(suites) => match show(&suites) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => said(&error.to_string()),
        },
        Err(fault) => said(&fault.to_string()),
    }
}

fn said(fault: &str) -> ExitCode {
    // Nobody is left to tell if this cannot be written either.
    let _ = writeln!(io::stderr(), "outside: {fault}");
    ExitCode::from(2)
}

fn suites(folder: &Path) -> Result<Vec<Suite>, Fault> {
    let mut suites = vec![odata::run(&folder.join("odata-abnf-testcases.yaml"))?];
    suites.push(json::run(&folder.join("json-test-suite"))?);
    suites.extend(formats::run(&folder.join("json-schema-formats"))?);
    suites.push(histories::run(&folder.join("porcupine"))?);
    Ok(suites)
}

fn show(suites: &[Suite]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut failed = 0;
    for suite in suites {
        writeln!(out, "{suite}")?;
        for failure in suite.failures() {
            failed += 1;
            writeln!(out, "  FAILED {failure}")?;
        }
    }
    Ok(failed == 0)
}

//! `cargo run --release -p longrun-bench [--features rivals] -- WORK [options]`; `--help` lists both.

use std::process::ExitCode;

use longrun_bench::{args, child, parent};

fn main() -> ExitCode {
    let outcome = args::parse().and_then(|command| match command {
        args::Command::Help => {
            print!("{}", args::HELP);
            Ok(())
        }
        args::Command::Child(job) => child::run(&job),
        args::Command::Bench(options) => parent::run(&options),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("longrun-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

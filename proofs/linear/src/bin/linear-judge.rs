//! `linear-judge FOLDER` judges porcupine's recorded histories and compares with its verdicts.
//!
//! One line per file, then `N histories, N verdicts equal, 0 differ`; the exit status says the same. What
//! the folder holds stands at [`linear::vectors::folder`].

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use linear::Verdict;
use linear::vectors::folder;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let outcome = match (arguments.next(), arguments.next()) {
        (Some(folder), None) => run(Path::new(&folder)),
        _ => Err("usage: linear-judge FOLDER".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody is left to tell if this cannot be written either.
            let _ = writeln!(io::stderr(), "linear-judge: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path) -> Result<bool, Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let (mut equal, mut differ) = (0_u32, 0_u32);
    for judged in folder::judge(folder)? {
        let ours = match judged.ours {
            Verdict::Linearizable => "linearizable",
            Verdict::Illegal(_) => "not linearizable",
            Verdict::Undecided => "undecided",
        };
        let compared = match judged.equal() {
            Some(true) => "equal",
            Some(false) => "DIFFERS",
            None => "nothing to compare with, not counted",
        };
        equal += u32::from(judged.equal() == Some(true));
        differ += u32::from(judged.equal() == Some(false));
        writeln!(out, "{}: {} calls, {ours}, {compared}", judged.name, judged.calls)?;
    }
    writeln!(out, "{} histories, {equal} verdicts equal, {differ} differ", equal + differ)?;
    Ok(equal > 0 && differ == 0)
}

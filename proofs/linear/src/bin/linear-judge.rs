//! `linear-judge FOLDER` judges porcupine's recorded histories and compares with its verdicts.
//!
//! The folder holds `verdicts.txt` (`NAME linearizable` or `NAME not`, one a line) for the logs in
//! `jepsen/`, and in `kv/` logs whose names end in `-ok.txt` or `-bad.txt`. One line per file, then
//! `N histories, N verdicts equal, 0 differ`; the exit status says the same.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use linear::vectors::{jepsen, kv};
use linear::{Verdict, check_within};

/// Steps for each part of a history: what they remember stays below a few GB, and a history that
/// wants more counts as a difference.
const BOUND: u64 = 8_000_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

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

/// What is compared: calls in the history, our verdict, theirs.
struct Line {
    name: String,
    calls: usize,
    ours: Verdict,
    theirs: bool,
}

fn run(folder: &Path) -> Result<bool> {
    let mut out = io::stdout().lock();
    let (mut equal, mut differ) = (0_u32, 0_u32);
    let mut report = |line: &Line| -> Result<()> {
        let same = match line.ours {
            Verdict::Linearizable => line.theirs,
            Verdict::Illegal(_) => !line.theirs,
            Verdict::Undecided => false,
        };
        *(if same { &mut equal } else { &mut differ }) += 1;
        let ours = match line.ours {
            Verdict::Linearizable => "linearizable",
            Verdict::Illegal(_) => "not linearizable",
            Verdict::Undecided => "undecided",
        };
        let same = if same { "equal" } else { "DIFFERS" };
        Ok(writeln!(out, "{}: {} calls, {ours}, {same}", line.name, line.calls)?)
    };

    let mut verdicts = verdicts(&folder.join("verdicts.txt"))?;
    let mut unjudged = Vec::new();
    for path in files(&folder.join("jepsen"))? {
        let name = name(&path)?;
        let Some(theirs) = verdicts.remove(&name) else {
            unjudged.push(name);
            continue;
        };
        let calls = jepsen::read(&read(&path)?).map_err(|bad| format!("{name}: {bad}"))?;
        let ours = check_within(&jepsen::Register, &calls, BOUND)?;
        report(&Line { name: format!("jepsen/{name}"), calls: calls.len(), ours, theirs })?;
    }
    if let Some((missing, _)) = verdicts.first_key_value() {
        return Err(format!("there is a verdict but no log: {missing}").into());
    }
    for path in files(&folder.join("kv"))? {
        let name = name(&path)?;
        let theirs = match name.rsplit_once('-') {
            Some((_, "ok.txt")) => true,
            Some((_, "bad.txt")) => false,
            _ => return Err(format!("no verdict in the name: {name}").into()),
        };
        let calls = kv::read(&read(&path)?).map_err(|bad| format!("{name}: {bad}"))?;
        let ours = check_within(&kv::Store, &calls, BOUND)?;
        report(&Line { name: format!("kv/{name}"), calls: calls.len(), ours, theirs })?;
    }
    for name in &unjudged {
        writeln!(out, "jepsen/{name}: porcupine gives no verdict, not counted")?;
    }
    writeln!(out, "{} histories, {equal} verdicts equal, {differ} differ", equal + differ)?;
    Ok(equal > 0 && differ == 0)
}

fn verdicts(path: &Path) -> Result<BTreeMap<String, bool>> {
    let mut verdicts = BTreeMap::new();
    for line in read(path)?.lines() {
        let verdict = match line.split_once(' ') {
            Some((name, "linearizable")) => (name.to_owned(), true),
            Some((name, "not")) => (name.to_owned(), false),
            _ => return Err(format!("not a verdict: {line}").into()),
        };
        verdicts.extend([verdict]);
    }
    Ok(verdicts)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files = listed.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(name.ok_or_else(|| format!("no readable name: {}", path.display()))?.to_owned())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

//! A folder of porcupine's histories with its verdicts, judged.
//!
//! It holds `verdicts.txt` (`NAME linearizable` or `NAME not`, one a line) for the logs in `jepsen/`, and
//! in `kv/` logs whose names end in `-ok.txt` or `-bad.txt`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{jepsen, kv};
use crate::{Call, Model, Verdict, check_within};

/// Steps for each part of a history: what they remember stays below a few GB. The hardest of porcupine's
/// wants about a million; one that wants more counts as a difference.
const BOUND: u64 = 8_000_000;

/// One history, judged by us and by them.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its folder and file.
    pub name: String,
    /// How many calls it has.
    pub calls: usize,
    /// What we say.
    pub ours: Verdict,
    /// Whether they say that it is linearizable; `None` if they say nothing.
    pub theirs: Option<bool>,
}

impl Judged {
    /// Whether both say the same; `None` if they say nothing.
    #[must_use]
    pub fn equal(&self) -> Option<bool> {
        self.theirs.map(|theirs| match self.ours {
            Verdict::Linearizable => theirs,
            Verdict::Illegal(_) => !theirs,
            Verdict::Undecided => false,
        })
    }
}

/// Judges every history in the folder, in the order of names.
///
/// # Errors
/// If the folder is not what it should be; the text says how.
pub fn judge(folder: &Path) -> Result<Vec<Judged>, String> {
    let mut judged = Vec::new();
    let mut verdicts = verdicts(&read(&folder.join("verdicts.txt"))?)?;
    for (name, log) in files(&folder.join("jepsen"))? {
        let calls = jepsen::read(&log).map_err(|bad| format!("{name}: {bad}"))?;
        judged.push(one(&jepsen::Register, &calls, format!("jepsen/{name}"), verdicts.remove(&name))?);
    }
    if let Some((missing, _)) = verdicts.first_key_value() {
        return Err(format!("there is a verdict but no log: {missing}"));
    }
    for (name, log) in files(&folder.join("kv"))? {
        let theirs = match name.rsplit_once('-') {
            Some((_, "ok.txt")) => true,
            Some((_, "bad.txt")) => false,
            _ => return Err(format!("no verdict in the name: {name}")),
        };
        let calls = kv::read(&log).map_err(|bad| format!("{name}: {bad}"))?;
        judged.push(one(&kv::Store, &calls, format!("kv/{name}"), Some(theirs))?);
    }
    Ok(judged)
}

fn one<M: Model>(
    model: &M,
    calls: &[Call<M::Input, M::Output>],
    name: String,
    theirs: Option<bool>,
) -> Result<Judged, String> {
    let ours = check_within(model, calls, BOUND).map_err(|error| format!("{name}: {error}"))?;
    Ok(Judged { name, calls: calls.len(), ours, theirs })
}

fn verdicts(text: &str) -> Result<BTreeMap<String, bool>, String> {
    let verdict = |line: &str| match line.split_once(' ') {
        Some((name, "linearizable")) => Ok((name.to_owned(), true)),
        Some((name, "not")) => Ok((name.to_owned(), false)),
        _ => Err(format!("not a verdict: {line}")),
    };
    text.lines().map(verdict).collect()
}

/// The files of a folder, each with its text, in the order of names.
fn files(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let unreadable = |error| format!("{}: {error}", folder.display());
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    let file = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        read(&path).map(|text| (name, text))
    };
    paths.into_iter().map(file).collect()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

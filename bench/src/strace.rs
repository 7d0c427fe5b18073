//! What an acknowledgement means, as observed: a measurement under strace, whose syncs within the window are counted.

use std::{fmt, fs, process::Command};

use anyhow::{Context, Result};

use crate::{
    job::Job,
    parent::{answer_of, child},
};

/// Syncs within the window, for each 1,000 acknowledged writes.
#[derive(Debug, Clone, Copy)]
pub struct Syncs {
    /// `fsync`, `fdatasync` and `msync`.
    pub syncs: f64,
    /// `sync_file_range`, which promises nothing of the device's cache.
    pub range_syncs: f64,
    /// Writes to a file: each is durable by itself where the inode's sync flag is set.
    pub writes: f64,
}

impl fmt::Display for Syncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { syncs, range_syncs, writes } = self;
        write!(f, "{syncs:.0} fsync, {range_syncs:.0} range, {writes:.0} write")
    }
}

const TRACED: &str = "trace=fsync,fdatasync,msync,sync_file_range,write,pwrite64,writev,pwritev,pwritev2";

/// Runs the job under strace, which slows it: the figure is a count, not a time.
///
/// # Errors
/// strace is not installed, or the job's own errors.
pub fn measure(job: &Job) -> Result<Syncs> {
    let trace = job.folder.with_extension("strace");
    let plain = child(job)?;
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-ttt", "-y", "--seccomp-bpf", "-e", TRACED, "-o"]).arg(&trace);
    traced.arg(plain.get_program()).args(plain.get_args());
    let measured = answer_of(&mut traced).context("under strace")?;
    let text = fs::read_to_string(&trace)?;
    fs::remove_file(&trace)?;
    let folder = job.folder.to_string_lossy();
    Ok(count(&text, &folder, measured.window, measured.acks))
}

/// Counts the lines of a trace (`pid seconds call(fd</path>..`) that lie in the window and concern the folder.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn count(trace: &str, folder: &str, (opens, closes): (f64, f64), acks: u64) -> Syncs {
    let (mut syncs, mut range_syncs, mut writes) = (0_u64, 0_u64, 0_u64);
    for line in trace.lines() {
        let mut words = line.split_whitespace();
        let Some(at) = words.nth(1).and_then(|word| word.parse::<f64>().ok()) else { continue };
        let Some(call) = words.next() else { continue };
        if at < opens || at > closes {
            continue;
        }
        let Some((name, rest)) = call.split_once('(') else { continue };
        match name {
            "msync" => syncs += 1,
            _ if !rest.contains(folder) => {}
            "fsync" | "fdatasync" => syncs += 1,
            "sync_file_range" => range_syncs += 1,
            _ => writes += 1,
        }
    }
    let thousands = acks.max(1) as f64 / 1000.0;
    Syncs {
        syncs: syncs as f64 / thousands,
        range_syncs: range_syncs as f64 / thousands,
        writes: writes as f64 / thousands,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_on_the_folder_within_the_window_count() {
        let trace = "\
7 99.0 fdatasync(3</data/a/log>) = 0
7 100.1 pwrite64(3</data/a/log>, \"..\", 52, 0) = 52
8 100.2 fdatasync(3</data/a/log> <unfinished ...>
7 100.3 write(1</dev/null>, \"x\", 1) = 1
8 100.4 <... fdatasync resumed>) = 0
7 100.5 sync_file_range(4</data/a/db>, 0, 0, 0) = 0
7 101.5 fsync(3</data/a/log>) = 0
";
        let counted = count(trace, "/data/a", (100.0, 101.0), 2000);
        assert!((counted.syncs - 0.5).abs() < 1e-9);
        assert!((counted.range_syncs - 0.5).abs() < 1e-9);
        assert!((counted.writes - 0.5).abs() < 1e-9);
    }
}

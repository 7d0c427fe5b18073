//! What a process takes, once a second.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One second.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Since the whole began.
    pub(super) at: f64,
    /// Of its process's life.
    pub(super) second: usize,
    /// Resident, in MB.
    memory: f64,
    descriptors: f64,
    /// The store's folder on the disk, in MB.
    folder: f64,
    /// The middle and the slowest but one of a hundred writes, in milliseconds.
    middle: f64,
    slow: f64,
    /// Writes of this second.
    pub(super) writes: u64,
}

/// What is drawn and compared.
pub(super) type Column = (&'static str, fn(&Sample) -> f64);

pub(super) const COLUMNS: [Column; 5] = [
    ("memory, MB", |sample| sample.memory),
    ("descriptors", |sample| sample.descriptors),
    ("folder, MB", |sample| sample.folder),
    ("write, median ms", |sample| sample.middle),
    ("write, p99 ms", |sample| sample.slow),
];

const PAGE: f64 = 4096.0;
const MB: f64 = 1_048_576.0;

impl Sample {
    /// `line` is what the child says of its second: writes, median and 99th percentile in microseconds.
    pub(super) fn take(
        at: f64,
        second: usize,
        process: u32,
        folder: &Path,
        line: &str,
    ) -> io::Result<Option<Self>> {
        let numbers: Vec<u64> = line.split(' ').filter_map(|part| part.parse().ok()).collect();
        let &[writes, middle, slow] = numbers.as_slice() else { return Ok(None) };
        let pages = fs::read_to_string(format!("/proc/{process}/statm"))?;
        let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.count();
        Ok(Some(Self {
            at,
            second,
            memory: number(pages) * PAGE / MB,
            descriptors: number(u64::try_from(descriptors).unwrap_or(0)),
            folder: number(size(folder)?) / MB,
            middle: number(middle) / 1e3,
            slow: number(slow) / 1e3,
            writes,
        }))
    }

    pub(super) fn table(samples: &[Self]) -> String {
        let names: Vec<_> = COLUMNS.iter().map(|(name, _)| name.replace(',', "")).collect();
        let mut table = format!("second,life,writes,{}\n", names.join(","));
        for sample in samples {
            let figures: Vec<_> = COLUMNS.iter().map(|(_, of)| format!("{:.3}", of(sample))).collect();
            // Into a string nothing fails.
            let _ = writeln!(table, "{:.1},{},{},{}", sample.at, sample.second, sample.writes, figures.join(","));
        }
        table
    }
}

fn size(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A file may go between the two.
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        sum += if found.is_dir() { size(&path)? } else { found.blocks() * 512 };
    }
    Ok(sum)
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "a plot is read to three digits")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

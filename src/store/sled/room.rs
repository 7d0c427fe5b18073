//! Whether the disk has room for what sled is about to write.
//!
//! sled does not survive a full disk: its first failed write is its last. So room is asked for before sled is
//! touched, and more than the records need: sled writes whole segments, and pages around what changed.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::SEGMENT;

/// What stays free: a segment that is being filled, and one that is begun; snapshots fit in what they leave.
const RESERVE: u64 = 2 * SEGMENT as u64;
/// A leaf of sled has 16 records, and is written anew after some changes of it.
const PER_BYTE: u64 = 20;

/// The room that was found, and what was promised of it since.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    left: AtomicU64,
}

impl Room {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, left: AtomicU64::new(0) }
    }

    /// Takes room for a record of this length; `StorageFull` if there is none.
    pub(super) fn take(&self, bytes: usize) -> io::Result<()> {
        let wanted = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(PER_BYTE);
        let take = |left: u64| left.checked_sub(wanted).filter(|left| *left >= RESERVE);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            return Ok(());
        }
        let left = take(free(&self.path)?).ok_or(io::ErrorKind::StorageFull)?;
        self.left.store(left, Ordering::Relaxed);
        Ok(())
    }

    /// What others wrote meanwhile is not known: the next record asks the disk.
    pub(super) fn forget(&self) {
        self.left.store(0, Ordering::Relaxed);
    }
}

#[cfg(unix)]
fn free(path: &std::path::Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_path: &std::path::Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

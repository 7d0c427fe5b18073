//! Every test mounts. A machine without FUSE, or without root, fails them: nothing is skipped.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod faults;
mod files;
mod folders;
mod freezing;
mod in_flight;
mod models;
mod sled;
mod sync_flag;

use powerfs::{Backing, Image, Model, Mounted, Options, PowerFs};
use std::{
    fs::File,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Enough for every outcome of a few independent coins.
const SEEDS: u64 = 300;

/// A mounted file system in a folder of its own.
struct Rig {
    mounted: Mounted,
    _folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with(Backing::Memory, &Options::default())
    }

    fn with(backing: Backing, options: &Options) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let mounted = PowerFs::mount(folder.path(), backing, options).expect("FUSE and root are needed");
        Self { mounted, _folder: folder }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.mounted.path().join(name)
    }

    fn draws(&self, model: Model) -> impl Iterator<Item = Image> {
        (0..SEEDS).map(move |seed| self.mounted.image(seed, model))
    }

    fn draws_of_all(&self) -> impl Iterator<Item = Image> {
        Model::ALL.into_iter().flat_map(|model| self.draws(model))
    }
}

fn sync_folder(path: impl AsRef<Path>) {
    File::open(path).unwrap().sync_all().unwrap();
}

/// How many of the bytes are 1, where all others are 0.
fn ones(bytes: &[u8]) -> usize {
    bytes.iter().map(|&byte| usize::from(byte)).sum()
}

/// Waits for another thread; the bound only turns a hang into a failure.
fn until(met: impl Fn() -> bool) {
    let begun = Instant::now();
    while !met() {
        assert!(begun.elapsed() < Duration::from_mins(1), "never met");
        thread::yield_now();
    }
}

//! Saves what is intact of a folder that no longer opens, or that opens with damage.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::{SledEngine, SledOptions, StoreError, failed, open_db};
use crate::store::embedded::{Salvage, Salvaged, journal_changes};

/// sled's cache while it is read once.
const CACHE: u64 = 16 * 1024 * 1024;

/// Copies every intact record of a damaged folder into a new store at `into`, and lists the rest.
///
/// The damaged folder is locked and only read. Blocking. What lies in the journal and in sled is taken by itself,
/// the newest of each; where sled's snapshot or its small `conf` is what is damaged, they are left out. `Unsupported`
/// if something is at `into` already.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let (damaged, saved) = (folder.path().join("damaged"), folder.path().join("saved"));
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let tracker = longrun::Tracker::open(&damaged).await.unwrap();
/// # tracker.create(longrun::NewOperation::new("export")).await.unwrap();
/// # tracker.close(std::time::Duration::ZERO).await.unwrap();
/// # });
/// let salvaged = longrun::store::salvage(&damaged, &saved)?;
/// assert_eq!((salvaged.kept, salvaged.lost.len()), (1, 0));
/// # Ok::<_, longrun::store::StoreError>(())
/// ```
pub fn salvage(damaged: impl AsRef<Path>, into: impl Into<PathBuf>) -> Result<Salvaged, StoreError> {
    let (damaged, into) = (damaged.as_ref(), into.into());
    if into.exists() {
        return Err(StoreError::Unsupported(format!("{} exists", into.display())));
    }
    let folder = Folder::lock(damaged, true)?;
    let mut found = Salvage::default();
    // The new store comes first: a copy of its `conf` may stand in for a damaged one.
    let engine = SledEngine::open(&SledOptions::new(&into).cache_bytes(CACHE))?;
    match journal_changes(&folder.journal()) {
        Ok(changes) => {
            for (key, value) in changes {
                if let Some(value) = value {
                    found.take(&key, &value);
                }
            }
        }
        Err(error) => found.lose(format!("the journal: {error}")),
    }
    let copy = engine.folder.store().with_extension("salvage");
    let read = read_copies(&folder.store(), &engine.folder.store(), &copy, &mut found);
    let removed = if copy.exists() { fs::remove_dir_all(&copy) } else { Ok(()) };
    read.and(removed).map_err(|error| failed("copy", &folder.store(), error))?;
    found.fill(&engine).map_err(StoreError::definite)
}

/// Reads sled from a copy, for reading it writes: as it is, else without its snapshots, else with another `conf`.
fn read_copies(store: &Path, sound: &Path, copy: &Path, found: &mut Salvage) -> std::io::Result<()> {
    let mut reason = String::new();
    for (snapshots, conf) in [(true, true), (false, true), (true, false), (false, false)] {
        if copy.exists() {
            fs::remove_dir_all(copy)?;
        }
        fs::create_dir_all(copy.join("blobs"))?;
        for name in fs::read_dir(store)? {
            let name = name?.file_name();
            let is_snapshot = name.to_string_lossy().starts_with("snap");
            let from = if name == "conf" && !conf { sound } else { store }.join(&name);
            if from.is_file() && (snapshots || !is_snapshot) {
                fs::copy(from, copy.join(&name))?;
            }
        }
        match read(copy, found) {
            Ok(()) => return Ok(()),
            Err(error) => reason = error,
        }
    }
    found.lose(format!("sled: {reason}"));
    Ok(())
}

/// From both ends, for what lies behind a page that cannot be read is seen from the other side only.
fn read(copy: &Path, found: &mut Salvage) -> Result<(), String> {
    let run = || {
        let db = open_db(copy, CACHE).map_err(|error| error.to_string())?;
        let mut entries = db.call(|db| Ok(db.iter())).map_err(|error| error.to_string())?;
        let mut broken = None;
        while let Some(entry) = db.call(|_| entries.next().transpose()).transpose() {
            match entry {
                Ok((key, value)) => found.take(&key, &value),
                Err(error) => {
                    broken = Some(error.to_string());
                    break;
                }
            }
        }
        let Some(broken) = broken else { return Ok(()) };
        found.lose(format!("a page of sled, with up to some twenty records: {broken}"));
        let mut entries = db.call(|db| Ok(db.iter())).map_err(|error| error.to_string())?;
        while let Some(Ok((key, value))) = db.call(|_| entries.next_back().transpose()).transpose() {
            found.take(&key, &value);
        }
        Ok(())
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("it panicked".into()))
}

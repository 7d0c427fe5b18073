//! The default store: [`Embedded`] over sled 0.34, used so that it keeps what it acknowledged.
//!
//! sled's `flush` reaches the page cache only. What makes it durable is either the sync flag of the files'
//! inodes, or an `fdatasync` of our own after it; `conf`, which sled never syncs, and the folders are synced
//! once after the first open. `docs/decisions.md` has the measurements.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::StoreError;
use super::embedded::{Embedded, Engine, EngineError, Journaled, Visit};
use crate::clock::Clock;

mod folder;
mod room;
mod salvage;
mod watch;

use self::folder::Folder;
use self::room::Room;
pub use self::salvage::salvage;
use self::watch::Watched;

/// A store on disk, in a folder of its own that one process at a time has open.
pub type SledStore = Embedded<Journaled<SledEngine>>;

/// How a [`SledStore`] makes writes durable. The promise is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncMethod {
    /// The files carry the inode's sync flag (ext4, xfs, btrfs, f2fs): each write waits for the device.
    SyncFlag,
    /// An `fdatasync` after each group.
    DataSync,
}

/// Where and how to open a [`SledStore`].
#[derive(Clone, Debug)]
pub struct SledOptions {
    path: PathBuf,
    cache_bytes: u64,
    journal_bytes: Option<u64>,
    sync_flag: bool,
}

impl SledOptions {
    /// The folder at this path, made if it is missing; 64 MiB of cache; a journal of 64 MiB; the sync flag where
    /// it can be set.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cache_bytes: 64 * 1024 * 1024, journal_bytes: None, sync_flag: true }
    }

    /// Bytes that sled's page cache aims at; memory used is up to twice that.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Bytes of the journal of a new store, from 2 MiB: a larger one makes writes faster and the open after
    /// a crash slower.
    pub fn journal_bytes(mut self, bytes: u64) -> Self {
        self.journal_bytes = Some(bytes);
        self
    }

    /// Whether to use the inode's sync flag where the file system has it.
    pub fn sync_flag(mut self, wanted: bool) -> Self {
        self.sync_flag = wanted;
        self
    }
}

impl SledStore {
    /// Opens the folder and reads all records.
    ///
    /// `Locked` names the process that has it open; `Unsupported`: the folder is of something else, of a
    /// newer version, or a symbolic link; `Corrupt` names the record that cannot be read.
    pub async fn open_folder(options: SledOptions, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let store = Self::open(move || journaled(&options, true), clock, true).await?;
        let instance = super::Store::opened(&store).instance;
        // The name in the lock is for people: a folder that cannot take it still works.
        drop(store.with_engine(|engine| engine.inner().folder.name_holder(Some(instance))));
        Ok(store)
    }

    /// Opens the folder to look: makes none, writes no record and refuses writes. Locked all the same, so
    /// that what is Running is known to be of a process that is gone.
    pub async fn inspect_folder(options: SledOptions, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::inspect(move || journaled(&options, false), clock, true).await
    }

    /// How writes are made durable; `None` once the store is closed.
    pub fn sync_method(&self) -> Option<SyncMethod> {
        self.with_engine(|engine| engine.inner().method)
    }
}

fn journaled(options: &SledOptions, fills: bool) -> Result<Journaled<SledEngine>, StoreError> {
    let engine = SledEngine::open_in(options, fills)?;
    let journal = engine.folder.journal();
    Journaled::open(engine, &journal, fills, options.journal_bytes)
}

/// sled in a folder that is locked, complete and of this library.
#[derive(Debug)]
pub struct SledEngine {
    // Dropped in this order: sled before the lock.
    db: Watched,
    data: File,
    room: Room,
    method: SyncMethod,
    folder: Folder,
}

/// What a complete store has under this key: without it the files were cut short or replaced.
const MARK: (&[u8], &[u8]) = (b"\0\0sled", b"longrun 1");
/// What sled writes, frees and writes again as one. A page above a quarter of it becomes a file of its own that
/// sled never syncs; 20 of the longest records, of which a page has 16 and seldom more, stay below that.
const SEGMENT: usize = 8 * 1024 * 1024;
/// sled frees its own lock some milliseconds after it is dropped; ours is held, so nobody else can have it.
const PATIENCE: Duration = Duration::from_secs(5);

impl SledEngine {
    /// Locks the folder and opens what is in it, for a store of your own around this engine. Blocking.
    pub fn open(options: &SledOptions) -> Result<Self, StoreError> {
        Self::open_in(options, true)
    }

    fn open_in(options: &SledOptions, makes: bool) -> Result<Self, StoreError> {
        let folder = Folder::lock(&options.path, makes)?;
        if !folder.store().exists() {
            Self::create(options, &folder)?;
        }
        let store = folder.store();
        folder::remove_leftovers(&store).map_err(|error| failed("clean", &store, error))?;
        let method = folder::sync_method(&store, options.sync_flag);
        let db = open_db(&store, options.cache_bytes)?;
        let found = db.call(|db| db.get(MARK.0)).map_err(|error| opening(&store, error))?;
        if found.as_deref() != Some(MARK.1) {
            let what = "the mark of a complete store is missing: files were cut short or replaced";
            return Err(StoreError::Corrupt(format!("{}: {what}", store.display())));
        }
        let data = sync_all(&store).map_err(|error| failed("sync", &store, error))?;
        Ok(Self { db, data, room: Room::at(store), method, folder })
    }

    /// Builds an empty store beside its place, and moves it there complete and synced (FAULTS 41).
    fn create(options: &SledOptions, folder: &Folder) -> Result<(), StoreError> {
        let building = folder.building();
        let fail = |error| failed("create", &building, error);
        if building.exists() {
            fs::remove_dir_all(&building).map_err(fail)?;
        }
        folder::make(&building).map_err(fail)?;
        if options.sync_flag {
            // Refused where the file system has no such flag; `sync_method` tells later.
            drop(folder::set_sync_flag(&building));
        }
        let db = open_db(&building, options.cache_bytes)?;
        db.call(|db| db.insert(MARK.0, MARK.1)).map_err(|error| opening(&building, error))?;
        db.call(|db| db.flush()).map_err(|error| opening(&building, error))?;
        drop(db);
        folder::remove_leftovers(&building).map_err(fail)?;
        sync_all(&building).map_err(fail)?;
        fs::rename(&building, folder.store()).map_err(fail)?;
        folder.sync().map_err(fail)
    }
}

fn open_db(store: &Path, cache_bytes: u64) -> Result<Watched, StoreError> {
    let config = ::sled::Config::default().path(store).cache_capacity(cache_bytes).flush_every_ms(None);
    let config = config.segment_size(SEGMENT);
    let start = Instant::now();
    loop {
        // At some damage sled panics where it could fail.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()))
            .unwrap_or_else(|_| Err(::sled::Error::ReportableBug("sled panicked".into())));
        match opened {
            Err(::sled::Error::Io(error)) if is_own_lock(&error) && start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(opening(store, error)),
            Ok(db) => return Watched::new(config, db).map_err(|error| failed("watch", store, error)),
        }
    }
}

/// sled tells a lock that another handle still has by this text only.
fn is_own_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

/// Syncs every file of the store and its folders, and answers the data file.
fn sync_all(store: &Path) -> io::Result<File> {
    let data = File::options().read(true).write(true).open(store.join("db"))?;
    data.sync_all()?;
    for entry in fs::read_dir(store)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            for inner in fs::read_dir(entry.path())? {
                File::open(inner?.path())?.sync_all()?;
            }
        }
        File::open(entry.path())?.sync_all()?;
    }
    File::open(store)?.sync_all()?;
    Ok(data)
}

fn failed(what: &str, path: &Path, error: io::Error) -> StoreError {
    StoreError::definite(Failed { what: format!("cannot {what} {}", path.display()), source: error.into() })
}

fn opening(store: &Path, error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Corruption { .. } | ::sled::Error::ReportableBug(_) | ::sled::Error::Unsupported(_) => {
            StoreError::Corrupt(format!("{}: {error}", store.display()))
        }
        ::sled::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            StoreError::Corrupt(format!("{}: {error}", store.display()))
        }
        error => {
            StoreError::definite(Failed { what: format!("cannot open {}", store.display()), source: plain(error) })
        }
    }
}

/// An I/O error as itself, so that a full disk can be told.
fn plain(error: ::sled::Error) -> EngineError {
    match error {
        ::sled::Error::Io(error) => error.into(),
        other => other.into(),
    }
}

/// What was tried, and why it failed.
#[derive(Debug)]
struct Failed {
    what: String,
    source: EngineError,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Failed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

impl Engine for SledEngine {
    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let mut entries = self.db.call(|db| Ok(db.iter())).map_err(|error| opening(&self.folder.store(), error))?;
        while let Some(entry) = self.db.call(|_| entries.next().transpose()).transpose() {
            let (key, value) = entry.map_err(|error| opening(&self.folder.store(), error))?;
            visit(&key, &value)?;
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.db.call(|db| db.get(key)).map_err(plain)?.map(|value| value.to_vec()))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.room.take(key.len().saturating_add(value.len()))?;
        self.db.call(|db| db.insert(key, value)).map_err(plain).map(drop)
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.db.call(|db| db.remove(key)).map_err(plain).map(drop)
    }

    fn durability(&self) -> &'static str {
        match self.method {
            SyncMethod::SyncFlag => "sync flag",
            SyncMethod::DataSync => "fdatasync",
        }
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.room.forget();
        self.db.call(|db| db.flush()).map_err(plain)?;
        if self.method == SyncMethod::DataSync {
            self.data.sync_data()?;
        }
        Ok(())
    }
}

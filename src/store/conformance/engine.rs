//! Openers for stores over an [`Engine`]: everything that the suite can ask of a place, for any engine.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use std::{fs, io, process};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Hold, Opener, Place};
use crate::clock::ManualClock;
use crate::model::{OperationId, Timestamp};
use crate::store::embedded::{Embedded, Engine, EngineError, Visit};
use crate::store::record;
use crate::store::{MemoryEngine, Store, StoreError};

/// An engine whose syncs can be held back, and which knows what was synced.
#[derive(Debug)]
pub struct Gate<E> {
    engine: E,
    control: Arc<Control>,
    written: Mutex<Written>,
}

/// Values by key; `None` for a key that was purged.
type Values = Vec<(Vec<u8>, Option<Vec<u8>>)>;

#[derive(Debug, Default)]
struct Written {
    /// Since the last sync.
    pending: Values,
    /// What a power cut must leave.
    durable: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Debug, Default)]
struct Control {
    held: Mutex<bool>,
    released: Condvar,
    /// Syncs that wait.
    waiting: watch::Sender<u32>,
}

impl<E: Engine> Gate<E> {
    fn new(engine: E, control: Arc<Control>) -> Result<Self, StoreError> {
        let mut durable = BTreeMap::new();
        engine.replay(&mut |key, value| {
            durable.insert(key.into(), value.into());
            Ok(())
        })?;
        Ok(Self { engine, control, written: Mutex::new(Written { pending: Vec::new(), durable }) })
    }

    fn note(&self, key: &[u8], value: Option<&[u8]>) {
        lock(&self.written).pending.push((key.into(), value.map(Into::into)));
    }

    /// The engine behind the gate.
    pub fn engine(&self) -> &E {
        &self.engine
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E: Engine> Engine for Gate<E> {
    const SHOWS_SYNCED_ONLY: bool = E::SHOWS_SYNCED_ONLY;

    fn durability(&self) -> &'static str {
        self.engine.durability()
    }

    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        self.engine.replay(visit)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.engine.get(key)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.note(key, Some(value));
        self.engine.put(key, value)
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.note(key, None);
        self.engine.purge(key)
    }

    fn sync(&self) -> Result<(), EngineError> {
        let pending = std::mem::take(&mut lock(&self.written).pending);
        self.control.pass();
        self.engine.sync()?;
        let mut written = lock(&self.written);
        for (key, value) in pending {
            match value {
                Some(value) => drop(written.durable.insert(key, value)),
                None => drop(written.durable.remove(&key)),
            }
        }
        Ok(())
    }
}

impl Control {
    /// Waits while a hold lives.
    fn pass(&self) {
        let mut held = lock(&self.held);
        if *held {
            self.waiting.send_modify(|waiting| *waiting = waiting.saturating_add(1));
            while *held {
                held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
            self.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
        }
    }
}

#[derive(Debug)]
struct Held(Arc<Control>);

#[async_trait]
impl Hold for Held {
    async fn reached(&self) {
        let mut waiting = self.0.waiting.subscribe();
        // The sender lives in `self`.
        drop(waiting.wait_for(|waiting| *waiting > 0).await);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *lock(&self.0.held) = false;
        self.0.released.notify_all();
    }
}

/// Where an engine's bytes are.
trait Ground: fmt::Debug + Send + Sync + 'static {
    type Engine: Engine;

    fn open(&self) -> Result<Self::Engine, StoreError>;

    /// From here on `open` finds what is durable now, and not what the open engine does later.
    fn crash(&self, durable: &BTreeMap<Vec<u8>, Vec<u8>>) -> io::Result<()>;
}

/// A place for a store over an engine.
pub struct EnginePlace<E: Engine> {
    ground: Arc<dyn Ground<Engine = E>>,
    exclusive: bool,
    clock: ManualClock,
    control: Arc<Control>,
    open: Mutex<Weak<Embedded<Gate<E>>>>,
}

impl<E: Engine> fmt::Debug for EnginePlace<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnginePlace").field("ground", &self.ground).finish_non_exhaustive()
    }
}

impl<E: Engine> EnginePlace<E> {
    fn new(ground: Arc<dyn Ground<Engine = E>>, exclusive: bool) -> Result<Self, StoreError> {
        let date: Timestamp = "2026-01-01T00:00:00Z".parse().map_err(StoreError::definite)?;
        Ok(Self {
            ground,
            exclusive,
            clock: ManualClock::new(date.to_datetime()),
            control: Arc::default(),
            open: Mutex::default(),
        })
    }

    fn with_gate<R>(&self, ask: impl FnOnce(&Gate<E>) -> R) -> Option<R> {
        let store = lock(&self.open).upgrade()?;
        store.with_engine(ask)
    }
}

#[async_trait]
impl<E: Engine> Place for EnginePlace<E> {
    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let (ground, control) = (Arc::clone(&self.ground), Arc::clone(&self.control));
        let opener = move || Gate::new(ground.open()?, Arc::clone(&control));
        let store = Arc::new(Embedded::open(opener, Arc::new(self.clock.clone()), self.exclusive).await?);
        *lock(&self.open) = Arc::downgrade(&store);
        Ok(store)
    }

    async fn pass(&self, time: Duration) -> bool {
        self.clock.advance(time);
        true
    }

    async fn crash(&self) -> bool {
        let crashed = self.with_gate(|gate| self.ground.crash(&lock(&gate.written).durable));
        matches!(crashed, Some(Ok(())))
    }

    fn hold(&self) -> Option<Box<dyn Hold>> {
        *lock(&self.control.held) = true;
        Some(Box::new(Held(Arc::clone(&self.control))))
    }

    async fn spoil(&self, id: &OperationId) -> bool {
        let key = record::key(id);
        let spoil = |gate: &Gate<E>| -> Result<bool, EngineError> {
            let Some(mut bytes) = gate.engine.get(&key)? else { return Ok(false) };
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            gate.engine.put(&key, &bytes)?;
            // Some engines show what is synced only.
            gate.engine.sync()?;
            Ok(true)
        };
        matches!(self.with_gate(spoil), Some(Ok(true)))
    }
}

/// Opens stores over an engine that lives in a folder.
///
/// ```
/// # fn main() {}
/// use longrun::conformance::EngineOpener;
/// use longrun::store::{SledEngine, SledOptions};
///
/// longrun::conformance_tests!(EngineOpener::new(|folder| SledEngine::open(&SledOptions::new(folder))));
/// ```
pub struct EngineOpener<F> {
    open: F,
    exclusive: bool,
}

impl<F> fmt::Debug for EngineOpener<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineOpener")
    }
}

impl<F> EngineOpener<F> {
    /// Opens engines so, each in a folder of its own that is there and empty at first. A second open while
    /// the first engine lives must be refused as [`StoreError::Locked`].
    pub fn new<E>(open: F) -> Self
    where
        E: Engine,
        F: Fn(&Path) -> Result<E, StoreError> + Clone + Send + Sync + 'static,
    {
        Self { open, exclusive: true }
    }

    /// For an engine that several may have open.
    pub fn not_exclusive(mut self) -> Self {
        self.exclusive = false;
        self
    }
}

static FOLDERS: AtomicU64 = AtomicU64::new(0);

/// A folder of folders, one for each crash; removed when dropped.
struct Folders<F> {
    root: PathBuf,
    crashes: AtomicU64,
    open: F,
}

impl<F> fmt::Debug for Folders<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folders").field("root", &self.root).finish_non_exhaustive()
    }
}

impl<F> Folders<F> {
    fn at(&self, crashes: u64) -> PathBuf {
        self.root.join(crashes.to_string())
    }

    fn current(&self) -> PathBuf {
        self.at(self.crashes.load(Ordering::Acquire))
    }
}

impl<E, F> Ground for Folders<F>
where
    E: Engine,
    F: Fn(&Path) -> Result<E, StoreError> + Send + Sync + 'static,
{
    type Engine = E;

    fn open(&self) -> Result<E, StoreError> {
        (self.open)(&self.current())
    }

    /// As after kill -9: what the files hold now.
    fn crash(&self, _durable: &BTreeMap<Vec<u8>, Vec<u8>>) -> io::Result<()> {
        copy(&self.current(), &self.at(self.crashes.load(Ordering::Acquire).saturating_add(1)))?;
        self.crashes.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

impl<F> Drop for Folders<F> {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary folder.
        drop(fs::remove_dir_all(&self.root));
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[async_trait]
impl<E, F> Opener for EngineOpener<F>
where
    E: Engine,
    F: Fn(&Path) -> Result<E, StoreError> + Clone + Send + Sync + 'static,
{
    async fn place(&self) -> Result<Box<dyn Place>, Box<dyn StdError + Send + Sync>> {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("longrun-conformance-{}-{number}", process::id()));
        let folders = Folders { root, crashes: AtomicU64::new(0), open: self.open.clone() };
        fs::create_dir_all(folders.current())?;
        Ok(Box::new(EnginePlace::new(Arc::new(folders), self.exclusive)?))
    }
}

/// Opens stores in memory. A crash is a power cut: what was not synced is gone.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct MemoryOpener;

#[derive(Debug, Default)]
struct Memory {
    engine: Mutex<MemoryEngine>,
}

impl Ground for Memory {
    type Engine = MemoryEngine;

    fn open(&self) -> Result<MemoryEngine, StoreError> {
        lock(&self.engine).claim()
    }

    fn crash(&self, durable: &BTreeMap<Vec<u8>, Vec<u8>>) -> io::Result<()> {
        let engine = MemoryEngine::default();
        for (key, value) in durable {
            engine.put(key, value).map_err(io::Error::other)?;
        }
        *lock(&self.engine) = engine;
        Ok(())
    }
}

#[async_trait]
impl Opener for MemoryOpener {
    async fn place(&self) -> Result<Box<dyn Place>, Box<dyn StdError + Send + Sync>> {
        Ok(Box::new(EnginePlace::new(Arc::new(Memory::default()), true)?))
    }
}

//! A short log that acknowledges before the engine is filled: an [`Engine`] over any other.
//!
//! `sync` appends one frame to a file of blocks written beforehand and waits for the device once; a thread
//! fills the engine behind it, with one put for the newest value of each key. The file has two halves: before
//! one is used again, all it holds is in the engine, synced. Opening reads the file and goes on from there;
//! what it holds is the newest, and stands before what the engine holds.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::engine::{Engine, EngineError, Visit, is_full};
use super::scan::random;
use super::worker::chain;
use crate::store::StoreError;

mod frames;

use self::frames::Frames;

/// Where the engine keeps the number of its journal.
const MARK: &[u8] = b"\0\0journal";
/// A full disk is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);
/// Syncs of the engine while it is filled, at most: small writes hold up the journal's least.
const SYNCS: usize = 32;
/// Puts into the engine in a row.
const STEP: usize = 64;
/// A filler that is ahead waits so long after each step.
const PAUSE: Duration = Duration::from_millis(1);
/// Bytes of a half, unless another size is asked for.
const HALF: usize = 32 * 1024 * 1024;
/// No half is smaller: the longest records go into one frame.
const MIN_HALF: usize = 1024 * 1024;

/// Every change that can still be read in a journal's file, in order.
#[cfg(feature = "sled")]
pub(crate) fn changes(path: &Path) -> io::Result<Vec<frames::Change>> {
    frames::salvage(path)
}

/// An engine that acknowledges by a journal. `get` shows what is synced only.
pub struct Journaled<E: Engine> {
    core: Arc<Core<E>>,
    filler: Option<JoinHandle<()>>,
}

struct Core<E> {
    inner: E,
    writer: Mutex<Writer>,
    overlay: Mutex<Overlay>,
    /// A half is to be filled, was filled, or the journal ends.
    turned: Condvar,
}

/// Kept in several places at once.
type Key = Arc<[u8]>;

/// What is put and not synced.
struct Writer {
    frames: Frames,
    changes: Vec<(Key, Option<Arc<[u8]>>)>,
}

/// What is synced and not in the engine.
#[derive(Default)]
struct Overlay {
    values: HashMap<Key, Value>,
    /// The keys of each generation that is not filled; a key is filled with its newest.
    keys: HashMap<u64, Vec<Key>>,
    /// The generation that is being written.
    current: u64,
    /// Bytes of its half that are written, of so many.
    used: usize,
    size: usize,
    /// Somebody waits for the other half.
    waits: bool,
    /// Generations up to here are in the engine, synced.
    filled: u64,
    /// Why the engine could not be filled.
    failed: Option<(io::ErrorKind, String)>,
    ends: bool,
}

struct Value {
    bytes: Option<Arc<[u8]>>,
    generation: u64,
}

impl Overlay {
    fn set(&mut self, generation: u64, key: Key, bytes: Option<Arc<[u8]>>) {
        let value = Value { bytes, generation };
        let before = self.values.insert(Arc::clone(&key), value);
        if before.is_none_or(|before| before.generation != generation) {
            self.keys.entry(generation).or_default().push(key);
        }
    }

    fn check(&self) -> Result<(), EngineError> {
        match &self.failed {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone()).into()),
            None => Ok(()),
        }
    }
}

impl<E: Engine> fmt::Debug for Journaled<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journaled").field("inner", &self.core.inner).finish_non_exhaustive()
    }
}

impl<E: Engine> Journaled<E> {
    /// Opens the journal of an engine, made if the engine has none yet.
    ///
    /// `Corrupt` where the journal is missing, of another engine, or damaged. With `fills`, a thread fills the
    /// engine; without, nothing is written unless something is put. `bytes` is the size of a new file: the
    /// larger it is, the seldomer is an operation that changes often put into the engine, and the longer
    /// takes the open after a crash. 64 MiB without it.
    pub fn open(inner: E, path: &Path, fills: bool, bytes: Option<u64>) -> Result<Self, StoreError> {
        let half = bytes.map_or(HALF, |bytes| usize::try_from(bytes / 2).unwrap_or(HALF).max(MIN_HALF));
        let corrupt = |what: &str| StoreError::Corrupt(format!("{}: {what}", path.display()));
        let known = inner.get(MARK).map_err(StoreError::definite)?;
        if known.is_none() {
            let number = random();
            Frames::create(path, number, half).map_err(StoreError::definite)?;
            inner.put(MARK, &number.to_le_bytes()).map_err(StoreError::definite)?;
            inner.sync().map_err(StoreError::definite)?;
        } else if !path.exists() {
            return Err(corrupt("the journal is missing"));
        }
        let (frames, found) = Frames::open(path)?;
        if known.is_some_and(|known| *known != frames.number.to_le_bytes()) {
            return Err(corrupt("the journal is of another store"));
        }
        // A killed process may have left frames in the page cache: they were read, so they must stay.
        frames.sync().map_err(StoreError::definite)?;
        let [older, newer] = found.halves;
        let mut overlay = Overlay {
            current: frames.generation,
            size: frames.size,
            used: frames.end(),
            filled: frames.generation.saturating_sub(1),
            ..Overlay::default()
        };
        if found.clean {
            // The engine has it all; the last change shows whether it still has.
            let mut last = [older, newer]
                .into_iter()
                .filter_map(|half| Some((half.generation, half.changes.into_iter().last()?)));
            if let Some((generation, (key, bytes))) = last.next_back() {
                overlay.filled = overlay.filled.min(generation.saturating_sub(1));
                overlay.set(generation, key.into(), bytes.map(Into::into));
            }
        } else {
            overlay.filled =
                if older.generation == 0 { overlay.filled } else { older.generation.saturating_sub(1) };
            for half in [older, newer] {
                let changes = half.changes.into_iter();
                changes.for_each(|(key, bytes)| {
                    overlay.set(half.generation, key.into(), bytes.map(Into::into));
                });
            }
        }
        let core = Arc::new(Core {
            inner,
            writer: Mutex::new(Writer { frames, changes: Vec::new() }),
            overlay: Mutex::new(overlay),
            turned: Condvar::new(),
        });
        let filler = fills.then(|| {
            let core = Arc::clone(&core);
            std::thread::Builder::new().name("longrun-filler".into()).spawn(move || core.fill())
        });
        Ok(Self { core, filler: filler.transpose().map_err(StoreError::definite)? })
    }

    /// The engine behind the journal.
    pub fn inner(&self) -> &E {
        &self.core.inner
    }
}

impl<E> Core<E> {
    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable, in order, frame by frame, and shows what is.
    fn append(&self, writer: &mut Writer) -> Result<(), EngineError> {
        let changes = std::mem::take(&mut writer.changes);
        let mut rest = changes.into_iter().peekable();
        while rest.peek().is_some() {
            let (mut payload, mut some) = (frames::payload(), Vec::new());
            // Cut off there, one group cannot need more than a half.
            while let Some((key, value)) = rest.next_if(|_| payload.len() < writer.frames.size / 4) {
                frames::push(&mut payload, &key, value.as_deref());
                some.push((key, value));
            }
            self.make_room(writer, payload.len())?;
            writer.frames.append(&mut payload)?;
            let mut overlay = self.overlay();
            overlay.used = writer.frames.end();
            for (key, value) in some {
                overlay.set(writer.frames.generation, key, value);
            }
        }
        Ok(())
    }

    /// Turns to the other half if this one is full; waits until it may be used again.
    fn make_room(&self, writer: &mut Writer, length: usize) -> Result<(), EngineError> {
        if writer.frames.fits(length) {
            return Ok(());
        }
        let mut overlay = self.overlay();
        // The other half holds the generation before this one.
        while overlay.filled < overlay.current.saturating_sub(1) {
            overlay.check()?;
            overlay.waits = true;
            self.turned.notify_all();
            overlay = self.turned.wait(overlay).unwrap_or_else(PoisonError::into_inner);
        }
        (overlay.waits, overlay.used) = (false, 0);
        writer.frames.turn();
        overlay.current = writer.frames.generation;
        drop(overlay);
        self.turned.notify_all();
        Ok(())
    }
}

impl<E: Engine> Core<E> {
    /// Fills the engine with each generation that is complete, until the journal ends; then with all.
    fn fill(&self) {
        loop {
            let mut overlay = self.overlay();
            while overlay.filled >= overlay.current.saturating_sub(1) && !overlay.ends {
                overlay = self.turned.wait(overlay).unwrap_or_else(PoisonError::into_inner);
            }
            let next = overlay.filled.saturating_add(1);
            let (ends, done) = (overlay.ends, next > overlay.current);
            drop(overlay);
            if done {
                break;
            }
            if let Err(error) = self.fill_generation(next) {
                let kind = if is_full(&error) { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
                let mut overlay = self.overlay();
                overlay.failed = Some((kind, chain(&*error)));
                self.turned.notify_all();
                if ends || kind == io::ErrorKind::Other {
                    return;
                }
                // It may have room later.
                drop(self.turned.wait_timeout(overlay, RETRY));
            }
        }
        // Everything is in the engine: the next open need not look.
        let mut writer = self.writer();
        let mut nothing = frames::payload();
        if self.make_room(&mut writer, nothing.len()).is_ok() {
            drop(writer.frames.append(&mut nothing));
        }
    }

    /// Waits a moment where the engine is filled faster than the other half: callers need the processor and
    /// the disk in the meantime.
    fn pace(&self, done: usize, of: usize) {
        let overlay = self.overlay();
        // Done when three quarters of the other half are used: nobody shall wait for the end.
        let ahead = done.saturating_mul(overlay.size / 4 * 3) > overlay.used.saturating_mul(of);
        if ahead && !overlay.waits && !overlay.ends {
            drop(self.turned.wait_timeout(overlay, PAUSE));
        }
    }

    fn fill_generation(&self, generation: u64) -> Result<(), EngineError> {
        let keys = self.overlay().keys.get(&generation).cloned().unwrap_or_default();
        for (done, key) in keys.iter().enumerate() {
            if done > 0 && done.is_multiple_of(keys.len().div_ceil(SYNCS).max(STEP)) {
                self.inner.sync()?;
            }
            if done.is_multiple_of(STEP) {
                self.pace(done, keys.len());
            }
            let newest = self.overlay().values.get(key).map(|value| (value.generation, value.bytes.clone()));
            // Written again since: it is filled with that generation.
            let Some((_, bytes)) = newest.filter(|(of, _)| *of == generation) else { continue };
            match &bytes {
                Some(bytes) => self.inner.put(key, bytes)?,
                None => self.inner.purge(key)?,
            }
            let mut overlay = self.overlay();
            let same = overlay.values.get(key).is_some_and(|value| match (&value.bytes, &bytes) {
                (Some(now), Some(then)) => Arc::ptr_eq(now, then),
                (None, None) => value.generation == generation,
                _ => false,
            });
            if same {
                overlay.values.remove(key);
            }
        }
        self.inner.sync()?;
        let mut overlay = self.overlay();
        overlay.keys.remove(&generation);
        overlay.filled = generation;
        overlay.failed = None;
        self.turned.notify_all();
        Ok(())
    }
}

impl<E: Engine> Engine for Journaled<E> {
    const SHOWS_SYNCED_ONLY: bool = true;

    fn durability(&self) -> &'static str {
        self.core.inner.durability()
    }

    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        // Taken out first: a value moves from here into the engine, never back.
        let newer: HashMap<Key, Option<Arc<[u8]>>> = {
            let overlay = self.core.overlay();
            overlay.values.iter().map(|(key, value)| (key.clone(), value.bytes.clone())).collect()
        };
        self.core
            .inner
            .replay(&mut |key, value| if newer.contains_key(key) { Ok(()) } else { visit(key, value) })?;
        newer.iter().try_for_each(|(key, value)| value.as_ref().map_or(Ok(()), |value| visit(key, value)))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let journaled = self.core.overlay().values.get(key).map(|value| value.bytes.clone());
        match journaled {
            Some(bytes) => Ok(bytes.map(|bytes| bytes.to_vec())),
            None => self.core.inner.get(key),
        }
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.core.writer().changes.push((key.into(), Some(value.into())));
        Ok(())
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.core.writer().changes.push((key.into(), None));
        Ok(())
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.core.overlay().check()?;
        self.core.append(&mut self.core.writer())
    }
}

impl<E: Engine> Drop for Journaled<E> {
    /// Fills the engine, so that the next open is quick. A failure loses nothing: the journal has it.
    fn drop(&mut self) {
        self.core.overlay().ends = true;
        self.core.turned.notify_all();
        if let Some(filler) = self.filler.take() {
            drop(filler.join());
        }
    }
}

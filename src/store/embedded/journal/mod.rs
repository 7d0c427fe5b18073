//! A short log that acknowledges before the engine is filled: an [`Engine`] over any other.
//!
//! `sync` appends one frame to a file of blocks written beforehand and waits for the device once; a thread
//! fills the engine behind it, with one put for the newest value of each key. The file has two halves: before
//! one is used again, all it holds is in the engine, synced. Opening reads the file and goes on from there;
//! what it holds is the newest, and stands before what the engine holds.

use std::collections::{BTreeMap, HashMap};
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
mod newest;

use self::frames::Frames;
use self::newest::{Frame, Newest, Payload};

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

/// What is put and not synced: complete frames, and the one that is added to.
struct Writer {
    frames: Frames,
    complete: Vec<Payload>,
    payload: Payload,
}

impl Writer {
    fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.payload.push(key, value);
        // Cut off there, one group cannot need more than a half.
        if self.payload.bytes.len() >= self.frames.size / 4 {
            self.complete.push(std::mem::take(&mut self.payload));
        }
    }
}

/// What is synced and not in the engine.
#[derive(Default)]
struct Overlay {
    newest: Newest,
    /// The frames of each generation that is not filled.
    frames: BTreeMap<u64, Vec<Arc<Frame>>>,
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

impl Overlay {
    fn add(&mut self, generation: u64, frame: Frame) {
        self.newest.set(&frame);
        self.frames.entry(generation).or_default().push(Arc::new(frame));
    }

    /// Adds changes that were read from the file.
    fn restore(&mut self, generation: u64, changes: impl IntoIterator<Item = frames::Change>) {
        let mut payload = Payload::default();
        changes.into_iter().for_each(|(key, value)| payload.push(&key, value.as_deref()));
        self.add(generation, payload.written());
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
            if let Some((generation, change)) = last.next_back() {
                overlay.filled = overlay.filled.min(generation.saturating_sub(1));
                overlay.restore(generation, [change]);
            }
        } else {
            overlay.filled =
                if older.generation == 0 { overlay.filled } else { older.generation.saturating_sub(1) };
            for half in [older, newer] {
                overlay.restore(half.generation, half.changes);
            }
        }
        let core = Arc::new(Core {
            inner,
            writer: Mutex::new(Writer { frames, complete: Vec::new(), payload: Payload::default() }),
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
        let mut payloads = std::mem::take(&mut writer.complete);
        payloads.push(std::mem::take(&mut writer.payload));
        for mut payload in payloads.into_iter().filter(|payload| !payload.is_empty()) {
            self.make_room(writer, payload.bytes.len())?;
            writer.frames.append(&mut payload.bytes)?;
            let frame = payload.written();
            let mut overlay = self.overlay();
            overlay.used = writer.frames.end();
            overlay.add(writer.frames.generation, frame);
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
        let frames = self.overlay().frames.get(&generation).cloned().unwrap_or_default();
        let all: usize = frames.iter().map(|frame| frame.places().len()).sum();
        let (mut seen, mut synced, mut paced) = (0_usize, 0_usize, 0_usize);
        for frame in &frames {
            for some in frame.places().chunks(STEP) {
                seen = seen.saturating_add(some.len());
                // Written again since: it is filled with that frame.
                let newest: Vec<_> = {
                    let overlay = self.overlay();
                    some.iter().copied().filter(|place| overlay.newest.is(frame, *place)).collect()
                };
                for place in &newest {
                    let key = frame.key(*place);
                    match frame.value(*place) {
                        Some(value) => self.inner.put(key, value)?,
                        None => self.inner.purge(key)?,
                    }
                }
                self.overlay().newest.forget(frame, &newest);
                paced = paced.saturating_add(newest.len());
                if paced >= STEP {
                    paced = 0;
                    self.pace(seen, all);
                }
                if seen.saturating_sub(synced) >= all.div_ceil(SYNCS).max(STEP) {
                    synced = seen;
                    self.inner.sync()?;
                }
            }
        }
        self.inner.sync()?;
        let mut overlay = self.overlay();
        overlay.frames.remove(&generation);
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
        let newest = self.core.overlay().newest.all();
        let newer: HashMap<_, _> = newest.iter().map(|found| (found.key(), found.value())).collect();
        self.core
            .inner
            .replay(&mut |key, value| if newer.contains_key(key) { Ok(()) } else { visit(key, value) })?;
        newer.iter().try_for_each(|(key, value)| value.map_or(Ok(()), |value| visit(key, value)))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let journaled = self.core.overlay().newest.get(key);
        match journaled {
            Some(found) => Ok(found.value().map(<[u8]>::to_vec)),
            None => self.core.inner.get(key),
        }
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.core.writer().push(key, Some(value));
        Ok(())
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.core.writer().push(key, None);
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

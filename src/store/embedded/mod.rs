//! What every store in this process shares: an index in memory over an [`Engine`] that keeps bytes.
//!
//! Writers swap against the newest record under one short lock and then wait; the store's one thread takes
//! all that wait, puts their records into the engine, syncs once, shows them to readers and answers. So a
//! write is one put of one key, nothing can be torn, and nothing is seen before it is durable.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

mod engine;
mod fate;
mod index;
mod journal;
mod meta;
#[cfg(feature = "sled")]
mod salvage;
mod scan;
mod state;
mod verify;
mod warm;
mod worker;

pub use self::engine::{Engine, EngineError, Visit};
use self::fate::Waiter;
pub use self::journal::Journaled;
#[cfg(feature = "sled")]
pub(crate) use self::journal::changes as journal_changes;
#[cfg(feature = "sled")]
pub(crate) use self::salvage::Salvage;
#[cfg(feature = "sled")]
pub use self::salvage::Salvaged;
use self::state::{Look, Mode, State, Submitted};
use super::hints::Listeners;
use super::record::{self, Entry, Record, Unplaced};
use super::unreadable::Unreadable;
use super::{
    Change, Changes, Counts, Durability, HintStream, Idle, Opened, Position, Report, Store, StoreError,
    StoreHealth, Swap,
};
use crate::clock::Clock;
use crate::model::{Operation, OperationId, Page, Query, Timestamp, Version};

/// Feed places reserved at a time.
const BLOCK: u64 = 1 << 32;
/// Running operations looked at under one hold of the lock.
const LOOKS: usize = 4_096;

/// Something for the worker to do between groups.
type Job = Box<dyn FnOnce() + Send>;
type Opener<E> = Box<dyn Fn() -> Result<E, StoreError> + Send + Sync>;

/// A store in this process, over any engine.
pub struct Embedded<E: Engine> {
    shared: Arc<Shared<E>>,
    worker: Mutex<Option<JoinHandle<()>>>,
    exclusive: bool,
}

struct Shared<E> {
    /// The store, for ever.
    store: u64,
    state: Mutex<State>,
    /// Tells the worker that there is something to do.
    wake: Condvar,
    jobs: Mutex<Vec<Job>>,
    engine: RwLock<Option<E>>,
    opener: Opener<E>,
    clock: Arc<dyn Clock>,
    listeners: Listeners,
    unreadable: Unreadable,
    /// Instances before this one are dead.
    dead_before: OnceLock<u32>,
    /// The newest open, as the state has it: asked for with every write, so without its lock.
    instance: AtomicU32,
    /// Somebody was refused while the disk was full.
    asked: AtomicBool,
    closed: watch::Sender<bool>,
}

impl<E: Engine> fmt::Debug for Embedded<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("opened", &self.opened()).finish_non_exhaustive()
    }
}

impl<E: Engine> Embedded<E> {
    /// Opens the engine, reads it once from end to end, and starts the store's thread.
    ///
    /// `opener` is called again after a full disk. `exclusive` says that nobody else can have the engine
    /// open, which proves that earlier instances are dead.
    pub async fn open<O>(opener: O, clock: Arc<dyn Clock>, exclusive: bool) -> Result<Self, StoreError>
    where
        O: Fn() -> Result<E, StoreError> + Send + Sync + 'static,
    {
        Self::start(Box::new(opener), clock, exclusive, false).await
    }

    /// Opens to look: takes no instance, writes nothing, refuses writes. `exclusive` as in
    /// [`open`](Self::open).
    pub async fn inspect<O>(opener: O, clock: Arc<dyn Clock>, exclusive: bool) -> Result<Self, StoreError>
    where
        O: Fn() -> Result<E, StoreError> + Send + Sync + 'static,
    {
        Self::start(Box::new(opener), clock, exclusive, true).await
    }

    async fn start(
        opener: Opener<E>,
        clock: Arc<dyn Clock>,
        exclusive: bool,
        inspect: bool,
    ) -> Result<Self, StoreError> {
        let (sender, started) = oneshot::channel();
        let run = move || {
            let dead_before = OnceLock::new();
            if !exclusive {
                // Earlier instances may live: none is known to be dead.
                dead_before.get_or_init(|| 0);
            }
            let scanned = opener().and_then(|engine| {
                let state = scan::scan(&engine, inspect, &dead_before, clock.monotonic())?;
                Ok((engine, state))
            });
            let shared = match scanned {
                Ok((engine, state)) => Arc::new(Shared {
                    store: state.meta.store,
                    instance: AtomicU32::new(state.meta.instance),
                    state: Mutex::new(state),
                    wake: Condvar::new(),
                    jobs: Mutex::default(),
                    engine: RwLock::new(Some(engine)),
                    opener,
                    clock,
                    listeners: Listeners::default(),
                    unreadable: Unreadable::default(),
                    dead_before,
                    asked: AtomicBool::new(false),
                    closed: watch::Sender::new(false),
                }),
                Err(error) => return drop(sender.send(Err(error))),
            };
            // Sent whole, so that a store nobody takes any more is closed again by being dropped, in the
            // channel too.
            let store = Self { shared: Arc::clone(&shared), worker: Mutex::default(), exclusive };
            drop(sender.send(Ok(store)));
            shared.work();
        };
        let worker = std::thread::Builder::new().name("longrun-store".into()).spawn(run);
        let worker = worker.map_err(StoreError::definite)?;
        let mut store: Self = started.await.map_err(|_| StoreError::definite("the store's thread ended"))??;
        *store.worker.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(worker);
        Ok(store)
    }

    /// The engine, while the store is open.
    pub fn with_engine<R>(&self, ask: impl FnOnce(&E) -> R) -> Option<R> {
        self.shared.engine.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(ask)
    }

    async fn write(
        &self,
        id: &OperationId,
        expected: Option<Version>,
        entry: Entry,
        durability: Durability,
    ) -> Result<Swap, StoreError> {
        let corrupt = |error: record::RecordError| StoreError::Corrupt(error.to_string());
        let unplaced = Unplaced::new(&record::key(id), &entry).map_err(corrupt)?;
        let key = match &entry {
            Entry::Live(operation) if expected.is_none() => operation.held_key().map(str::to_owned),
            _ => None,
        };
        let submitted = {
            let now = self.shared.clock.monotonic();
            let mut state = self.shared.lock();
            let submitted = state.submit(id, expected, entry, unplaced, durability, now);
            let full = matches!(state.mode, Mode::Full { .. });
            if full {
                self.shared.asked.store(true, Ordering::Release);
            }
            let wakes = state.wakes() || full;
            drop(state);
            if wakes {
                self.shared.wake.notify_one();
            }
            submitted?
        };
        match submitted {
            Submitted::Shown => {
                if !self.shared.listeners.is_empty() {
                    self.shared.listeners.tell(&std::iter::once(id.clone()));
                }
                Ok(Swap::Stored)
            }
            Submitted::Waits(outcome) => {
                outcome.await.ok_or_else(|| StoreError::indefinite("the store's thread ended"))??;
                Ok(Swap::Stored)
            }
            Submitted::Lost => Ok(Swap::Lost(self.shared.load(id)?)),
            Submitted::LostTo(outcome) => {
                other(outcome).await?;
                Ok(Swap::Lost(self.shared.load(id)?))
            }
            Submitted::Taken(holder, waits) => {
                if let Some(outcome) = waits {
                    other(outcome).await?;
                }
                // It may have ended meanwhile: the key is free then, and the id is as it was.
                let held = self.shared.load(&holder)?.filter(|held| held.held_key() == key.as_deref());
                Ok(held.map_or(Swap::Lost(None), Swap::Taken))
            }
        }
    }
}

/// Waits for another write. Whatever became of it, the one that asks was not made.
async fn other(outcome: Waiter) -> Result<(), StoreError> {
    let outcome = outcome.await.ok_or_else(|| StoreError::definite("the store's thread ended"))?;
    outcome.map_err(|failed| StoreError::definite(failed.reason.to_string()))
}

/// What the feed finds at a place.
enum At {
    /// The operation as it was written there.
    Told(Operation),
    /// It has a later place, which will tell, or is purged.
    Later,
    /// It is being overwritten, by what a crash may still take away or what is shown in a moment: nobody may go on
    /// past it yet.
    Pending,
}

impl<E: Engine> Shared<E> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_readable(state: &State) -> Result<(), StoreError> {
        if matches!(state.mode, Mode::Closed) { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// What readers see of an id.
    fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        let loaded = self.find(id);
        if self.unreadable.note(id, &loaded) {
            tracing::error!(operation.id = %id, "a record cannot be read; lists pass it over");
        }
        loaded
    }

    fn find(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        let mut last = None;
        loop {
            let (version, sequence) = {
                let state = self.lock();
                Self::check_readable(&state)?;
                match state.look(id) {
                    Look::Nothing => return Ok(None),
                    Look::Found(operation) => return Ok(Some(operation)),
                    Look::Engine(version, sequence) => (version, sequence),
                }
            };
            match self.read(id)? {
                Some(record) if record.version() == version && record.operation().is_some() => {
                    let record = Arc::new(record);
                    self.lock().keep_asked(&record);
                    return Ok(record.operation().cloned());
                }
                // Synced just now, and shown to lists in a moment.
                Some(record) if E::SHOWS_SYNCED_ONLY && record.sequence > sequence => return Ok(record.live()),
                // Overwritten since: memory knows more now. The same difference twice is no race.
                _ if last == Some(version) => {
                    let what = format!("record {id}: the engine holds another version than was written");
                    return Err(StoreError::Corrupt(what));
                }
                _ => last = Some(version),
            }
        }
    }

    /// What an operation was at a place in the feed.
    fn load_at(&self, id: &OperationId, place: u64) -> Result<At, StoreError> {
        let told = |record: &Record| Ok(record.operation().cloned().map_or(At::Later, At::Told));
        if let Some(record) = self.lock().at(id, place) {
            return told(&record);
        }
        let read = self.read(id)?;
        if let Some(record) = read.as_ref().filter(|record| record.sequence == place) {
            return told(record);
        }
        // It is being overwritten, and memory has it until that is durable; or it has a later place.
        let state = self.lock();
        if let Some(record) = state.at(id, place) {
            return told(&record);
        }
        let newest = state.index.slot(id).and_then(|slot| state.index.sequence(slot));
        drop(state);
        let is_newer = read.is_some_and(|record| record.sequence > place);
        match (newest == Some(place), is_newer) {
            (false, _) => Ok(At::Later),
            (true, true) => Ok(At::Pending),
            (true, false) => {
                Err(StoreError::Corrupt(format!("record {id}: the engine holds an older one than was written")))
            }
        }
    }

    /// What the feed tells after a position; `None` if its first change is in the making.
    fn changes(&self, after: &Position, limit: usize) -> Result<Option<Changes>, StoreError> {
        let (found, store, since, durable) = {
            let state = self.lock();
            Self::check_readable(&state)?;
            if after.store() != 0 && after.store() != state.meta.store {
                return Err(StoreError::PositionExpired);
            }
            let since = if after.store() == 0 { state.durable } else { after.since() };
            if after.at().max(since) < state.meta.purged {
                return Err(StoreError::PositionExpired);
            }
            let feed = state.index.feed_after(after.at(), limit);
            let entry = |(at, slot)| Some((at, state.index.id(slot)?.clone(), state.index.deleted(slot)));
            let found: Vec<_> = feed.filter_map(entry).collect();
            (found, state.meta.store, since, state.durable)
        };
        let mut at_end = found.len() < limit;
        let mut end = after.at();
        let mut items = Vec::with_capacity(found.len());
        for (place, id, deleted) in found {
            let told = match deleted {
                Some(version) => Some(Change::Deleted { id, version }),
                None => match self.load_at(&id, place)? {
                    At::Told(operation) => Some(Change::Updated(operation)),
                    At::Later => {
                        // It moved on since the places were looked up, beyond what this read covers.
                        at_end = false;
                        None
                    }
                    At::Pending if items.is_empty() => return Ok(None),
                    At::Pending => {
                        at_end = false;
                        break;
                    }
                },
            };
            items.extend(told);
            end = place;
        }
        let at = if at_end { end.max(durable) } else { end };
        Ok(Some(Changes::new(items, Position::new(store, at, since), at_end)))
    }

    /// Waits until all that was submitted so far is shown. An error where that will not be, for the disk is
    /// full or failed.
    fn next_shown(&self) -> Result<Waiter, StoreError> {
        let mut state = self.lock();
        Self::check_readable(&state)?;
        if let Mode::ReadOnly(reason) | Mode::Full { reason, .. } = &state.mode {
            return Err(StoreError::definite(reason.to_string()));
        }
        let outcome = state.wait();
        let wakes = state.wakes();
        drop(state);
        if wakes {
            self.wake.notify_one();
        }
        Ok(outcome)
    }

    fn read(&self, id: &OperationId) -> Result<Option<Record>, StoreError> {
        let key = record::key(id);
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = engine.as_ref() else {
            return Err(StoreError::definite("the engine is not open"));
        };
        match engine.get(&key).map_err(StoreError::definite)? {
            None => Ok(None),
            Some(bytes) => match record::decode(&key, &bytes) {
                Ok(record) => Ok(Some(record)),
                Err(error) => Err(StoreError::Corrupt(format!("record {id}: {error}"))),
            },
        }
    }
}

#[async_trait]
impl<E: Engine> Store for Embedded<E> {
    fn opened(&self) -> Opened {
        let instance = self.shared.instance.load(Ordering::Acquire);
        Opened::new(self.shared.store, instance, self.exclusive)
    }

    async fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        self.shared.load(id)
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        next: &Operation,
        durability: Durability,
    ) -> Result<Swap, StoreError> {
        self.write(next.id(), expected, Entry::Live(next.clone()), durability).await
    }

    async fn remove(&self, id: &OperationId, expected: Version) -> Result<Swap, StoreError> {
        let at = Timestamp::try_from(self.shared.clock.now())
            .map_err(|_| StoreError::definite("the clock shows no date of the years 1 to 9999"))?;
        let entry = Entry::Tombstone { id: id.clone(), version: expected, at };
        self.write(id, Some(expected), entry, Durability::Immediate).await
    }

    async fn page(&self, query: &Query) -> Result<Page, StoreError> {
        let found = {
            let state = self.shared.lock();
            Shared::<E>::check_readable(&state)?;
            state.index.find(query)
        };
        let mut items = Vec::with_capacity(found.places.len());
        let mut unreadable = Vec::new();
        for place in found.places {
            let operation = match self.shared.load(&place.id) {
                Err(StoreError::Corrupt(_)) => {
                    unreadable.push(place.id);
                    continue;
                }
                loaded => loaded?,
            };
            // It may have moved on since the index was asked.
            if let Some(operation) = operation
                && query.admits(&operation)
                && query.stamp(&operation).ticks() == place.ticks
            {
                items.push(operation);
            }
        }
        let next = found.more_after.map(|(ticks, id)| query.token(ticks, id));
        Ok(Page::new(items, next).without(unreadable))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.shared.lock();
        Shared::<E>::check_readable(&state)?;
        Ok(state.index.counts())
    }

    async fn group_counts(&self, group: &str) -> Result<Counts, StoreError> {
        let state = self.shared.lock();
        Shared::<E>::check_readable(&state)?;
        Ok(state.index.group_counts(group))
    }

    async fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: NonZeroU32,
    ) -> Result<Vec<OperationId>, StoreError> {
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let now = self.shared.clock.monotonic();
        let mut after = after.cloned();
        let mut found = Vec::new();
        loop {
            let wanted = limit.saturating_sub(found.len());
            let (some, stopped) = {
                let state = self.shared.lock();
                Shared::<E>::check_readable(&state)?;
                state.index.idle(which, after.as_ref(), wanted, LOOKS, now)
            };
            found.extend(some);
            match stopped {
                Some(id) if found.len() < limit => after = Some(id),
                _ => return Ok(found),
            }
        }
    }

    async fn changes(&self, after: &Position, limit: NonZeroU32) -> Result<Changes, StoreError> {
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        loop {
            if let Some(changes) = self.shared.changes(after, limit)? {
                return Ok(changes);
            }
            // The first is being overwritten: nobody need ask again and again until that is shown.
            let outcome = self.shared.next_shown()?;
            other(outcome).await?;
        }
    }

    fn hints(&self) -> HintStream {
        self.shared.listeners.listen()
    }

    fn health(&self) -> StoreHealth {
        let now = self.shared.clock.monotonic();
        let durability = self.with_engine(E::durability).unwrap_or("closed");
        let state = self.shared.lock();
        let (unflushed, flush_lag, feed_lag) = state.lag(now);
        let (groups, group_time) = state.groups;
        let (read_only, unreadable) = (state.refuses(), self.shared.unreadable.count());
        StoreHealth { durability, read_only, unflushed, flush_lag, feed_lag, groups, group_time, unreadable }
    }

    async fn verify(&self) -> Result<Report, StoreError> {
        let (sender, report) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let job: Job = Box::new(move || drop(sender.send(shared.verify())));
        {
            let state = self.shared.lock();
            Shared::<E>::check_readable(&state)?;
            self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(job);
        }
        self.shared.wake.notify_one();
        report.await.map_err(|_| StoreError::Closed)?
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.shared.begin_close();
        let mut closed = self.shared.closed.subscribe();
        // The sender lives in `shared`, which `self` holds.
        drop(closed.wait_for(|closed| *closed).await);
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            // It has nothing left to do but return.
            drop(worker.join());
        }
        Ok(())
    }
}

impl<E> Shared<E> {
    fn begin_close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(state.mode, Mode::Closed) {
            state.mode = Mode::Closing;
        }
        drop(state);
        self.wake.notify_one();
    }
}

impl<E: Engine> Drop for Embedded<E> {
    /// Drains and ends the thread, so that the place can be opened again. The thread waits for no runtime.
    fn drop(&mut self) {
        self.shared.begin_close();
        if let Some(worker) = self.worker.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            drop(worker.join());
        }
    }
}

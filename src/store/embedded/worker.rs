//! The store's one thread: makes groups durable, then shows them; purges tombstones; opens the engine again
//! when a full disk has room.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::engine::{Engine, EngineError, is_full};
use super::fate::Fate;
use super::index::Slot;
use super::meta;
use super::state::{Failed, Mode, Sleep, State, Taken};
use super::{BLOCK, Job, Shared};
use crate::model::{TICKS_PER_SECOND, Timestamp};
use crate::store::StoreError;
use crate::store::record;

/// An Eventual write is on disk after this long at most, the sync itself aside.
const EVENTUAL: Duration = Duration::from_millis(200);
/// How often an idle worker looks for tombstones that are due.
const LOOK: Duration = Duration::from_mins(1);
/// A full disk is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);
/// Tombstones kept at most.
const MAX_TOMBSTONES: usize = 100_000;
/// How long a tombstone is kept.
const TOMBSTONE_TICKS: i64 = 24 * 3_600 * TICKS_PER_SECOND;
/// Tombstones purged in one step.
const STEP: usize = 1_000;

/// What woke the worker.
enum Work {
    Group(Taken, Option<meta::Meta>),
    Job(Job),
    Look,
    Reopen,
    End,
}

impl<E: Engine> Shared<E> {
    /// Runs until the store is closed and drained.
    pub(super) fn work(&self) {
        let _end = End(self);
        let mut due = Due { flush: None, look: Instant::now(), full: None };
        self.look(&mut due);
        loop {
            match self.await_work(&mut due) {
                Work::Group(mut taken, reserve) => {
                    due.full = None;
                    self.commit(&mut taken, reserve);
                    if self.lock().index.tombstone_count() >= MAX_TOMBSTONES {
                        due.look = Instant::now();
                    }
                }
                Work::Job(job) => job(),
                Work::Look => self.look(&mut due),
                Work::Reopen => self.reopen(),
                Work::End => break,
            }
        }
        self.seal();
    }

    /// Writes how much there is, so that the next open can tell files that were cut short since.
    fn seal(&self) {
        let state = self.lock();
        let meta = meta::Meta { seal: Some(state.index.seal()), ..state.meta };
        let sound = state.sound;
        drop(state);
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        if let (true, Some(engine)) = (sound, guard.as_ref())
            && let Err(error) = engine.put(meta::KEY, &meta.encode()).and_then(|()| engine.sync())
        {
            // Nothing is lost: the next open checks less.
            tracing::warn!(reason = chain(&*error), "the store could not be sealed");
        }
    }

    /// One step of purging; goes on at once, after the writes that came meanwhile, if more are due.
    fn look(&self, due: &mut Due) {
        let more = self.purge_due();
        due.look = Instant::now() + if more { Duration::ZERO } else { LOOK };
    }

    fn await_work(&self, due: &mut Due) -> Work {
        let mut state = self.lock();
        loop {
            if let Some(job) = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop() {
                return Work::Job(job);
            }
            let closing = matches!(state.mode, Mode::Closing);
            let now = Instant::now();
            // Counted from the group's first write: later ones must not put it off.
            due.flush = state.has_writes().then(|| due.flush.unwrap_or(now + EVENTUAL));
            let is_due = due.flush.is_some_and(|flush| closing || flush <= now);
            let waiters = state.waiters();
            if waiters > 0 && waiters < state.enough() && !is_due && !closing {
                let until = *due.full.get_or_insert(now + state.patience());
                if now < until {
                    state.sleep = Sleep::Gathers(state.enough());
                    let waited = self.wake.wait_timeout(state, until.saturating_duration_since(now));
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    state.sleep = Sleep::No;
                    continue;
                }
            }
            if waiters > 0 || is_due {
                due.flush = None;
                let reserve = state
                    .wants_reserve()
                    .then(|| meta::Meta { reserved: state.meta.reserved.saturating_add(BLOCK), ..state.meta });
                return Work::Group(state.take(), reserve);
            }
            if closing {
                return Work::End;
            }
            if let Mode::Full { tried, .. } = state.mode
                && self.clock.monotonic().saturating_sub(tried) >= RETRY
                && self.asked.swap(false, std::sync::atomic::Ordering::AcqRel)
            {
                return Work::Reopen;
            }
            let purges = matches!(state.mode, Mode::Open) && state.index.tombstone_count() > 0;
            let look = purges.then_some(due.look);
            if look.is_some_and(|look| look <= now) {
                return Work::Look;
            }
            state.sleep = if due.flush.is_some() { Sleep::Flush } else { Sleep::Idle };
            state = match due.flush.into_iter().chain(look).min() {
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let waited = self.wake.wait_timeout(state, until.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.sleep = Sleep::No;
        }
    }

    /// Writes a group, makes it durable, shows it, answers its waiters.
    fn commit(&self, taken: &mut Taken, reserve: Option<meta::Meta>) {
        match self.write(taken, reserve) {
            Ok(()) => {
                let mut state = self.lock();
                if let Some(meta) = reserve {
                    state.meta.reserved = meta.reserved;
                }
                state.publish(taken, self.clock.monotonic());
                state.expect_back(taken.waiters);
                drop(state);
                taken.fate.tell(Some(Ok(())));
                self.tell(taken);
            }
            Err(error) => self.fail(&error, Some(&taken.fate)),
        }
    }

    fn write(&self, taken: &mut Taken, reserve: Option<meta::Meta>) -> Result<(), EngineError> {
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = guard.as_ref().ok_or("the engine is not open")?;
        for write in &mut taken.writes {
            let hides = write.hides_engine && !E::SHOWS_SYNCED_ONLY;
            let asks = write.ends_labels && write.before.is_none();
            if !hides && !asks {
                continue;
            }
            let key = record::key(write.record.id());
            if let Some(bytes) = engine.get(&key)? {
                let before = match record::decode(&key, &bytes) {
                    Ok(before) => Arc::new(before),
                    // Its labels are looked for everywhere then.
                    Err(_) if !hides => continue,
                    Err(error) => return Err(error.into()),
                };
                if hides {
                    self.lock().keep_shown(write.slot, Arc::clone(&before));
                }
                write.before = Some(before);
            }
        }
        if let Some(meta) = reserve {
            engine.put(meta::KEY, &meta.encode())?;
        }
        for write in &taken.writes {
            engine.put(&record::key(write.record.id()), &write.bytes)?;
        }
        engine.sync()
    }

    fn fail(&self, error: &EngineError, taken: Option<&Fate>) {
        let reason: Arc<str> = chain(&**error).into();
        let mut state = self.lock();
        if is_full(error) {
            let tried = self.clock.monotonic();
            tracing::warn!(reason = &*reason, "the disk is full: the store refuses writes until there is room");
            state.fail(Mode::Full { reason: Arc::clone(&reason), tried });
        } else {
            tracing::error!(reason = &*reason, "a sync failed: the store is read-only until it is opened again");
            state.fail(Mode::ReadOnly(Arc::clone(&reason)));
        }
        let untaken = state.abandon_group();
        drop(state);
        if let Some(taken) = taken {
            taken.tell(Some(Err(Failed { definite: false, reason: Arc::clone(&reason) })));
        }
        untaken.tell(Some(Err(Failed { definite: true, reason })));
    }

    fn tell(&self, taken: &Taken) {
        if !self.listeners.is_empty() {
            self.listeners.tell(&taken.writes.iter().map(|write| write.record.id().clone()));
        }
    }

    /// Purges a step of the tombstones that are too old or too many, oldest first; whether more may be due.
    fn purge_due(&self) -> bool {
        let oldest = Timestamp::try_from(self.clock.now())
            .map_or(i64::MIN, |now| now.ticks().saturating_sub(TOMBSTONE_TICKS));
        let due = self.due_tombstones(oldest);
        let Some(&(_, last)) = due.last() else { return false };
        if let Err(error) = self.purge(&due, last) {
            self.fail(&error, None);
            return false;
        }
        due.len() >= STEP
    }

    /// Up to a step of tombstones to purge, with their places. One that is being replaced ends the run:
    /// it is looked at again when the new record is durable.
    fn due_tombstones(&self, oldest: i64) -> Vec<(Slot, u64)> {
        let state = self.lock();
        if !matches!(state.mode, Mode::Open) {
            return Vec::new();
        }
        let surplus = state.index.tombstone_count().saturating_sub(MAX_TOMBSTONES.saturating_sub(STEP));
        let surplus = if state.index.tombstone_count() >= MAX_TOMBSTONES { surplus } else { 0 };
        let all = state.index.tombstones().enumerate();
        let due = all.take(STEP).take_while(|(at, (_, slot))| {
            (*at < surplus || state.index.deleted_at(*slot).is_some_and(|at| at < oldest))
                && !state.recent.contains_key(slot)
        });
        due.map(|(_, (sequence, slot))| (slot, sequence)).collect()
    }

    fn purge(&self, due: &[(Slot, u64)], last: u64) -> Result<(), EngineError> {
        let guard = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = guard.as_ref().ok_or("the engine is not open")?;
        let meta = {
            let state = self.lock();
            meta::Meta { purged: state.meta.purged.max(last), ..state.meta }
        };
        engine.put(meta::KEY, &meta.encode())?;
        engine.sync()?;
        // From here on a reader behind `last` is told so, before the tombstones go.
        self.lock().meta.purged = meta.purged;
        for (slot, _) in due {
            let state = self.lock();
            let key = state.index.id(*slot).filter(|_| !state.recent.contains_key(slot)).map(record::key);
            drop(state);
            // The worker alone writes: a record submitted now waits for this thread.
            if let Some(key) = key {
                engine.purge(&key)?;
            }
        }
        let mut state = self.lock();
        for (slot, _) in due {
            if !state.recent.contains_key(slot) {
                state.index.purge(*slot);
            }
        }
        Ok(())
    }

    /// Opens the engine again after a full disk and rebuilds what memory knows from it.
    fn reopen(&self) {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        *engine = None;
        let scanned = (self.opener)().and_then(|new| {
            let state = self.scan(&new, false);
            // Still full perhaps, but open: reads go on.
            *engine = Some(new);
            state
        });
        match scanned {
            Ok(state) => {
                drop(engine);
                let mut old = self.lock();
                let closing = matches!(old.mode, Mode::Closing);
                self.instance.store(state.meta.instance, std::sync::atomic::Ordering::Release);
                let groups = old.groups;
                *old = state;
                old.groups = groups;
                if closing {
                    old.mode = Mode::Closing;
                }
                tracing::info!("the store takes writes again");
            }
            Err(error) => {
                drop(engine);
                let mut state = self.lock();
                if let Mode::Full { tried, .. } = &mut state.mode {
                    *tried = self.clock.monotonic();
                }
                tracing::warn!(reason = chain(&error), "the store could not be opened again");
            }
        }
    }

    /// Reads the engine from end to end into a fresh state, and takes a new instance.
    pub(super) fn scan(&self, engine: &E, inspect: bool) -> Result<State, StoreError> {
        super::scan::scan(engine, inspect, &self.dead_before, self.clock.monotonic())
    }
}

/// When the worker has to act by itself.
struct Due {
    /// The group's first write has waited long enough.
    flush: Option<Instant>,
    /// Tombstones are to be looked at.
    look: Instant,
    /// No more callers are waited for.
    full: Option<Instant>,
}

/// Ends the store when the worker ends, by a panic of the engine too: nobody is left waiting.
struct End<'a, E: Engine>(&'a Shared<E>);

impl<E: Engine> Drop for End<'_, E> {
    fn drop(&mut self) {
        let shared = self.0;
        let mut state = shared.lock();
        state.mode = Mode::Closed;
        let untaken = state.abandon_group();
        let jobs = std::mem::take(&mut *shared.jobs.lock().unwrap_or_else(PoisonError::into_inner));
        drop(state);
        *shared.engine.write().unwrap_or_else(PoisonError::into_inner) = None;
        // Who waits for one of these hears that its other end is gone.
        drop((untaken, jobs));
        shared.listeners.close();
        shared.closed.send_replace(true);
    }
}

/// An error with its causes, once each.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !text.ends_with(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = error.source();
    }
    text
}

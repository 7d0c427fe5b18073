//! What is in memory beside the index: records that the engine does not hold yet, and the group of writes
//! that the worker takes next. Everything here happens under one short lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::fate::{Fate, Waiter};
use super::index::{BySlot, Index, Slot};
use super::meta::Meta;
use super::warm::Warm;
use crate::model::{Operation, OperationId, Version};
use crate::store::record::{Entry, Record, Unplaced};
use crate::store::{Durability, StoreError};

/// Bytes of JSON that are kept in memory for who asks again.
const MAX_KEPT: usize = 4_096;
/// What a caller needs, beside others on few cores, to write again when it is answered.
const COMES_BACK: Duration = Duration::from_micros(8);
/// No group waits longer for more.
const PATIENCE: Duration = Duration::from_millis(4);

/// How a group ended for those who wait for it.
pub(super) type Outcome = Result<(), Failed>;

/// Why a group did not become durable.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    /// Whether nothing of it can be on disk.
    pub(super) definite: bool,
    pub(super) reason: Arc<str>,
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        Self::Unavailable { definite: failed.definite, source: failed.reason.to_string().into() }
    }
}

/// Whether the store takes writes.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    /// Reads and writes.
    Open,
    /// Opened to look.
    Inspect,
    /// A sync failed: what the disk holds is unknown until the host opens the store again.
    ReadOnly(Arc<str>),
    /// The disk is full; the worker opens the engine again when asked, at most once a second.
    Full { reason: Arc<str>, tried: Duration },
    /// No new writes; the worker drains.
    Closing,
    /// Ended.
    Closed,
}

/// What readers see of an operation that has a record in memory.
#[derive(Debug)]
pub(super) enum Shown {
    /// What the engine holds.
    Engine,
    /// No operation.
    Nothing,
    /// This record, for the engine may hold a newer one already.
    Record(Arc<Record>),
    /// The newest record.
    Newest,
}

/// A record on its way to the engine.
#[derive(Debug)]
pub(super) struct Recent {
    pub(super) shown: Shown,
    /// What writers swap against.
    pub(super) newest: Arc<Record>,
    bytes: Vec<u8>,
    /// The group that makes it durable.
    group: u64,
}

/// Writes that become durable together.
#[derive(Debug, Default)]
struct Group {
    slots: Vec<Slot>,
    fate: Fate,
    waiters: usize,
    /// When its first write came, by the monotonic clock.
    since: Option<Duration>,
}

/// A group that the worker has taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) number: u64,
    pub(super) writes: Vec<Write>,
    pub(super) fate: Fate,
    pub(super) waiters: usize,
}

#[derive(Debug)]
pub(super) struct Write {
    pub(super) slot: Slot,
    pub(super) record: Arc<Record>,
    pub(super) bytes: Vec<u8>,
    /// Whether readers still see what the engine holds under this key.
    pub(super) hides_engine: bool,
    /// Whether a life with labels ends: what readers see of it is wanted then.
    pub(super) ends_labels: bool,
    /// What readers see still, where it is not in the engine alone.
    pub(super) before: Option<Arc<Record>>,
}

/// What a submitted write has come to.
pub(super) enum Submitted {
    /// It is the newest record and may be acknowledged.
    Shown,
    /// It is the newest record; acknowledge it when the group is durable.
    Waits(Waiter),
    /// The record has another version. What readers see now may be answered.
    Lost,
    /// The record has another version that is not shown yet: wait, then answer what readers see.
    LostTo(Waiter),
    /// This operation holds the unique key; where it is not shown yet: wait, then answer it.
    Taken(OperationId, Option<Waiter>),
}

/// Whether, and for what, the worker sleeps: it is woken for nothing less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    /// It is awake, or has been woken.
    No,
    /// For any write.
    Idle,
    /// An Eventual write has set its alarm: for a write that somebody waits for.
    Flush,
    /// For a group of this many waiters.
    Gathers(usize),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) index: Index,
    pub(super) recent: HashMap<Slot, Recent, BySlot>,
    /// Records that were shown last and have not ended.
    warm: Warm,
    /// Records that were read last.
    asked: Warm,
    pub(super) mode: Mode,
    pub(super) meta: Meta,
    /// The next place in the feed.
    next: u64,
    /// All changes up to here are durable.
    pub(super) durable: u64,
    group: Group,
    number: u64,
    /// How the worker sleeps.
    pub(super) sleep: Sleep,
    /// How many callers seem to be writing: those answered last, and those who waited then.
    callers: usize,
    /// Whether the engine is written and holds all that was acknowledged.
    pub(super) sound: bool,
    /// The group that the worker has taken: its writes, and when the first came.
    taken: Option<(usize, Duration)>,
    /// Groups made durable since the open, and how long they took together.
    pub(super) groups: (u64, Duration),
}

impl State {
    pub(super) fn new(index: Index, meta: Meta, next: u64, mode: Mode) -> Self {
        // What was purged was durable, and may have been the feed's end.
        let durable = index.feed_end().max(meta.purged);
        let sound = matches!(mode, Mode::Open);
        Self {
            index,
            recent: HashMap::default(),
            warm: Warm::default(),
            asked: Warm::default(),
            mode,
            meta,
            next,
            durable,
            group: Group::default(),
            number: 1,
            taken: None,
            groups: (0, Duration::ZERO),
            sleep: Sleep::No,
            callers: 0,
            sound,
        }
    }

    /// Takes no more writes, for a reason. What is closing goes on closing.
    pub(super) fn fail(&mut self, mode: Mode) {
        self.sound = false;
        if !matches!(self.mode, Mode::Closing) {
            self.mode = mode;
        }
    }

    /// Whether a write may be submitted.
    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        match &self.mode {
            Mode::Open => Ok(()),
            Mode::Inspect => Err(StoreError::Unsupported("the store was opened to inspect, not to write".into())),
            Mode::ReadOnly(reason) | Mode::Full { reason, .. } => Err(StoreError::definite(reason.to_string())),
            Mode::Closing | Mode::Closed => Err(StoreError::Closed),
        }
    }

    /// The version that writers swap against.
    fn newest(&self, slot: Slot) -> Option<Version> {
        match self.recent.get(&slot) {
            Some(recent) => match recent.newest.entry {
                Entry::Live(_) => Some(recent.newest.version()),
                Entry::Tombstone { .. } => None,
            },
            None => self.index.version(slot),
        }
    }

    /// Submits a write if the newest record still has the expected version.
    pub(super) fn submit(
        &mut self,
        id: &OperationId,
        expected: Option<Version>,
        entry: Entry,
        unplaced: Unplaced,
        durability: Durability,
        now: Duration,
    ) -> Result<Submitted, StoreError> {
        self.check_writable()?;
        let known = self.index.slot(id);
        if known.and_then(|slot| self.newest(slot)) != expected {
            return Ok(self.lose(known, expected));
        }
        let held_key = match &entry {
            Entry::Live(operation) if expected.is_none() => operation.held_key(),
            _ => None,
        };
        if let Some(holder) =
            held_key.and_then(|key| self.index.key_holder(key)).filter(|slot| known != Some(*slot))
            && let Some(holder_id) = self.index.id(holder).cloned()
        {
            let waits = self.recent.get(&holder).is_some_and(|recent| matches!(recent.shown, Shown::Nothing));
            return Ok(Submitted::Taken(holder_id, waits.then(|| self.wait())));
        }
        if let Entry::Live(operation) = &entry
            && !self.index.admit_type(operation.type_name())
        {
            return Err(StoreError::TypeLimit);
        }
        if self.next >= self.meta.reserved {
            return Err(StoreError::definite("the block of feed places is used up; try again"));
        }
        let sequence = self.next;
        self.next = self.next.saturating_add(1);
        let slot = self.index.reserve(id);
        if let Some(key) = held_key {
            self.index.hold_key(slot, key);
        }
        let record = Arc::new(Record::new(sequence, entry));
        let before = self.recent.remove(&slot);
        let in_group = before.as_ref().is_some_and(|before| before.group == self.number);
        let pending = before.as_ref().is_some_and(|before| !matches!(before.shown, Shown::Newest));
        let shown = match before {
            Some(Recent { shown: Shown::Newest, newest, .. }) => Shown::Record(newest),
            Some(Recent { shown, .. }) => shown,
            None if self.index.version(slot).is_some() => Shown::Engine,
            None => Shown::Nothing,
        };
        let at_once = durability == Durability::Eventual && !pending;
        if at_once {
            self.index.show(slot, &record, now, None);
        }
        let shown = if at_once { Shown::Newest } else { shown };
        let bytes = unplaced.at(sequence);
        self.recent.insert(slot, Recent { shown, newest: record, bytes, group: self.number });
        if !in_group {
            self.group.slots.push(slot);
        }
        self.group.since.get_or_insert(now);
        Ok(if at_once { Submitted::Shown } else { Submitted::Waits(self.wait()) })
    }

    fn lose(&mut self, slot: Option<Slot>, expected: Option<Version>) -> Submitted {
        let shown = slot.and_then(|slot| self.shown_version(slot));
        // Answering the expected version as the winner would make the caller try for ever.
        let pending = slot.and_then(|slot| self.recent.get(&slot)).map(|recent| recent.group);
        match pending {
            Some(_) if shown == expected => Submitted::LostTo(self.wait()),
            _ => Submitted::Lost,
        }
    }

    fn shown_version(&self, slot: Slot) -> Option<Version> {
        self.index.version(slot)
    }

    /// Waits for all that was submitted so far: groups become durable in order.
    pub(super) fn wait(&mut self) -> Waiter {
        self.group.waiters = self.group.waiters.saturating_add(1);
        self.group.fate.waiter()
    }

    /// Those who wait for the group.
    pub(super) fn waiters(&self) -> usize {
        self.group.waiters
    }

    /// So many are answered now, and will probably write again.
    pub(super) fn expect_back(&mut self, answered: usize) {
        self.callers = answered.saturating_add(self.waiters());
    }

    /// How many waiters make a full group: nearly all callers, for few large groups cost the least. A few may be
    /// away for longer; they are not waited for.
    pub(super) fn enough(&self) -> usize {
        self.callers.saturating_sub((self.callers / 8).max(1))
    }

    /// How long a group waits to be full: what so many callers need to come back.
    pub(super) fn patience(&self) -> Duration {
        let callers = u32::try_from(self.callers).unwrap_or(u32::MAX);
        COMES_BACK.saturating_mul(callers).min(PATIENCE)
    }

    /// Whether the worker sleeps and has to be woken for what is there now; once for each sleep.
    pub(super) fn wakes(&mut self) -> bool {
        let wakes = match self.sleep {
            Sleep::No => false,
            Sleep::Idle => self.has_writes() || self.waiters() > 0,
            Sleep::Flush => self.waiters() > 0,
            Sleep::Gathers(enough) => self.waiters() >= enough,
        };
        if wakes {
            self.sleep = Sleep::No;
        }
        wakes
    }

    pub(super) fn has_writes(&self) -> bool {
        !self.group.slots.is_empty()
    }

    /// Whether more than half of the reserved places are given.
    pub(super) fn wants_reserve(&self) -> bool {
        self.meta.reserved.saturating_sub(self.next) < super::BLOCK / 2
    }

    /// The worker takes the group; a new one begins.
    pub(super) fn take(&mut self) -> Taken {
        let Group { slots, fate, waiters, since } = std::mem::take(&mut self.group);
        self.taken = since.map(|since| (slots.len(), since));
        let number = self.number;
        self.number = number.saturating_add(1);
        let writes = slots.into_iter().filter_map(|slot| {
            let recent = self.recent.get_mut(&slot)?;
            let hides_engine = matches!(recent.shown, Shown::Engine);
            let before = match &recent.shown {
                Shown::Record(record) => Some(Arc::clone(record)),
                _ => None,
            };
            let (record, bytes) = (Arc::clone(&recent.newest), std::mem::take(&mut recent.bytes));
            let ends_labels = self.index.ends_labels(slot, &record);
            Some(Write { slot, record, bytes, hides_engine, ends_labels, before })
        });
        Taken { number, writes: writes.collect(), fate, waiters }
    }

    /// What the engine holds now is what readers go on seeing when it is overwritten.
    pub(super) fn keep_shown(&mut self, slot: Slot, before: Arc<Record>) {
        if let Some(recent) = self.recent.get_mut(&slot)
            && matches!(recent.shown, Shown::Engine)
        {
            recent.shown = Shown::Record(before);
        }
    }

    /// Shows a durable group to everybody.
    pub(super) fn publish(&mut self, taken: &Taken, now: Duration) {
        if let Some((_, since)) = self.taken.take() {
            let (groups, time) = self.groups;
            self.groups = (groups.saturating_add(1), time.saturating_add(now.saturating_sub(since)));
        }
        for Write { slot, record, before, .. } in &taken.writes {
            // An Eventual write is shown already, this one or one on top: showing it again would make it look
            // written just now.
            let is_shown = self.recent.get(slot).is_some_and(|recent| matches!(recent.shown, Shown::Newest));
            if !is_shown {
                self.index.show(*slot, record, now, before.as_deref());
            }
            self.index.place(*slot, record);
            self.durable = self.durable.max(record.sequence);
            match self.recent.get_mut(slot) {
                Some(recent) if recent.group == taken.number => {
                    self.recent.remove(slot);
                    match &record.entry {
                        Entry::Live(operation) if !operation.is_terminal() => {
                            self.warm.keep(*slot, Arc::clone(record));
                        }
                        _ => self.warm.forget(*slot),
                    }
                }
                Some(recent) if !is_shown => recent.shown = Shown::Record(Arc::clone(record)),
                _ => {}
            }
        }
    }

    /// Gives up what was submitted and not taken: nothing of it was written. Who waits for it is to be told.
    pub(super) fn abandon_group(&mut self) -> Fate {
        let Group { slots, fate, .. } = std::mem::take(&mut self.group);
        for slot in slots {
            if self.recent.get(&slot).is_some_and(|recent| matches!(recent.shown, Shown::Nothing)) {
                self.recent.remove(&slot);
                self.index.release(slot);
            }
        }
        fate
    }

    /// Writes that are not durable yet, how long the first of them has waited, and how far the feed is behind.
    pub(super) fn lag(&self, now: Duration) -> (u64, Duration, u64) {
        let (taken, since) = self.taken.map_or((0, None), |(count, since)| (count, Some(since)));
        let since = since.or(self.group.since);
        let writes = u64::try_from(taken.saturating_add(self.group.slots.len())).unwrap_or(u64::MAX);
        let lag = since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let newest = self.next.saturating_sub(1);
        // After an open the feed ends before the block that was reserved then.
        let feed = if writes == 0 { 0 } else { newest.saturating_sub(self.durable).min(writes) };
        (writes, lag, feed)
    }

    /// Why writes are refused.
    pub(super) fn refuses(&self) -> Option<String> {
        self.check_writable().err().map(|error| match error {
            StoreError::Unavailable { source, .. } => source.to_string(),
            error => error.to_string(),
        })
    }

    /// What readers see of an id, where memory knows it.
    pub(super) fn look(&self, id: &OperationId) -> Look {
        let Some(slot) = self.index.slot(id) else { return Look::Nothing };
        let record = match self.recent.get(&slot) {
            Some(Recent { shown: Shown::Nothing, .. }) => return Look::Nothing,
            Some(Recent { shown: Shown::Record(record), .. }) => record,
            Some(Recent { shown: Shown::Newest, newest, .. }) => newest,
            Some(Recent { shown: Shown::Engine, .. }) | None => {
                let Some(version) = self.index.version(slot) else { return Look::Nothing };
                match self.warm.get(slot, version).or_else(|| self.asked.get(slot, version)) {
                    Some(record) => record,
                    None => return Look::Engine(version, self.index.sequence(slot).unwrap_or_default()),
                }
            }
        };
        match &record.entry {
            Entry::Live(operation) => Look::Found(operation.clone()),
            Entry::Tombstone { .. } => Look::Nothing,
        }
    }

    /// A record was read from the engine, and may be asked for again. One with much JSON is not kept.
    pub(super) fn keep_asked(&mut self, record: &Arc<Record>) {
        let of = |operation: &Operation| {
            let json = operation.result_json().or_else(|| operation.failure()?.more());
            json.map_or(0, |json| json.as_str().len())
        };
        if record.operation().map_or(0, of) > MAX_KEPT {
            return;
        }
        if let Some(slot) = self.index.slot(record.id()) {
            self.asked.keep(slot, Arc::clone(record));
        }
    }

    /// The record at a place in the feed, where memory has it.
    pub(super) fn at(&self, id: &OperationId, place: u64) -> Option<Arc<Record>> {
        let slot = self.index.slot(id)?;
        let recent = self.recent.get(&slot).and_then(|recent| match &recent.shown {
            Shown::Record(record) => Some(record),
            Shown::Newest => Some(&recent.newest),
            Shown::Engine | Shown::Nothing => None,
        });
        let shown = recent.or_else(|| self.warm.get(slot, self.index.version(slot)?));
        shown.filter(|record| record.sequence == place).cloned()
    }
}

/// Where to find what readers see.
pub(super) enum Look {
    Nothing,
    Found(Operation),
    /// The engine holds it, in this version, at this place in the feed.
    Engine(Version, u64),
}

//! What is known of every operation without reading its record: version, type, status, labels, instants,
//! place in the feed. Pure: derived from records, by one scan at open and by each publication.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::hash::BuildHasher;
use std::time::Duration;

use self::few::Few;
use self::order::{Member, Order, Range};
use self::slots::{Kind, Known, Slots, TypeNumber};
use self::sorted::Sorted;
use super::meta::Seal;
use crate::model::{Operation, OperationId, OrderBy, Query, State, Status, Version, holder};
use crate::store::record::{Entry, Record};
use crate::store::{Counts, Idle, MAX_TYPES};

pub(super) use self::order::Place;
pub(super) use self::slots::{BySlot, Slot};

mod few;
mod order;
mod slots;
mod sorted;

/// Lists of one type and status.
#[derive(Debug, Default)]
struct Lists {
    created: Order<i64>,
    /// Terminal operations only.
    ended: Order<i64>,
}

impl Lists {
    fn insert(&mut self, slot: Slot, known: &Known, kind: Kind, slots: &Slots) {
        self.created.insert(known.created, slot, slots);
        if kind.status.is_terminal() {
            self.ended.insert(known.last_action, slot, slots);
        }
    }

    fn remove(&mut self, slot: Slot, known: &Known, kind: Kind, slots: &Slots) {
        self.created.remove(known.created, slot, slots);
        if kind.status.is_terminal() {
            self.ended.remove(known.last_action, slot, slots);
        }
    }

    const fn by(&self, order: OrderBy) -> &Order<i64> {
        match order {
            OrderBy::LastAction => &self.ended,
            OrderBy::Created => &self.created,
        }
    }
}

/// Places in the feed.
type Feed = Sorted<Member<u64>>;

/// The index of one store.
#[derive(Debug, Default)]
pub(super) struct Index {
    slots: Slots,
    types: Vec<Box<str>>,
    type_numbers: HashMap<Box<str>, TypeNumber>,
    lists: HashMap<(TypeNumber, Status), Lists>,
    /// By the hash of a label; of a further attempt by its base too.
    by_label: Order<(u64, i64)>,
    hasher: RandomState,
    feed: Feed,
    tombstones: Feed,
    /// When each Running operation was last written, by the store's monotonic clock.
    running: BTreeMap<OperationId, (Slot, Duration)>,
    few: Few,
    /// Running operations of instances that are dead.
    orphans: BTreeSet<OperationId>,
}

/// What a list found: candidates in order, and whether the search stopped before the list's end.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) places: Vec<Place>,
    /// The last candidate looked at, where more may follow.
    pub(super) more_after: Option<(i64, OperationId)>,
}

impl Index {
    pub(super) fn slot(&self, id: &OperationId) -> Option<Slot> {
        self.slots.find(id)
    }

    pub(super) fn id(&self, slot: Slot) -> Option<&OperationId> {
        self.slots.id(slot)
    }

    /// The version that readers see; `None` where they see no operation.
    pub(super) fn version(&self, slot: Slot) -> Option<Version> {
        self.slots.get(slot).filter(|known| known.kind.is_some()).map(Known::version)
    }

    /// A slot for an id, whether it has a record or not.
    pub(super) fn reserve(&mut self, id: &OperationId) -> Slot {
        self.slots.reserve(id)
    }

    /// Frees a slot that was reserved for a record that never came.
    pub(super) fn release(&mut self, slot: Slot) {
        self.few.release(slot);
        if self.slots.get(slot).is_some_and(|known| known.kind.is_none() && known.sequence == 0) {
            self.slots.forget(slot);
        }
    }

    /// Which operation holds a unique key.
    pub(super) fn key_holder(&self, key: &str) -> Option<Slot> {
        self.few.holder(key)
    }

    /// The key is held by a record that is not shown yet.
    pub(super) fn hold_key(&mut self, slot: Slot, key: &str) {
        self.few.hold(slot, key);
    }

    /// Makes sure that a type has a number; `false` if there are too many.
    pub(super) fn admit_type(&mut self, name: Option<&str>) -> bool {
        self.number(name).is_some()
    }

    fn number(&mut self, name: Option<&str>) -> Option<TypeNumber> {
        let Some(name) = name else { return Some(0) };
        if let Some(number) = self.type_numbers.get(name) {
            return Some(*number);
        }
        if self.types.len() >= MAX_TYPES {
            return None;
        }
        self.types.push(name.into());
        let number = TypeNumber::try_from(self.types.len()).ok()?;
        self.type_numbers.insert(name.into(), number);
        Some(number)
    }

    fn type_name(&self, number: TypeNumber) -> Option<&str> {
        self.types.get(usize::from(number).checked_sub(1)?).map(|name| &**name)
    }

    /// Whether this record ends the life of an operation that has labels: [`show`](Self::show) has to be told
    /// which, for labels are not kept here.
    pub(super) fn ends_labels(&self, slot: Slot, record: &Record) -> bool {
        let Some(known) = self.slots.get(slot) else { return false };
        known.kind.is_some_and(|kind| kind.labelled)
            && !(matches!(record.entry, Entry::Live(_)) && known.version().birth() == record.version().birth())
    }

    /// Shows a record to readers in place of `before`, which matters only where the record
    /// [`ends_labels`](Self::ends_labels). `written` is the monotonic time of the write.
    pub(super) fn show(&mut self, slot: Slot, record: &Record, written: Duration, before: Option<&Record>) {
        let live = record.operation();
        let kind = live.and_then(|operation| self.kind_of(operation));
        let stamps = match &record.entry {
            Entry::Live(operation) => {
                let stamps = operation.stamps();
                (stamps.created.ticks(), stamps.last_action.ticks())
            }
            Entry::Tombstone { at, .. } => (at.ticks(), at.ticks()),
        };
        let Some(known) = self.slots.get(slot) else { return };
        let same_life = known.kind.is_some() && known.version().birth() == record.version().birth();
        // Most writes change neither status nor, while it runs, what lists are ordered by.
        let moved = !(same_life && known.kind == kind);
        if self.ends_labels(slot, record) {
            self.unlabel(slot, before.and_then(Record::operation));
        }
        if moved {
            self.unlist(slot);
        }
        if !same_life {
            self.orphans.remove(record.id());
        }
        if moved {
            self.few.note(slot, record);
        }
        if let Some(known) = self.slots.get_mut(slot) {
            known.set_version(record.version());
            (known.created, known.last_action) = stamps;
            known.kind = kind;
        }
        if moved {
            self.list(slot);
        }
        if let Some(operation) = live.filter(|_| !same_life) {
            for hash in self.label_hashes(operation) {
                self.by_label.insert((hash, stamps.0), slot, &self.slots);
            }
        }
        let id = record.id();
        if kind.is_some_and(|kind| kind.status == Status::Running) {
            match self.running.get_mut(id) {
                Some(entry) => *entry = (slot, written),
                None => drop(self.running.insert(id.clone(), (slot, written))),
            }
        } else if self.running.remove(id).is_some() {
            self.orphans.remove(id);
        }
    }

    fn kind_of(&mut self, operation: &Operation) -> Option<Kind> {
        let type_number = self.number(operation.type_name())?;
        let labelled = operation.labels().next().is_some() || operation.id().attempt_number() > 1;
        Some(Kind { type_number, status: operation.status(), labelled })
    }

    /// Of a further attempt its base too, under the key that no label has.
    fn label_hashes(&self, operation: &Operation) -> Vec<u64> {
        let base = (operation.id().attempt_number() > 1).then(|| self.base_hash(&operation.id().base()));
        operation.labels().map(|label| self.hasher.hash_one(label)).chain(base).collect()
    }

    fn base_hash(&self, base: &OperationId) -> u64 {
        self.hasher.hash_one(("", base.to_string().as_str()))
    }

    fn unlabel(&mut self, slot: Slot, before: Option<&Operation>) {
        // Its record could not be read: what it had is looked for everywhere.
        let Some(before) = before else { return self.by_label.remove_all(slot) };
        for hash in self.label_hashes(before) {
            self.by_label.remove((hash, before.stamps().created.ticks()), slot, &self.slots);
        }
    }

    fn unlist(&mut self, slot: Slot) {
        let Some(known) = self.slots.get(slot) else { return };
        let Some(kind) = known.kind else { return };
        if let Some(lists) = self.lists.get_mut(&(kind.type_number, kind.status)) {
            lists.remove(slot, known, kind, &self.slots);
        }
        self.few.unlist(slot, known, kind, &self.slots);
    }

    fn list(&mut self, slot: Slot) {
        let Some(known) = self.slots.get(slot) else { return };
        let Some(kind) = known.kind else { return };
        let lists = self.lists.entry((kind.type_number, kind.status)).or_default();
        lists.insert(slot, known, kind, &self.slots);
        self.few.list(slot, known, kind, &self.slots);
    }

    /// Puts a durable record at its place in the feed.
    pub(super) fn place(&mut self, slot: Slot, record: &Record) {
        let Some(known) = self.slots.get_mut(slot) else { return };
        let before = std::mem::replace(&mut known.sequence, record.sequence);
        remove(&mut self.feed, before);
        remove(&mut self.tombstones, before);
        insert(&mut self.feed, record.sequence, slot);
        if matches!(record.entry, Entry::Tombstone { .. }) {
            insert(&mut self.tombstones, record.sequence, slot);
        }
    }

    /// Takes a record in as the scan at open finds it; `dead` tells instances that are gone.
    pub(super) fn load(&mut self, record: &Record, dead: impl Fn(u32) -> bool) {
        let slot = self.reserve(record.id());
        self.show(slot, record, Duration::ZERO, None);
        self.place(slot, record);
        if let Entry::Live(operation) = &record.entry
            && let State::Running(work) = operation.state()
            && work.holder.as_deref().and_then(holder::instance).is_some_and(dead)
        {
            self.orphans.insert(operation.id().clone());
        }
    }

    /// All Running operations count as written at this moment.
    pub(super) fn restart_quiet(&mut self, now: Duration) {
        for (_, written) in self.running.values_mut() {
            *written = now;
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.count(&self.lists)
    }

    /// The counts of one group.
    pub(super) fn group_counts(&self, group: &str) -> Counts {
        self.few.group(group).map(|lists| self.count(lists)).unwrap_or_default()
    }

    fn count(&self, lists: &HashMap<(TypeNumber, Status), Lists>) -> Counts {
        let mut counts = Counts::default();
        for ((type_number, status), lists) in lists {
            let count = u64::try_from(lists.created.len()).unwrap_or(u64::MAX);
            counts.add(self.type_name(*type_number), *status, count);
        }
        counts
    }

    /// The candidates of a page. A label is compared by its hash: the record must be asked.
    pub(super) fn find(&self, query: &Query) -> Found {
        let range = Range {
            from: query.from.map(crate::model::Timestamp::ticks),
            until: query.until.map(crate::model::Timestamp::ticks),
            after: query.after.as_ref().map(|token| (token.ticks(), token.id().clone())),
            descending: query.descending,
        };
        let label = query.label.as_ref().map(|(key, value)| self.hasher.hash_one((key.as_str(), value.as_str())));
        let base = query.base.as_ref().map(|base| (base, self.base_hash(base)));
        let type_number = match &query.type_name {
            Some(name) => match self.type_numbers.get(name.as_str()) {
                Some(number) => Some(*number),
                None => return Found::default(),
            },
            None => None,
        };
        let statuses: &[Status] = if query.statuses.is_empty() { &Status::ALL } else { &query.statuses };
        let by_creation = query.order == OrderBy::Created;
        let fits = |number: TypeNumber, status: Status| {
            statuses.contains(&status) && type_number.is_none_or(|wanted| wanted == number)
        };
        let slots = &self.slots;
        let labelled = |hash: u64| self.by_label.range(move |ticks| (hash, ticks), &range, slots);
        let mut first = Order::default();
        let listed: Vec<Places<'_>> = match (base, &query.group, label) {
            (Some((base, hash)), ..) if by_creation => {
                let own = slots.find(base).and_then(|slot| Some((slot, slots.get(slot)?)));
                if let Some((slot, known)) = own.filter(|(_, known)| known.kind.is_some()) {
                    first.insert(known.created, slot, slots);
                }
                vec![first.range(|ticks| ticks, &range, slots), labelled(hash)]
            }
            (_, None, Some(label)) if by_creation => vec![labelled(label)],
            (_, group, _) => {
                let lists = match group {
                    Some(group) => self.few.group(group),
                    None => Some(&self.lists),
                };
                let some = lists.into_iter().flatten().filter(|((number, status), _)| fits(*number, *status));
                some.map(|(_, lists)| lists.by(query.order).range(|ticks| ticks, &range, slots)).collect()
            }
        };
        let has = |slot: Slot, known: &Known, hash: u64| self.by_label.contains((hash, known.created), slot, slots);
        let admits = |slot: Slot, known: &Known| {
            known.kind.is_some_and(|kind| fits(kind.type_number, kind.status))
                && label.is_none_or(|label| has(slot, known, label))
                && base.is_none_or(|(base, hash)| known.id == *base || has(slot, known, hash))
                && query.group.as_deref().is_none_or(|group| self.few.group_of(slot) == Some(group))
        };
        let limit = usize::try_from(query.limit.get()).unwrap_or(usize::MAX);
        let mut found = Found::default();
        let mut seen = 0_usize;
        for place in merged(listed, query.descending) {
            if found.places.len() >= limit || seen >= Query::MAX_CANDIDATES {
                return found;
            }
            seen = seen.saturating_add(1);
            found.more_after = Some((place.ticks, place.id.clone()));
            if slots.get(place.slot).is_some_and(|known| admits(place.slot, known)) {
                found.places.push(place);
            }
        }
        found.more_after = None;
        found
    }

    /// Up to `limit` idle operations after a cursor, looking at no more than `looks`; where the search
    /// stopped early, the last id looked at.
    pub(super) fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: usize,
        looks: usize,
        now: Duration,
    ) -> (Vec<OperationId>, Option<OperationId>) {
        use std::ops::Bound::{Excluded, Unbounded};
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        let mut found = Vec::new();
        match which {
            Idle::Orphaned => {
                found.extend(self.orphans.range::<OperationId, _>(range).take(limit).cloned());
            }
            Idle::Due { until } => {
                for (seen, (id, deadline)) in self.few.deadlines.range::<OperationId, _>(range).enumerate() {
                    if *deadline <= until.ticks() {
                        found.push(id.clone());
                        if found.len() >= limit {
                            break;
                        }
                    }
                    if seen.saturating_add(1) >= looks {
                        return (found, Some(id.clone()));
                    }
                }
            }
            Idle::Quiet { type_name, longer_than } => {
                let number = match type_name {
                    Some(name) => match self.type_numbers.get(name.as_str()) {
                        Some(number) => *number,
                        None => return (found, None),
                    },
                    None => 0,
                };
                for (seen, (id, (slot, written))) in self.running.range::<OperationId, _>(range).enumerate() {
                    let kind = self.slots.get(*slot).and_then(|known| known.kind);
                    if kind.is_some_and(|kind| kind.type_number == number)
                        && now.saturating_sub(*written) > *longer_than
                    {
                        found.push(id.clone());
                        if found.len() >= limit {
                            break;
                        }
                    }
                    if seen.saturating_add(1) >= looks {
                        return (found, Some(id.clone()));
                    }
                }
            }
        }
        (found, None)
    }

    /// Slots in the feed after a place.
    pub(super) fn feed_after(&self, after: u64, limit: usize) -> impl Iterator<Item = (u64, Slot)> {
        self.feed.from(self.feed.find(|member| member.key() <= after)).take(limit).map(pair)
    }

    /// The largest place in the feed.
    pub(super) fn feed_end(&self) -> u64 {
        self.feed.last().map_or(0, Member::key)
    }

    /// How much there is: each durable record has one place in the feed.
    pub(super) fn seal(&self) -> Seal {
        Seal { records: u64::try_from(self.feed.len()).unwrap_or(u64::MAX), end: self.feed_end() }
    }

    pub(super) const fn tombstone_count(&self) -> usize {
        self.tombstones.len()
    }

    /// The oldest tombstones.
    pub(super) fn tombstones(&self) -> impl Iterator<Item = (u64, Slot)> {
        self.tombstones.from(self.tombstones.find(|_| false)).map(pair)
    }

    /// Forgets a purged tombstone.
    pub(super) fn purge(&mut self, slot: Slot) {
        let Some(known) = self.slots.get(slot) else { return };
        let sequence = known.sequence;
        if remove(&mut self.tombstones, sequence) {
            remove(&mut self.feed, sequence);
            self.slots.forget(slot);
        }
    }

    /// When a tombstone was made, in ticks.
    pub(super) fn deleted_at(&self, slot: Slot) -> Option<i64> {
        self.slots.get(slot).map(|known| known.last_action)
    }

    /// The version that was removed, where the newest durable record is a tombstone.
    pub(super) fn deleted(&self, slot: Slot) -> Option<Version> {
        let known = self.slots.get(slot)?;
        let newest = self.tombstones.get(|member| member.key() < known.sequence)?;
        (newest.key() == known.sequence).then(|| known.version())
    }

    /// The place in the feed of the newest durable record.
    pub(super) fn sequence(&self, slot: Slot) -> Option<u64> {
        self.slots.get(slot).map(|known| known.sequence)
    }

    /// The type, status and group that readers see.
    pub(super) fn kind(&self, slot: Slot) -> Option<(Option<String>, Status, Option<String>)> {
        let kind = self.slots.get(slot)?.kind?;
        let group = self.few.group_of(slot).map(Into::into);
        Some((self.type_name(kind.type_number).map(Into::into), kind.status, group))
    }

    /// Groups that have operations.
    pub(super) fn groups(&self) -> impl ExactSizeIterator<Item = &str> {
        self.few.group_names()
    }

    /// How many labels operations are found by, and attempts by their base.
    pub(super) const fn labels(&self) -> usize {
        self.by_label.len()
    }

    /// Where the index contradicts itself.
    pub(super) fn inconsistencies(&self) -> Vec<String> {
        let operations = self.versions().count();
        let listed: usize = self.lists.values().map(|lists| lists.created.len()).sum();
        let ended: usize = self.lists.values().map(|lists| lists.ended.len()).sum();
        let of = |status: Status| -> usize {
            self.lists.iter().filter(|((_, of), _)| *of == status).map(|(_, lists)| lists.created.len()).sum()
        };
        let terminal = of(Status::Completed).saturating_add(of(Status::Failed));
        let running = of(Status::Running);
        let (grouped, listed_by_group) = self.few.grouped();
        [
            (grouped, listed_by_group, "operations of groups known and listed"),
            (operations, listed, "operations known and listed"),
            (terminal, ended, "ended operations listed by creation and by end"),
            (running, self.running.len(), "Running operations listed and watched"),
        ]
        .into_iter()
        .filter(|(a, b, _)| a != b)
        .map(|(a, b, what)| format!("index: {what}: {a} and {b}"))
        .collect()
    }

    /// Every operation that readers see, with its version.
    pub(super) fn versions(&self) -> impl Iterator<Item = (&OperationId, Slot, Version)> {
        let live = self.slots.all().filter(|(_, known)| known.kind.is_some());
        live.map(|(slot, known)| (&known.id, slot, known.version()))
    }
}

fn insert(feed: &mut Feed, sequence: u64, slot: Slot) {
    feed.insert(Member::new(sequence, slot), |member| member.key() < sequence);
}

fn remove(feed: &mut Feed, sequence: u64) -> bool {
    feed.remove(|member| member.key() < sequence, |member| member.key() == sequence)
}

const fn pair(member: Member<u64>) -> (u64, Slot) {
    (member.key(), member.slot())
}

/// A list from somewhere on.
type Places<'a> = Box<dyn Iterator<Item = Place> + 'a>;

/// Several ordered lists as one.
fn merged(mut lists: Vec<Places<'_>>, descending: bool) -> Places<'_> {
    if lists.len() <= 1 {
        return lists.pop().unwrap_or_else(|| Box::new(std::iter::empty()));
    }
    let key = move |place: Place, list: usize| {
        if descending { Head::Backwards(place, list) } else { Head::Forwards(std::cmp::Reverse(place), list) }
    };
    let mut heads: BinaryHeap<Head> = BinaryHeap::with_capacity(lists.len());
    for (number, list) in lists.iter_mut().enumerate() {
        heads.extend(list.next().map(|place| key(place, number)));
    }
    Box::new(std::iter::from_fn(move || {
        let (place, number) = match heads.pop()? {
            Head::Forwards(std::cmp::Reverse(place), number) | Head::Backwards(place, number) => (place, number),
        };
        heads.extend(lists.get_mut(number).and_then(Iterator::next).map(|place| key(place, number)));
        Some(place)
    }))
}

/// The next of one list; all of a heap are of the same variant.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Head {
    Forwards(std::cmp::Reverse<Place>, usize),
    Backwards(Place, usize),
}

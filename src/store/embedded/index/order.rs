//! Operations ordered by an instant, ties by id.

use std::cmp::Ordering;

use super::slots::{Slot, Slots};
use super::sorted::Sorted;
use crate::model::OperationId;

/// What a list is ordered by before the id: an instant in ticks, perhaps after something that its members share.
pub(super) trait Key: Copy + Ord {
    fn ticks(self) -> i64;
}

impl Key for i64 {
    fn ticks(self) -> i64 {
        self
    }
}

/// The hash of a label, and an instant.
impl Key for (u64, i64) {
    fn ticks(self) -> i64 {
        self.1
    }
}

/// A member of a list. Packed: a list of instants takes 12 bytes a member in place of 16.
#[repr(Rust, packed(4))]
pub(super) struct Member<K> {
    key: K,
    slot: Slot,
}

impl<K: Copy> Member<K> {
    pub(super) const fn new(key: K, slot: Slot) -> Self {
        Self { key, slot }
    }

    pub(super) const fn key(self) -> K {
        self.key
    }

    pub(super) const fn slot(self) -> Slot {
        self.slot
    }
}

impl<K: Copy> Clone for Member<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Copy> Copy for Member<K> {}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Place {
    pub(in super::super) ticks: i64,
    pub(in super::super) id: OperationId,
    pub(in super::super) slot: Slot,
}

/// A set of operations in order, by their slots: what orders those of one instant, the ids, is in [`Slots`].
#[derive(Debug)]
pub(super) struct Order<K>(Sorted<Member<K>>);

impl<K> Default for Order<K> {
    fn default() -> Self {
        Self(Sorted::default())
    }
}

impl<K: Key> Order<K> {
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds an operation that is not in the set.
    pub(super) fn insert(&mut self, key: K, slot: Slot, slots: &Slots) {
        self.0.insert(Member::new(key, slot), |member| compare(member, key, slots.id(slot), slots).is_lt());
    }

    /// Takes an operation out of the set, if it is there.
    pub(super) fn remove(&mut self, key: K, slot: Slot, slots: &Slots) {
        let before = |member| compare(member, key, slots.id(slot), slots).is_lt();
        self.0.remove(before, |member| member.slot() == slot);
    }

    /// Takes an operation out of the set, wherever it is.
    pub(super) fn remove_all(&mut self, slot: Slot) {
        self.0.retain(|member| member.slot != slot);
    }

    pub(super) fn contains(&self, key: K, slot: Slot, slots: &Slots) -> bool {
        let found = self.0.get(|member| compare(member, key, slots.id(slot), slots).is_lt());
        found.is_some_and(|member| member.slot() == slot)
    }

    /// Those of a range, each instant being one of `key`.
    pub(super) fn range<'a>(
        &'a self,
        key: impl Fn(i64) -> K,
        range: &Range,
        slots: &'a Slots,
    ) -> Box<dyn Iterator<Item = Place> + 'a> {
        // No operation is of the last tick that there could be: dates end with the year 9999.
        let (from, until) = (key(range.from.unwrap_or(i64::MIN)), key(range.until.unwrap_or(i64::MAX)));
        let after = range.after.as_ref().map(|(ticks, id)| (key(*ticks), Some(id)));
        let place = |member: Member<K>| {
            let (ticks, slot) = (member.key().ticks(), member.slot());
            Some(Place { ticks, id: slots.id(slot)?.clone(), slot })
        };
        if range.descending {
            let ahead = |member: Member<K>| {
                member.key() < until && after.is_none_or(|(after, id)| compare(member, after, id, slots).is_lt())
            };
            return Box::new(
                self.0
                    .back_from(self.0.find(ahead))
                    .take_while(move |member| member.key() >= from)
                    .filter_map(place),
            );
        }
        let passed = |member: Member<K>| {
            member.key() < from || after.is_some_and(|(after, id)| compare(member, after, id, slots).is_le())
        };
        Box::new(self.0.from(self.0.find(passed)).take_while(move |member| member.key() < until).filter_map(place))
    }
}

fn compare<K: Key>(member: Member<K>, key: K, id: Option<&OperationId>, slots: &Slots) -> Ordering {
    member.key().cmp(&key).then_with(|| slots.id(member.slot()).cmp(&id))
}

/// Which part of an order, and which way.
#[derive(Clone, Debug, Default)]
pub(super) struct Range {
    pub(super) from: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) after: Option<(i64, OperationId)>,
    pub(super) descending: bool,
}

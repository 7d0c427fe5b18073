//! Operations ordered by an instant, ties by id.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::ops::Bound;

use crate::model::OperationId;

/// The number of an operation in the index.
pub(super) type Slot = u32;

/// Hashes slots: our own numbers, given in turn, which nobody outside chooses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BySlot;

impl BuildHasher for BySlot {
    type Hasher = SlotHasher;

    fn build_hasher(&self) -> SlotHasher {
        SlotHasher(0)
    }
}

/// Spreads one slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32((*byte).into());
        }
    }

    fn write_u32(&mut self, slot: Slot) {
        // 2^64 divided by the golden ratio: neighbours end up far apart, in the high bits too.
        self.0 = (self.0 ^ u64::from(slot)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A place in the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) ticks: i64,
    pub(super) id: OperationId,
    pub(super) slot: Slot,
}

/// A set of operations in order. Instants are of 100 ns, so nearly all are alone on theirs; the id, which
/// takes the most memory, is kept only where some share one.
#[derive(Debug, Default)]
pub(super) struct Order {
    at: BTreeMap<i64, Sharers>,
    len: usize,
}

#[derive(Debug)]
#[expect(clippy::box_collection, reason = "most have one: half the size for them")]
enum Sharers {
    One(Slot),
    Many(Box<BTreeSet<(OperationId, Slot)>>),
}

impl Order {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an operation that is not in the set. `id_of` names the other operations.
    pub(super) fn insert(&mut self, ticks: i64, slot: Slot, id_of: impl Fn(Slot) -> OperationId) {
        self.len = self.len.saturating_add(1);
        match self.at.entry(ticks) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Sharers::One(slot));
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => match entry.get_mut() {
                Sharers::One(other) => {
                    let both = BTreeSet::from([(id_of(*other), *other), (id_of(slot), slot)]);
                    entry.insert(Sharers::Many(Box::new(both)));
                }
                Sharers::Many(all) => {
                    all.insert((id_of(slot), slot));
                }
            },
        }
    }

    /// Takes an operation out of the set, if it is there.
    pub(super) fn remove(&mut self, ticks: i64, slot: Slot, id: &OperationId) {
        let Some(sharers) = self.at.get_mut(&ticks) else { return };
        match sharers {
            Sharers::One(only) if *only == slot => {
                self.at.remove(&ticks);
            }
            Sharers::One(_) => return,
            Sharers::Many(all) => {
                if !all.remove(&(id.clone(), slot)) {
                    return;
                }
                if let (Some((_, last)), 1) = (all.first().cloned(), all.len()) {
                    *sharers = Sharers::One(last);
                }
            }
        }
        self.len = self.len.saturating_sub(1);
    }

    /// From `from` (inclusive) up to `until` (exclusive), beyond a place; backwards if `descending`.
    pub(super) fn range<'a>(
        &'a self,
        range: &Range,
        id_of: impl Fn(Slot) -> OperationId + 'a,
    ) -> Box<dyn Iterator<Item = Place> + 'a> {
        let after = range.after.clone();
        let mut low = range.from.map_or(Bound::Unbounded, Bound::Included);
        let mut high = range.until.map_or(Bound::Unbounded, Bound::Excluded);
        if let Some((ticks, _)) = after {
            if range.descending {
                high = if range.until.is_some_and(|until| until <= ticks) { high } else { Bound::Included(ticks) };
            } else {
                low = Bound::Included(range.from.map_or(ticks, |from| from.max(ticks)));
            }
        }
        if let (Bound::Included(low), Bound::Included(high) | Bound::Excluded(high)) = (low, high)
            && (low > high || matches!(range.until, Some(until) if low >= until))
        {
            return Box::new(std::iter::empty());
        }
        let descending = range.descending;
        let places = move |(ticks, sharers): (&i64, &'a Sharers)| {
            let ticks = *ticks;
            let list: Box<dyn Iterator<Item = Place>> = match sharers {
                Sharers::One(slot) => Box::new(std::iter::once(Place { ticks, id: id_of(*slot), slot: *slot })),
                Sharers::Many(all) => {
                    let place =
                        move |(id, slot): &(OperationId, Slot)| Place { ticks, id: id.clone(), slot: *slot };
                    match (&after, descending) {
                        (Some((at, id)), false) if *at == ticks => {
                            let after = (Bound::Excluded((id.clone(), Slot::MAX)), Bound::Unbounded);
                            Box::new(all.range(after).map(place))
                        }
                        (Some((at, id)), true) if *at == ticks => {
                            Box::new(all.range(..(id.clone(), 0)).rev().map(place))
                        }
                        (_, false) => Box::new(all.iter().map(place)),
                        (_, true) => Box::new(all.iter().rev().map(place)),
                    }
                }
            };
            list
        };
        let beyond = range.after.clone();
        let is_beyond = move |place: &Place| match &beyond {
            None => true,
            Some((ticks, id)) if descending => (place.ticks, &place.id) < (*ticks, id),
            Some((ticks, id)) => (place.ticks, &place.id) > (*ticks, id),
        };
        let all = self.at.range((low, high));
        if descending {
            Box::new(all.rev().flat_map(places).filter(is_beyond))
        } else {
            Box::new(all.flat_map(places).filter(is_beyond))
        }
    }
}

/// Which part of an order, and which way.
#[derive(Clone, Debug, Default)]
pub(super) struct Range {
    pub(super) from: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) after: Option<(i64, OperationId)>,
    pub(super) descending: bool,
}

//! Every operation under a number of its own, and what is known of it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

use crate::model::{OperationId, Status, Version};

/// The number of an operation in the index.
pub(in super::super) type Slot = u32;

/// The number of a type's name; 0 is "no type".
pub(super) type TypeNumber = u16;

/// Hashes slots: our own numbers, given in turn, which nobody outside chooses.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct BySlot;

impl BuildHasher for BySlot {
    type Hasher = SlotHasher;

    fn build_hasher(&self) -> SlotHasher {
        SlotHasher(0)
    }
}

/// Spreads one slot.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct SlotHasher(u64);

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

/// What an operation is, as far as lists and counts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) type_number: TypeNumber,
    pub(super) status: Status,
    /// Whether it has labels, or a base that it is found by.
    pub(super) labelled: bool,
}

/// What is known of an operation: 72 bytes, of which there are as many as there are operations.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: OperationId,
    birth: u64,
    n: u64,
    instance: u32,
    /// `None` for a tombstone, and for an id whose first record is not shown yet.
    pub(super) kind: Option<Kind>,
    /// Of the newest record that is durable.
    pub(super) sequence: u64,
    pub(super) created: i64,
    pub(super) last_action: i64,
}

impl Known {
    /// Of the record that readers see.
    pub(super) const fn version(&self) -> Version {
        Version::new(self.birth, self.n, self.instance)
    }

    pub(super) const fn set_version(&mut self, version: Version) {
        (self.birth, self.n, self.instance) = (version.birth(), version.n(), version.instance());
    }
}

/// All slots, and the ids behind them: lists and the feed name operations by their slots.
#[derive(Debug, Default)]
pub(super) struct Slots {
    known: Vec<Option<Known>>,
    free: Vec<Slot>,
    by_id: HashTable<Slot>,
    hasher: RandomState,
}

impl Slots {
    pub(super) fn find(&self, id: &OperationId) -> Option<Slot> {
        self.by_id.find(self.hasher.hash_one(id), |slot| self.id(*slot) == Some(id)).copied()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Known> {
        self.known.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Known> {
        self.known.get_mut(usize::try_from(slot).ok()?)?.as_mut()
    }

    pub(super) fn id(&self, slot: Slot) -> Option<&OperationId> {
        self.get(slot).map(|known| &known.id)
    }

    /// A slot for an id, whether it has a record or not.
    pub(super) fn reserve(&mut self, id: &OperationId) -> Slot {
        if let Some(slot) = self.find(id) {
            return slot;
        }
        let (birth, n, instance) = (0, 0, 0);
        let known =
            Known { id: id.clone(), birth, n, instance, kind: None, sequence: 0, created: 0, last_action: 0 };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.known.push(None);
            // A record takes over 16 bytes: 2^32 of them do not fit the memory of the machines we run on.
            Slot::try_from(self.known.len().saturating_sub(1)).unwrap_or(Slot::MAX)
        });
        if let Some(place) = usize::try_from(slot).ok().and_then(|slot| self.known.get_mut(slot)) {
            *place = Some(known);
        }
        let Self { known, by_id, hasher, .. } = self;
        let hash_of = |slot: &Slot| {
            let known = usize::try_from(*slot).ok().and_then(|slot| known.get(slot)?.as_ref());
            known.map_or(0, |known| hasher.hash_one(&known.id))
        };
        by_id.insert_unique(hasher.hash_one(id), slot, hash_of);
        slot
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        let Some(known) = usize::try_from(slot).ok().and_then(|at| self.known.get_mut(at)?.take()) else { return };
        if let Ok(entry) = self.by_id.find_entry(self.hasher.hash_one(&known.id), |other| *other == slot) {
            entry.remove();
        }
        self.free.push(slot);
    }

    /// Every slot in use.
    pub(super) fn all(&self) -> impl Iterator<Item = (Slot, &Known)> {
        (0..).zip(&self.known).filter_map(|(slot, known)| Some((slot, known.as_ref()?)))
    }
}

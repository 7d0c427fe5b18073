//! Records at hand: those shown last, for who started an operation is about to change it, and those asked for
//! last, for who polls asks again. Neither needs to read them from the engine.

use std::collections::HashMap;
use std::sync::Arc;

use super::index::{BySlot, Slot};
use crate::model::Version;
use crate::store::record::Record;

/// Records in each half.
const HALF: usize = 2_048;

/// Two halves; when the young one is full it becomes the old one, which is forgotten.
#[derive(Debug, Default)]
pub(super) struct Warm {
    young: HashMap<Slot, Arc<Record>, BySlot>,
    old: HashMap<Slot, Arc<Record>, BySlot>,
}

impl Warm {
    pub(super) fn keep(&mut self, slot: Slot, record: Arc<Record>) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(slot, record);
    }

    /// The record of this version: no other has it, whatever became of the slot.
    pub(super) fn get(&self, slot: Slot, version: Version) -> Option<&Arc<Record>> {
        let kept = self.young.get(&slot).or_else(|| self.old.get(&slot));
        kept.filter(|record| record.version() == version)
    }

    /// The operation has ended: it is asked for by whoever waits, and seldom changed.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.young.remove(&slot);
        self.old.remove(&slot);
    }
}

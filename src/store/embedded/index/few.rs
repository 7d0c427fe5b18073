//! What only few operations have, and what it costs only them: deadlines, groups, unique keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Lists;
use super::slots::{Kind, Known, Slot, Slots, TypeNumber};
use crate::model::{Operation, OperationId, Status};
use crate::store::record::Record;

/// Lists of the operations of one group.
type Group = HashMap<(TypeNumber, Status), Lists>;

#[derive(Debug, Default)]
pub(super) struct Few {
    /// Operations that have not ended and must by an instant.
    pub(super) deadlines: BTreeMap<OperationId, i64>,
    groups: HashMap<Arc<str>, Group>,
    group_of: HashMap<Slot, Arc<str>>,
    /// Who holds a key, shown or not yet.
    holders: HashMap<Arc<str>, Slot>,
    key_of: HashMap<Slot, Arc<str>>,
}

impl Few {
    /// What a record says, in place of what the one before it said.
    pub(super) fn note(&mut self, slot: Slot, record: &Record) {
        let live = record.operation();
        let deadline = live.filter(|now| !now.is_terminal()).and_then(|now| now.stamps().deadline);
        match deadline {
            Some(deadline) => drop(self.deadlines.insert(record.id().clone(), deadline.ticks())),
            // Most operations have none, and most stores: nothing is looked up for them.
            None if self.deadlines.is_empty() => {}
            None => drop(self.deadlines.remove(record.id())),
        }
        match live.and_then(Operation::group) {
            Some(name) => {
                let known = self.groups.get_key_value(name).map(|(name, _)| Arc::clone(name));
                self.group_of.insert(slot, known.unwrap_or_else(|| name.into()));
            }
            None if self.group_of.is_empty() => {}
            None => drop(self.group_of.remove(&slot)),
        }
        match live.and_then(Operation::held_key) {
            Some(key) => self.hold(slot, key),
            None => self.release(slot),
        }
    }

    /// The key is this operation's, unless it is another's.
    pub(super) fn hold(&mut self, slot: Slot, key: &str) {
        // Of another life under the same name.
        if self.key_of.get(&slot).is_some_and(|held| **held != *key) {
            self.release(slot);
        }
        if !self.holders.contains_key(key) {
            let key: Arc<str> = key.into();
            self.holders.insert(Arc::clone(&key), slot);
            self.key_of.insert(slot, key);
        }
    }

    /// The operation's key is free.
    pub(super) fn release(&mut self, slot: Slot) {
        if self.key_of.is_empty() {
            return;
        }
        if let Some(key) = self.key_of.remove(&slot) {
            self.holders.remove(&key);
        }
    }

    pub(super) fn holder(&self, key: &str) -> Option<Slot> {
        self.holders.get(key).copied()
    }

    pub(super) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The group of an operation.
    pub(super) fn group_of(&self, slot: Slot) -> Option<&str> {
        self.group_of.get(&slot).map(|name| &**name)
    }

    /// Groups that have operations.
    pub(super) fn group_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.groups.keys().map(|name| &**name)
    }

    /// Puts an operation into the lists of its group.
    pub(super) fn list(&mut self, slot: Slot, known: &Known, kind: Kind, slots: &Slots) {
        let Some(name) = self.group_of.get(&slot) else { return };
        let group = self.groups.entry(Arc::clone(name)).or_default();
        group.entry((kind.type_number, kind.status)).or_default().insert(slot, known, kind, slots);
    }

    /// Takes an operation out of the lists of its group.
    pub(super) fn unlist(&mut self, slot: Slot, known: &Known, kind: Kind, slots: &Slots) {
        let Some(name) = self.group_of.get(&slot) else { return };
        let Some(group) = self.groups.get_mut(name) else { return };
        if let Some(lists) = group.get_mut(&(kind.type_number, kind.status)) {
            lists.remove(slot, known, kind, slots);
            if lists.created.len() == 0 {
                group.remove(&(kind.type_number, kind.status));
            }
        }
        if group.is_empty() {
            self.groups.remove(name);
        }
    }

    /// Operations with a group, and those listed by their group.
    pub(super) fn grouped(&self) -> (usize, usize) {
        let listed = self.groups.values().flat_map(HashMap::values).map(|lists| lists.created.len()).sum();
        (self.group_of.len(), listed)
    }
}

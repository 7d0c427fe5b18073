use crate::model::Chance;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

pub(crate) type Ino = u64;

/// The entries of every folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries(BTreeMap<Ino, BTreeMap<OsString, Ino>>);

impl Entries {
    pub(crate) fn of(&self, folder: Ino) -> impl Iterator<Item = (&OsString, Ino)> {
        self.0.get(&folder).into_iter().flatten().map(|(name, ino)| (name, *ino))
    }

    /// Every name that leads to this inode.
    pub(crate) fn names(&self, ino: Ino) -> impl Iterator<Item = &OsString> {
        self.0.values().flatten().filter(move |(_, found)| **found == ino).map(|(name, _)| name)
    }

    pub(crate) fn find(&self, folder: Ino, name: &OsStr) -> Option<Ino> {
        self.0.get(&folder)?.get(name).copied()
    }

    pub(crate) fn set(&mut self, entry: &Entry) {
        let folder = self.0.entry(entry.folder).or_default();
        match entry.ino {
            Some(ino) => folder.insert(entry.name.clone(), ino),
            None => folder.remove(&entry.name),
        };
    }
}

/// A name in a folder, and what it leads to from now on.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) folder: Ino,
    pub(crate) name: OsString,
    pub(crate) ino: Option<Ino>,
}

/// A change of entries that survives as a whole or not at all: a rename has two.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) seq: u64,
    pub(crate) entries: Vec<Entry>,
}

impl Step {
    pub(crate) fn leads_to(&self, ino: Ino) -> bool {
        self.entries.iter().any(|entry| entry.ino == Some(ino))
    }

    pub(crate) fn touches(&self, folder: Ino) -> bool {
        self.entries.iter().any(|entry| entry.folder == folder)
    }
}

/// The entries on the disk and the steps that have not reached it, under one rule of durability.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    durable: Entries,
    loose: Vec<Step>,
}

impl Ledger {
    pub(crate) fn durable(entries: Entries) -> Self {
        Self { durable: entries, loose: Vec::new() }
    }

    pub(crate) fn note(&mut self, step: Step) {
        self.loose.push(step);
    }

    pub(crate) fn loose(&self) -> usize {
        self.loose.len()
    }

    pub(crate) fn newest(&self, upto: u64, concerned: impl Fn(&Step) -> bool) -> Option<u64> {
        self.loose.iter().rev().find(|step| step.seq <= upto && concerned(step)).map(|step| step.seq)
    }

    /// Makes the chosen steps durable. What an older step said of the same names is thereby history.
    pub(crate) fn settle(&mut self, chosen: impl Fn(&Step) -> bool) {
        let mut left: Vec<Step> = Vec::new();
        for step in std::mem::take(&mut self.loose) {
            if chosen(&step) {
                for entry in &step.entries {
                    self.durable.set(entry);
                    for older in &mut left {
                        older.entries.retain(|old| (old.folder, &old.name) != (entry.folder, &entry.name));
                    }
                }
                left.retain(|older| !older.entries.is_empty());
            } else {
                left.push(step);
            }
        }
        self.loose = left;
    }

    pub(crate) fn survive(&self, chance: Option<&mut Chance>) -> Entries {
        let mut entries = self.durable.clone();
        let kept = chance.map_or(0, |chance| chance.up_to(self.loose.len()));
        for entry in self.loose.iter().take(kept).flat_map(|step| &step.entries) {
            entries.set(entry);
        }
        entries
    }
}

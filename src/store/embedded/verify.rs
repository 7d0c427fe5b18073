//! Reads the engine anew and compares what it holds with what the index says.

use std::collections::HashMap;

use super::engine::Engine;
use super::index::Index;
use super::state::Mode;
use super::{Shared, meta, scan};
use crate::model::{OperationId, Status, Version};
use crate::store::record::{self, Entry};
use crate::store::{Counts, Report, StoreError};

/// Type, status and group of an operation.
type Kind = (Option<String>, Status, Option<String>);

/// Version, place in the feed, and of an operation its kind.
type Seen = (Version, u64, Option<Kind>);

/// What a pass over the engine found: nothing of the index's own code.
#[derive(Default)]
struct Recount {
    meta: Option<meta::Meta>,
    versions: HashMap<OperationId, Seen>,
    labels: usize,
    report: Report,
}

impl<E: Engine> Shared<E> {
    /// Called by the worker, between groups: nothing is being written.
    pub(super) fn verify(&self) -> Result<Report, StoreError> {
        let mut found = Recount::default();
        let guard = self.engine.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let engine = guard.as_ref().ok_or(StoreError::Closed)?;
        engine.replay(&mut |key, bytes| {
            found.take(key, bytes);
            Ok(())
        })?;
        let state = self.lock();
        let Recount { meta, versions, labels, mut report } = found;
        // Who only looks at an empty store has not written one.
        let missing = !(matches!(state.mode, Mode::Inspect) && state.meta.instance == 0);
        match meta {
            None if missing => report.problems.push("the store's own record is missing or unreadable".into()),
            Some(meta) if (meta.store, meta.instance) != (state.meta.store, state.meta.instance) => {
                report.problems.push("the store's own record is of another store or open".into());
            }
            _ => {}
        }
        let mut counted = Counted::default();
        let mut problem = |id: &OperationId, what: &str| report.problems.push(format!("record {id}: {what}"));
        let mut live = 0_usize;
        for (id, (version, sequence, kind)) in &versions {
            let Some(slot) = state.index.slot(id) else {
                problem(id, "is in the engine and not in the index");
                continue;
            };
            // Shown from memory, not from the engine: nothing can be said until it is synced.
            let recent = state.recent.contains_key(&slot);
            if !recent && state.index.version(slot) != kind.is_some().then_some(*version) {
                problem(id, "has another version in the index");
            }
            if !recent && state.index.sequence(slot) != Some(*sequence) {
                problem(id, "has another place in the feed");
            }
            let kind = if recent { state.index.kind(slot) } else { kind.clone() };
            if let Some(kind) = kind {
                live = live.saturating_add(1);
                counted.add(kind);
            }
        }
        for (id, slot, _) in state.index.versions() {
            if !versions.contains_key(id) {
                if state.recent.contains_key(&slot) {
                    state.index.kind(slot).into_iter().for_each(|kind| counted.add(kind));
                } else {
                    problem(id, "is in the index and not in the engine");
                }
            }
        }
        counted.compare(&state.index, &mut report.problems);
        report.problems.extend(state.index.inconsistencies());
        // What is shown and not synced yet has labels that the engine does not know.
        if state.recent.is_empty() && labels != state.index.labels() {
            report.problems.push(format!("labels: {} in the index, {labels} counted", state.index.labels()));
        }
        Ok(report)
    }
}

/// What a recount comes to.
#[derive(Default)]
struct Counted {
    all: Counts,
    groups: HashMap<String, Counts>,
}

impl Counted {
    fn add(&mut self, (type_name, status, group): Kind) {
        self.all.add(type_name.as_deref(), status, 1);
        if let Some(group) = group {
            self.groups.entry(group).or_default().add(type_name.as_deref(), status, 1);
        }
    }

    fn compare(&self, index: &Index, problems: &mut Vec<String>) {
        let mut problem = |what: &str, kept: &Counts, counted: &Counts| {
            if kept != counted {
                problems.push(format!("counts{what}: {kept:?} in the index, {counted:?} counted"));
            }
        };
        problem("", &index.counts(), &self.all);
        for (group, counted) in &self.groups {
            problem(&format!(" of group {group:?}"), &index.group_counts(group), counted);
        }
        let strays = index.groups().filter(|group| !self.groups.contains_key(*group));
        for group in strays {
            problem(&format!(" of group {group:?}"), &index.group_counts(group), &Counts::default());
        }
    }
}

impl Recount {
    fn take(&mut self, key: &[u8], bytes: &[u8]) {
        if key == meta::KEY {
            self.meta = meta::Meta::decode(bytes).ok();
            return;
        }
        if key.first() == Some(&meta::RESERVED) {
            return;
        }
        self.report.records = self.report.records.saturating_add(1);
        match record::decode(key, bytes) {
            Ok(record) => {
                let kind = match &record.entry {
                    Entry::Live(operation) => {
                        let of_base = usize::from(operation.id().attempt_number() > 1);
                        self.labels =
                            self.labels.saturating_add(operation.labels().count()).saturating_add(of_base);
                        let (type_name, group) = (operation.type_name(), operation.group());
                        Some((type_name.map(Into::into), operation.status(), group.map(Into::into)))
                    }
                    Entry::Tombstone { .. } => None,
                };
                debug_assert_eq!(kind.is_some(), record.operation().is_some());
                self.versions.insert(record.id().clone(), (record.version(), record.sequence, kind));
            }
            Err(error) => self.report.problems.push(format!("record {}: {error}", scan::name(key))),
        }
    }
}

//! Exact numbers by type and status.

use std::collections::BTreeMap;

use super::place;
use crate::model::Status;

/// How many operations there are, by type and status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Types without operations are left out.
    by_type: BTreeMap<Option<String>, [u64; 4]>,
}

impl Counts {
    /// Adds operations of a type and status, as a store does that makes an answer.
    pub fn add(&mut self, type_name: Option<&str>, status: Status, count: u64) {
        if count > 0 {
            let counts = self.by_type.entry(type_name.map(Into::into)).or_default();
            if let Some(slot) = counts.get_mut(place(status)) {
                *slot = slot.saturating_add(count);
            }
        }
    }

    /// Operations in a status, of all types.
    pub fn of(&self, status: Status) -> u64 {
        self.by_type.values().filter_map(|counts| counts.get(place(status))).sum()
    }

    /// Operations of a type in a status.
    pub fn of_type(&self, type_name: Option<&str>, status: Status) -> u64 {
        let counts = self.by_type.iter().find(|(name, _)| name.as_deref() == type_name);
        counts.and_then(|(_, counts)| counts.get(place(status)).copied()).unwrap_or(0)
    }

    /// All operations.
    pub fn total(&self) -> u64 {
        self.by_type.values().flatten().sum()
    }

    /// Every type and status that has operations.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, Status, u64)> {
        self.by_type
            .iter()
            .flat_map(|(name, counts)| {
                Status::ALL.into_iter().zip(counts).map(|(status, count)| (name.as_deref(), status, *count))
            })
            .filter(|(_, _, count)| *count > 0)
    }
}

//! How long operations have been running, by the clock that nobody sets: a date that jumps ends nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{Operation, OperationId};

/// What the sweeps of this process know of Running operations with a time limit, by type.
#[derive(Debug, Default)]
pub(super) struct Ages {
    types: Mutex<HashMap<Option<String>, Type>>,
}

#[derive(Debug, Default)]
struct Type {
    /// When the scan before this one began.
    scanned: Option<Duration>,
    known: HashMap<OperationId, Known>,
}

#[derive(Debug)]
struct Known {
    birth: u64,
    /// When its time is over, by the monotonic clock.
    due: Duration,
    /// The scan that saw it last.
    seen: Duration,
}

impl Ages {
    fn types(&self) -> MutexGuard<'_, HashMap<Option<String>, Type>> {
        self.types.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a Running operation has run for `limit`. `scan` is when this scan began, `dated` how long it
    /// runs by the dates.
    ///
    /// Of an operation that the scan before did not see the dates are believed, but for no more than has
    /// passed since; of what the first scan finds they are all there is.
    pub(super) fn is_over(&self, operation: &Operation, scan: Duration, dated: Duration, limit: Duration) -> bool {
        let mut types = self.types();
        let kept = types.entry(operation.type_name().map(Into::into)).or_default();
        let age = dated.min(kept.scanned.map_or(Duration::MAX, |last| scan.saturating_sub(last)));
        let due = scan.saturating_add(limit.saturating_sub(age));
        let birth = operation.version().birth();
        let known = kept.known.entry(operation.id().clone()).or_insert(Known { birth, due, seen: scan });
        if known.birth != birth {
            *known = Known { birth, due, seen: scan };
        }
        known.seen = scan;
        scan >= known.due
    }

    /// A scan of a type is done: what it did not see does not run any more.
    pub(super) fn scanned(&self, type_name: Option<&str>, scan: Duration) {
        let mut types = self.types();
        let kept = types.entry(type_name.map(Into::into)).or_default();
        kept.scanned = kept.scanned.max(Some(scan));
        kept.known.retain(|_, known| known.seen >= scan);
    }
}

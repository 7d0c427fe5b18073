//! What the tracker tells `tracing` and `metrics`, in the names that `docs/operating.md` lists.

use super::Tracker;
use crate::model::{Failure, Operation, OperationId, Status};

/// Ends that no work asked for.
const UNASKED: [&str; 7] = [
    Failure::ORPHANED,
    Failure::STALLED,
    Failure::TIMEOUT,
    Failure::DEADLINE_EXCEEDED,
    Failure::ABANDONED,
    Failure::INTERRUPTED,
    Failure::PANICKED,
];

impl Tracker {
    pub(super) fn tell_created(&self, operation: &Operation) {
        tracing::debug!(operation.id = %operation.id(), operation.type = operation.type_name(), "created");
        // It may be born Running, or ended.
        if operation.status() != Status::NotStarted {
            self.tell_moved(operation);
        }
    }

    /// The operation is in another status than before.
    #[cfg_attr(not(feature = "metrics"), expect(clippy::unused_self, reason = "metrics are the tracker's"))]
    pub(super) fn tell_moved(&self, operation: &Operation) {
        moved(operation);
        #[cfg(feature = "metrics")]
        self.inner.meters.moved(operation);
    }

    pub(super) fn tell_refused(id: &OperationId, code: &str) {
        tracing::debug!(operation.id = %id, code, "refused");
    }

    #[cfg_attr(not(feature = "metrics"), expect(clippy::unused_self, reason = "metrics are the tracker's"))]
    pub(super) fn tell_deleted(&self, operation: &Operation) {
        tracing::debug!(operation.id = %operation.id(), "deleted");
        #[cfg(feature = "metrics")]
        self.inner.meters.deleted(operation);
    }
}

fn moved(operation: &Operation) {
    let (id, type_name) = (operation.id(), operation.type_name());
    match (operation.status(), operation.failure().map(Failure::code)) {
        (Status::NotStarted, _) => {}
        (Status::Running, _) => {
            let holder = operation.holder();
            tracing::debug!(operation.id = %id, operation.type = type_name, holder, "started");
        }
        (Status::Completed, _) => tracing::debug!(operation.id = %id, operation.type = type_name, "completed"),
        (Status::Failed, Some(code)) if UNASKED.contains(&code) => {
            tracing::warn!(operation.id = %id, operation.type = type_name, code, "{code}");
        }
        (Status::Failed, code @ Some(Failure::CANCELLED)) => {
            tracing::info!(operation.id = %id, operation.type = type_name, code, "cancelled");
        }
        (Status::Failed, code) => {
            tracing::info!(operation.id = %id, operation.type = type_name, code, "failed");
        }
    }
}

//! What the tracker tells `tracing`, in the names that `docs/operating.md` lists.

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

pub(super) fn created(operation: &Operation) {
    tracing::debug!(operation.id = %operation.id(), operation.type = operation.type_name(), "created");
    // It may be born Running, or ended.
    if operation.status() != Status::NotStarted {
        moved(operation);
    }
}

/// The operation is in another status than before.
pub(super) fn moved(operation: &Operation) {
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

pub(super) fn refused(id: &OperationId, code: &str) {
    tracing::debug!(operation.id = %id, code, "refused");
}

pub(super) fn deleted(id: &OperationId) {
    tracing::debug!(operation.id = %id, "deleted");
}

//! Operations that nobody works on any more: found by the store, ended by compare-and-swap.

use std::num::NonZeroU32;

use super::Tracker;
use super::future::{Boxed, all};
use crate::error::{ErrorKind, Result};
use crate::model::{Failure, Operation, OperationId, Patch, Timestamp};
use crate::store::Idle;

/// Operations ended side by side: they share a sync.
const STEP: NonZeroU32 = NonZeroU32::MIN.saturating_add(511);

/// Ends every operation that a dead instance was running; answers their ids.
pub(super) async fn end_orphans(tracker: &Tracker) -> Result<Vec<OperationId>> {
    let failure = Failure::new(Failure::ORPHANED, "the process that ran it ended without reporting");
    end_idle(tracker, &Idle::Orphaned, &failure).await
}

/// Every operation that a dead instance was running, left as it is.
pub(super) async fn find_orphans(tracker: &Tracker) -> Result<Vec<OperationId>> {
    let mut found: Vec<OperationId> = Vec::new();
    loop {
        let some = tracker.store().idle(&Idle::Orphaned, found.last(), STEP).await?;
        if some.is_empty() {
            return Ok(found);
        }
        found.extend(some);
    }
}

/// Ends every operation whose deadline has passed.
pub(super) async fn end_due(tracker: &Tracker, until: Timestamp) -> Result<Vec<OperationId>> {
    end_all(tracker, &Idle::Due { until }, &Patch::expire()).await
}

/// Ends every operation that the store finds idle, by id from the first to the last; one that cannot be
/// ended does not keep the others.
pub(super) async fn end_idle(tracker: &Tracker, which: &Idle, failure: &Failure) -> Result<Vec<OperationId>> {
    end_all(tracker, which, &Patch::fail(failure.clone())).await
}

/// By id from the first to the last; one that cannot be ended does not keep the others.
async fn end_all(tracker: &Tracker, which: &Idle, patch: &Patch) -> Result<Vec<OperationId>> {
    let mut after: Option<OperationId> = None;
    let mut ended = Vec::new();
    loop {
        let found = tracker.store().idle(which, after.as_ref(), STEP).await?;
        let Some(last) = found.last().cloned() else { return Ok(ended) };
        let mut operations = Vec::with_capacity(found.len());
        for id in &found {
            match tracker.store().load(id).await {
                Ok(operation) => operations.extend(operation),
                Err(error) => tracing::warn!(operation.id = %id, %error, "an idle operation could not be read"),
            }
        }
        // Asked again after the records were read: a sign of life before the read shows here, one after it
        // in the version, which the end is conditional on.
        let still = tracker.store().idle(which, after.as_ref(), STEP).await?;
        operations.retain(|operation| still.binary_search(operation.id()).is_ok());
        let ends = operations.iter().map(|operation| -> Boxed<'_, _> { Box::pin(end(tracker, operation, patch)) });
        for (operation, end) in operations.iter().zip(all(ends.collect()).await) {
            match end {
                Ok(true) => ended.push(operation.id().clone()),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(operation.id = %operation.id(), %error, "an idle operation could not be ended");
                }
            }
        }
        after = Some(last);
    }
}

/// Ends one operation if it is still the one that was found; `false` if somebody was quicker.
async fn end(tracker: &Tracker, operation: &Operation, patch: &Patch) -> Result<bool> {
    match tracker.patch(operation.id(), patch.clone().if_match(operation)).await {
        Ok(ended) => Ok(ended.is_terminal()),
        Err(error) => match error.kind() {
            ErrorKind::PreconditionFailed
            | ErrorKind::Terminal
            | ErrorKind::IllegalTransition
            | ErrorKind::NotFound => Ok(false),
            _ => Err(error),
        },
    }
}

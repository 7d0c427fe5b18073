//! Records that nobody wrote.

use longrun::Operation;
use longrun::model::{Applied, Patch, Rules};

/// What a patch makes of a record.
pub(crate) fn patched(operation: &Operation, patch: &Patch) -> Option<Operation> {
    let rules = Rules::new(operation.version().instance());
    match operation.apply(patch, &rules, operation.stamps().last_action) {
        Ok(Applied::Changed { next, .. }) => Some(next),
        _ => None,
    }
}

/// The record with another detail; itself where it has ended.
pub(crate) fn with_detail(operation: &Operation, detail: &str) -> Operation {
    patched(operation, &Patch::new().detail(detail)).unwrap_or_else(|| operation.clone())
}

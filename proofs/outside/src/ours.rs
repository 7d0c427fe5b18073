//! What longrun takes and refuses, asked through its public parsers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use longrun::model::{NewOperation, Operation, OperationId, Patch, Rejection, Rules, Timestamp};
use longrun::{ErrorKind, wire};

/// Whether a text is a date and time with an offset.
pub(crate) fn takes_date(text: &str) -> Result<bool, String> {
    guarded(|| Ok(text.parse::<Timestamp>().is_ok()))
}

/// Whether a text is an id that is a UUID.
pub(crate) fn takes_uuid(text: &str) -> Result<bool, String> {
    guarded(|| Ok(text.parse::<OperationId>().is_ok_and(|id| id.as_uuid().is_some())))
}

/// Whether a text may stand in `resourceLocation`.
pub(crate) fn takes_uri_reference(text: &str) -> Result<bool, String> {
    guarded(|| {
        let id: OperationId = "a".parse().map_err(|error| format!("{error}"))?;
        let now = Timestamp::new(0, 0).map_err(|error| error.to_string())?;
        let new = NewOperation::untyped().patch(Patch::new().resource_location(text));
        match Operation::new(&new, id, 0, &Rules::new(0), now) {
            Ok(operation) if operation.resource_location() == Some(text) => Ok(true),
            Ok(operation) => Err(format!("became {:?}", operation.resource_location())),
            Err(Rejection::Invalid(_)) => Ok(false),
            Err(other) => Err(format!("refused for another reason: {other:?}")),
        }
    })
}

/// Whether bytes are the body of a PATCH.
pub(crate) fn takes_body(body: &[u8]) -> Result<bool, String> {
    guarded(|| match wire::patch(body, wire::OPERATION) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Invalid && error.http_status() == 400 => Ok(false),
        Err(error) => Err(format!("refused as {:?}, {}: {error}", error.kind(), error.http_status())),
    })
}

/// A panic is a fault of ours, whatever the case wants.
fn guarded(ask: impl FnOnce() -> Result<bool, String>) -> Result<bool, String> {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| Err("longrun panics".to_owned()))
}

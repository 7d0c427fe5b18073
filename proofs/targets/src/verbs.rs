//! The judge's words for what is asked and what is there, and ours.

use std::error::Error;

use linear::operation::{Detail, Patch as Wanted, Seen, Status as Said, Text, Verb};
use longrun::model::{Json, Tags};
use longrun::{Failure, Operation, Patch, Status};

/// What cannot be said.
pub type Fault = Box<dyn Error + Send + Sync>;

/// The patch that a verb is; `None` of a create, a read and a delete, which are none.
///
/// # Errors
/// If it names a version that is no entity tag.
pub fn patch(verb: &Verb) -> Result<Option<Patch>, Fault> {
    let patch = match verb {
        Verb::Patch(wanted) => members(wanted)?,
        Verb::Start { holder, .. } => Patch::claim(&**holder),
        Verb::Complete { result, .. } => Patch::complete(result.as_deref().map(Json::new).transpose()?),
        Verb::Fail { code, .. } => Patch::fail(Failure::new(&**code, "it was asked to")),
        Verb::Cancel { .. } => Patch::cancel(),
        Verb::Create { .. } | Verb::Get | Verb::Delete { .. } => return Ok(None),
    };
    let patch = match verb.if_match() {
        Some(version) => patch.if_match(version.parse::<Tags>()?),
        None => patch,
    };
    Ok(Some(match verb.holder() {
        Some(holder) => patch.held_by(&**holder),
        None => patch,
    }))
}

fn members(wanted: &Wanted) -> Result<Patch, Fault> {
    let mut patch = if wanted.heartbeat { Patch::heartbeat() } else { Patch::new() };
    if let Some(status) = wanted.status {
        patch = patch.status(status_of(status));
    }
    if let Some(percent) = wanted.progress {
        patch = patch.progress(percent);
    }
    if let Some(detail) = &wanted.detail {
        patch = patch.detail(&**detail);
    }
    Ok(match (&wanted.outcome, wanted.status) {
        (Some(code), Some(Said::Failed)) => patch.failure(Failure::new(&**code, "it was asked to")),
        (Some(result), _) => patch.result(Json::new(&**result)?),
        (None, _) => patch,
    })
}

fn status_of(status: Said) -> Status {
    match status {
        Said::NotStarted => Status::NotStarted,
        Said::Running => Status::Running,
        Said::Completed => Status::Completed,
        Said::Failed => Status::Failed,
    }
}

/// A record as the judge sees it.
#[must_use]
pub fn seen(operation: &Operation) -> Seen {
    let result = || operation.result_json().and_then(|json| json.to::<String>().ok());
    Seen {
        version: operation.etag().to_string().into(),
        status: match operation.status() {
            Status::NotStarted => Said::NotStarted,
            Status::Running => Said::Running,
            Status::Completed => Said::Completed,
            Status::Failed => Said::Failed,
        },
        rest: Some(Detail {
            progress: operation.progress().map(longrun::model::Progress::percent),
            detail: operation.detail().map(Text::from),
            holder: operation.holder().map(Text::from),
            outcome: operation.failure().map(|failure| failure.code().into()).or_else(|| result().map(Text::from)),
            cancelling: operation.cancellation_requested().is_some(),
        }),
    }
}

//! A question of a history, put to a tracker; its answer as the judge's words.

use linear::operation::{Answer, Detail, Patch as Wanted, Seen, Status as Said, Text, Verb};
use longrun::model::{Json, Tags};
use longrun::{Error, ErrorKind, Failure, NewOperation, Operation, OperationId, Patch, Status, Tracker};

use crate::Outcome;

/// Asks through the library.
pub(crate) async fn ask(tracker: &Tracker, id: &OperationId, verb: &Verb) -> Outcome<Answer> {
    let answered = match verb {
        Verb::Create { identity, running } => {
            let new = NewOperation::new(identity.as_deref().unwrap_or_default()).id(id.clone());
            let begun = Patch::new().status(Status::Running);
            tracker.create(if *running { new.patch(begun) } else { new }).await
        }
        Verb::Get => tracker.get(id).await,
        Verb::Delete { .. } => match tracker.delete(id).await {
            Ok(()) => return Ok(Answer::Deleted),
            Err(error) => Err(error),
        },
        Verb::Patch(_) | Verb::Start { .. } | Verb::Complete { .. } | Verb::Fail { .. } | Verb::Cancel { .. } => {
            tracker.patch(id, patch(verb)?).await
        }
    };
    answered.map_or_else(|error| refusal(verb, error), |operation| Ok(Answer::Done(seen(&operation))))
}

fn patch(verb: &Verb) -> Outcome<Patch> {
    let patch = match verb {
        Verb::Patch(wanted) => members(wanted)?,
        Verb::Start { holder, .. } => Patch::claim(&**holder),
        Verb::Complete { result, .. } => Patch::complete(result.as_deref().map(Json::new).transpose()?),
        Verb::Fail { code, .. } => Patch::fail(Failure::new(&**code, "it was asked to")),
        Verb::Cancel { .. } => Patch::cancel(),
        Verb::Create { .. } | Verb::Get | Verb::Delete { .. } => return Err("no patch".into()),
    };
    let patch = match verb.if_match() {
        Some(version) => patch.if_match(version.parse::<Tags>()?),
        None => patch,
    };
    Ok(match verb.holder() {
        Some(holder) => patch.held_by(&**holder),
        None => patch,
    })
}

fn members(wanted: &Wanted) -> Outcome<Patch> {
    let mut patch = if wanted.heartbeat { Patch::heartbeat() } else { Patch::new() };
    if let Some(status) = wanted.status {
        patch = patch.status(longrun_status(status));
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

fn longrun_status(status: Said) -> Status {
    match status {
        Said::NotStarted => Status::NotStarted,
        Said::Running => Status::Running,
        Said::Completed => Status::Completed,
        Said::Failed => Status::Failed,
    }
}

fn seen(operation: &Operation) -> Seen {
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

fn refusal(verb: &Verb, error: Error) -> Outcome<Answer> {
    let current = error.current().map(seen);
    Ok(match error.kind() {
        ErrorKind::NotFound => Answer::NotFound,
        ErrorKind::PreconditionFailed => Answer::Conflict(current),
        ErrorKind::Terminal => Answer::Terminal(current),
        ErrorKind::IllegalTransition | ErrorKind::Conflict | ErrorKind::AlreadyExists => {
            let theirs = current.as_ref().and_then(|seen| seen.rest.as_ref()?.holder.as_ref());
            let taken = verb.holder().is_some_and(|holder| theirs != Some(holder));
            if taken { Answer::Lost(current) } else { Answer::Refused(current) }
        }
        ErrorKind::Contended => Answer::NotApplied,
        ErrorKind::Unavailable if error.is_definite() => Answer::NotApplied,
        ErrorKind::Unavailable => Answer::Unknown,
        _ => return Err(error.into()),
    })
}

//! A question of a history, put to a tracker; its answer as the judge's words.

use linear::operation::{Answer, Verb};
use longrun::{Error, ErrorKind, NewOperation, OperationId, Patch, Status, Tracker};
use longrun_targets::verbs::{patch, seen};

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
            tracker.patch(id, patch(verb)?.ok_or("no patch")?).await
        }
    };
    answered.map_or_else(|error| refusal(verb, error), |operation| Ok(Answer::Done(seen(&operation))))
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

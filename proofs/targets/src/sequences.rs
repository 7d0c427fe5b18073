//! Operations in turn against the judge's machine, which was written anew from the rules.

use linear::operation::machine::{Effect, Refusal, Version};
use linear::operation::{Patch as Wanted, Status, Text, Verb};
use longrun::model::{Applied, Precondition, Rejection, Rules};
use longrun::{NewOperation, Operation};

use crate::bodies::now;
use crate::verbs::{patch, seen};

/// Verbs of a sequence.
const LONGEST: usize = 64;

/// Reads the bytes as verbs, two for each, and asks the model and the judge's machine in turn.
///
/// # Panics
/// If the two do not agree on what an operation becomes, or on why it does not.
pub fn sequence(bytes: &[u8]) {
    let (rules, mut operation, mut record) = (Rules::new(1), None, None);
    let pairs = bytes.chunks_exact(2).take(LONGEST);
    for (birth, pair) in (1..).zip(pairs) {
        let (what, how) = (pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0));
        let verb = verb(what, how, operation.as_ref());
        let matches = verb.if_match().is_none_or(|wanted| {
            operation.as_ref().is_some_and(|now: &Operation| *now.etag().to_string() == **wanted)
        });
        let effect = verb.effect(record.as_ref(), matches);
        let ours = ours(&verb, operation.as_ref(), birth, &rules);
        let told = format!("{verb:?} of {operation:?}: {ours:?}, and the machine says {effect:?}");
        match (effect, ours) {
            (Effect::Nothing, Ours::Same) => {}
            (Effect::Write { record: next, durable }, Ours::Next(now, notable)) => {
                assert_eq!(durable, notable, "{told}");
                let shown = seen(&now);
                assert_eq!((next.status, Some(&next.rest)), (shown.status, shown.rest.as_ref()), "{told}");
                (record, operation) = (Some(next), Some(now));
            }
            (Effect::Remove, Ours::Gone) => (record, operation) = (None, None),
            (Effect::Refuse(theirs), Ours::Refused(ours)) => assert_eq!(theirs, ours, "{told}"),
            _ => unreachable!("{told}"),
        }
        if let Some(record) = &mut record {
            // The machine learns versions from answers.
            let shown = operation.as_ref().map(|operation| operation.etag().to_string());
            record.version = shown.map_or(Version::Unseen, |shown| Version::Known(shown.into()));
        }
    }
}

#[derive(Debug)]
enum Ours {
    Same,
    Next(Operation, bool),
    Gone,
    Refused(Refusal),
}

fn ours(verb: &Verb, operation: Option<&Operation>, birth: u64, rules: &Rules) -> Ours {
    let new = |identity: &Option<Text>| NewOperation::new(identity.as_deref().unwrap_or_default());
    match (verb, operation) {
        (Verb::Create { identity, running }, None) => {
            let begun = longrun::Patch::new().status(longrun::Status::Running);
            let new = if *running { new(identity).patch(begun) } else { new(identity) };
            let Ok(id) = "fuzz".parse() else { return Ours::Same };
            Operation::new(&new, id, birth, rules, now())
                .map_or_else(|why| Ours::Refused(refusal(&why)), |first| Ours::Next(first, true))
        }
        (Verb::Create { identity, .. }, Some(there)) if new(identity).describes(there) => Ours::Same,
        (Verb::Create { .. }, Some(_)) => Ours::Refused(Refusal::State),
        (_, None) => Ours::Refused(Refusal::NotFound),
        (Verb::Get, Some(_)) => Ours::Same,
        (Verb::Delete { if_match }, Some(there)) => {
            let mut asked = Precondition::none();
            asked.if_match = if_match.as_ref().and_then(|tags| tags.parse().ok());
            there.check_delete(&asked).map_or_else(|why| Ours::Refused(refusal(&why)), |()| Ours::Gone)
        }
        (_, Some(there)) => {
            let Ok(Some(patch)) = patch(verb) else { return Ours::Same };
            match there.apply(&patch, rules, now()) {
                Ok(Applied::Changed { next, notable }) => Ours::Next(next, notable),
                Ok(_) => Ours::Same,
                // Whoever claims asks for no holder: that it runs for another is its state.
                Err(Rejection::Held { .. }) if verb.holder().is_none() => Ours::Refused(Refusal::State),
                Err(why) => Ours::Refused(refusal(&why)),
            }
        }
    }
}

fn refusal(why: &Rejection) -> Refusal {
    match why {
        Rejection::Precondition(_) => Refusal::Version,
        Rejection::Held { .. } => Refusal::Holder,
        Rejection::Terminal { .. } => Refusal::Terminal,
        _ => Refusal::State,
    }
}

/// The verb that two bytes stand for.
fn verb(what: u8, how: u8, now: Option<&Operation>) -> Verb {
    let text = |number: u8| -> Text { format!("text-{}", number % 3).into() };
    let holder = || (how & 1 == 1).then(|| text(how >> 1));
    let if_match = || match how >> 6 {
        0 => now.map(|now| now.etag().to_string().into()),
        1 => Some("W/\"7.99.1\"".into()),
        2 => Some("*".into()),
        _ => None,
    };
    let members = |wanted: Wanted| Verb::Patch(Wanted { if_match: if_match(), holder: holder(), ..wanted });
    let to = |status: Status| Wanted { status: Some(status), ..Wanted::default() };
    match what % 16 {
        0 | 1 => Verb::Create { identity: Some(text(how)), running: how & 8 == 8 },
        2 => Verb::Get,
        3 | 4 => Verb::Start { holder: text(how >> 1), if_match: if_match() },
        5 => Verb::Complete { result: Some(text(how >> 2)), holder: holder() },
        6 => Verb::Fail { code: text(how >> 2), holder: holder() },
        7 => Verb::Cancel { if_match: if_match() },
        8 => Verb::Delete { if_match: if_match() },
        9 => members(to(Status::NotStarted)),
        10 => members(to(Status::Running)),
        11 => members(Wanted { outcome: Some(text(how >> 2)), ..to(Status::Completed) }),
        12 => members(Wanted { outcome: Some(text(how >> 2)), ..to(Status::Failed) }),
        13 => members(Wanted { progress: Some(how % 101), ..Wanted::default() }),
        14 => members(Wanted { detail: Some(text(how >> 2)), ..Wanted::default() }),
        _ => members(Wanted { heartbeat: true, ..Wanted::default() }),
    }
}

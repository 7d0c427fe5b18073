//! The operation's rules one by one, each as a history that keeps it and one that does not.

use Status::{Completed, Failed, NotStarted, Running};
use linear::Verdict;
use linear::operation::machine::{Effect, Record, Refusal, Version};
use linear::operation::{Answer, Detail, Patch, Recording, Seen, Status, Verb, judge};

const CREATE: Verb = Verb::Create { identity: None, running: false };
const DELETE: Verb = Verb::Delete { if_match: None };
const CANCEL: Verb = Verb::Cancel { if_match: None };

fn seen(version: &str, status: Status) -> Seen {
    Seen { version: version.into(), status, rest: None }
}

fn done(version: &str, status: Status) -> Answer {
    Answer::Done(seen(version, status))
}

fn to(status: Status) -> Verb {
    Verb::Patch(Patch { status: Some(status), ..Patch::default() })
}

fn to_if(status: Status, version: &str) -> Verb {
    Verb::Patch(Patch { status: Some(status), if_match: Some(version.into()), ..Patch::default() })
}

fn progress(progress: u8) -> Verb {
    Verb::Patch(Patch { progress: Some(progress), ..Patch::default() })
}

fn start(holder: &str) -> Verb {
    Verb::Start { holder: holder.into(), if_match: None }
}

fn complete(holder: &str) -> Verb {
    Verb::Complete { result: None, holder: Some(holder.into()) }
}

fn legal(recording: &Recording) -> bool {
    match judge(recording, 1_000_000).unwrap() {
        Verdict::Linearizable => true,
        Verdict::Illegal(_) => false,
        Verdict::Undecided => panic!("so few calls are always decided"),
    }
}

/// Calls one after the other; `Unknown` leaves one open-ended.
fn in_turn(calls: &[(Verb, Answer)]) -> bool {
    let mut recording = Recording::new("");
    for (at, (verb, answer)) in (0..).step_by(2).zip(calls) {
        let call = recording.call(at, "a".into(), verb.clone());
        recording.answer(call, at + 1, answer.clone());
    }
    legal(&recording)
}

/// What must be legal after these calls, and what must not.
fn then(before: &[(Verb, Answer)], right: &[(Verb, Answer)], wrong: &[(Verb, Answer)]) {
    for (cases, expected) in [(right, true), (wrong, false)] {
        for case in cases {
            let mut calls = before.to_vec();
            calls.push(case.clone());
            assert_eq!(in_turn(&calls), expected, "{case:?}");
        }
    }
}

#[test]
fn the_sixteen_transitions() {
    let all = [NotStarted, Running, Completed, Failed];
    for from in all {
        for target in all {
            let version = Version::Known("v".into());
            let record = Record { version, status: from, rest: Detail::default(), identity: None };
            let moved = match to(target).effect(Some(&record), true) {
                Effect::Nothing => "same",
                Effect::Write { record, durable: true } if record.status == target => "moves",
                Effect::Refuse(Refusal::Terminal) => "terminal",
                Effect::Refuse(Refusal::State) => "refused",
                other => panic!("{from} to {target}: {other:?}"),
            };
            let expected = match (from, target) {
                (NotStarted, Running) | (Running, Completed | Failed) => "moves",
                _ if from == target => "same",
                (Completed | Failed, _) => "terminal",
                _ => "refused",
            };
            assert_eq!(moved, expected, "{from} to {target}");
        }
    }
}

#[test]
fn create_is_idempotent_for_the_same_identity_only() {
    let as_of = |identity: &str| Verb::Create { identity: Some(identity.into()), running: false };
    then(
        &[(as_of("x"), done("1", NotStarted)), (to(Running), done("2", Running))],
        &[(as_of("x"), done("2", Running)), (as_of("y"), Answer::Refused(Some(seen("2", Running))))],
        &[
            (as_of("x"), done("1", NotStarted)),
            (as_of("x"), done("3", NotStarted)),
            (as_of("y"), done("2", Running)),
            (CREATE, done("2", Running)),
        ],
    );
    then(
        &[],
        &[(Verb::Create { identity: None, running: true }, done("1", Running)), (Verb::Get, Answer::NotFound)],
        &[(CREATE, done("1", Running)), (Verb::Get, done("1", NotStarted)), (DELETE, Answer::Deleted)],
    );
}

#[test]
fn the_same_value_again_changes_nothing() {
    let begun = [(CREATE, done("1", NotStarted)), (to(Running), done("2", Running))];
    then(&begun, &[(to(Running), done("2", Running))], &[(to(Running), done("3", Running))]);
    let ended = [&begun[..], &[(to(Completed), done("3", Completed))]].concat();
    then(
        &ended,
        &[
            (to(Completed), done("3", Completed)),
            (progress(5), done("3", Completed)),
            (to(Failed), Answer::Terminal(None)),
        ],
        &[
            (to(Failed), Answer::Lost(None)),
            (to(Completed), done("4", Completed)),
            (to(Completed), Answer::Terminal(None)),
            (to(Failed), done("4", Failed)),
            (to(Failed), Answer::Refused(None)),
        ],
    );
}

#[test]
fn an_effective_write_draws_a_version_never_seen() {
    let begun = [(CREATE, done("1", NotStarted)), (to(Running), done("2", Running))];
    then(
        &begun,
        &[(progress(10), done("3", Running))],
        &[(progress(10), done("2", Running)), (progress(10), done("1", Running))],
    );
    let again = [&begun[..], &[(to(Failed), done("3", Failed)), (DELETE, Answer::Deleted)]].concat();
    then(
        &again,
        &[(CREATE, done("4", NotStarted)), (DELETE, Answer::NotFound)],
        &[(CREATE, done("1", NotStarted)), (CREATE, done("3", NotStarted)), (Verb::Get, done("3", Failed))],
    );
}

#[test]
fn a_condition_is_kept() {
    then(
        &[(CREATE, done("1", NotStarted)), (to(Running), done("2", Running))],
        &[
            (to_if(Completed, "2"), done("3", Completed)),
            (to_if(Completed, "*"), done("3", Completed)),
            (to_if(Completed, "1"), Answer::Conflict(Some(seen("2", Running)))),
            (to_if(Completed, "1"), Answer::Lost(Some(seen("2", Running)))),
            (to_if(NotStarted, "1"), Answer::Conflict(None)),
        ],
        &[
            (to_if(Completed, "1"), done("3", Completed)),
            (to_if(Completed, "2"), Answer::Conflict(None)),
            // A loser is shown the record that won, never the one it asked for or an older one.
            (to_if(Completed, "2"), Answer::Lost(Some(seen("2", Running)))),
            (to_if(Completed, "1"), Answer::Lost(Some(seen("1", NotStarted)))),
            (to_if(Completed, "1"), Answer::Conflict(Some(seen("2", Completed)))),
            (to_if(Running, "1"), done("2", Running)),
            (to_if(Completed, "1"), Answer::NotFound),
        ],
    );
}

#[test]
fn one_claims_and_only_the_holder_ends() {
    let claimed = [(CREATE, done("1", NotStarted)), (start("w1"), done("2", Running))];
    then(
        &claimed,
        &[
            (start("w1"), done("2", Running)),
            (start("w2"), Answer::Refused(Some(seen("2", Running)))),
            (complete("w1"), done("3", Completed)),
            (complete("w2"), Answer::Lost(Some(seen("2", Running)))),
        ],
        &[
            (start("w2"), done("3", Running)),
            (start("w1"), done("3", Running)),
            (complete("w2"), done("3", Completed)),
            (complete("w1"), Answer::Lost(Some(seen("2", Running)))),
        ],
    );
    let rescue = Verb::Fail { code: "orphaned".into(), holder: Some("w1".into()) };
    let rescued = [&claimed[..], &[(rescue.clone(), done("3", Failed))]].concat();
    then(
        &rescued,
        &[
            (complete("w1"), Answer::Lost(Some(seen("3", Failed)))),
            (complete("w1"), Answer::Terminal(Some(seen("3", Failed)))),
            (rescue.clone(), done("3", Failed)),
            (start("w1"), Answer::Terminal(None)),
        ],
        &[(complete("w1"), done("4", Completed)), (start("w1"), done("3", Failed))],
    );
    let finished = [&claimed[..], &[(complete("w1"), done("3", Completed))]].concat();
    then(&finished, &[(rescue.clone(), Answer::Lost(None))], &[(rescue, done("4", Failed))]);
}

#[test]
fn progress_never_goes_back() {
    let exact = |version: &str, progress| {
        let rest = Some(Detail { progress: Some(progress), ..Detail::default() });
        Seen { rest, ..seen(version, Running) }
    };
    let created = [(CREATE, done("1", NotStarted))];
    then(&created, &[(progress(1), Answer::Refused(None))], &[(progress(1), done("2", NotStarted))]);
    let half = [&created[..], &[(to(Running), done("2", Running)), (progress(50), done("3", Running))]].concat();
    then(
        &half,
        &[
            (progress(50), done("3", Running)),
            (progress(60), Answer::Done(exact("4", 60))),
            (progress(40), Answer::Refused(Some(exact("3", 50)))),
        ],
        &[(progress(40), done("4", Running)), (progress(60), Answer::Done(exact("4", 50)))],
    );
}

#[test]
fn a_detail_may_change_until_the_end_and_an_outcome_comes_with_it() {
    let detail =
        |status, detail: &str| Verb::Patch(Patch { status, detail: Some(detail.into()), ..Patch::default() });
    let shown = |version: &str, status, detail: &str| {
        let rest = Some(Detail { detail: Some(detail.into()), ..Detail::default() });
        Answer::Done(Seen { rest, ..seen(version, status) })
    };
    let begun = [
        (CREATE, done("1", NotStarted)),
        (detail(Some(Running), "reading"), shown("2", Running, "reading")),
        (detail(None, "writing"), shown("3", Running, "writing")),
    ];
    let outcome = Verb::Patch(Patch { outcome: Some("r".into()), ..Patch::default() });
    then(
        &begun,
        &[
            (detail(None, "writing"), done("3", Running)),
            (detail(Some(Failed), "torn"), shown("4", Failed, "torn")),
            (to(Failed), shown("4", Failed, "writing")),
            (outcome.clone(), Answer::Refused(None)),
        ],
        &[
            (detail(None, "writing"), done("4", Running)),
            (detail(Some(Failed), "torn"), shown("4", Failed, "writing")),
            (outcome, done("4", Running)),
        ],
    );
    let ended = [&begun[..], &[(to(Failed), done("4", Failed))]].concat();
    then(
        &ended,
        &[(detail(None, "writing"), done("4", Failed)), (detail(None, "torn"), Answer::Terminal(None))],
        &[(detail(None, "torn"), done("4", Failed)), (detail(None, "torn"), done("5", Failed))],
    );
}

#[test]
fn a_version_nobody_saw_may_be_another_than_the_one_asked_for() {
    let before = [(CREATE, Answer::Unknown)];
    then(
        &before,
        &[
            (to_if(Running, "9"), Answer::Conflict(None)),
            (to_if(Running, "9"), done("2", Running)),
            (to_if(Running, "9"), Answer::NotFound),
        ],
        &[(to_if(Running, "9"), Answer::Conflict(Some(seen("9", NotStarted))))],
    );
}

#[test]
fn a_sign_of_life_is_a_change() {
    let beat = Verb::Patch(Patch { heartbeat: true, ..Patch::default() });
    let begun = [(CREATE, done("1", NotStarted)), (to(Running), done("2", Running))];
    then(&begun, &[(beat.clone(), done("3", Running))], &[(beat.clone(), done("2", Running))]);
    let ended = [&begun[..], &[(to(Failed), done("3", Failed))]].concat();
    then(&ended, &[(beat.clone(), Answer::Terminal(None))], &[(beat, done("4", Failed))]);
}

#[test]
fn cancel_ends_what_has_not_begun_and_asks_what_has() {
    let created = [(CREATE, done("1", NotStarted))];
    then(&created, &[(CANCEL, done("2", Failed))], &[(CANCEL, done("2", NotStarted))]);
    let cancelled = [&created[..], &[(CANCEL, done("2", Failed))]].concat();
    then(&cancelled, &[(CANCEL, done("2", Failed))], &[(CANCEL, Answer::Terminal(None))]);
    let begun = [&created[..], &[(to(Running), done("2", Running))]].concat();
    let rest = Some(Detail { cancelling: true, ..Detail::default() });
    let asked = Answer::Done(Seen { rest, ..seen("3", Running) });
    then(&begun, &[(CANCEL, asked.clone())], &[(CANCEL, done("2", Running))]);
    let twice = [&begun[..], &[(CANCEL, asked.clone())]].concat();
    then(
        &twice,
        &[(CANCEL, asked), (DELETE, Answer::Refused(None))],
        &[(CANCEL, done("4", Running)), (DELETE, Answer::Deleted)],
    );
}

#[test]
fn a_write_nobody_saw_may_have_happened_once() {
    let before = [(CREATE, done("1", NotStarted)), (to(Running), Answer::Unknown)];
    then(
        &before,
        &[
            (Verb::Get, done("1", NotStarted)),
            (Verb::Get, done("2", Running)),
            (to_if(Running, "1"), done("2", Running)),
            (to_if(Running, "1"), Answer::Conflict(Some(seen("2", Running)))),
            (to_if(Completed, "2"), done("3", Completed)),
        ],
        &[
            (Verb::Get, done("2", NotStarted)),
            (Verb::Get, done("1", Running)),
            (to_if(Running, "1"), Answer::Conflict(Some(seen("1", NotStarted)))),
        ],
    );
    let shown = [&before[..], &[(Verb::Get, done("2", Running))]].concat();
    then(
        &shown,
        &[(Verb::Get, done("2", Running))],
        &[(Verb::Get, done("1", NotStarted)), (Verb::Get, done("3", Running))],
    );
}

#[test]
fn what_is_said_not_to_be_applied_never_is() {
    let before = [(CREATE, done("1", NotStarted)), (to(Running), Answer::NotApplied)];
    then(&before, &[(Verb::Get, done("1", NotStarted))], &[(Verb::Get, done("2", Running))]);
}

/// Created, running, 10 %, and killed at 100 with a question in the air.
fn crash(question: Verb, after: &[(Verb, Answer)]) -> bool {
    let mut recording = Recording::new("");
    let before =
        [(CREATE, done("1", NotStarted)), (to(Running), done("2", Running)), (progress(10), done("3", Running))];
    for (at, (verb, answer)) in (0..).step_by(2).zip(before) {
        let call = recording.call(at, "a".into(), verb);
        recording.answer(call, at + 1, answer);
    }
    let open = recording.call(90, "a".into(), question);
    recording.crash(100, &[open]);
    for (at, (verb, answer)) in (200..).step_by(2).zip(after) {
        let call = recording.call(at, "a".into(), verb.clone());
        recording.answer(call, at + 1, answer.clone());
    }
    legal(&recording)
}

#[test]
fn a_crash_may_take_progress_back_but_no_state() {
    assert!(crash(Verb::Get, &[(Verb::Get, done("3", Running))]));
    assert!(crash(Verb::Get, &[(Verb::Get, done("2", Running)), (progress(10), done("4", Running))]));
    assert!(!crash(Verb::Get, &[(Verb::Get, done("2", Running)), (progress(10), done("3", Running))]));
    assert!(!crash(Verb::Get, &[(Verb::Get, done("2", Running)), (Verb::Get, done("3", Running))]));
    assert!(!crash(Verb::Get, &[(Verb::Get, done("1", NotStarted))]));
    assert!(!crash(Verb::Get, &[(Verb::Get, Answer::NotFound)]));
}

#[test]
fn what_died_in_a_crash_does_not_come_after_it() {
    assert!(crash(to(Completed), &[(Verb::Get, done("4", Completed))]));
    assert!(crash(to(Completed), &[(Verb::Get, done("3", Running)), (to(Failed), done("4", Failed))]));
    assert!(!crash(to(Completed), &[(Verb::Get, done("3", Running)), (Verb::Get, done("4", Completed))]));
}

#[test]
fn operations_are_judged_apart_and_a_crash_meets_all() {
    let mut recording = Recording::new("");
    for id in ["a", "b"] {
        for (at, (verb, answer)) in [
            (0, (CREATE, done("1", NotStarted))),
            (2, (to(Running), done("2", Running))),
            (4, (progress(10), done("3", Running))),
            (20, (Verb::Get, done("2", Running))),
        ] {
            let call = recording.call(at, id.into(), verb);
            recording.answer(call, at + 1, answer);
        }
    }
    assert!(!legal(&recording));
    recording.crash(10, &[]);
    assert!(legal(&recording));
}

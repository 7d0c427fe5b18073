//! `Operation::apply` against a table written from PROTOCOL.md (a) A-F, (b) and (e), not from the code.

use longrun::model::{
    Applied, Failure, Json, NewOperation, Operation, Patch, Precondition, Rejection, Status, Tags, Timestamp,
};

use crate::support::{date, id, rules, stamp};

/// When the operations of these tests were created, started and ended.
const CREATED: &str = "2026-05-04T12:00:00Z";
const STORED: &str = "2026-05-04T12:10:00.1234567+03:00";
pub(crate) const NOW: &str = "2026-05-04T09:20:00Z";

pub(crate) fn json(text: &str) -> Json {
    text.parse().unwrap()
}

pub(crate) fn failure() -> Failure {
    Failure::new("diskFull", "no room left")
}

/// An operation in a status, last written at 09:10:00.1234567 UTC.
pub(crate) fn at(status: Status) -> Operation {
    let created = stamp("2026-05-04T09:00:00Z");
    let new = Operation::new(&NewOperation::new("export"), id("op"), 7, &rules(), created).unwrap();
    let stored = date(STORED);
    let now = stamp(NOW);
    let next = |operation: &Operation, patch: Patch| changed(operation.apply(&patch, &rules(), now));
    match status {
        Status::NotStarted => next(&new, Patch::new().last_action(stored)),
        Status::Running => next(&new, Patch::claim("me").last_action(stored)),
        Status::Completed => {
            let running = next(&new, Patch::claim("me"));
            assert!(running.stamps().last_action.ticks() > stamp(STORED).ticks());
            let running = changed(new.apply(&Patch::claim("me"), &rules(), created));
            next(&running, Patch::complete(json("1")).last_action(stored))
        }
        Status::Failed => {
            let running = changed(new.apply(&Patch::claim("me"), &rules(), created));
            next(&running, Patch::fail(failure()).last_action(stored))
        }
    }
}

fn changed(applied: Result<Applied, Rejection>) -> Operation {
    match applied {
        Ok(Applied::Changed { next, .. }) => next,
        other => panic!("must change: {other:?}"),
    }
}

pub(crate) fn apply(operation: &Operation, patch: &Patch) -> Result<Applied, Rejection> {
    operation.apply(patch, &rules(), stamp(NOW))
}

/// What the table says of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// 200, changed, and durable before it is acknowledged.
    Moves,
    /// 200, changed.
    Writes,
    /// 200, the same entity.
    Same,
    /// Refused with this code.
    No(&'static str),
}
pub(crate) use Said::{Moves, No, Same, Writes};

pub(crate) fn said(operation: &Operation, patch: &Patch) -> Said {
    let before = operation.clone();
    let said = match apply(operation, patch) {
        Ok(Applied::Unchanged) => Same,
        Ok(Applied::Changed { next, notable }) => {
            // 26 and DESIGN 5.3: a change is a new version, one further; the life stays.
            assert_eq!(next.version().n(), operation.version().n() + 1);
            assert_eq!(next.version().birth(), operation.version().birth());
            assert_ne!(next.etag(), operation.etag());
            assert!(next.stamps().last_action.ticks() >= operation.stamps().last_action.ticks());
            // 24, 35: what is nobody's to set stays.
            assert_eq!((next.id(), next.created()), (operation.id(), operation.created()));
            assert_eq!((next.type_name(), next.retry_of()), (operation.type_name(), operation.retry_of()));
            if notable { Moves } else { Writes }
        }
        Ok(other) => panic!("{other:?}"),
        Err(rejection) => No(rejection.code()),
    };
    // 61, 64: a refusal applies none of its parts.
    assert_eq!(*operation, before);
    said
}

pub(crate) const TERMINAL: Said = No("operationTerminal");
pub(crate) const ARROW: Said = No("invalidStatusTransition");

pub(crate) fn table(what: &str, patch: &Patch, expected: [Said; 4]) {
    for (status, expected) in Status::ALL.into_iter().zip(expected) {
        assert_eq!(said(&at(status), patch), expected, "{what} on {status}");
    }
}

/// 61-64, 31, 32: all sixteen pairs, as a bare PATCH.
#[test]
fn rules_61_to_64_sixteen_pairs() {
    let to = |status| Patch::new().status(status);
    table("NotStarted", &to(Status::NotStarted), [Same, ARROW, TERMINAL, TERMINAL]);
    table("Running", &to(Status::Running), [Moves, Same, TERMINAL, TERMINAL]);
    table("Completed", &to(Status::Completed), [ARROW, Moves, Same, TERMINAL]);
    table("Failed", &to(Status::Failed), [ARROW, Moves, TERMINAL, Same]);
}

/// 61-64 from every other source: claim, end, heartbeat, cancel, `held_by`.
#[test]
fn rules_61_to_64_every_source() {
    table("a claim of mine", &Patch::claim("me"), [Moves, Same, TERMINAL, TERMINAL]);
    table("a claim of another", &Patch::claim("you"), [Moves, ARROW, TERMINAL, TERMINAL]);
    table("the same result", &Patch::complete(json("1")), [ARROW, Moves, Same, TERMINAL]);
    table("another result", &Patch::complete(json("2")), [ARROW, Moves, TERMINAL, TERMINAL]);
    table("the same failure", &Patch::fail(failure()), [ARROW, Moves, TERMINAL, Same]);
    table("another failure", &Patch::fail(Failure::new("x", "")), [ARROW, Moves, TERMINAL, TERMINAL]);
    table("a heartbeat", &Patch::heartbeat(), [Writes, Writes, TERMINAL, TERMINAL]);
    table("a cancel", &Patch::cancel(), [Moves, Moves, TERMINAL, TERMINAL]);
    let held = |by: &str, patch: Patch| patch.held_by(by);
    table("mine, ended", &held("me", Patch::complete(json("1"))), [ARROW, Moves, Same, TERMINAL]);
    table("another's, ended", &held("you", Patch::complete(json("1"))), [ARROW; 4]);
    table("mine, alive", &held("me", Patch::heartbeat()), [ARROW, Writes, TERMINAL, TERMINAL]);
    // A PATCH of Running writes no holder, and one that nobody holds cannot be claimed.
    let unheld = changed(apply(&at(Status::NotStarted), &Patch::new().status(Status::Running)));
    assert_eq!(unheld.holder(), None);
    assert!(matches!(apply(&unheld, &Patch::claim("me")), Err(Rejection::Held { holder: None })));
    match apply(&at(Status::Running), &Patch::claim("you")) {
        Err(Rejection::Held { holder }) => assert_eq!(holder.as_deref(), Some("me")),
        other => panic!("{other:?}"),
    }
}

/// 61-63 by their target and words: the refusal names where it is and what is allowed.
#[test]
fn refusals_say_what_is_allowed() {
    let refused = apply(&at(Status::NotStarted), &Patch::new().status(Status::Completed)).unwrap_err();
    assert_eq!(refused.target(), Some("status"));
    assert_eq!(refused.to_string(), "`status` cannot go from NotStarted to Completed; allowed: Running");
    let refused = apply(&at(Status::Running), &Patch::new().status(Status::NotStarted)).unwrap_err();
    assert!(refused.to_string().ends_with("allowed: Completed, Failed"), "{refused}");
}

/// 95, b-12 and 93: a create makes NotStarted or, by its patch, Running; never an end, by no way.
#[test]
fn rule_95_creates_begin_at_the_beginning() {
    let create =
        |patch: Patch| Operation::new(&NewOperation::untyped().patch(patch), id("op"), 7, &rules(), stamp(NOW));
    let first = create(Patch::new()).unwrap();
    assert_eq!((first.status(), first.version().n()), (Status::NotStarted, 1));
    assert_eq!(first.created(), first.last_action());
    for patch in [
        Patch::new().status(Status::Completed),
        Patch::new().status(Status::Failed),
        Patch::complete(None),
        Patch::fail(failure()),
        Patch::cancel(),
    ] {
        let refused = create(patch.clone()).unwrap_err();
        assert_eq!(refused.code(), "invalidInitialStatus", "{patch:?}");
    }
    let running = create(Patch::new().status(Status::Running).progress(3).detail("x")).unwrap();
    assert_eq!((running.status(), running.version().n()), (Status::Running, 1));
    assert_eq!((running.created(), running.started()), (running.last_action(), Some(running.created())));
    assert_eq!(create(Patch::claim("me")).unwrap().holder(), Some("me"));
    // A time is judged as in a PATCH, but n and the stamp stay those of one commit.
    let early = create(Patch::new().last_action(date("2026-05-04T09:19:00Z"))).unwrap();
    assert_eq!((early.last_action(), early.version().n()), (early.created(), 1));
    let codes = [
        (Patch::new().progress(1), "progressNotSettable"),
        (Patch::new().result(json("1")), "resultNotSettable"),
        (Patch::new().failure(failure()), "errorNotSettable"),
        (Patch::new().last_action(date("2026-05-04T09:14:59Z")), "lastActionDateTimeRegressed"),
        (Patch::new().last_action(date("2026-05-04T09:25:01Z")), "dateTimeInFuture"),
    ];
    for (patch, code) in codes {
        assert_eq!(create(patch).unwrap_err().code(), code);
    }
}

/// (e) `percentageComplete`, FAULTS 5, 6.
#[test]
fn progress_runs_one_way() {
    let at_40 = changed(apply(&at(Status::Running), &Patch::new().progress(40)));
    let progress = |operation: &Operation| operation.progress().map(longrun::model::Progress::percent);
    assert_eq!(progress(&at_40), Some(40));
    assert_eq!(said(&at_40, &Patch::new().progress(40)), Same);
    assert_eq!(said(&at_40, &Patch::new().progress(41)), Writes);
    assert_eq!(said(&at_40, &Patch::new().progress(39)), No("progressRegressed"));
    assert_eq!(said(&at_40, &Patch::new().progress(101)), No("invalidPropertyValue"));
    table("0", &Patch::new().progress(0), [No("progressNotSettable"), Writes, Same, Same]);
    let start = Patch::new().status(Status::Running).progress(5);
    assert_eq!(progress(&changed(apply(&at(Status::NotStarted), &start))), Some(5));
    // With an end it is ignored, whatever it is; Completed is 100, Failed leaves it.
    let done = changed(apply(&at_40, &Patch::complete(None).progress(3)));
    assert_eq!(progress(&done), Some(100));
    assert_eq!(progress(&changed(apply(&at(Status::Running), &Patch::complete(None)))), Some(100));
    let failed = changed(apply(&at_40, &Patch::fail(failure()).progress(90)));
    assert_eq!(progress(&failed), Some(40));
    assert_eq!(said(&failed, &Patch::fail(failure()).progress(90)), Same);
    assert_eq!(progress(&changed(apply(&at(Status::Running), &Patch::fail(failure())))), None);
}

/// (e) `statusDetail`: while not terminal and with the terminal PATCH; null clears it.
#[test]
fn detail_goes_until_the_end() {
    table("a detail", &Patch::new().detail("x"), [Writes, Writes, TERMINAL, TERMINAL]);
    table("none", &Patch::new().clear_detail(), [Same; 4]);
    let told = changed(apply(&at(Status::Running), &Patch::new().detail("x")));
    assert_eq!(said(&told, &Patch::new().detail("x")), Same);
    assert_eq!(changed(apply(&told, &Patch::new().clear_detail())).detail(), None);
    let done = changed(apply(&told, &Patch::complete(None).detail("y")));
    assert_eq!(done.detail(), Some("y"));
    assert_eq!(said(&done, &Patch::complete(None).detail("y")), Same);
    assert_eq!(changed(apply(&told, &Patch::complete(None).clear_detail())).detail(), None);
    // 1 KiB counts bytes; FAULTS 8, 35.
    let bounds = [("é".repeat(512), Writes), ("é".repeat(512) + "x", No("invalidPropertyValue"))];
    for (text, expected) in bounds {
        assert_eq!(said(&told, &Patch::new().detail(text)), expected);
    }
    assert_eq!(said(&told, &Patch::new().detail("a\0b")), No("invalidPropertyValue"));
}

/// (e) `resourceLocation`: with or before Completed; null clears it while not terminal.
#[test]
fn location_goes_until_completed() {
    let put = |text: &str| Patch::new().resource_location(text);
    let fail = No("resultNotSettable");
    table("a location", &put("/a"), [Moves, Moves, TERMINAL, fail]);
    let placed = changed(apply(&at(Status::Running), &put("/a")));
    assert_eq!(said(&placed, &put("/a")), Same);
    assert_eq!(changed(apply(&placed, &Patch::new().clear_resource_location())).resource_location(), None);
    assert_eq!(said(&placed, &Patch::fail(failure()).resource_location("/b")), fail);
    let done = changed(apply(&at(Status::Running), &Patch::complete(None).resource_location("/b")));
    assert_eq!(done.resource_location(), Some("/b"));
    // One set before stays on Failed.
    let failed = changed(apply(&placed, &Patch::fail(failure())));
    assert_eq!(failed.resource_location(), Some("/a"));
    assert_eq!(said(&failed, &put("/a")), Same);
    // With an end null takes nothing away, and so neither does its replay (73).
    for end in [Patch::complete(None), Patch::fail(failure())] {
        let end = end.clear_resource_location();
        let ended = changed(apply(&placed, &end));
        assert_eq!(ended.resource_location(), Some("/a"));
        assert_eq!(said(&ended, &end), Same);
    }
    let long = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
    assert_eq!(said(&placed, &put(&long(2048))), Moves);
    let bad = ["a b", "%zz", "1a:b", "a\0", "http://[::1", "http://a b/", "//a:x/", "ä", "a#b#c", "http://u@v@w/"];
    for text in bad.into_iter().map(str::to_owned).chain([long(2049)]) {
        assert_eq!(said(&placed, &put(&text)), No("invalidPropertyValue"), "{text}");
    }
    for text in ["", "b", "../b?c=d#e", "http://[::1]:80/%41", "urn:uuid:1", "//h/p", "?q", "#f", "a/b:c"] {
        assert_eq!(said(&placed, &put(text)), Moves, "{text}");
    }
}

/// (e) `result`, 121, 122: each goes with its own end only.
#[test]
fn rules_121_122_result_and_error_go_with_their_end() {
    let (result, error) = (No("resultNotSettable"), No("errorNotSettable"));
    table("a result", &Patch::new().result(json("1")), [result, result, Same, result]);
    table("an error", &Patch::new().failure(failure()), [error, error, error, Same]);
    table("a result to Failed", &Patch::fail(failure()).result(json("1")), [ARROW, result, TERMINAL, result]);
    table("an error to Completed", &Patch::complete(None).failure(failure()), [ARROW, error, error, TERMINAL]);
    let failed = at(Status::Failed);
    assert_eq!(failed.failure(), Some(&failure()));
    assert_eq!((failed.result_json(), at(Status::Completed).failure()), (None, None));
    let bare = changed(apply(&at(Status::Running), &Patch::new().status(Status::Failed)));
    assert_eq!(bare.failure(), None);
    // Bounds: 64 KiB and 8 KiB of compact JSON, in bytes, to the byte.
    let text = |bytes: usize| Json::new(&"x".repeat(bytes - 2)).unwrap();
    assert_eq!(said(&at(Status::Running), &Patch::complete(text(65_536))), Moves);
    assert_eq!(said(&at(Status::Running), &Patch::complete(text(65_537))), No("invalidPropertyValue"));
    let frame = r#"{"code":"c","message":""}"#.len();
    let error = |bytes: usize| Failure::new("c", "x".repeat(bytes - frame));
    assert_eq!(said(&at(Status::Running), &Patch::fail(error(8_192))), Moves);
    assert_eq!(said(&at(Status::Running), &Patch::fail(error(8_193))), No("invalidPropertyValue"));
    let frame = r#"{"code":"c","message":"","target":"t","details":[1]}"#.len();
    let full = |bytes: usize| Failure::new("c", "\n".repeat((bytes - frame) / 2)).target("t").details(json("[1]"));
    assert_eq!(said(&at(Status::Running), &Patch::fail(full(8_192))), Moves);
    assert_eq!(said(&at(Status::Running), &Patch::fail(full(8_194))), No("invalidPropertyValue"));
    for bad in [Failure::new("", "m"), Failure::new("a\n", "m"), Failure::new("c", "\0")] {
        assert_eq!(said(&at(Status::Running), &Patch::fail(bad)), No("invalidPropertyValue"));
    }
}

/// The time after an applied patch, as text; or the refusal's code.
fn time(operation: &Operation, patch: &Patch) -> String {
    match apply(operation, patch) {
        Ok(Applied::Unchanged) => "same".into(),
        Ok(Applied::Changed { next, .. }) => next.stamps().last_action.to_string(),
        Ok(other) => panic!("{other:?}"),
        Err(rejection) => rejection.code().into(),
    }
}

/// 23, 28, 65-72 and b-7 (o) to (vi). Stored is 09:10:00.1234567 UTC, now is 09:20.
#[test]
fn rules_65_to_72_times() {
    let (beat, running) = ("2026-05-04T09:20:00Z", Status::Running);
    let cases: [(&str, &str, Option<Status>, &str); 16] = [
        ("66 equal", STORED, None, "same"),
        ("66 equal in another offset", "2026-05-04T09:10:00.1234567Z", None, "same"),
        ("67 cut to 3", "2026-05-04T12:10:00.123+03:00", None, "same"),
        ("67 cut to 6", "2026-05-04T12:10:00.123456+03:00", None, "same"),
        ("67 rounded to 6", "2026-05-04T12:10:00.123457+03:00", None, "same"),
        ("one tick later is later", "2026-05-04T12:10:00.1234568+03:00", None, "2026-05-04T12:10:00.1234568+03:00"),
        ("rounded to 3 upwards is not 67", "2026-05-04T12:10:00.124+03:00", None, "2026-05-04T12:10:00.124+03:00"),
        ("23, 65 later", "2026-05-04T12:15:00.12+03:00", None, "2026-05-04T12:15:00.12+03:00"),
        ("65 the same status and later", "2026-05-04T12:15:00+03:00", Some(running), "2026-05-04T12:15:00+03:00"),
        ("31 the same status and earlier", "2026-05-04T01:00:00Z", Some(running), "same"),
        ("69 earlier within the skew", "2026-05-04T09:05:00.1234567Z", None, beat),
        ("70 earlier", "2026-05-04T09:05:00.1234566Z", None, "lastActionDateTimeRegressed"),
        ("70 before creation", "2026-05-04T08:54:00Z", None, "lastActionDateTimeRegressed"),
        ("71 at the skew", "2026-05-04T09:25:00Z", None, "2026-05-04T09:25:00Z"),
        ("71 beyond it", "2026-05-04T09:25:00.0000001Z", None, "dateTimeInFuture"),
        ("71 with a status", "2026-05-04T09:25:00.0000001Z", Some(running), "dateTimeInFuture"),
    ];
    for (what, given, status, expected) in cases {
        let mut patch = Patch::new().last_action(date(given));
        if let Some(status) = status {
            patch = patch.status(status);
        }
        assert_eq!(time(&at(running), &patch), expected, "{what}");
        if status.is_none() {
            assert_eq!(time(&at(Status::NotStarted), &patch), expected, "{what}, not started");
        }
    }
    // 28: the server's own time where none is given; never backwards, whatever the clock says.
    assert_eq!(time(&at(running), &Patch::complete(None)), beat);
    let slow = stamp("2026-05-04T09:00:01Z");
    let done = changed(at(running).apply(&Patch::complete(None), &rules(), slow));
    assert_eq!(done.stamps().last_action, stamp(STORED));
    let alive = changed(at(running).apply(&Patch::heartbeat(), &rules(), slow));
    assert_eq!(alive.stamps().last_action.ticks(), stamp(STORED).ticks() + 1);
    let told = changed(at(running).apply(&Patch::new().detail("x"), &rules(), slow));
    assert_eq!(told.stamps().last_action, stamp(STORED));
    // A skew of zero: the strict reading; 67 and 68 stand by themselves (b-7).
    let mut strict = rules();
    strict.clock_skew = 0;
    let early = Patch::new().last_action(date("2026-05-04T09:10:00.1234566Z"));
    assert_eq!(at(running).apply(&early, &strict, stamp(NOW)), Err(Rejection::TimeRegressed));
    let echo = Patch::new().last_action(date("2026-05-04T09:10:00.123456Z"));
    assert_eq!(at(running).apply(&echo, &strict, stamp(NOW)), Ok(Applied::Unchanged));
    let moved = changed(at(running).apply(&echo.status(Status::Completed), &strict, stamp(NOW)));
    assert_eq!(moved.stamps().last_action, stamp(NOW));
}

/// 67 upwards: a stored time whose digits round up at both lengths.
#[test]
fn rule_67_rounds_upwards_too() {
    let stored = Patch::new().last_action(date("2026-05-04T09:11:00.9999996Z"));
    let operation = changed(apply(&at(Status::Running), &stored));
    for (echo, expected) in [
        ("2026-05-04T09:11:00.999Z", "same"),
        ("2026-05-04T09:11:00.999999Z", "same"),
        ("2026-05-04T09:11:01Z", "same"),
        ("2026-05-04T09:11:01.001Z", "2026-05-04T09:11:01.001Z"),
    ] {
        assert_eq!(time(&operation, &Patch::new().last_action(date(echo))), expected, "{echo}");
    }
}

/// 68: the whole entity read, cut to milliseconds or microseconds, and written back with a new status.
#[test]
fn rule_68_read_modify_write_advances() {
    for old in ["2026-05-04T12:10:00.123+03:00", "2026-05-04T12:10:00.123456+03:00", STORED] {
        let patch = Patch::new().status(Status::Completed).last_action(date(old));
        assert_eq!(time(&at(Status::Running), &patch), "2026-05-04T09:20:00Z", "{old}");
    }
    // The move takes the client's later time, and the start is stamped with it.
    let later = Patch::new().status(Status::Running).last_action(date("2026-05-04T12:15:00+03:00"));
    let running = changed(apply(&at(Status::NotStarted), &later));
    assert_eq!(running.started(), Some(running.last_action()));
    assert_eq!(running.stamps().last_action.to_string(), "2026-05-04T12:15:00+03:00");
}

/// 72, 73: on an operation that has ended only what is later is a change, and a replay is none.
#[test]
fn rules_72_73_replays_of_the_end() {
    for status in [Status::Completed, Status::Failed] {
        let operation = at(status);
        for (given, expected) in [
            (STORED, "same"),
            ("2026-05-04T12:10:00.123457+03:00", "same"),
            ("2026-05-04T01:00:00Z", "same"),
            ("0001-01-01T00:00:00Z", "same"),
            ("2026-05-04T12:10:00.1234568+03:00", "operationTerminal"),
            ("2026-05-04T12:10:01+03:00", "operationTerminal"),
            ("9999-12-31T23:59:59Z", "operationTerminal"),
        ] {
            let bare = Patch::new().last_action(date(given));
            assert_eq!(time(&operation, &bare), expected, "{status} {given}");
            assert_eq!(time(&operation, &bare.status(status)), expected, "{status} {given}");
        }
    }
    // What the server made of its time and progress does not matter to the replay.
    let given = ["2026-05-04T09:00:00Z", "2026-05-04T09:12:00Z", "2026-05-04T09:24:00+00:00", STORED];
    for (time, end) in given.iter().flat_map(|time| {
        [Patch::complete(json(r#"{"rows":3}"#)).detail("d"), Patch::fail(failure()).detail("d")]
            .map(|patch| (time, patch))
    }) {
        let patch = end.last_action(date(time)).progress(7);
        let ended = changed(apply(&at(Status::Running), &patch));
        assert_eq!(said(&ended, &patch), Same, "{patch:?}");
    }
}

/// (e) cancel: one commit from NotStarted, a request on Running, nothing twice.
#[test]
fn cancel_walks_the_machine() {
    let ended = changed(apply(&at(Status::NotStarted), &Patch::cancel()));
    assert_eq!(ended.status(), Status::Failed);
    assert_eq!(ended.failure().map(Failure::code), Some("cancelled"));
    assert_eq!((ended.started(), ended.cancellation_requested()), (Some(ended.last_action()), None));
    assert_eq!(ended.holder(), None);
    assert_eq!(said(&ended, &Patch::cancel()), Same);
    let asked = changed(apply(&at(Status::Running), &Patch::cancel()));
    assert_eq!(asked.status(), Status::Running);
    // It is no sign of life.
    assert_eq!(asked.last_action(), date(STORED));
    assert_eq!(asked.cancellation_requested(), Some(date(NOW)));
    assert_eq!(said(&asked, &Patch::cancel()), Same);
    let quicker = changed(apply(&asked, &Patch::complete(None)));
    assert_eq!(said(&quicker, &Patch::cancel()), TERMINAL);
    assert_eq!(quicker.cancellation_requested(), asked.cancellation_requested());
    let stopped = changed(apply(&asked, &Patch::fail(Failure::new("cancelled", "as asked"))));
    assert_eq!(said(&stopped, &Patch::cancel()), Same);
}

/// 22, 30, b-1: the empty patch; and what is not notable may be Eventual.
#[test]
fn rules_22_to_32_no_change_is_no_version() {
    table("nothing", &Patch::new(), [Same; 4]);
    let many = Patch::new().status(Status::Running).detail("x").progress(1);
    let next = changed(apply(&at(Status::NotStarted), &many));
    assert_eq!((next.status(), next.detail()), (Status::Running, Some("x")));
    assert_eq!(said(&next, &many), Same);
    // 64: one bad part and nothing of it is applied.
    assert_eq!(said(&next, &Patch::new().detail("y").progress(0)), No("progressRegressed"));
    // 29: any case in, one spelling out; 41, 42: nothing else.
    for word in ["notstarted", "RUNNING", "cOMPLETED", "Failed"] {
        let status: Status = word.parse().unwrap();
        assert!(["NotStarted", "Running", "Completed", "Failed"].contains(&&*status.to_string()));
    }
    for word in ["String", "Cancelled", "unknownFutureValue", "1", "", " Running", "Runnıng"] {
        assert!(word.parse::<Status>().is_err(), "{word}");
    }
}

/// 74-80, 83, 85's half that is pure: conditions are checked before everything else.
#[test]
fn rules_74_to_84_preconditions() {
    let operation = at(Status::Completed);
    let current = operation.etag();
    let strong = current.to_string().strip_prefix("W/").unwrap().to_owned();
    let tags = |text: &str| text.parse::<Tags>().unwrap();
    let (stale, matches) = (No("entityTagDoesNotMatch"), No("entityTagMatches"));
    let old = at(Status::Running).etag().to_string();
    let cases = [
        (tags(&old), stale),
        (tags("\"zzz\""), stale),
        (tags(&format!("\"zzz\", {strong}")), Same),
        (tags(&current.to_string()), Same),
        (tags("*"), Same),
    ];
    assert_ne!(old, current.to_string());
    for (tags, expected) in cases {
        assert_eq!(said(&operation, &Patch::new().if_match(tags.clone())), expected, "{tags:?}");
        let unless = Patch::new().if_none_match(tags.clone());
        assert_eq!(said(&operation, &unless), if expected == Same { matches } else { Same }, "{tags:?}");
    }
    // 75, 76: 412 beats 409 and 400.
    let illegal = Patch::new().status(Status::Running).progress(200).if_match(tags("\"zzz\""));
    assert_eq!(said(&operation, &illegal), stale);
    // 400 beats 409.
    assert_eq!(said(&operation, &Patch::new().status(Status::Running).progress(200)), No("invalidPropertyValue"));
    // 99, 100: deletion.
    assert_eq!(operation.check_delete(&Precondition::none()), Ok(()));
    for status in [Status::NotStarted, Status::Running] {
        assert_eq!(at(status).check_delete(&Precondition::none()).unwrap_err().code(), "operationActive");
    }
    // On nothing `*` matches nothing (RFC 9110 13.1.1, 13.1.2).
    let mut any = Precondition::none();
    any.if_match = Some(Tags::Any);
    assert!(any.check(None).is_err());
    let mut none = Precondition::none();
    none.if_none_match = Some(Tags::Any);
    assert!(none.check(None).is_ok() && none.check(Some(operation.version())).is_err());
}

/// 118, FAULTS 22: what is and is not a list of tags.
#[test]
fn rule_118_tags() {
    for text in [
        "",
        " ",
        "a",
        "\"a",
        "a\"",
        "w/\"a\"",
        "W/a",
        "\"a\" \"b\"",
        "\"a b\"",
        "*, \"a\"",
        "\"a\", *",
        ",",
        "\"a\"x",
    ] {
        assert!(text.parse::<Tags>().is_err(), "{text:?}");
    }
    for (text, count) in [
        ("\"\"", 1),
        ("\"a\",\"b\"", 2),
        (" \"a\" ,\t W/\"b\" , ", 2),
        ("\"a\",,\"b\"", 2),
        (", \"a\"", 1),
        ("\"é!#~\"", 1),
    ] {
        match text.parse::<Tags>() {
            Ok(Tags::List(list)) => assert_eq!(list.len(), count, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

/// FAULTS 8: names hold no control characters and keep their lengths, in characters.
#[test]
fn names_are_clean() {
    let new = |new: NewOperation| Operation::new(&new, id("op"), 7, &rules(), stamp(NOW)).map(drop);
    let field = |new_operation: NewOperation| match new(new_operation) {
        Err(Rejection::Invalid(unfit)) => unfit.field,
        other => panic!("{other:?}"),
    };
    assert_eq!(new(NewOperation::new("é".repeat(128))), Ok(()));
    for bad in [String::new(), "é".repeat(129), "a\0".into(), "a\u{1f}".into(), "a\u{7f}".into(), "\u{9b}".into()]
    {
        assert_eq!(field(NewOperation::new(bad.clone())), "type", "{bad:?}");
        if bad.chars().count() < 129 {
            assert_eq!(field(NewOperation::untyped().label("k", bad.clone())), "labels/k", "{bad:?}");
        }
        assert_eq!(said(&at(Status::NotStarted), &Patch::claim(bad)), No("invalidPropertyValue"));
    }
    for bad in ["", "a b", "a/b", "é", "a\0", &"k".repeat(65)] {
        assert_eq!(field(NewOperation::untyped().label(bad, "v")), "labels", "{bad:?}");
    }
    let labels = |count| (0..count).fold(NewOperation::untyped(), |new, n| new.label(format!("k{n}"), "v"));
    assert_eq!(new(labels(16).label("k3", "é".repeat(256))), Ok(()));
    assert_eq!(field(labels(17)), "labels");
    assert_eq!(field(NewOperation::untyped().label("k", "é".repeat(257))), "labels/k");
    // A key given again replaces its value; labels come out in order.
    let made = NewOperation::untyped().label("b", "1").label("a", "2").label("b", "3");
    let made = Operation::new(&made, id("op"), 7, &rules(), stamp(CREATED)).unwrap();
    assert_eq!(made.labels().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
}

/// Versions: the writing instance is part of every one, and of the tag (b-16).
#[test]
fn versions_name_the_instance() {
    let operation = at(Status::Running);
    let beat = |instance| {
        let rules = longrun::model::Rules::new(instance);
        changed(operation.apply(&Patch::heartbeat(), &rules, Timestamp::clone(&stamp(NOW))))
    };
    let (one, two) = (beat(1), beat(2));
    assert_eq!((one.version().n(), one.version().birth()), (two.version().n(), two.version().birth()));
    assert_ne!(one.version(), two.version());
    assert_ne!(one.etag(), two.etag());
    assert_eq!(longrun::model::Version::new(35, 36, 0).to_string(), "z.10.0");
}

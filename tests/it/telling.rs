//! What work tells people: so much of so much, what it said last, where it came from.

use longrun::model::{Amount, Operation, TraceParent};
use longrun::{Failure, NewOperation, Patch, Status};

use crate::support::{after, date, first, rules, stamp};

fn running() -> Operation {
    after(&first(&NewOperation::untyped(), "a", 7, "2026-05-04T12:00:00Z"), &Patch::claim("me"))
}

fn code(operation: &Operation, patch: &Patch) -> String {
    let rejection = operation.apply(patch, &rules(), stamp("2026-05-04T12:00:02Z")).unwrap_err();
    format!("{} {}", rejection.code(), rejection.target().unwrap_or_default())
}

fn percent(operation: &Operation) -> Option<u8> {
    operation.progress().map(longrun::model::Progress::percent)
}

#[test]
fn an_amount_tells_the_percentage_and_neither_goes_back() {
    let told = after(&running(), &Patch::new().progress((1_300, 4_000, "rows")));
    assert_eq!((told.amount(), percent(&told)), (Some(&Amount::new(1_300, 4_000, "rows")), Some(32)));
    // The whole may grow: what is done stays done, and so does the percentage.
    let grown = after(&told, &Patch::new().progress((1_301, 10_000, "rows")));
    assert_eq!((grown.amount().map(Amount::total), percent(&grown)), (Some(10_000), Some(32)));
    assert_eq!(code(&grown, &Patch::new().progress((1_300, 10_000, "rows"))), "progressRegressed progress");
    let phase = after(&grown, &Patch::new().progress((0, 3, "files")));
    assert_eq!(
        (phase.amount().map(Amount::done), percent(&phase)),
        (Some(0), Some(32)),
        "another unit begins anew"
    );
    let both = after(&phase, &Patch::new().progress((1, 3, "files")).progress(60));
    assert_eq!(percent(&both), Some(60), "the larger of both");
    assert_eq!(code(&both, &Patch::new().progress(59)), "progressRegressed percentageComplete");
    let same = both.apply(&Patch::new().progress((1, 3, "files")), &rules(), stamp("2026-05-04T12:00:02Z"));
    assert_eq!(same, Ok(longrun::model::Applied::Unchanged));
}

#[test]
fn amounts_that_make_no_sense_are_refused_by_their_name() {
    let wrong = [
        ((0, 0, ""), "progress/total"),
        ((0, Amount::MAX + 1, ""), "progress/total"),
        ((2, 1, ""), "progress/done"),
        ((1, 2, "0123456789abcdef0123456789abcdef!"), "progress/unit"),
        ((1, 2, "ro\nws"), "progress/unit"),
    ];
    for (amount, field) in wrong {
        assert_eq!(code(&running(), &Patch::new().progress(amount)), format!("invalidPropertyValue {field}"));
    }
    let waits = first(&NewOperation::untyped(), "a", 7, "2026-05-04T12:00:00Z");
    assert!(code(&waits, &Patch::new().progress((1, 2, ""))).starts_with("progressNotSettable"));
    let born = NewOperation::untyped().patch(Patch::new().status(Status::Running).progress((1, 2, "")));
    assert_eq!(percent(&first(&born, "a", 7, "2026-05-04T12:00:00Z")), Some(50));
}

#[test]
fn an_end_keeps_the_last_amount() {
    let told = after(&running(), &Patch::new().progress((3, 4, "rows")));
    let done = after(&told, &Patch::complete(None).progress((4, 4, "rows")));
    assert_eq!((done.amount().map(Amount::done), percent(&done)), (Some(4), Some(100)));
    let late = after(&told, &Patch::complete(None).progress((2, 4, "rows")));
    assert_eq!(late.amount().map(Amount::done), Some(3), "a step back is not recorded, the end is");
    let failed = after(&told, &Patch::fail(Failure::new("noRoom", "no room")).progress((4, 4, "rows")));
    assert_eq!((failed.amount().map(Amount::done), percent(&failed)), (Some(3), Some(75)));
}

#[test]
fn the_last_details_are_kept_with_their_times() {
    let at = |second: usize| format!("2026-05-04T12:00:{second:02}Z");
    let mut now = running();
    let say = |operation: &Operation, text: &str, second: usize| {
        let patch = Patch::new().detail(text).last_action(date(&at(second)));
        match operation.apply(&patch, &rules(), stamp(&at(second))) {
            Ok(longrun::model::Applied::Changed { next, .. }) => next,
            other => panic!("{other:?}"),
        }
    };
    for second in 2..30 {
        now = say(&now, &format!("step {second}"), second);
    }
    let lines: Vec<_> = now.log().map(|(at, text)| (at, text.to_owned())).collect();
    let wanted: Vec<_> = (10..30).map(|second| (date(&at(second)), format!("step {second}"))).collect();
    assert_eq!(lines, wanted);
    // A sign of life with the same detail says nothing new, nor does taking it away.
    let beat = say(&now, "step 29", 30);
    let cleared = after(&beat, &Patch::new().clear_detail());
    assert_eq!((cleared.log().len(), cleared.log().last()), (20, Some((date(&at(29)), "step 29"))));
    // Nine of the longest are more than 8 KiB: the oldest goes, and all that is older.
    for second in 31..40 {
        now = say(&now, &format!("{second}{}", "x".repeat(1_022)), second);
    }
    let bytes: usize = now.log().map(|(_, text)| text.len()).sum();
    assert_eq!((now.log().len(), bytes), (8, 8 * 1_024));
    assert!(now.log().next().is_some_and(|(_, text)| text.starts_with("32")));
    let born = first(&NewOperation::untyped().patch(Patch::new().detail("queued")), "b", 7, &at(5));
    assert_eq!(born.log().collect::<Vec<_>>(), [(born.created(), "queued")]);
}

#[test]
fn a_trace_is_kept_as_it_was_given_and_nothing_else_is() {
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let parent: TraceParent = text.parse().unwrap();
    assert_eq!(
        (parent.trace_id(), parent.parent_id(), parent.flags(), parent.is_sampled()),
        ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1, true)
    );
    let made = first(&NewOperation::untyped().trace_parent(text), "a", 7, "2026-05-04T12:00:00Z");
    assert_eq!(made.trace_parent().map(TraceParent::as_str), Some(text));
    // A later version may say more (W3C Trace Context 3.3.1); what cannot be one of it is refused.
    for good in [text.replacen("00", "cc", 1), text.replacen("00", "cc", 1) + "-what-comes"] {
        assert_eq!(good.parse::<TraceParent>().map(|parent| parent.to_string()), Ok(good));
    }
    let long = text.replacen("00", "cc", 1) + "-" + &"x".repeat(300);
    let wrong = [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01what",
        "00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01",
        &long,
    ];
    for text in wrong {
        assert_eq!(text.parse::<TraceParent>().unwrap_err().field, "traceParent", "{text}");
    }
    let refused = Operation::new(
        &NewOperation::untyped().trace_parent("x"),
        crate::support::id("a"),
        7,
        &rules(),
        stamp("2026-05-04T12:00:00Z"),
    );
    assert_eq!(refused.unwrap_err().target(), Some("traceParent"));
}

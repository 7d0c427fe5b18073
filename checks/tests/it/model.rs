//! Properties of the model over generated patches, and the generators that the other proofs use.

use longrun::model::{
    Applied, Failure, Json, NewOperation, Operation, OperationId, Patch, Rules, State, Status, Timestamp,
};
use proptest::prelude::*;

/// Ticks of 2026-01-01T00:00Z.
const EPOCH: i64 = 639_028_224_000_000_000;
const SECOND: i64 = 10_000_000;
const LAST_TICK: i64 = 3_652_059 * 86_400 * SECOND - 1;

/// Any timestamp at all, the edges often.
pub(crate) fn stamps() -> impl Strategy<Value = Timestamp> {
    let ticks = prop_oneof![
        0..=LAST_TICK,
        0..=SECOND * 60,
        LAST_TICK - SECOND * 60..=LAST_TICK,
        (0..=LAST_TICK / SECOND).prop_map(|second| second * SECOND),
    ];
    (ticks, -840_i16..=840)
        .prop_filter_map("outside the years 1 to 9999", |(ticks, offset)| Timestamp::new(ticks, offset).ok())
}

/// Times of one hour, so that patches meet.
fn near() -> impl Strategy<Value = Timestamp> {
    (0..3_600 * SECOND, prop_oneof![Just(0_i16), Just(180), Just(-570)])
        .prop_map(|(ticks, offset)| Timestamp::new(EPOCH + ticks, offset).unwrap())
}

fn jsons() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[a-zé]{0,6}".prop_map(|text| format!("{{\"k\":[\"{text}\",1.5]}}")),
    ]
    .prop_map(|text| text.parse().unwrap())
}

fn failures() -> impl Strategy<Value = Failure> {
    ("[a-z]{1,5}", "\\PC{0,8}", proptest::option::of("[a-z]{0,3}"), proptest::option::of(jsons())).prop_map(
        |(code, message, target, details)| {
            let mut failure = Failure::new(code, message);
            if let Some(target) = target {
                failure = failure.target(target);
            }
            match details {
                Some(details) => failure.details(details),
                None => failure,
            }
        },
    )
}

fn statuses() -> impl Strategy<Value = Status> {
    proptest::sample::select(&Status::ALL[..])
}

pub(crate) fn patches() -> impl Strategy<Value = Patch> {
    let base = prop_oneof![
        6 => Just(Patch::new()),
        1 => "[ab]".prop_map(Patch::claim),
        1 => Just(Patch::heartbeat()),
        1 => Just(Patch::cancel()),
        1 => Just(Patch::expire()),
        1 => proptest::option::of(jsons()).prop_map(Patch::complete),
        1 => failures().prop_map(Patch::fail),
    ];
    let rest = (
        proptest::option::weighted(0.4, statuses()),
        proptest::option::weighted(0.3, near()),
        proptest::option::weighted(0.3, 0_u8..=100),
        proptest::option::weighted(0.2, proptest::option::of("[a-z\u{e9}]{0,4}")),
        proptest::option::weighted(0.2, proptest::option::of("/[a-z]{0,4}")),
        proptest::option::weighted(0.1, "[ab]"),
        proptest::option::weighted(0.2, (0_u64..6, 1_u64..6, "[ab]?")),
    );
    (base, rest).prop_map(|(mut patch, (status, time, progress, detail, location, held_by, amount))| {
        // A request to end is all that it says.
        if patch == Patch::cancel() || patch == Patch::expire() {
            return held_by.into_iter().fold(patch, Patch::held_by);
        }
        let is_claim = ["a", "b"].map(Patch::claim).contains(&patch);
        // A sign of life that names a status is no replay of it, and a claim names its own.
        if let Some(status) = status
            && patch != Patch::heartbeat()
            && !is_claim
        {
            patch = patch.status(status);
        }
        if let Some(time) = time {
            patch = patch.last_action(time.to_datetime());
        }
        if let Some(progress) = progress {
            patch = patch.progress(progress);
        }
        if let Some(amount) = amount {
            patch = patch.progress(amount);
        }
        patch = match detail {
            Some(Some(text)) => patch.detail(text),
            Some(None) => patch.clear_detail(),
            None => patch,
        };
        patch = match location {
            Some(Some(text)) => patch.resource_location(text),
            Some(None) => patch.clear_resource_location(),
            None => patch,
        };
        match held_by {
            Some(holder) => patch.held_by(holder),
            None => patch,
        }
    })
}

pub(crate) fn ids() -> impl Strategy<Value = OperationId> {
    prop_oneof![
        "[A-Za-z0-9_~-]{1,12}".prop_map(|text| text.parse().unwrap()),
        any::<(u64, u64)>().prop_map(|(high, low)| {
            let text = format!("{high:016x}{low:016x}");
            let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
            parts.join("-").parse().unwrap()
        }),
    ]
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn news() -> impl Strategy<Value = NewOperation> {
    let labels = proptest::collection::vec(("[a-z]{1,4}", "[a-z\u{e9} ]{1,4}"), 0..4);
    let deadline = proptest::option::weighted(0.3, prop_oneof![near(), stamps()]);
    let group = proptest::option::weighted(0.3, "[a-z\u{e9}]{1,5}");
    (proptest::option::of("[a-z]{1,5}"), labels, proptest::option::of(ids()), deadline, group).prop_map(
        |(name, labels, retry_of, deadline, group)| {
            let mut new = name.map_or_else(NewOperation::untyped, NewOperation::new);
            for (key, value) in labels {
                new = new.label(key, value);
            }
            if let Some(id) = retry_of {
                new = new.retry_of(id);
            }
            if let Some(group) = group {
                new = new.group(group).unique("k\u{e9}");
            }
            match deadline {
                Some(deadline) => new.deadline(deadline.to_datetime()).trace_parent(TRACE),
                None => new,
            }
        },
    )
}

/// Legal operations: a create, and what random patches under a random clock make of it.
pub(crate) fn operations() -> impl Strategy<Value = Operation> {
    let steps = proptest::collection::vec((patches(), near(), 1_u32..4), 0..8);
    (news(), ids(), any::<u64>(), stamps(), near(), any::<bool>(), steps).prop_map(
        |(new, id, birth, any_time, time, edge, steps)| {
            let created = if edge { any_time } else { time };
            let first = Operation::new(&new, id, birth, &Rules::new(1), created).unwrap();
            steps.into_iter().fold(first, |operation, (patch, now, instance)| {
                match operation.apply(&patch, &Rules::new(instance), now) {
                    Ok(Applied::Changed { next, .. }) => next,
                    _ => operation,
                }
            })
        },
    )
}

/// The machine's arrows, written down once more.
fn arrow(from: Status, to: Status) -> bool {
    use Status::{Completed, Failed, NotStarted, Running};
    matches!((from, to), (NotStarted, Running) | (Running, Completed | Failed)) || from == to
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// FAULTS 12: print and parse is identity for every timestamp; chrono agrees on the instant.
    #[test]
    fn timestamps_round_trip(stamp in stamps()) {
        let text = stamp.to_string();
        prop_assert_eq!(text.parse::<Timestamp>().unwrap(), stamp);
        prop_assert_eq!(Timestamp::try_from(stamp.to_datetime()).unwrap(), stamp);
        let parsed = chrono::DateTime::parse_from_rfc3339(&text).unwrap();
        prop_assert_eq!(parsed, stamp.to_datetime());
        prop_assert!(!text.contains('.') || !text.trim_end_matches(|c: char| c != 'Z' && c != '+' && c != '-').is_empty());
    }

    /// Whatever is read prints as something that reads the same; nothing panics.
    #[test]
    fn texts_like_timestamps(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{1,11})?)?([Zz]|[+-][01][0-9]:[0-5][0-9])") {
        if let Ok(stamp) = text.parse::<Timestamp>() {
            prop_assert_eq!(stamp.to_string().parse::<Timestamp>().unwrap(), stamp);
        }
    }

    /// DESIGN 5.3 and 5.7, FAULTS 6, 50: whatever is asked, under any clock.
    #[test]
    fn no_patch_breaks_an_invariant(operation in operations(), patch in patches(), now in stamps()) {
        let rules = Rules::new(9);
        if let Ok(Applied::Changed { next, notable }) = operation.apply(&patch, &rules, now) {
                let walked = operation.status() == Status::NotStarted && next.status() == Status::Failed;
                prop_assert!(arrow(operation.status(), next.status()) || walked);
                if walked {
                    let due = operation.is_due(now);
                    let code = next.failure().map(Failure::code);
                    prop_assert!(code == Some("cancelled") || (due && code == Some("deadlineExceeded")));
                }
                prop_assert!(!(operation.is_due(now) && next.status() == Status::Running) || operation.status() == Status::Running);
                prop_assert_eq!(next.deadline(), operation.deadline());
                prop_assert_eq!(next.group(), operation.group());
                prop_assert_eq!(next.held_key().is_some(), operation.unique_key().is_some() && !next.is_terminal());
                if let (Some(before), Some(after)) = (operation.amount(), next.amount()) {
                    prop_assert!(before.unit() != after.unit() || before.done() <= after.done());
                }
                let bytes: usize = next.log().map(|(_, text)| text.len()).sum();
                prop_assert!(next.log().len() <= 20 && bytes <= 8 * 1_024);
                prop_assert!(next.log().map(|(at, _)| at).is_sorted());
                prop_assert!(!operation.is_terminal(), "terminal is for ever");
                prop_assert_eq!(next.version().n(), operation.version().n() + 1);
                prop_assert_eq!((next.version().birth(), next.version().instance()), (operation.version().birth(), 9));
                let (before, after) = (operation.stamps(), next.stamps());
                prop_assert!(after.last_action.ticks() >= before.last_action.ticks());
                prop_assert!(after.created == before.created);
                prop_assert!(before.started.is_none() || before.started == after.started);
                prop_assert!(next.progress() >= operation.progress());
                prop_assert!(operation.holder().is_none() || operation.holder() == next.holder());
                prop_assert!(notable || operation.status() == next.status());
                if !notable {
                    prop_assert_eq!(operation.holder(), next.holder());
                    prop_assert_eq!(operation.resource_location(), next.resource_location());
                    prop_assert_eq!(before.cancellation_requested, after.cancellation_requested);
                }
                match next.state() {
                    State::NotStarted => prop_assert!(after.started.is_none()),
                    _ => prop_assert!(after.started.is_some()),
                }
                // PROTOCOL 31, 66, 73 and b-1: what was applied is no change when it comes again, a sign
                // of life aside, which is one each time.
                let again = next.apply(&patch, &rules, now);
                if next.is_terminal() {
                    prop_assert_eq!(again, Ok(Applied::Unchanged), "{:?}", patch);
                }
        }
    }

    /// An id's text is its identity, and orders it.
    #[test]
    fn ids_are_their_text(a in ids(), b in ids()) {
        prop_assert_eq!(a.to_string().parse::<OperationId>().unwrap(), a.clone());
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        prop_assert_eq!(a == b, a.to_string() == b.to_string());
        prop_assert_eq!(a.attempt(2).unwrap().base(), a.base());
    }
}

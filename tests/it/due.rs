//! What a deadline makes of an operation.

use longrun::{Failure, NewOperation, Operation, Patch, Status};

use crate::support::{after, date, first, rules, stamp};

pub(crate) const DEADLINE: &str = "2026-05-04T13:00:00Z";

pub(crate) fn bound() -> NewOperation {
    NewOperation::new("export").deadline(date(DEADLINE))
}

pub(crate) fn code(operation: &Operation) -> Option<&str> {
    operation.failure().map(Failure::code)
}

#[test]
fn a_deadline_ends_what_waits_and_what_runs_and_nothing_else() {
    let expired = |operation: &Operation, now| operation.apply(&Patch::expire(), &rules(), stamp(now));
    let waits = first(&bound(), "a", 7, "2026-05-04T12:00:00Z");
    let runs = after(&waits, &Patch::claim("me").progress(40));
    for (operation, started) in [(&waits, DEADLINE), (&runs, "2026-05-04T12:00:01Z")] {
        assert_eq!(expired(operation, "2026-05-04T12:59:59.9999999Z"), Ok(longrun::model::Applied::Unchanged));
        let Ok(longrun::model::Applied::Changed { next, notable: true, .. }) = expired(operation, DEADLINE) else {
            panic!("must end {operation:?}");
        };
        assert_eq!((next.status(), code(&next)), (Status::Failed, Some("deadlineExceeded")));
        assert_eq!(next.started(), Some(date(started)));
        assert_eq!((next.last_action(), next.version().n()), (date(DEADLINE), operation.version().n() + 1));
        assert_eq!((next.progress(), next.holder()), (operation.progress(), operation.holder()));
        // Said again it is so already; of another end it changes nothing.
        assert_eq!(expired(&next, "2026-05-04T14:00:00Z"), Ok(longrun::model::Applied::Unchanged));
    }
    let done = after(&runs, &Patch::complete(None));
    assert_eq!(expired(&done, "2026-05-04T14:00:00Z").unwrap_err().code(), "operationTerminal");
    let unbound = first(&NewOperation::untyped(), "b", 7, "2026-05-04T12:00:00Z");
    assert_eq!(expired(&unbound, "2036-05-04T12:00:00Z"), Ok(longrun::model::Applied::Unchanged));
    // Too late to begin, in time to end well.
    let late = waits.apply(&Patch::claim("me"), &rules(), stamp(DEADLINE)).unwrap_err();
    assert_eq!((late.code(), late.target()), ("deadlineExceeded", Some("status")));
    assert!(runs.apply(&Patch::complete(None), &rules(), stamp("2026-05-04T13:00:01Z")).is_ok());
}

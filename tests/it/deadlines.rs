//! Deadlines: what has not ended by its own is ended, started or not, and its work is told.

use std::time::Duration;

use longrun::{Failure, NewOperation, Operation, Patch, RunError, Status};

use crate::faulty::{Bench, bench};
use crate::support::{after, date, first, rules, soon, stamp};

const HOUR: Duration = Duration::from_secs(3_600);
const DEADLINE: &str = "2026-05-04T13:00:00Z";

fn bound() -> NewOperation {
    NewOperation::new("export").deadline(date(DEADLINE))
}

fn code(operation: &Operation) -> Option<&str> {
    operation.failure().map(Failure::code)
}

#[test]
fn a_deadline_ends_what_waits_and_what_runs_and_nothing_else() {
    let at = |text| stamp(text);
    let expired = |operation: &Operation, now| operation.apply(&Patch::expire(), &rules(), at(now));
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
    let late = waits.apply(&Patch::claim("me"), &rules(), at(DEADLINE)).unwrap_err();
    assert_eq!((late.code(), late.target()), ("deadlineExceeded", Some("status")));
    assert!(runs.apply(&Patch::complete(None), &rules(), at("2026-05-04T13:00:01Z")).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_ends_what_is_past_its_deadline() {
    let Bench { tracker, clock, .. } = bench().await;
    let waits = tracker.create(bound()).await.unwrap().id().clone();
    let runs = tracker.create(bound().patch(Patch::new().status(Status::Running))).await.unwrap().id().clone();
    let free = tracker.create(NewOperation::new("export")).await.unwrap().id().clone();
    clock.advance(HOUR - Duration::from_secs(1));
    assert_eq!(tracker.sweep().await.unwrap().overdue, []);
    clock.advance(Duration::from_secs(1));
    let mut wanted = vec![waits.clone(), runs.clone()];
    wanted.sort();
    assert_eq!(tracker.sweep().await.unwrap().overdue, wanted);
    for id in [&waits, &runs] {
        let now = tracker.get(id).await.unwrap();
        assert_eq!((now.status(), code(&now)), (Status::Failed, Some("deadlineExceeded")));
    }
    assert_eq!(tracker.get(&free).await.unwrap().status(), Status::NotStarted);
    assert_eq!(tracker.sweep().await.unwrap().overdue, [], "once");
    let refused = tracker.start(&waits).await.unwrap_err();
    assert_eq!(refused.code(), "operationTerminal");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_past_its_deadline_is_told_and_its_end_recorded_without_a_sweep() {
    let Bench { tracker, clock, .. } = bench().await;
    let id = tracker.create(bound()).await.unwrap().id().clone();
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let running = tokio::spawn({
        let (tracker, id) = (tracker.clone(), id.clone());
        async move {
            tracker
                .run(&id, async move |run| {
                    begun.send(()).await.unwrap();
                    run.cancelled().await;
                    std::future::pending::<Result<u32, Failure>>().await
                })
                .await
        }
    });
    soon("the work begins", has_begun.recv()).await.unwrap();
    // The sleeper may not sleep yet when the clock moves: move it until it wakes.
    let ended = soon("the work is stopped", async {
        while !running.is_finished() {
            clock.advance(HOUR);
            tokio::task::yield_now().await;
        }
        running.await.unwrap()
    });
    match ended.await {
        Err(RunError::Lost(now)) => assert_eq!(code(&now), Some("deadlineExceeded")),
        other => panic!("{other:?}"),
    }
    assert_eq!(code(&tracker.get(&id).await.unwrap()), Some("deadlineExceeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_told_of_its_deadline() {
    let Bench { tracker, clock, .. } = bench().await;
    let id = tracker.create(bound()).await.unwrap().id().clone();
    let run = tracker.start(&id).await.unwrap();
    clock.advance(HOUR);
    soon("the claim is told", run.cancelled()).await;
    // What was done in time all the same may be told.
    assert_eq!(run.complete(7).await.unwrap().status(), Status::Completed);
}

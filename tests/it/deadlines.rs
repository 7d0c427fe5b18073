//! Deadlines: what has not ended by its own is ended, started or not, and its work is told.

use std::time::Duration;

use longrun::{Failure, NewOperation, Patch, RunError, Status};

use crate::due::{bound, code};
use crate::faulty::{Bench, bench};
use crate::support::soon;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_ends_what_is_past_its_deadline() {
    let Bench { tracker, clock, .. } = bench().await;
    let waits = tracker.create(bound()).await.unwrap().id().clone();
    let runs = tracker.create(bound().patch(Patch::new().status(Status::Running))).await.unwrap().id().clone();
    let free = tracker.create(NewOperation::new("export")).await.unwrap().id().clone();
    clock.advance(Duration::from_secs(3_599));
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

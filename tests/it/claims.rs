//! The claim that `start` gives: one holder, and an end whatever becomes of it.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use longrun::{ErrorKind, Failure, NewOperation, OperationId, Status, Tracker};

use crate::faulty::{Bench, bench};
use crate::support::{Control, clock, id, poll_once, soon};

async fn created(tracker: &Tracker, name: &str) -> OperationId {
    tracker.create(NewOperation::new("export").id(id(name))).await.unwrap().id().clone()
}

async fn code(tracker: &Tracker, id: &OperationId) -> Option<String> {
    tracker.get(id).await.unwrap().failure().map(|failure| failure.code().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_gets_the_claim() {
    let Bench { tracker, .. } = bench().await;
    for round in 0..20 {
        let a = created(&tracker, &format!("a{round}")).await;
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let (tracker, a) = (tracker.clone(), a.clone());
                tokio::spawn(async move { tracker.start(&a).await })
            })
            .collect();
        let mut runs = Vec::new();
        for start in starts {
            match soon("start", start).await.unwrap() {
                Ok(run) => runs.push(run),
                Err(error) => assert_eq!(error.kind(), ErrorKind::IllegalTransition),
            }
        }
        assert_eq!(runs.len(), 1);
        runs.pop().unwrap().complete(1).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_run_is_settled_by_the_next_call_on_any_clone() {
    let Bench { tracker, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let clone = tracker.clone();
    drop(tracker.start(&a).await.unwrap());
    // A call about something else.
    clone.counts().await.unwrap();
    assert_eq!(clone.counts().await.unwrap().of(Status::Failed), 1);
    assert_eq!(code(&clone, &a).await.as_deref(), Some("abandoned"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_run_is_settled_by_who_waits_for_it() {
    let Bench { tracker, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let run = tracker.start(&a).await.unwrap();
    let mut wait = Box::pin(tracker.wait(&a, Duration::MAX));
    assert!(poll_once(wait.as_mut()).is_none());
    drop(run);
    let ended = soon("the waiter", wait).await.unwrap();
    assert_eq!(ended.failure().map(Failure::code), Some("abandoned"));
}

/// A run dropped between a waiter's settling and its subscription once went unnoticed for half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_dropped_beside_a_waiter_is_always_noticed() {
    let Bench { tracker, .. } = bench().await;
    for round in 0..500 {
        let a = created(&tracker, &format!("a{round}")).await;
        let run = tracker.start(&a).await.unwrap();
        let waiter = tokio::spawn({
            let (tracker, a) = (tracker.clone(), a.clone());
            // The clock stands still.
            async move { tracker.wait(&a, Duration::MAX).await }
        });
        drop(run);
        assert!(soon("the waiter", waiter).await.unwrap().unwrap().is_terminal());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_run_is_settled_by_maintain_at_once_and_by_close() {
    let control = Control::new();
    let tracker = Tracker::builder()
        .clock((*clock()).clone())
        .open_store(std::sync::Arc::new(control.open(clock()).await.unwrap()))
        .await
        .unwrap();
    let a = created(&tracker, "a").await;
    let run = tracker.start(&a).await.unwrap();
    let mut maintain = Box::pin(tracker.maintain());
    assert!(poll_once(maintain.as_mut()).is_none());
    let syncs = control.syncs();
    drop(run);
    let maintaining = tokio::spawn(maintain);
    // No call but maintain's own writes.
    control.wait_syncs(syncs + 1);
    assert_eq!(code(&tracker, &a).await.as_deref(), Some("abandoned"));
    let b = created(&tracker, "b").await;
    drop(tracker.start(&b).await.unwrap());
    tracker.close(Duration::ZERO).await.unwrap();
    soon("maintain", maintaining).await.unwrap();
    let again = Tracker::builder()
        .clock((*clock()).clone())
        .open_store(std::sync::Arc::new(control.open(clock()).await.unwrap()))
        .await
        .unwrap();
    assert_eq!(again.recovery(), []);
    assert_eq!(code(&again, &b).await.as_deref(), Some("abandoned"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settle_that_fails_fails_no_call_and_is_tried_again() {
    let Bench { tracker, faults, .. } = bench().await;
    let (a, b) = (created(&tracker, "a").await, created(&tracker, "b").await);
    let run = tracker.start(&a).await.unwrap();
    faults.stuck.lock().unwrap().insert(a.clone());
    drop(run);
    assert_eq!(tracker.get(&a).await.unwrap().status(), Status::Running);
    tracker.cancel(&b).await.unwrap();
    faults.stuck.lock().unwrap().clear();
    assert_eq!(code(&tracker, &a).await.as_deref(), Some("abandoned"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_run_that_somebody_else_ended_stays_as_it_ended() {
    let Bench { tracker, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let run = tracker.start(&a).await.unwrap();
    tracker.complete(&a, "by hand").await.unwrap();
    drop(run);
    assert_eq!(tracker.get(&a).await.unwrap().result::<String>().unwrap(), "by hand");
    tracker.delete(&a).await.unwrap();
    let again = created(&tracker, "a").await;
    assert_eq!(tracker.get(&again).await.unwrap().status(), Status::NotStarted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_could_not_be_written_gives_the_run_back() {
    let Bench { tracker, faults, .. } = bench().await;
    let a = created(&tracker, "a").await;
    let run = tracker.start(&a).await.unwrap();
    faults.writes_fail.store(true, Ordering::SeqCst);
    let error = run.complete("precious").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Unavailable);
    faults.writes_fail.store(false, Ordering::SeqCst);
    let done = error.into_run().complete("precious").await.unwrap();
    assert_eq!(done.result::<String>().unwrap(), "precious");
}

/// A claim whose caller went away while its write was on its way to the disk was once taken off the list
/// because readers still saw the operation NotStarted, and it stayed Running.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_dropped_while_its_claim_is_written_is_settled_when_it_is() {
    let control = Control::new();
    let store = std::sync::Arc::new(control.open(clock()).await.unwrap());
    let tracker = Tracker::builder().clock((*clock()).clone()).open_store(store).await.unwrap();
    let a = created(&tracker, "a").await;
    control.shut();
    let mut start = Box::pin(tracker.start(&a));
    assert!(poll_once(start.as_mut()).is_none());
    control.wait_at_gate();
    drop(start);
    assert_eq!(tracker.get(&a).await.unwrap().status(), Status::NotStarted, "not durable yet");
    let mut wait = Box::pin(tracker.wait(&a, Duration::MAX));
    assert!(poll_once(wait.as_mut()).is_none());
    control.open_gate();
    let ended = soon("the waiter", wait).await.unwrap();
    assert_eq!(ended.failure().map(Failure::code), Some("abandoned"));
}

/// Dropped after any number of polls a start leaves an operation that can be started, or ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_dropped_after_any_poll_leaves_nothing_running() {
    let Bench { tracker, .. } = bench().await;
    for polls in 0..6 {
        let a = created(&tracker, &format!("a{polls}")).await;
        let mut start = Box::pin(tracker.start(&a));
        for _ in 0..polls {
            if start.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(start);
        // Whatever was on its way is on the disk when a later write is.
        created(&tracker, &format!("b{polls}")).await;
        let now = tracker.get(&a).await.unwrap();
        assert!(now.status() != Status::Running, "{polls}: {now:?}");
        if now.status() == Status::NotStarted {
            tracker.start(&a).await.unwrap().complete(polls).await.unwrap();
        }
    }
    tracker.close(Duration::ZERO).await.unwrap();
}

//! `close`: what runs may end, what does not is ended, and then nothing is open.

use std::sync::Arc;
use std::time::Duration;

use longrun::{ErrorKind, Failure, NewOperation, OperationId, RunError, Status, Tracker};

use crate::faulty::{Bench, bench};
use crate::support::{Control, clock, id, poll_once, soon};

const BOUND: Duration = Duration::from_secs(30);

async fn created(tracker: &Tracker, name: &str) -> OperationId {
    tracker.create(NewOperation::new("export").id(id(name))).await.unwrap().id().clone()
}

async fn open(control: &Control) -> Tracker {
    let store = Arc::new(control.open(clock()).await.unwrap());
    Tracker::builder().clock((*clock()).clone()).open_store(store).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn close_waits_for_what_runs_and_takes_no_new_claim() {
    let Bench { tracker, .. } = bench().await;
    let (a, b) = (created(&tracker, "a").await, created(&tracker, "b").await);
    let run = tracker.start(&a).await.unwrap();
    let mut close = Box::pin(tracker.close(BOUND));
    assert!(poll_once(close.as_mut()).is_none());
    assert_eq!(tracker.start(&b).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(tracker.claim(&b, "worker").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(tracker.get(&b).await.unwrap().status(), Status::NotStarted, "reads go on");
    let done = run.complete(1).await.unwrap();
    assert_eq!(done.status(), Status::Completed);
    soon("close", close).await.unwrap();
    assert_eq!(tracker.get(&a).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_bound_what_runs_is_interrupted_and_its_run_is_lost() {
    let control = Control::new();
    let manual = clock();
    let store = Arc::new(control.open(manual.clone()).await.unwrap());
    let tracker = Tracker::builder().clock((*manual).clone()).open_store(store).await.unwrap();
    let (a, b) = (created(&tracker, "a").await, created(&tracker, "b").await);
    let held = tracker.start(&b).await.unwrap();
    let mut run = Box::pin(tracker.run(&a, async |_| std::future::pending::<Result<(), Failure>>().await));
    soon("the claim", async {
        let mut watch = tracker.watch(&a).await.unwrap();
        loop {
            tokio::select! {
                biased;
                _ = run.as_mut() => panic!("the run ended"),
                seen = watch.next() => {
                    if matches!(seen, Some(Ok(longrun::calls::Watched::Updated(now))) if now.status() == Status::Running) {
                        return;
                    }
                }
            }
        }
    })
    .await;
    let mut close = Box::pin(tracker.close(BOUND));
    assert!(poll_once(close.as_mut()).is_none());
    manual.advance(BOUND);
    // The run is not polled before all is closed, and is lost all the same.
    soon("close", close).await.unwrap();
    let lost = soon("the run", run).await.unwrap_err();
    let code = |operation: &longrun::Operation| operation.failure().map(|failure| failure.code().to_owned());
    assert!(
        matches!(&lost, RunError::Lost(operation) if code(operation).as_deref() == Some("interrupted")),
        "{lost:?}"
    );
    soon("cancelled", held.cancelled()).await;
    assert_eq!(held.complete(1).await.unwrap_err().error().kind(), ErrorKind::Closed);
    control.wait_dropped();
    let tracker = open(&control).await;
    assert_eq!(tracker.recovery(), []);
    for id in [a, b] {
        let ended = tracker.get(&id).await.unwrap();
        assert_eq!(code(&ended).as_deref(), Some("interrupted"));
        assert_eq!(ended.cancellation_requested(), None, "no request is recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_close_waits_for_the_first_and_finishes_one_that_was_dropped() {
    for dropped in [false, true] {
        let Bench { tracker, clock, .. } = bench().await;
        let a = created(&tracker, "a").await;
        let run = tracker.start(&a).await.unwrap();
        let mut first = Box::pin(tracker.close(BOUND));
        assert!(poll_once(first.as_mut()).is_none());
        let mut second = Box::pin(tracker.close(BOUND * 2));
        assert!(poll_once(second.as_mut()).is_none(), "the first is not done");
        if dropped {
            drop(first);
            clock.advance(BOUND * 2);
            soon("the second", second).await.unwrap();
        } else {
            clock.advance(BOUND);
            soon("the first", first).await.unwrap();
            soon("the second", second).await.unwrap();
        }
        assert_eq!(tracker.counts().await.unwrap_err().kind(), ErrorKind::Closed);
        soon("a third", tracker.close(BOUND)).await.unwrap();
        drop(run);
        assert_eq!(tracker.counts().await.unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_beside_close_leaves_nothing_running() {
    for _ in 0..100 {
        let control = Control::new();
        let tracker = open(&control).await;
        let a = created(&tracker, "a").await;
        let start = tokio::spawn({
            let tracker = tracker.clone();
            async move { tracker.start(&a).await }
        });
        soon("close", tracker.close(Duration::ZERO)).await.unwrap();
        drop(soon("start", start).await.unwrap());
        drop(tracker);
        control.wait_dropped();
        let tracker = open(&control).await;
        assert_eq!(tracker.recovery(), [], "close ends what was claimed");
    }
}

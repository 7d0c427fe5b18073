//! FAULTS 37: no more operations than the host allows, and never shut for good.

use std::time::Duration;

use longrun::{ErrorKind, NewOperation, Status, Tracker};

use crate::faulty::{Bench, bench_with};
use crate::support::{id, soon};

async fn refused(tracker: &Tracker, most: u64) {
    for new in [NewOperation::new("export"), NewOperation::new("export").id(id("another")).unique("key")] {
        let error = tracker.create(new).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::QuotaExceeded, "operationLimitReached"));
        let told = format!("at most {most} operations are kept, there are {most}: delete some that have ended");
        assert_eq!(error.to_string(), told);
        assert!(error.is_definite() && !error.is_retryable());
        assert_eq!(error.http_status(), 507);
    }
    assert_eq!(tracker.counts().await.unwrap().total(), most);
}

async fn keeps_three(tracker: &Tracker) {
    let named = NewOperation::new("export").id(id("named"));
    let first = tracker.create(named.clone()).await.unwrap();
    tracker.create(NewOperation::new("export")).await.unwrap();
    tracker.create(NewOperation::untyped()).await.unwrap();
    refused(tracker, 3).await;
    // What is kept goes on as ever, and the same create again is answered.
    assert_eq!(tracker.create(named.clone()).await.unwrap(), first);
    assert_eq!(
        tracker.create(NewOperation::new("b").id(id("named"))).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    let run = tracker.start(first.id()).await.unwrap();
    run.complete(()).await.unwrap();
    refused(tracker, 3).await;
    // An end frees nothing, a deletion does.
    tracker.delete(first.id()).await.unwrap();
    tracker.create(named).await.unwrap();
    refused(tracker, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_a_create_too_many_is_refused_until_one_is_deleted() {
    let tracker = Tracker::builder().max_operations(3).in_memory().await.unwrap();
    keeps_three(&tracker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sled_too_and_what_was_there_before_counts() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |most: u64| Tracker::builder().max_operations(most).open(folder.path().join("jobs")).await;
    let tracker = open(3).await.unwrap();
    keeps_three(&tracker).await;
    tracker.close(Duration::ZERO).await.unwrap();
    // A limit below what is there refuses creates and nothing else.
    let tracker = open(2).await.unwrap();
    let error = tracker.create(NewOperation::new("export")).await.unwrap_err();
    let told = "at most 2 operations are kept, there are 3: delete some that have ended";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::QuotaExceeded, told));
    let page = tracker.list().await.unwrap();
    for operation in &page.items {
        tracker.cancel(operation.id()).await.unwrap();
        tracker.delete(operation.id()).await.unwrap();
    }
    tracker.create(NewOperation::new("export")).await.unwrap();
    tracker.close(Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_makes_room() {
    let hour = Duration::from_hours(1);
    let Bench { tracker, clock, .. } =
        bench_with(|builder| builder.max_operations(1).retention(None, Status::Failed, hour)).await;
    let first = tracker.create(NewOperation::new("export")).await.unwrap();
    tracker.cancel(first.id()).await.unwrap();
    refused(&tracker, 1).await;
    clock.advance(hour * 2);
    assert_eq!(tracker.sweep().await.unwrap().deleted, 1);
    tracker.create(NewOperation::new("export")).await.unwrap();
    refused(&tracker, 1).await;
}

/// Fifty creates at a time for the room that is left: all of it is taken, and not one place more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_creates_fill_it_and_no_more() {
    const MOST: u64 = 60;
    for round in 0..20_u64 {
        let before = round * 3;
        let tracker = Tracker::builder().max_operations(MOST).in_memory().await.unwrap();
        for _ in 0..before {
            tracker.create(NewOperation::new("export")).await.unwrap();
        }
        let mut creates = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let tracker = tracker.clone();
            creates.spawn(async move { tracker.create(NewOperation::new("export")).await });
        }
        let mut created = 0;
        while let Some(result) = soon("a create", creates.join_next()).await {
            match result.unwrap() {
                Ok(_) => created += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::QuotaExceeded, "{error}"),
            }
        }
        assert_eq!(created, (MOST - before).min(50), "round {round}");
        assert_eq!(tracker.counts().await.unwrap().total(), before + created, "round {round}");
    }
}

/// A create that fails holds no room.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_to_nothing_holds_no_room() {
    use std::sync::atomic::Ordering::SeqCst;
    let Bench { tracker, faults, .. } = bench_with(|builder| builder.max_operations(2)).await;
    faults.writes_fail.store(true, SeqCst);
    for _ in 0..5 {
        let error = tracker.create(NewOperation::new("export")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    faults.writes_fail.store(false, SeqCst);
    for _ in 0..2 {
        tracker.create(NewOperation::new("export")).await.unwrap();
    }
    refused(&tracker, 2).await;
}

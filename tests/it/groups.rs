//! Operations that belong together, one at a time, again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use longrun::{ErrorKind, Failure, NewOperation, Operation, OperationId, Patch, Status, Tracker};

use crate::faulty::{Bench, bench};
use crate::support::{id, soon};

async fn page(tracker: &Tracker, name: &str, group: &str) -> OperationId {
    tracker.create(NewOperation::new("page").id(id(name)).group(group)).await.unwrap().id().clone()
}

async fn run(tracker: &Tracker, id: &OperationId) {
    tracker.patch(id, Patch::new().status(Status::Running)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_waited_for_to_its_last_operation() {
    let Bench { tracker, .. } = bench().await;
    let long = Duration::from_hours(1);
    assert_eq!(soon("a group of nothing", tracker.wait_group("book", long)).await.unwrap().total(), 0);
    let mut pages = Vec::new();
    for number in 0..5 {
        pages.push(page(&tracker, &format!("page-{number}"), "book").await);
    }
    let other = page(&tracker, "other", "another book").await;
    let now = tracker.wait_group("book", Duration::ZERO).await.unwrap();
    assert_eq!((now.of(Status::NotStarted), now.total()), (5, 5), "as it is at the bound");
    let waiting = tokio::spawn({
        let tracker = tracker.clone();
        async move { tracker.wait_group("book", long).await }
    });
    for id in &pages {
        assert!(!waiting.is_finished(), "{id} has not ended");
        run(&tracker, id).await;
        tracker.complete(id, ()).await.unwrap();
        // Deleted ones are not waited for either.
        if *id == pages[1] {
            tracker.delete(id).await.unwrap();
        }
    }
    let ended = soon("the whole group", waiting).await.unwrap().unwrap();
    assert_eq!((ended.of(Status::Completed), ended.total()), (4, 4));
    assert_eq!(tracker.get(&other).await.unwrap().status(), Status::NotStarted);
}

/// A page may be empty and not the last: what it had found moved on before it was read. A group was taken for
/// ended then.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_waited_for_where_a_page_comes_empty() {
    let Bench { tracker, faults, .. } = bench().await;
    let pages = [page(&tracker, "first", "book").await, page(&tracker, "second", "book").await];
    faults.thin.store(2, Ordering::SeqCst);
    let waiting = tokio::spawn({
        let tracker = tracker.clone();
        async move { tracker.wait_group("book", Duration::from_hours(1)).await }
    });
    for id in &pages {
        run(&tracker, id).await;
        tracker.complete(id, ()).await.unwrap();
    }
    let ended = soon("the whole group", waiting).await.unwrap().unwrap();
    assert_eq!((ended.of(Status::Completed), ended.total()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_cancelled_and_no_other() {
    let Bench { tracker, .. } = bench().await;
    for number in 0..600 {
        page(&tracker, &format!("page-{number}"), "book").await;
    }
    let (runs, done) = (id("page-7"), id("page-8"));
    run(&tracker, &runs).await;
    run(&tracker, &done).await;
    tracker.complete(&done, ()).await.unwrap();
    let other = page(&tracker, "other", "another book").await;
    assert_eq!(tracker.cancel_group("book").await.unwrap(), 599);
    let counts = tracker.group_counts("book").await.unwrap();
    assert_eq!([counts.of(Status::Failed), counts.of(Status::Running), counts.of(Status::Completed)], [598, 1, 1]);
    assert!(tracker.get(&runs).await.unwrap().cancellation_requested().is_some());
    assert_eq!(tracker.get(&other).await.unwrap().status(), Status::NotStarted);
    let failed = tracker.list().group("book").status(Status::Failed).limit(1_000).await.unwrap();
    assert_eq!(failed.items.len(), 598);
    assert!(tracker.verify().await.unwrap().problems.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_one_operation_at_a_time() {
    let Bench { tracker, .. } = bench().await;
    let nightly = || NewOperation::new("nightly").unique("nightly");
    let first = tracker.create_new(nightly()).await.unwrap();
    assert!(first.is_new);
    for new in [nightly(), nightly().id(id("mine")), NewOperation::new("other").unique("nightly")] {
        let again = tracker.create_new(new).await.unwrap();
        assert_eq!((again.is_new, again.operation), (false, first.operation.clone()));
    }
    let of_another = tracker.create_new(NewOperation::new("nightly").unique("Nightly")).await.unwrap();
    assert!(of_another.is_new, "another key");
    assert!(tracker.create_new(NewOperation::new("nightly")).await.unwrap().is_new, "no key");
    run(&tracker, first.operation.id()).await;
    assert!(!tracker.create_new(nightly()).await.unwrap().is_new);
    tracker.complete(first.operation.id(), ()).await.unwrap();
    let second = tracker.create_new(nightly()).await.unwrap();
    assert!(second.is_new, "the first has ended");
    assert_eq!(second.operation.unique_key(), Some("nightly"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_create_at_once_get_one_operation() {
    let Bench { tracker, .. } = bench().await;
    for round in 0..20 {
        let creators: Vec<_> = (0..16)
            .map(|_| {
                let tracker = tracker.clone();
                tokio::spawn(async move {
                    tracker.create_new(NewOperation::new("tick").unique(format!("tick-{round}"))).await.unwrap()
                })
            })
            .collect();
        let (mut new, mut ids) = (0, std::collections::BTreeSet::new());
        for creator in creators {
            let created = creator.await.unwrap();
            new += u32::from(created.is_new);
            ids.insert(created.operation.id().clone());
        }
        assert_eq!((new, ids.len()), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_the_next_attempt_and_comes_once() {
    let Bench { tracker, .. } = bench().await;
    let new = NewOperation::new("export").id(id("order-7")).label("order", "7").group("orders").unique("order 7");
    let first = tracker.create(new).await.unwrap();
    let early = tracker.retry(first.id()).await.unwrap_err();
    assert_eq!(
        (early.kind(), early.code(), early.current()),
        (ErrorKind::Conflict, "operationActive", Some(&first))
    );
    tracker.patch(first.id(), Patch::claim("me")).await.unwrap();
    tracker.fail(first.id(), Failure::new("noRoom", "no room")).await.unwrap();
    let second = tracker.retry(first.id()).await.unwrap();
    assert_eq!((second.id(), second.retry_of()), (&id("order-7~2"), Some(first.id())));
    let shared = |operation: &Operation| {
        let parts = (operation.type_name(), operation.label("order"), operation.group(), operation.unique_key());
        format!("{parts:?}")
    };
    assert_eq!((shared(&second), second.status()), (shared(&first), Status::NotStarted));
    assert_eq!(tracker.retry(first.id()).await.unwrap(), second, "again: the same");
    tracker.cancel(second.id()).await.unwrap();
    assert_eq!(tracker.retry(second.id()).await.unwrap().id(), &id("order-7~3"));
    let chain = tracker.list().base(second.id()).await.unwrap();
    let ids: Vec<_> = chain.items.iter().map(|operation| operation.id().to_string()).collect();
    assert_eq!(ids, ["order-7", "order-7~2", "order-7~3"]);
    let failed = tracker.list().base(second.id()).status(Status::Failed).newest_first().await.unwrap();
    assert_eq!(failed.items.len(), 2);
    let missing = tracker.retry(&id("nothing")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    // Another group or key is another operation (PROTOCOL 96).
    for new in [
        NewOperation::new("export").id(id("order-7")).label("order", "7").group("Orders").unique("order 7"),
        NewOperation::new("export").id(id("order-7")).label("order", "7").group("orders"),
    ] {
        assert_eq!(tracker.create(new).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}

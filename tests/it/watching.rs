//! Waiting and watching: nobody polls, nobody misses an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use longrun::calls::Watched;
use longrun::{ErrorKind, NewOperation, Operation, OperationId, Patch, Status, Tracker};

use crate::faulty::{Bench, bench};
use crate::support::{id, poll_once, soon};

const MINUTE: Duration = Duration::from_mins(1);

pub(crate) async fn running(tracker: &Tracker, name: &str) -> OperationId {
    let new = NewOperation::new("export").id(id(name)).patch(Patch::new().status(Status::Running));
    tracker.create(new).await.unwrap().id().clone()
}

async fn waiting(tracker: &Tracker, name: &str) -> OperationId {
    tracker.create(NewOperation::new("export").id(id(name))).await.unwrap().id().clone()
}

fn updated(watched: Option<longrun::Result<Watched>>) -> Operation {
    match watched.unwrap().unwrap() {
        Watched::Updated(operation) => operation,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_begins_with_what_is_and_ends_with_the_end() {
    let Bench { tracker, .. } = bench().await;
    let a = waiting(&tracker, "a").await;
    let mut watch = tracker.watch(&a).await.unwrap();
    assert_eq!(updated(watch.next().await).status(), Status::NotStarted);
    tracker.patch(&a, Patch::new().status(Status::Running)).await.unwrap();
    assert_eq!(updated(soon("running", watch.next()).await).status(), Status::Running);
    tracker.complete(&a, 1).await.unwrap();
    assert_eq!(updated(soon("completed", watch.next()).await).status(), Status::Completed);
    assert!(watch.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_watcher_gets_the_newest() {
    let Bench { tracker, .. } = bench().await;
    let a = running(&tracker, "a").await;
    let mut watch = tracker.watch(&a).await.unwrap();
    for percent in 1..=99 {
        tracker.progress(&a, percent).await.unwrap();
    }
    assert_eq!(updated(watch.next().await).progress().map(longrun::model::Progress::percent), Some(99));
    assert!(poll_once(Box::pin(watch.next())).is_none(), "nothing else has happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_its_operation_is_deleted_and_when_it_is_created_again() {
    let Bench { tracker, .. } = bench().await;
    for again in [false, true] {
        let a = waiting(&tracker, "a").await;
        let mut watch = tracker.watch(&a).await.unwrap();
        updated(watch.next().await);
        tracker.cancel(&a).await.unwrap();
        tracker.delete(&a).await.unwrap();
        if again {
            waiting(&tracker, "a").await;
        }
        assert_eq!(soon("deleted", watch.next()).await.unwrap().unwrap(), Watched::Deleted);
        assert!(watch.next().await.is_none());
    }
    assert_eq!(tracker.watch(&id("nobody")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_answers_at_the_end_or_as_it_is_at_the_bound() {
    let Bench { tracker, clock, .. } = bench().await;
    let a = running(&tracker, "a").await;
    let mut wait = Box::pin(tracker.wait(&a, MINUTE));
    assert!(poll_once(wait.as_mut()).is_none());
    clock.advance(MINUTE.checked_sub(Duration::from_nanos(1)).unwrap());
    assert!(poll_once(wait.as_mut()).is_none(), "before its bound");
    clock.advance(Duration::from_nanos(1));
    assert_eq!(poll_once(wait.as_mut()).unwrap().unwrap().status(), Status::Running);
    let mut wait = Box::pin(tracker.wait(&a, MINUTE));
    assert!(poll_once(wait.as_mut()).is_none());
    tracker.complete(&a, 1).await.unwrap();
    assert_eq!(soon("wait", wait).await.unwrap().status(), Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_says_that_its_operation_is_gone() {
    let Bench { tracker, .. } = bench().await;
    let a = waiting(&tracker, "a").await;
    let mut watch = Box::pin(tracker.wait(&a, MINUTE));
    assert!(poll_once(watch.as_mut()).is_none());
    tracker.cancel(&a).await.unwrap();
    tracker.delete(&a).await.unwrap();
    assert_eq!(soon("wait", watch).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_all_answers_when_the_last_has_ended_in_the_order_asked() {
    let Bench { tracker, clock, .. } = bench().await;
    let ids = [running(&tracker, "a").await, running(&tracker, "b").await, running(&tracker, "c").await];
    let mut all = Box::pin(tracker.wait_all(&ids, MINUTE));
    for (at, done) in [2, 0, 1].into_iter().enumerate() {
        assert!(poll_once(all.as_mut()).is_none(), "after {at}");
        tracker.complete(&ids[done], done).await.unwrap();
    }
    let ended = soon("all", all).await.unwrap();
    assert_eq!(ended.iter().map(Operation::id).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    assert!(ended.iter().all(Operation::is_terminal));
    // One bound for all of them, not one for each.
    let more = [running(&tracker, "d").await, running(&tracker, "e").await];
    let mut all = Box::pin(tracker.wait_all(&more, MINUTE));
    assert!(poll_once(all.as_mut()).is_none());
    clock.advance(MINUTE);
    assert_eq!(poll_once(all.as_mut()).unwrap().unwrap().len(), 2);
}

/// At the bound the first of the ids was looked at alone once, and another that had ended was not seen.
#[tokio::test(flavor = "multi_thread")]
async fn wait_any_sees_an_end_at_the_bound() {
    let Bench { tracker, clock, faults } = bench().await;
    faults.silent.store(true, Ordering::SeqCst);
    let ids = [running(&tracker, "a").await, running(&tracker, "b").await];
    let bound = Duration::from_secs(20);
    let mut any = Box::pin(tracker.wait_any(&ids, bound));
    assert!(poll_once(any.as_mut()).is_none());
    tracker.complete(&ids[1], 1).await.unwrap();
    clock.advance(bound);
    let ended = poll_once(any.as_mut()).unwrap().unwrap();
    assert_eq!(ended.map(|operation| operation.id().clone()), Some(ids[1].clone()));
    let mut none = Box::pin(tracker.wait_any(&ids[..1], bound));
    assert!(poll_once(none.as_mut()).is_none());
    clock.advance(bound);
    assert_eq!(poll_once(none.as_mut()).unwrap().unwrap(), None);
    assert_eq!(tracker.wait_any(&[], bound).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_hints_delay_an_end_by_thirty_seconds_at_most() {
    let Bench { tracker, clock, faults } = bench().await;
    faults.silent.store(true, Ordering::SeqCst);
    let a = running(&tracker, "a").await;
    let mut wait = Box::pin(tracker.wait(&a, Duration::MAX));
    let mut watch = tracker.watch(&a).await.unwrap();
    updated(watch.next().await);
    let mut next = Box::pin(watch.next());
    assert!(poll_once(wait.as_mut()).is_none() && poll_once(next.as_mut()).is_none());
    tracker.complete(&a, 1).await.unwrap();
    assert!(poll_once(wait.as_mut()).is_none() && poll_once(next.as_mut()).is_none(), "hints are lost");
    clock.advance(Duration::from_secs(30));
    assert!(poll_once(wait.as_mut()).unwrap().unwrap().is_terminal());
    assert!(updated(poll_once(next.as_mut()).unwrap()).is_terminal());
}

/// FAULTS 61: every moment at which a change may fall between a watcher's steps: it is seen at the next poll.
#[tokio::test(flavor = "multi_thread")]
async fn no_change_is_lost_between_reading_and_subscribing() {
    let Bench { tracker, .. } = bench().await;
    for moment in 0..3 {
        let a = running(&tracker, &format!("a{moment}")).await;
        if moment == 0 {
            tracker.complete(&a, 1).await.unwrap();
        }
        let mut wait = Box::pin(tracker.wait(&a, Duration::MAX));
        if moment == 1 {
            tracker.complete(&a, 1).await.unwrap();
        }
        if poll_once(wait.as_mut()).is_none() {
            assert_eq!(moment, 2);
            tracker.complete(&a, 1).await.unwrap();
            assert!(soon("the end", wait).await.unwrap().is_terminal());
        }
    }
}

/// The same with threads: a waiter that subscribes while the end is written, a thousand times.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_beside_a_writer_always_hears_the_end() {
    let Bench { tracker, .. } = bench().await;
    for round in 0..1_000 {
        let a = running(&tracker, &format!("r{round}")).await;
        let waiter = tokio::spawn({
            let (tracker, a) = (tracker.clone(), a.clone());
            // The clock stands still: nothing but the hint ends this.
            async move { tracker.wait(&a, Duration::MAX).await }
        });
        tracker.complete(&a, 1).await.unwrap();
        assert!(soon("the waiter", waiter).await.unwrap().unwrap().is_terminal());
    }
    assert_eq!(tracker.watchers(), 0);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_wakes_its_own_waiters_alone() {
    let Bench { tracker, .. } = bench().await;
    let ids = [running(&tracker, "a").await, running(&tracker, "b").await];
    let wakes = [Arc::new(Count::default()), Arc::new(Count::default())];
    let mut waits: Vec<_> = (0..2_000).map(|n| Box::pin(tracker.wait(&ids[n % 2], Duration::MAX))).collect();
    for (n, wait) in waits.iter_mut().enumerate() {
        let waker = Waker::from(Arc::clone(&wakes[n % 2]));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(tracker.watchers(), 2_000);
    // The runtime makes some give way while they are polled.
    for wakes in &wakes {
        wakes.0.store(0, Ordering::SeqCst);
    }
    tracker.progress(&ids[0], 10).await.unwrap();
    assert_eq!(wakes[0].0.load(Ordering::SeqCst), 1_000);
    // A dropped run wakes those who wait for it, and nobody else.
    let c = waiting(&tracker, "c").await;
    drop(tracker.start(&c).await.unwrap());
    assert_eq!(
        tracker.wait(&c, Duration::MAX).await.unwrap().failure().map(longrun::Failure::code),
        Some("abandoned")
    );
    assert_eq!(wakes[1].0.load(Ordering::SeqCst), 0, "b has not changed");
    // Awake twice without being asked: one wake each.
    tracker.progress(&ids[0], 20).await.unwrap();
    assert_eq!(wakes[0].0.load(Ordering::SeqCst), 1_000);
    drop(waits);
    assert_eq!(tracker.watchers(), 0);
}

/// Dropping the last waker of a task may drop a future that holds another subscription.
#[tokio::test(flavor = "multi_thread")]
async fn a_waker_that_owns_a_watch_is_let_go_without_a_lock() {
    struct Owner(#[expect(dead_code, reason = "owned to be dropped")] longrun::calls::Watch);
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }
    let Bench { tracker, .. } = bench().await;
    let a = running(&tracker, "a").await;
    let mut watch = tracker.watch(&a).await.unwrap();
    updated(watch.next().await);
    let owner = |watch| Waker::from(Arc::new(Owner(watch)));
    let mut next = Box::pin(watch.next());
    for _ in 0..2 {
        // The second replaces the first, which nobody else has.
        let waker = owner(tracker.watch(&a).await.unwrap());
        assert_eq!(next.as_mut().poll(&mut Context::from_waker(&waker)).map(drop), Poll::Pending);
    }
    assert_eq!(tracker.watchers(), 2);
    drop(next);
    drop(watch);
    assert_eq!(tracker.watchers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_freed_on_drop() {
    let Bench { tracker, .. } = bench().await;
    let a = running(&tracker, "a").await;
    for _ in 0..1_000_000 {
        drop(tracker.watch(&a).await.unwrap());
    }
    assert_eq!(tracker.watchers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_the_tracker_closes() {
    let Bench { tracker, .. } = bench().await;
    let a = running(&tracker, "a").await;
    let mut wait = Box::pin(tracker.wait(&a, Duration::MAX));
    assert!(poll_once(wait.as_mut()).is_none());
    tracker.close(Duration::ZERO).await.unwrap();
    assert_eq!(soon("wait", wait).await.unwrap_err().kind(), ErrorKind::Closed);
}

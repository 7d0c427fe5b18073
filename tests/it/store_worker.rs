//! The store's one thread: it always ends, never starves a write, never leaves a caller waiting.

use std::future::Future;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use longrun::clock::Clock;
use longrun::model::{Json, Patch, Status, holder};
use longrun::store::embedded::Embedded;
use longrun::store::{Durability, Idle, MemoryEngine, MemoryStore, Store, StoreError, Swap};

use crate::support::{Control, Fault, HANG, after, clock, id, new, put, put_eventual, remove, soon};

/// A sync that failed while the store was closing once set the mode back, and close waited for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_during_close_lets_it_end() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        let control = Control::new();
        let store = Arc::new(control.open(clock()).await.unwrap());
        control.shut();
        let writer = Arc::clone(&store);
        let write = tokio::spawn(async move { writer.swap(None, &new("a"), Durability::Immediate).await });
        control.wait_at_gate();
        let closing = {
            let mut close = Box::pin(store.close());
            // Once polled it has begun.
            assert!(poll_once(close.as_mut()).is_none());
            close
        };
        control.fault(Some(Fault::Sync(kind)));
        control.open_gate();
        soon("close", closing).await.unwrap();
        let error = soon("the write", write).await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { definite: false, .. }), "{error:?}");
        control.wait_dropped();
    }
}

fn poll_once<F: Future + Unpin>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

/// An engine that panics once took the thread with it, and every later call waited for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_panics_leaves_nobody_waiting() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    put(&store, None, &new("a")).await;
    control.fault(Some(Fault::PanicInSync));
    let error = soon("the write", store.swap(None, &new("b"), Durability::Immediate)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { definite: false, .. }), "{error:?}");
    control.wait_dropped();
    let error = soon("a later write", store.swap(None, &new("c"), Durability::Immediate)).await.unwrap_err();
    assert!(matches!(error, StoreError::Closed), "{error:?}");
    assert!(matches!(soon("verify", store.verify()).await, Err(StoreError::Closed)));
    soon("close", store.close()).await.unwrap();
}

/// Each Eventual write once restarted the wait of those before it: a steady stream was never synced.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_eventual_writes_is_synced_all_the_same() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    let mut now = new("a");
    put(&store, None, &now).await;
    let syncs = control.syncs();
    let start = Instant::now();
    while control.syncs() == syncs {
        let next = after(&now, &Patch::heartbeat());
        put_eventual(&store, Some(&now), &next).await;
        now = next;
        assert!(start.elapsed() < HANG, "a stream of Eventual writes is never synced");
    }
}

/// The future of an open that nobody awaited to its end once left the store open, and its lock held.
#[test]
fn an_open_that_is_dropped_frees_the_engine() {
    struct Bell(mpsc::Sender<()>);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.send(()).ok();
        }
    }
    let control = Control::new();
    let (bell, rings) = mpsc::channel();
    let waker = Waker::from(Arc::new(Bell(bell)));
    control.shut();
    let mut open = Box::pin(control.open(clock()));
    assert!(open.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    control.wait_at_gate();
    control.open_gate();
    // The thread has handed the open store over, and it is never taken.
    rings.recv_timeout(HANG).expect("the open ends");
    drop(open);
    control.wait_dropped();
}

/// The 4,097th Running operation was once passed over at the seam of two looks.
#[tokio::test(flavor = "multi_thread")]
async fn idle_passes_nobody_over() {
    const MANY: usize = 4_096 * 2 + 3;
    let clock = clock();
    let store = MemoryStore::in_memory(Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    for number in 0..MANY {
        let running = after(&new(&format!("op-{number:05}")), &Patch::new().status(Status::Running));
        put_eventual(&store, None, &running).await;
    }
    clock.advance(Duration::from_secs(61));
    let quiet = |seconds| Idle::Quiet { type_name: None, longer_than: Duration::from_secs(seconds) };
    let all = NonZeroU32::new(100_000).unwrap();
    assert_eq!(store.idle(&quiet(60), None, all).await.unwrap().len(), MANY);
    assert_eq!(store.idle(&quiet(61), None, all).await.unwrap().len(), 0);
    // The last one alone, behind two stretches that hold nothing.
    let last = id(&format!("op-{:05}", MANY - 1));
    for number in 0..MANY - 1 {
        let name = id(&format!("op-{number:05}"));
        let now = store.load(&name).await.unwrap().unwrap();
        put_eventual(&store, Some(&now), &after(&now, &Patch::heartbeat())).await;
    }
    let one = NonZeroU32::MIN;
    assert_eq!(store.idle(&quiet(60), None, one).await.unwrap(), std::slice::from_ref(&last));
    assert_eq!(store.idle(&quiet(60), Some(&last), one).await.unwrap(), []);
}

/// Who opens without having the store alone proves no earlier instance dead.
#[tokio::test(flavor = "multi_thread")]
async fn only_an_exclusive_open_proves_others_dead() {
    let engine = MemoryEngine::default();
    let store = MemoryStore::over(engine.clone(), clock()).await.unwrap();
    let instance = store.opened().instance;
    let held = after(&new("held"), &Patch::claim(holder::of_instance(instance, 1)));
    let remote = after(&new("remote"), &Patch::claim("worker-7"));
    let unclaimed = after(&new("unclaimed"), &Patch::new().status(Status::Running));
    for operation in [&held, &remote, &unclaimed] {
        put(&store, None, operation).await;
    }
    let all = NonZeroU32::new(10).unwrap();
    assert_eq!(store.idle(&Idle::Orphaned, None, all).await.unwrap(), []);
    store.close().await.unwrap();

    let shared = engine.clone();
    let second = Embedded::open(move || Ok(shared.clone()), clock(), false).await.unwrap();
    assert!(!second.opened().exclusive);
    assert_eq!(second.idle(&Idle::Orphaned, None, all).await.unwrap(), []);
    second.close().await.unwrap();

    let third = MemoryStore::over(engine, clock()).await.unwrap();
    assert_eq!(third.idle(&Idle::Orphaned, None, all).await.unwrap(), [id("held")]);
    let ended = after(&held, &Patch::complete(None::<Json>));
    put(&third, Some(&held), &ended).await;
    assert_eq!(third.idle(&Idle::Orphaned, None, all).await.unwrap(), []);
}

/// A stream of hints that begins after the end is over, like one that began before it.
#[tokio::test(flavor = "multi_thread")]
async fn hints_end_with_the_store() {
    let store = MemoryStore::in_memory(clock()).await.unwrap();
    let mut before = store.hints();
    put(&store, None, &new("a")).await;
    assert_eq!(soon("a hint", next(&mut before)).await, Some(Some(id("a"))));
    store.close().await.unwrap();
    assert_eq!(soon("the end", next(&mut before)).await, None);
    let mut late = store.hints();
    assert_eq!(soon("the end", next(&mut late)).await, None);
}

async fn next(hints: &mut longrun::store::HintStream) -> Option<longrun::store::Hint> {
    std::future::poll_fn(|context| {
        // The trait is futures-core's, which a stream of tokio's need not bring along.
        futures_core::Stream::poll_next(hints.as_mut(), context)
    })
    .await
}

/// A tombstone that is due goes at the next open, however short the store stays open.
#[tokio::test(flavor = "multi_thread")]
async fn old_tombstones_are_purged() {
    let (control, clock) = (Control::new(), clock());
    let store = control.open(clock.clone()).await.unwrap();
    let done = new("done");
    put(&store, None, &done).await;
    put(&store, None, &new("stays")).await;
    remove(&store, &done).await;
    store.close().await.unwrap();
    for (hours, records) in [(23, 2), (2, 1)] {
        clock.advance(Duration::from_hours(hours));
        let store = control.open(clock.clone()).await.unwrap();
        let report = soon("verify", store.verify()).await.unwrap();
        assert_eq!((report.records, &*report.problems), (records, &[][..]), "{hours} hours later");
        store.close().await.unwrap();
    }
}

/// A lost swap answers with the record that won, never with the one expected.
#[tokio::test(flavor = "multi_thread")]
async fn losing_is_an_answer() {
    let store = MemoryStore::in_memory(clock()).await.unwrap();
    let first = new("a");
    put(&store, None, &first).await;
    let again = store.swap(None, &first, Durability::Immediate).await.unwrap();
    assert_eq!(again, Swap::Lost(Some(first.clone())));
    let second = after(&first, &Patch::new().status(Status::Running));
    put(&store, Some(&first), &second).await;
    let stale = store.swap(Some(first.version()), &second, Durability::Eventual).await.unwrap();
    assert_eq!(stale, Swap::Lost(Some(second.clone())));
    assert_eq!(store.remove(first.id(), first.version()).await.unwrap(), Swap::Lost(Some(second.clone())));
    assert_eq!(
        store.swap(Some(first.version()), &new("b"), Durability::Immediate).await.unwrap(),
        Swap::Lost(None)
    );
    assert_eq!(store.remove(&id("b"), first.version()).await.unwrap(), Swap::Lost(None));
    remove(&store, &second).await;
    assert_eq!(store.load(second.id()).await.unwrap(), None);
    assert_eq!(store.remove(second.id(), second.version()).await.unwrap(), Swap::Lost(None));
}

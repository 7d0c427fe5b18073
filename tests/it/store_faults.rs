//! FAULTS 45, 46 and "against hollow green" (c): what a sync that waits or fails leaves to be seen.

use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use longrun::model::{Json, NewOperation, Operation, Patch, Query, Status};
use longrun::store::embedded::Embedded;
use longrun::store::{Change, Changes, Durability, Position, Store, StoreError, Swap};

use crate::support::{Control, Fault, Probe, after, clock, first, id, new, put, put_eventual, soon};

const ALL: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// Everything that answers, of the operations named `a` and `b`.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    a: Option<Operation>,
    b: Option<Operation>,
    completed: Vec<Operation>,
    running: Vec<Operation>,
    counts: [u64; 4],
    feed: Changes,
}

async fn look(store: &impl Store) -> Seen {
    let list = |status| Query::default_with(status);
    Seen {
        a: store.load(&id("a")).await.unwrap(),
        b: store.load(&id("b")).await.unwrap(),
        completed: store.page(&list(Status::Completed)).await.unwrap().items,
        running: store.page(&list(Status::Running)).await.unwrap().items,
        counts: {
            let counts = store.counts().await.unwrap();
            Status::ALL.map(|status| counts.of(status))
        },
        feed: store.changes(&Position::START, ALL).await.unwrap(),
    }
}

trait DefaultWith {
    fn default_with(status: Status) -> Self;
}

impl DefaultWith for Query {
    fn default_with(status: Status) -> Self {
        let mut query = Self::default();
        query.statuses = vec![status];
        query
    }
}

fn submit(
    store: &Arc<Embedded<Probe>>,
    expected: Option<&Operation>,
    next: &Operation,
    durability: Durability,
) -> tokio::task::JoinHandle<Result<Swap, StoreError>> {
    let (store, expected, next) = (Arc::clone(store), expected.map(Operation::version), next.clone());
    tokio::spawn(async move { store.swap(expected, &next, durability).await })
}

/// Against hollow green (c): with the sync held, everything says the old state; `Lost` and an Eventual
/// write on top wait; afterwards everything says the new one.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_shows_before_it_is_durable() {
    let control = Control::new();
    let store = Arc::new(control.open(clock()).await.unwrap());
    let running = after(&new("a"), &Patch::new().status(Status::Running));
    put(&*store, None, &running).await;
    let before = look(&*store).await;
    assert_eq!((before.counts, before.running.len()), ([0, 1, 0, 0], 1));

    control.shut();
    let done = after(&running, &Patch::complete(Json::new(&1).unwrap()));
    let end = submit(&store, Some(&running), &done, Durability::Immediate);
    control.wait_at_gate();
    let created = submit(&store, None, &new("b"), Durability::Immediate);
    // A loser that expected what readers still see must wait, or it would be told what it knows.
    let loser = after(&running, &Patch::fail(longrun::model::Failure::new("x", "y")));
    let lost = submit(&store, Some(&running), &loser, Durability::Immediate);
    // An Eventual write on top of an Immediate one that is not durable waits for it.
    let detailed = after(&new("b"), &Patch::new().detail("soon"));
    let mut hints = store.hints();
    tokio::task::yield_now().await;
    for _ in 0..100 {
        assert_eq!(look(&*store).await, before);
        tokio::task::yield_now().await;
    }
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(futures_core::Stream::poll_next(hints.as_mut(), &mut context).is_pending());
    assert!(!end.is_finished() && !created.is_finished() && !lost.is_finished());

    control.open_gate();
    assert_eq!(soon("the end", end).await.unwrap().unwrap(), Swap::Stored);
    assert_eq!(soon("the loser", lost).await.unwrap().unwrap(), Swap::Lost(Some(done.clone())));
    assert_eq!(soon("the create", created).await.unwrap().unwrap(), Swap::Stored);
    let now = look(&*store).await;
    assert_eq!((now.a, now.b), (Some(done.clone()), Some(new("b"))));
    assert_eq!((now.completed, now.running, now.counts), (vec![done.clone()], vec![], [1, 0, 1, 0]));
    assert_eq!(now.feed.items, [Change::Updated(done), Change::Updated(new("b"))]);

    // The same for what waits on top.
    control.shut();
    let started = after(&new("b"), &Patch::new().status(Status::Running));
    let start = submit(&store, Some(&new("b")), &started, Durability::Immediate);
    control.wait_at_gate();
    let beat = after(&started, &Patch::new().progress(10));
    let beaten = submit(&store, Some(&started), &beat, Durability::Eventual);
    for _ in 0..100 {
        assert_eq!(store.load(&id("b")).await.unwrap(), Some(new("b")));
        tokio::task::yield_now().await;
    }
    assert!(!beaten.is_finished());
    drop(detailed);
    control.open_gate();
    soon("the start", start).await.unwrap().unwrap();
    soon("the beat", beaten).await.unwrap().unwrap();
    assert_eq!(store.load(&id("b")).await.unwrap(), Some(beat));
}

/// A deletion and a re-creation, held: the old operation stays to be seen, then the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_shows_when_it_is_durable() {
    let control = Control::new();
    let store = Arc::new(control.open(clock()).await.unwrap());
    put(&*store, None, &new("a")).await;
    let before = look(&*store).await;
    control.shut();
    let gone = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.remove(&id("a"), new("a").version()).await }
    });
    control.wait_at_gate();
    let again = first(&NewOperation::untyped(), "a", 8, "2026-05-04T12:00:00Z");
    let created = submit(&store, None, &again, Durability::Eventual);
    for _ in 0..100 {
        assert_eq!(look(&*store).await, before);
        tokio::task::yield_now().await;
    }
    control.open_gate();
    assert_eq!(soon("the removal", gone).await.unwrap().unwrap(), Swap::Stored);
    assert_eq!(soon("the creation", created).await.unwrap().unwrap(), Swap::Stored);
    let now = look(&*store).await;
    assert_eq!((now.a, now.counts), (Some(again.clone()), [1, 0, 0, 0]));
    // The feed tells what is durable: the creation with the next group at the latest.
    put(&*store, None, &new("b")).await;
    assert_eq!(look(&*store).await.feed.items, [again, new("b")].map(Change::Updated));
}

/// A caller that is dropped leaves the record before or the record after.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_caller_tears_nothing() {
    let control = Control::new();
    let store = Arc::new(control.open(clock()).await.unwrap());
    control.shut();
    let write = submit(&store, None, &new("a"), Durability::Immediate);
    control.wait_at_gate();
    write.abort();
    assert!(soon("the abort", write).await.unwrap_err().is_cancelled());
    assert_eq!(store.load(&id("a")).await.unwrap(), None);
    control.open_gate();
    soon("close", store.close()).await.unwrap();
    let store = control.open(clock()).await.unwrap();
    assert_eq!(store.load(&id("a")).await.unwrap(), Some(new("a")));
    assert_eq!(soon("verify", store.verify()).await.unwrap().problems, [""; 0]);
}

/// FAULTS 45: after a failed sync nothing of its group shows, writes are refused, reads go on, and only
/// the host's reopening ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_makes_the_store_read_only() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    let running = after(&new("a"), &Patch::new().status(Status::Running));
    put(&store, None, &running).await;
    let before = look(&store).await;
    control.fault(Some(Fault::Sync(ErrorKind::Other)));
    let done = after(&running, &Patch::complete(None::<Json>));
    let error = soon("the end", store.swap(Some(running.version()), &done, Durability::Immediate)).await;
    assert!(matches!(error, Err(StoreError::Unavailable { definite: false, .. })), "{error:?}");
    control.fault(None);
    let syncs = control.syncs();
    for next in [&done, &new("b")] {
        let expected = (next.id() == running.id()).then(|| running.version());
        let error = soon("a later write", store.swap(expected, next, Durability::Immediate)).await;
        assert!(matches!(error, Err(StoreError::Unavailable { definite: true, .. })), "{error:?}");
    }
    assert_eq!(look(&store).await, before);
    assert_eq!(control.syncs(), syncs, "a failed sync must not be tried again");
    soon("close", store.close()).await.unwrap();
    let store = control.open(clock()).await.unwrap();
    // Indefinite: it is the one or the other, and all answers agree.
    let now = look(&store).await;
    assert!([Some(running), Some(done)].contains(&now.a), "{now:?}");
    assert_eq!(now.counts.iter().sum::<u64>(), 1);
    assert_eq!(soon("verify", store.verify()).await.unwrap().problems, [""; 0]);
}

/// FAULTS 46: a full disk refuses writes, reads go on even while it cannot be opened again, and with room
/// the store takes writes without being reopened by the host.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_recovers_when_it_has_room() {
    for fault in [Fault::Sync(ErrorKind::StorageFull), Fault::Put(ErrorKind::StorageFull)] {
        let (control, clock) = (Control::new(), clock());
        let store = control.open(clock.clone()).await.unwrap();
        let opened = store.opened();
        put(&store, None, &new("a")).await;
        put_eventual(&store, Some(&new("a")), &after(&new("a"), &Patch::new().detail("x"))).await;
        control.fault(Some(fault));
        let error = soon("the write", store.swap(None, &new("b"), Durability::Immediate)).await;
        assert!(matches!(error, Err(StoreError::Unavailable { .. })), "{error:?}");
        for _ in 0..3 {
            clock.advance(Duration::from_secs(2));
            let error = soon("a later write", store.swap(None, &new("b"), Durability::Immediate)).await;
            assert!(matches!(error, Err(StoreError::Unavailable { definite: true, .. })), "{error:?}");
            // Behind the attempt to open again, which the thread makes before it verifies.
            soon("verify", store.verify()).await.unwrap();
            let read = store.load(&id("a")).await;
            assert!(read.as_ref().is_ok_and(Option::is_some), "reads must go on: {read:?}");
            assert_eq!(store.load(&id("b")).await.unwrap(), None);
            assert_eq!(store.counts().await.unwrap().total(), 1);
        }
        control.fault(None);
        let mut stored = None;
        for _ in 0..1_000 {
            clock.advance(Duration::from_secs(2));
            match soon("a write with room", store.swap(None, &new("c"), Durability::Immediate)).await {
                Ok(swap) => {
                    stored = Some(swap);
                    break;
                }
                Err(_) => drop(soon("verify", store.verify()).await),
            }
        }
        assert_eq!(stored, Some(Swap::Stored), "the store must recover");
        assert_eq!(store.opened().store, opened.store);
        assert!(store.opened().instance > opened.instance, "a write after it must not repeat a version");
        assert_eq!(soon("verify", store.verify()).await.unwrap().problems, [""; 0]);
    }
}

/// What is changed below a store, given records of its ids that it did not write.
type Plant = fn(&Control, &dyn Fn(&str) -> (Vec<u8>, Vec<u8>));

/// `verify` reads the engine anew: it names what was changed below the store.
#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_was_changed_below() {
    use longrun::store::embedded::Engine;
    use longrun::store::record::{self, Entry, Record};
    let other = |name: &str| {
        let failed = after(
            &after(&new(name), &Patch::new().status(Status::Running)),
            &Patch::fail(longrun::model::Failure::new("x", "y")),
        );
        (record::key(&id(name)), record::encode(&Record::new(1 << 33, Entry::Live(failed))).unwrap())
    };
    let plants: [(&str, Plant); 6] = [
        ("record b", |control, _| control.bytes.purge(&record::key(&id("b"))).unwrap()),
        ("record b", |control, _| {
            let key = record::key(&id("b"));
            let mut bytes = control.bytes.get(&key).unwrap().unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            control.bytes.put(&key, &bytes).unwrap();
        }),
        ("record b", |control, other| {
            let (key, bytes) = other("b");
            control.bytes.put(&key, &bytes).unwrap();
        }),
        ("record d", |control, other| {
            let (key, bytes) = other("d");
            control.bytes.put(&key, &bytes).unwrap();
        }),
        ("record c", |control, _| {
            let bytes = control.bytes.get(&record::key(&id("b"))).unwrap().unwrap();
            control.bytes.put(&record::key(&id("c")), &bytes).unwrap();
        }),
        ("own record", |control, _| control.bytes.purge(b"\0longrun").unwrap()),
    ];
    for (named, plant) in plants {
        let control = Control::new();
        let store = control.open(clock()).await.unwrap();
        for name in ["a", "b", "c"] {
            put(&store, None, &new(name)).await;
        }
        assert_eq!(soon("verify", store.verify()).await.unwrap().problems, [""; 0]);
        plant(&control, &other);
        let problems = soon("verify", store.verify()).await.unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(named)), "{named}: {problems:?}");
        assert!(problems.iter().all(|problem| !problem.contains("record a")), "{named}: {problems:?}");
    }
}

/// A list once failed as a whole where one record on its page could not be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_names_what_it_cannot_read_and_serves_the_others() {
    use longrun::store::embedded::Engine;
    use longrun::store::record;
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    for name in ["a", "b", "c"] {
        // What has ended is not kept in memory.
        put(&store, None, &new(name)).await;
        put(&store, Some(&new(name)), &after(&new(name), &Patch::cancel())).await;
    }
    let key = record::key(&id("b"));
    let whole = control.bytes.get(&key).unwrap().unwrap();
    let mut spoilt = whole.clone();
    *spoilt.last_mut().unwrap() ^= 1;
    control.bytes.put(&key, &spoilt).unwrap();
    let names = |page: &longrun::model::Page| -> Vec<String> {
        page.items.iter().map(|operation| operation.id().to_string()).collect()
    };
    assert_eq!(store.health().unreadable, 0, "nobody has met it");
    for _ in 0..2 {
        let page = store.page(&longrun::model::Query::default()).await.unwrap();
        assert_eq!((names(&page), page.unreadable), (vec!["a".to_owned(), "c".into()], vec![id("b")]));
        assert_eq!(store.health().unreadable, 1);
    }
    assert!(matches!(store.load(&id("b")).await, Err(StoreError::Corrupt(what)) if what.contains("record b")));
    let problems = soon("verify", store.verify()).await.unwrap().problems;
    assert!(problems.iter().any(|problem| problem.contains("record b")), "{problems:?}");
    control.bytes.put(&key, &whole).unwrap();
    let page = store.page(&longrun::model::Query::default()).await.unwrap();
    assert_eq!((names(&page).len(), page.unreadable), (3, vec![]));
    assert_eq!(store.health().unreadable, 0, "it was read since");
}

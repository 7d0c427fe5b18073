//! The feed over deletions: nothing that was deleted is forgotten before its reader was told.

use std::num::NonZeroU32;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use longrun::Status;
use longrun::model::{NewOperation, Patch};
use longrun::store::embedded::{Embedded, Engine, EngineError, Visit};
use longrun::store::{Change, Durability, Position, Store, StoreError, Swap};

use crate::support::{Control, Fault, HANG, Probe, after, clock, first, id, new, put, put_eventual, remove, soon};

const ALL: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// With every newest place purged, the feed of a reopened store once ended before what it had purged, and
/// a reader from the start was told that its position had expired.
#[tokio::test(flavor = "multi_thread")]
async fn a_purged_end_expires_no_reader_from_the_start() {
    let (control, clock) = (Control::new(), clock());
    let store = control.open(clock.clone()).await.unwrap();
    let gone = new("gone");
    put(&store, None, &gone).await;
    let seen = store.changes(&Position::START, ALL).await.unwrap();
    remove(&store, &gone).await;
    store.close().await.unwrap();
    clock.advance(Duration::from_hours(25));
    for _ in 0..2 {
        let store = control.open(clock.clone()).await.unwrap();
        assert_eq!(soon("verify", store.verify()).await.unwrap().records, 0);
        let start = store.changes(&Position::START, ALL).await.unwrap();
        assert_eq!(start.items, []);
        assert!(start.at_end);
        // Who saw it alive and not its end is told.
        let expired = store.changes(&seen.next, ALL).await;
        assert!(matches!(expired, Err(StoreError::PositionExpired)), "{expired:?}");
        put(&store, None, &new("next")).await;
        let next = store.changes(&start.next, ALL).await.unwrap();
        assert_eq!(next.items, [Change::Updated(new("next"))]);
        remove(&store, &new("next")).await;
        store.close().await.unwrap();
        clock.advance(Duration::from_hours(25));
    }
}

/// A deletion was once left out while its re-creation was on its way to the disk: had that failed, the
/// reader would never have heard of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_shows_while_its_re_creation_is_on_its_way() {
    let control = Control::new();
    let store = std::sync::Arc::new(control.open(clock()).await.unwrap());
    let old = new("a");
    put(&*store, None, &old).await;
    let seen = store.changes(&Position::START, ALL).await.unwrap().next;
    remove(&*store, &old).await;
    control.shut();
    let again = first(&NewOperation::untyped(), "a", 8, "2026-05-04T12:00:00Z");
    let write = tokio::spawn({
        let (store, again) = (store.clone(), again.clone());
        async move { store.swap(None, &again, Durability::Immediate).await }
    });
    control.wait_at_gate();
    let told = store.changes(&seen, ALL).await.unwrap();
    assert!(
        matches!(&*told.items, [Change::Deleted { id: of, version, .. }] if *of == id("a") && *version == old.version()),
        "{told:?}"
    );
    assert!(told.at_end);
    control.open_gate();
    soon("the write", write).await.unwrap().unwrap();
    let told = store.changes(&told.next, ALL).await.unwrap();
    assert_eq!(told.items, [Change::Updated(again)]);
}

/// A position is its store's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_is_valid_in_its_store_alone() {
    let store = Control::new().open(clock()).await.unwrap();
    let other = Control::new().open(clock()).await.unwrap();
    put(&store, None, &new("a")).await;
    let next = store.changes(&Position::START, ALL).await.unwrap().next;
    assert_eq!(next.store(), store.opened().store);
    assert!(matches!(other.changes(&next, ALL).await, Err(StoreError::PositionExpired)));
}

/// What was printed is read, and nothing else is.
#[test]
fn positions_are_read_as_they_are_printed() {
    for position in [Position::START, Position::new(1, 2, 3), Position::new(u64::MAX, u64::MAX, u64::MAX)] {
        assert_eq!(position.to_string().parse(), Ok(position));
    }
    for bad in [
        "",
        "1-2",
        "1-2-3-4",
        "1-2-",
        "A-2-3",
        "01-2-3",
        "+1-2-3",
        "1-2-10000000000000000",
        "0-5-0",
        "0-0-3",
        "g-0-0",
    ] {
        assert!(bad.parse::<Position>().is_err(), "{bad}");
    }
}

/// An engine whose `get` shows what was synced and nothing else, as a journal's does: a moment before the worker hears of it.
#[derive(Debug)]
struct SyncedOnly {
    probe: Probe,
    control: Control,
    staged: Mutex<Vec<Staged>>,
    reads: Arc<Hold>,
}

/// A key, and its value or that it goes.
type Staged = (Vec<u8>, Option<Vec<u8>>);

impl Engine for SyncedOnly {
    const SHOWS_SYNCED_ONLY: bool = true;

    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        self.probe.replay(visit)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.reads.pass();
        self.probe.get(key)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.staged.lock().unwrap().push((key.to_vec(), Some(value.to_vec())));
        Ok(())
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.staged.lock().unwrap().push((key.to_vec(), None));
        Ok(())
    }

    fn sync(&self) -> Result<(), EngineError> {
        for (key, value) in std::mem::take(&mut *self.staged.lock().unwrap()) {
            match value {
                Some(value) => self.control.bytes.put(&key, &value)?,
                None => self.control.bytes.purge(&key)?,
            }
        }
        self.probe.sync()
    }
}

async fn synced_only(control: &Control, reads: &Arc<Hold>) -> Embedded<SyncedOnly> {
    let (control, reads) = (control.clone(), Arc::clone(reads));
    let engine = move || {
        let (probe, staged) = (control.engine()?, Mutex::default());
        Ok(SyncedOnly { probe, control: control.clone(), staged, reads: Arc::clone(&reads) })
    };
    Embedded::open(engine, clock(), true).await.unwrap()
}

/// An Eventual write that replaces what the feed's place holds is no news before it is durable, and nobody
/// goes on past that place meanwhile: a crash may bring back what was written there.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_past_what_is_being_overwritten() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    goes_not_past_what_is_being_overwritten(&control, Arc::new(store)).await;
}

/// What is synced and not shown yet is told at a later place: the place before it is not the feed's end. A reader
/// that was told so did not know of an operation that had been acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn the_feed_does_not_end_before_what_is_being_shown() {
    let control = Control::new();
    let store = synced_only(&control, &Arc::default()).await;
    goes_not_past_what_is_being_overwritten(&control, Arc::new(store)).await;
}

async fn goes_not_past_what_is_being_overwritten<E: Engine>(control: &Control, store: Arc<Embedded<E>>) {
    let (before, old) = (new("before"), new("a"));
    put(&*store, None, &before).await;
    put(&*store, None, &old).await;
    control.shut();
    let next = after(&old, &Patch::new().status(Status::Running));
    put_eventual(&*store, Some(&old), &next).await;
    let other = tokio::spawn({
        let store = store.clone();
        async move { store.swap(None, &new("other"), Durability::Immediate).await }
    });
    control.wait_at_gate();
    let told = store.changes(&Position::START, ALL).await.unwrap();
    assert_eq!(told.items, [Change::Updated(before)]);
    assert!(!told.at_end);
    // A reader that has nothing else to be told waits for it.
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.changes(&told.next, ALL).await })
    };
    control.open_gate();
    assert_eq!(soon("the other write", other).await.unwrap().unwrap(), Swap::Stored);
    let told = soon("the feed", waiting).await.unwrap().unwrap();
    assert_eq!(told.items, [next, new("other")].map(Change::Updated));
}

/// Where a sync has failed, what was being overwritten is neither shown nor given up: a reader hears why, and does
/// not wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn the_feed_of_a_store_that_failed_says_so() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    let old = new("a");
    put(&store, None, &old).await;
    control.fault(Some(Fault::Sync(std::io::ErrorKind::Other)));
    put_eventual(&store, Some(&old), &after(&old, &Patch::new().status(Status::Running))).await;
    assert!(soon("another write", store.swap(None, &new("other"), Durability::Immediate)).await.is_err());
    let told = soon("the feed", store.changes(&Position::START, ALL)).await;
    assert!(matches!(told, Err(StoreError::Unavailable { .. })), "{told:?}");
}

/// What was deleted after its place was looked up is told at its new place, so the read that looked is not the end.
#[tokio::test(flavor = "multi_thread")]
async fn the_feed_does_not_end_where_something_moved_on() {
    let reads = Arc::new(Hold::default());
    let store = Arc::new(synced_only(&Control::new(), &reads).await);
    let created = new("a");
    put(&*store, None, &created).await;
    // What has ended is not in memory: the feed reads the engine.
    let ended = after(&created, &Patch::cancel());
    put(&*store, Some(&created), &ended).await;
    reads.shut(true);
    let reading = {
        let store = store.clone();
        tokio::spawn(async move { store.changes(&Position::START, ALL).await })
    };
    reads.wait();
    remove(&*store, &ended).await;
    reads.shut(false);
    let told = soon("the feed", reading).await.unwrap().unwrap();
    assert_eq!((&*told.items, told.at_end), (&[][..], false));
    let told = store.changes(&told.next, ALL).await.unwrap();
    assert!(matches!(&*told.items, [Change::Deleted { .. }]) && told.at_end, "{told:?}");
}

/// Where reads of an engine are held up.
#[derive(Debug, Default)]
struct Hold {
    /// Whether it is shut, and whether somebody stands at it.
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Hold {
    fn shut(&self, shut: bool) {
        self.state.lock().unwrap().0 = shut;
        self.changed.notify_all();
    }

    /// Blocks until a read stands here.
    fn wait(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_timeout_while(state, HANG, |state| !state.1).unwrap());
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 |= state.0;
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(state, HANG, |state| state.0).unwrap());
    }
}

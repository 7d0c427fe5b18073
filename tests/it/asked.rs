//! What was read last stays in memory: it is not read again, never stale, and not for ever.

use longrun::model::{Failure, Json, Operation, Patch, Status};
use longrun::store::embedded::{Embedded, Engine};
use longrun::store::{Store, StoreError, record};

use crate::support::{Control, Probe, after, clock, first, id, new, put, remove};

/// An operation that has ended: no writer will want it.
async fn ended(store: &Embedded<Probe>, name: &str) -> Operation {
    let created = new(name);
    put(store, None, &created).await;
    let failed = after(&created, &Patch::cancel());
    put(store, Some(&created), &failed).await;
    failed
}

fn spoil(control: &Control, name: &str) {
    let key = record::key(&id(name));
    let mut bytes = control.bytes.get(&key).unwrap().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    control.bytes.put(&key, &bytes).unwrap();
}

#[tokio::test]
async fn what_was_read_is_not_read_again() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    let (read, unread) = (ended(&store, "read").await, ended(&store, "unread").await);
    assert_eq!(store.load(read.id()).await.unwrap().as_ref(), Some(&read));
    spoil(&control, "read");
    spoil(&control, "unread");
    assert_eq!(store.load(read.id()).await.unwrap().as_ref(), Some(&read));
    assert!(matches!(store.load(unread.id()).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn what_was_read_is_shown_no_longer_than_it_stands() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    let before = ended(&store, "a").await;
    assert_eq!(store.load(before.id()).await.unwrap().as_ref(), Some(&before));
    remove(&store, &before).await;
    assert_eq!(store.load(before.id()).await.unwrap(), None);
    let again = first(&longrun::NewOperation::untyped(), "a", 8, "2026-05-04T12:00:02Z");
    put(&store, None, &again).await;
    assert_eq!(store.load(before.id()).await.unwrap(), Some(again));
}

#[tokio::test]
async fn what_was_read_long_ago_is_forgotten() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    let first = ended(&store, "first").await;
    assert!(store.load(first.id()).await.unwrap().is_some());
    spoil(&control, "first");
    for number in 0..2 * 2_048 {
        let other = ended(&store, &format!("o{number}")).await;
        assert!(store.load(other.id()).await.unwrap().is_some());
    }
    assert!(matches!(store.load(first.id()).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn what_is_long_is_not_kept() {
    let control = Control::new();
    let store = control.open(clock()).await.unwrap();
    let created = new("long");
    let long = Failure::new("code", "message").details(Json::new(&"x".repeat(5_000)).unwrap());
    let running = after(&created, &Patch::new().status(Status::Running));
    put(&store, None, &created).await;
    put(&store, Some(&created), &running).await;
    put(&store, Some(&running), &after(&running, &Patch::fail(long))).await;
    assert!(store.load(created.id()).await.unwrap().is_some());
    spoil(&control, "long");
    assert!(matches!(store.load(created.id()).await, Err(StoreError::Corrupt(_))));
}

//! Records to write, made by the model's own functions.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longrun::model::{Applied, NewOperation, Operation, OperationId, Patch, Rules, Timestamp};
use longrun::store::{Counts, Durability, PostgresOptions, PostgresStore, Store, Swap};
use longrun::{Failure, Status};

static BIRTH: AtomicU64 = AtomicU64::new(1);

pub(crate) fn id(text: &str) -> OperationId {
    text.parse().unwrap()
}

pub(crate) fn at(tick: i64) -> Timestamp {
    Timestamp::new(638_000_000_000_000_000 + tick, 60).unwrap()
}

pub(crate) fn limit(limit: u32) -> NonZeroU32 {
    NonZeroU32::new(limit).unwrap()
}

/// While all are taken, what is asked of the store waits.
pub(crate) async fn all_connections(pool: &sqlx::PgPool) -> Vec<sqlx::pool::PoolConnection<sqlx::Postgres>> {
    let mut taken = Vec::new();
    while taken.len() < pool.options().get_max_connections() as usize {
        taken.push(pool.acquire().await.unwrap());
    }
    taken
}

/// A store that waits for locked rows for as long as it takes: a machine that stands still is no failure.
pub(crate) async fn patient(pool: &sqlx::PgPool) -> PostgresStore {
    let options = PostgresOptions::default().patience(Duration::from_hours(1));
    PostgresStore::connect_with(pool.clone(), options).await.unwrap()
}

/// The first record of an operation.
pub(crate) fn first(store: &PostgresStore, name: &str, new: NewOperation, tick: i64) -> Operation {
    let rules = Rules::new(store.opened().instance);
    Operation::new(&new.id(id(name)), id(name), BIRTH.fetch_add(1, Ordering::Relaxed), &rules, at(tick)).unwrap()
}

/// The record after a patch.
pub(crate) fn next(store: &PostgresStore, operation: &Operation, patch: &Patch, tick: i64) -> Operation {
    match operation.apply(patch, &Rules::new(store.opened().instance), at(tick)).unwrap() {
        Applied::Changed { next, .. } => next,
        other => panic!("no next record: {other:?}"),
    }
}

pub(crate) fn run() -> Patch {
    Patch::new().status(Status::Running)
}

pub(crate) fn fail() -> Patch {
    Patch::fail(Failure::new("failed", "it broke"))
}

pub(crate) async fn create(store: &PostgresStore, name: &str, new: NewOperation, tick: i64) -> Operation {
    let operation = first(store, name, new, tick);
    assert_eq!(store.swap(None, &operation, Durability::Immediate).await.unwrap(), Swap::Stored);
    operation
}

pub(crate) async fn change(store: &PostgresStore, operation: &Operation, patch: &Patch, tick: i64) -> Operation {
    let next = next(store, operation, patch, tick);
    let swap = store.swap(Some(operation.version()), &next, Durability::Immediate).await.unwrap();
    assert_eq!(swap, Swap::Stored);
    next
}

/// Nothing is wrong, and the counts are these: by status, of all types.
pub(crate) async fn sound(store: &PostgresStore, expected: [u64; 4]) {
    let report = store.verify().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(by_status(&store.counts().await.unwrap()), expected);
}

pub(crate) fn by_status(counts: &Counts) -> [u64; 4] {
    Status::ALL.map(|status| counts.of(status))
}

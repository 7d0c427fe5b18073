//! What the store tells of itself. It once reported no groups, and no writes on their way.

use std::sync::Arc;
use std::time::Duration;

use longrun::clock::ManualClock;
use longrun::model::NewOperation;
use longrun::store::{Durability, PostgresOptions, PostgresStore, Store, StoreHealth, Swap};
use longrun_checks_postgres::Server;
use sqlx::PgPool;

use crate::support::{all_connections, change, create, first, next, run, sound};

/// A clock that only the test moves, and a store by it that waits for locked rows as long as it takes.
async fn by_clock(pool: &PgPool) -> (ManualClock, PostgresStore) {
    let clock = ManualClock::new("2026-05-04T12:00:00+02:00".parse().unwrap());
    let options = PostgresOptions::default().clock(Arc::new(clock.clone())).patience(Duration::from_hours(1));
    (clock, PostgresStore::connect_with(pool.clone(), options).await.unwrap())
}

/// Writes without an answer and the age of the oldest; groups and how long they took.
fn seen(health: &StoreHealth) -> (u64, Duration, u64, Duration) {
    (health.unflushed, health.flush_lag, health.groups, health.group_time)
}

/// Of a pool of eight connections.
const LANES: u64 = 2;
const NOTHING: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_waits_is_told_of_and_so_is_how_long_it_took() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let (clock, store) = by_clock(&pool).await;
    assert_eq!(seen(&store.health()), (0, NOTHING, 0, NOTHING));
    let held = create(&store, "held", NewOperation::new("export"), 0).await;
    let free = create(&store, "free", NewOperation::new("export"), 0).await;
    assert_eq!(seen(&store.health()), (0, NOTHING, 2, NOTHING), "each was awaited: a group each");

    let mut user = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM longrun.operation WHERE id = 'held' FOR UPDATE").execute(&mut *user).await.unwrap();
    let wanted = next(&store, &held, &run(), 1);
    let swap = tokio::spawn({
        let (store, expected) = (store.clone(), Some(held.version()));
        async move { store.swap(expected, &wanted, Durability::Immediate).await.unwrap() }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&pool).await.unwrap() == 0 {}
    clock.advance(Duration::from_secs(5));
    assert_eq!(seen(&store.health()), (1, Duration::from_secs(5), 2, NOTHING));
    // What others write meanwhile is counted by itself.
    change(&store, &free, &run(), 1).await;
    assert_eq!(seen(&store.health()), (1, Duration::from_secs(5), 3, NOTHING));
    user.rollback().await.unwrap();
    assert_eq!(swap.await.unwrap(), Swap::Stored);
    assert_eq!(seen(&store.health()), (0, NOTHING, 4, Duration::from_secs(5)));
    assert_eq!(store.health().durability, "commit");
    sound(&store, [0, 2, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_many_writes_is_one_group_and_one_of_losers_none() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let (_, store) = by_clock(&pool).await;
    let held = create(&store, "held", NewOperation::new("export"), 0).await;
    // While there is no connection to be had, all that come wait together.
    let taken = all_connections(&pool).await;
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..200 {
        let (store, new) = (store.clone(), first(&store, &format!("op{number}"), NewOperation::new("export"), 1));
        writes.spawn(async move { store.swap(None, &new, Durability::Immediate).await.unwrap() });
    }
    while store.health().unflushed < 200 {
        tokio::task::yield_now().await;
    }
    let before = store.health().groups;
    drop(taken);
    for outcome in writes.join_all().await {
        assert_eq!(outcome, Swap::Stored);
    }
    // Each lane has some in hand before the others come, and the first that is free takes the rest.
    let made = store.health().groups;
    assert!((1..=1 + LANES).contains(&(made - before)), "{made} after {before}");

    let ours = change(&store, &held, &run(), 1).await;
    let late = next(&store, &held, &run(), 2);
    let lost = store.swap(Some(held.version()), &late, Durability::Immediate).await.unwrap();
    assert_eq!(lost, Swap::Lost(Some(ours)));
    assert_eq!(store.health().groups, made + 1, "the loser wrote nothing");
    sound(&store, [200, 1, 0, 0]).await;
}

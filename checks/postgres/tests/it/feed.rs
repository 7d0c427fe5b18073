//! The feed: nothing missed, in order of commits, with transactions held open; its purge; hints.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures_core::Stream;
use longrun::model::{NewOperation, OperationId, Version};
use longrun::store::{Change, Durability, Hint, Position, PostgresStore, Store, StoreError, Swap};
use longrun_checks_postgres::Server;

use crate::support::{change, create, first, id, limit, next, run, sound};

/// What a reader knows who follows the feed.
#[derive(Debug, Default)]
struct Reader {
    known: BTreeMap<OperationId, Version>,
    at: Option<Position>,
}

impl Reader {
    /// Reads up to the end, `step` at a time; how many items there were.
    async fn catch_up(&mut self, store: &PostgresStore, step: u32) -> usize {
        let mut seen = 0;
        loop {
            let after = self.at.unwrap_or(Position::START);
            let changes = store.changes(&after, limit(step)).await.unwrap();
            seen += changes.items.len();
            for change in changes.items {
                match change {
                    Change::Updated(operation) => self.known.insert(operation.id().clone(), operation.version()),
                    Change::Deleted { id, .. } => self.known.remove(&id),
                    other => panic!("{other:?}"),
                };
            }
            // As a client keeps it: as text.
            self.at = Some(changes.next.to_string().parse().unwrap());
            if changes.at_end {
                return seen;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_start_it_is_the_snapshot_and_then_the_changes() {
    let server = Server::start();
    let store = PostgresStore::connect(server.pool(6).await).await.unwrap();
    let mut kept = Vec::new();
    for number in 0..7 {
        kept.push(create(&store, &format!("op{number}"), NewOperation::new("export"), number).await);
    }
    kept[0] = change(&store, &kept[0], &run(), 10).await;
    assert_eq!(store.remove(&id("op6"), kept[6].version()).await.unwrap(), Swap::Stored);
    kept.pop();

    let mut reader = Reader::default();
    assert_eq!(reader.catch_up(&store, 2).await, 7, "six operations and a tombstone, each once");
    let expected = |kept: &[longrun::Operation]| kept.iter().map(|op| (op.id().clone(), op.version())).collect();
    assert_eq!(reader.known, expected(&kept));
    assert_eq!(reader.catch_up(&store, 2).await, 0);

    kept[3] = change(&store, &kept[3], &run(), 11).await;
    kept.push(create(&store, "op6", NewOperation::new("export"), 12).await);
    assert_eq!(reader.catch_up(&store, 100).await, 2);
    assert_eq!(reader.known, expected(&kept));
    sound(&store, [5, 2, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_held_open_delays_the_feed_and_loses_nothing() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let mut reader = Reader::default();
    reader.catch_up(&store, 10).await;

    // It takes its number now and commits last.
    let mut slow = pool.begin().await.unwrap();
    let early = first(&store, "early", NewOperation::new("export"), 1);
    assert_eq!(store.swap_in(&mut slow, None, &early).await.unwrap(), Swap::Stored);
    let late = create(&store, "late", NewOperation::new("export"), 2).await;

    let waiting = store.changes(&reader.at.unwrap(), limit(10)).await.unwrap();
    assert_eq!(waiting.items, [], "a later number must not overtake an open transaction");
    assert!(waiting.behind > 0, "the feed says that it waits");
    assert_eq!(reader.catch_up(&store, 10).await, 0);
    // Reading by id does not wait.
    assert_eq!(store.load(&id("late")).await.unwrap(), Some(late));

    slow.commit().await.unwrap();
    assert_eq!(reader.catch_up(&store, 1).await, 2);
    assert_eq!(reader.known.keys().map(ToString::to_string).collect::<Vec<_>>(), ["early", "late"]);
    assert_eq!(store.changes(&reader.at.unwrap(), limit(10)).await.unwrap().behind, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_at_any_pace_miss_nothing_of_many_writers() {
    let server = Server::start();
    let pool = server.pool(16).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let other = PostgresStore::connect(pool.clone()).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..12_i64 {
        let store = if writer % 2 == 0 { store.clone() } else { other.clone() };
        let pool = pool.clone();
        writers.spawn(async move {
            for step in 0..40 {
                let name = format!("op{writer}-{}", step % 10);
                match store.load(&id(&name)).await.unwrap() {
                    None => drop(create(&store, &name, NewOperation::new("export"), step).await),
                    Some(operation) if step % 3 == 0 => {
                        assert_eq!(store.remove(operation.id(), operation.version()).await.unwrap(), Swap::Stored);
                    }
                    Some(operation) => {
                        let next = next(&store, &operation, &longrun::Patch::new().detail(format!("{step}")), step);
                        let mut transaction = pool.begin().await.unwrap();
                        let swap = store.swap_in(&mut transaction, Some(operation.version()), &next).await.unwrap();
                        assert_eq!(swap, Swap::Stored);
                        tokio::task::yield_now().await;
                        transaction.commit().await.unwrap();
                    }
                }
            }
        });
    }
    let mut reader = Reader::default();
    while !writers.is_empty() {
        reader.catch_up(&store, 7).await;
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
    }
    reader.catch_up(&store, 7).await;
    let mut fresh = Reader::default();
    fresh.catch_up(&other, 1_000).await;
    assert!(fresh.known.len() >= 12);
    assert_eq!(reader.known, fresh.known);
    for (id, version) in &fresh.known {
        assert_eq!(store.load(id).await.unwrap().unwrap().version(), *version);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_tombstone_expires_the_positions_that_needed_it() {
    let server = Server::start();
    let pool = server.pool(6).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let gone = create(&store, "gone", NewOperation::new("export"), 1).await;
    let before = store.changes(&Position::START, limit(10)).await.unwrap().next;
    assert_eq!(store.remove(gone.id(), gone.version()).await.unwrap(), Swap::Stored);
    let after = store.changes(&before, limit(10)).await.unwrap();
    assert_eq!(after.items, [Change::Deleted { id: id("gone"), version: gone.version() }]);

    // A day later, by the database's clock.
    let day = "UPDATE longrun.operation SET deleted = deleted - interval '25 hours' WHERE status = -1";
    assert_eq!(sqlx::query(day).execute(&pool).await.unwrap().rows_affected(), 1);
    store.maintain_now().await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM longrun.operation").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0);
    let expired = store.changes(&before, limit(10)).await.unwrap_err();
    assert!(matches!(expired, StoreError::PositionExpired), "{expired:?}");
    assert_eq!(store.changes(&after.next, limit(10)).await.unwrap().items, []);
    assert_eq!(store.changes(&Position::START, limit(10)).await.unwrap().items, []);
    // Of another store, and from the future.
    for wrong in [Position::new(before.store() ^ 1, 0, 0), Position::new(before.store(), u64::MAX >> 1, 0)] {
        let expired = store.changes(&wrong, limit(10)).await.unwrap_err();
        assert!(matches!(expired, StoreError::PositionExpired), "{expired:?}");
    }
    sound(&store, [0; 4]).await;
}

async fn hint(hints: &mut Pin<Box<dyn Stream<Item = Hint> + Send>>) -> Option<Hint> {
    std::future::poll_fn(|context| hints.as_mut().poll_next(context)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_tell_of_this_process_and_of_others_with_and_without_notifications() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let other = PostgresStore::connect(pool.clone()).await.unwrap();
    let mut hints = store.hints();
    let stop_listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    // A transaction that somebody holds open holds up the feed, and must not hold up hints.
    let mut held = pool.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()::text").execute(&mut *held).await.unwrap();
    for (round, writer) in (0..).zip([&store, &other, &other, &store, &other]) {
        let name = format!("op{round}");
        create(writer, &name, NewOperation::new("export"), round).await;
        // Until the hint of this one: "any" may come too.
        while hint(&mut hints).await.unwrap() != Some(id(&name)) {}
        if round == 1 {
            sqlx::query(stop_listeners).execute(&pool).await.unwrap();
        }
    }
    held.rollback().await.unwrap();
    store.close().await.unwrap();
    while hint(&mut hints).await.is_some() {}
    let late = first(&other, "late", NewOperation::new("export"), 9);
    assert_eq!(other.swap(None, &late, Durability::Immediate).await.unwrap(), Swap::Stored);
}

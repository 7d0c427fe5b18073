//! One key, one operation: across processes, inside a user's transaction, and in schemas made before there
//! were keys.

use std::collections::BTreeSet;

use longrun::model::{NewOperation, Patch, Query};
use longrun::store::{Durability, PostgresStore, Store, Swap};
use longrun_checks_postgres::Server;

use crate::support::{change, create, fail, first, id, limit, run, sound};

const ROUNDS: u64 = 300;

fn keyed(key: impl Into<String>) -> NewOperation {
    NewOperation::new("report").unique(key)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_creators_in_two_processes_one_takes_the_key() {
    let server = Server::start();
    let pool = server.pool(24).await;
    let stores = [PostgresStore::connect(pool.clone()).await.unwrap(), PostgresStore::connect(pool).await.unwrap()];
    let mut taken = 0;
    for round in 0..ROUNDS {
        let mut creators = tokio::task::JoinSet::new();
        for creator in 0..8 {
            let store = stores[creator % 2].clone();
            creators.spawn(async move {
                let draft = first(&store, &format!("{round}-{creator}"), keyed(format!("key {round}")), 1);
                let swap = store.swap(None, &draft, Durability::Immediate).await.unwrap();
                (draft, swap)
            });
        }
        let outcomes = creators.join_all().await;
        let stored: Vec<_> = outcomes.iter().filter(|(_, swap)| *swap == Swap::Stored).collect();
        assert_eq!(stored.len(), 1, "{outcomes:?}");
        for (_, swap) in &outcomes {
            if let Swap::Taken(holder) = swap {
                assert_eq!(*holder, stored[0].0);
                taken += 1;
            }
        }
    }
    assert_eq!(taken, ROUNDS * 7);
    sound(&stores[0], [ROUNDS, 0, 0, 0]).await;
}

/// A key is handed from holder to holder while eight want it: never two at a time, and nobody is kept out.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_from_hand_to_hand() {
    let server = Server::start();
    let pool = server.pool(24).await;
    let store = PostgresStore::connect(pool).await.unwrap();
    let held = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let (store, held) = (store.clone(), std::sync::Arc::clone(&held));
        workers.spawn(async move {
            let mut done = 0;
            for attempt in 0.. {
                let draft = first(&store, &format!("{worker}-{attempt}"), keyed("the key"), 1);
                match store.swap(None, &draft, Durability::Immediate).await.unwrap() {
                    Swap::Stored => {
                        assert_eq!(held.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0, "two at a time");
                        let running = change(&store, &draft, &run(), 2).await;
                        held.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        change(&store, &running, &fail(), 3).await;
                        done += 1;
                        if done == 20 {
                            return done;
                        }
                    }
                    // Held, or free again by the time one looked.
                    Swap::Taken(_) | Swap::Lost(None) => {}
                    other => panic!("{other:?}"),
                }
            }
            unreachable!("a worker goes on until it has had the key 20 times")
        });
    }
    assert_eq!(workers.join_all().await.into_iter().sum::<u64>(), 160);
    sound(&store, [0, 0, 0, 160]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_transaction_finds_the_key_taken_and_goes_on() {
    let server = Server::start();
    let pool = server.pool(12).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let holder = create(&store, "holder", keyed("k"), 1).await;
    let mut transaction = pool.begin().await.unwrap();
    let draft = first(&store, "late", keyed("k"), 2);
    let swap = store.swap_in(&mut transaction, None, &draft).await.unwrap();
    assert_eq!(swap, Swap::Taken(holder.clone()));
    let other = first(&store, "other", keyed("another"), 3);
    assert_eq!(store.swap_in(&mut transaction, None, &other).await.unwrap(), Swap::Stored);
    transaction.commit().await.unwrap();
    sound(&store, [2, 0, 0, 0]).await;
}

/// What version 1 of the schema did not know is derived, or empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_the_first_version_is_brought_up_to_date() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let names = ["a", "a~2", "a~10", "a~1", "a~02", "b~2~3", "a~4294967296", "~2"];
    for (tick, name) in (0..).zip(names) {
        create(&store, name, NewOperation::new("export").label("order", "7"), tick).await;
    }
    store.close().await.unwrap();
    let back = "ALTER TABLE longrun.operation DROP COLUMN deadline, DROP COLUMN group_name, DROP COLUMN unique_key;
        DELETE FROM longrun.label WHERE name = '';
        DELETE FROM longrun.migration WHERE version = 2";
    sqlx::raw_sql(back).execute(&pool).await.unwrap();

    let store = PostgresStore::connect(pool).await.unwrap();
    sound(&store, [8, 0, 0, 0]).await;
    let mut query = Query::default();
    query.base = Some(id("a"));
    query.limit = limit(10);
    let chain: BTreeSet<_> =
        store.page(&query).await.unwrap().items.iter().map(|operation| operation.id().to_string()).collect();
    assert_eq!(chain, ["a", "a~2", "a~10"].map(Into::into).into());
    create(&store, "c", keyed("k").group("g"), 9).await;
    change(&store, &store.load(&id("c")).await.unwrap().unwrap(), &Patch::cancel(), 10).await;
    assert_eq!(store.group_counts("g").await.unwrap().total(), 1);
}

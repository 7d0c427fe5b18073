//! Behind a pooler that gives each transaction another connection, and with a pool that gives none.

use std::time::Duration;

use longrun::Status;
use longrun::model::{NewOperation, Patch, Query};
use longrun::store::{Durability, Position, PostgresOptions, PostgresStore, Store, StoreError, Swap};
use longrun_checks_postgres::{Pooler, Server};
use sqlx::postgres::PgPoolOptions;

use crate::support::{change, create, first, id, limit, run, sound};

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_behind_a_pooler_in_transaction_mode() {
    let server = Server::start();
    let way = server.database().await;
    let pooler = Pooler::start(&server, 3);
    let pool = PgPoolOptions::new().max_connections(12).connect_with(pooler.through(way)).await.unwrap();
    let options = PostgresOptions::default().behind_pooler();
    let store = PostgresStore::connect_with(pool.clone(), options).await.unwrap();
    let mut work = tokio::task::JoinSet::new();
    for number in 0..100 {
        let store = store.clone();
        work.spawn(async move {
            let new = NewOperation::new("export").label("site", "north");
            let operation = create(&store, &format!("op{number}"), new, number).await;
            let running = change(&store, &operation, &run(), number).await;
            assert_eq!(store.load(operation.id()).await.unwrap().unwrap().status(), Status::Running);
            let done = change(&store, &running, &Patch::complete(None), number).await;
            if number % 10 == 0 {
                assert_eq!(store.remove(done.id(), done.version()).await.unwrap(), Swap::Stored);
            }
        });
    }
    while let Some(ended) = work.join_next().await {
        ended.unwrap();
    }
    sound(&store, [0, 0, 90, 0]).await;
    let mut query = Query::default();
    query.label = Some(("site".into(), "north".into()));
    query.limit = limit(90);
    assert_eq!(store.page(&query).await.unwrap().items.len(), 90);
    assert_eq!(store.changes(&Position::START, limit(1_000)).await.unwrap().items.len(), 100);

    let mut user = pool.begin().await.unwrap();
    let theirs = first(&store, "theirs", NewOperation::new("export"), 1);
    assert_eq!(store.swap_in(&mut user, None, &theirs).await.unwrap(), Swap::Stored);
    user.commit().await.unwrap();
    assert_eq!(store.load(&id("theirs")).await.unwrap(), Some(theirs));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_pool_is_a_definite_failure_and_passes() {
    let server = Server::start();
    let way = server.database().await;
    let pool =
        PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_millis(200)).connect_lazy_with(way);
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let taken = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    let wanted = first(&store, "op", NewOperation::new("export"), 1);
    let failed = store.swap(None, &wanted, Durability::Immediate).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable { definite: true, .. }), "{failed:?}");
    let failed = store.load(&id("op")).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable { .. }), "{failed:?}");
    drop(taken);
    assert_eq!(store.load(&id("op")).await.unwrap(), None);
    create(&store, "op", NewOperation::new("export"), 2).await;
    sound(&store, [1, 0, 0, 0]).await;
}

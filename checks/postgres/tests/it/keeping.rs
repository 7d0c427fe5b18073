//! FAULTS 37 and 43: no more operations than the host allows, and a record that cannot be read.

use std::sync::Arc;

use longrun::model::{NewOperation, Query};
use longrun::store::{PostgresStore, Store, StoreError};
use longrun::{ErrorKind, Tracker};
use longrun_checks_postgres::Server;

use crate::support::{create, id};

#[tokio::test(flavor = "multi_thread")]
async fn a_create_too_many_is_refused_until_one_is_deleted() {
    const MOST: usize = 40;
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = Arc::new(PostgresStore::connect(pool.clone()).await.unwrap());
    let tracker = Tracker::builder().max_operations(MOST as u64).open_store(store.clone()).await.unwrap();
    // Raced in one process: all room is taken, and not one place more.
    let mut creates = tokio::task::JoinSet::new();
    for _ in 0..MOST + 30 {
        let tracker = tracker.clone();
        creates.spawn(async move { tracker.create(NewOperation::new("export")).await });
    }
    let mut created = Vec::new();
    while let Some(result) = creates.join_next().await {
        match result.unwrap() {
            Ok(operation) => created.push(operation),
            Err(error) => assert_eq!(error.kind(), ErrorKind::QuotaExceeded, "{error}"),
        }
    }
    assert_eq!(created.len(), MOST);
    assert_eq!(tracker.counts().await.unwrap().total(), MOST as u64);
    // Another process counts the same.
    let other = Arc::new(PostgresStore::connect(pool).await.unwrap());
    let other = Tracker::builder().max_operations(MOST as u64).open_store(other).await.unwrap();
    let error = other.create(NewOperation::new("export")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::QuotaExceeded, "operationLimitReached"));
    let ended = created.pop().unwrap();
    tracker.cancel(ended.id()).await.unwrap();
    tracker.delete(ended.id()).await.unwrap();
    other.create(NewOperation::new("export")).await.unwrap();
    assert_eq!(tracker.create(NewOperation::new("export")).await.unwrap_err().kind(), ErrorKind::QuotaExceeded);
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
}

/// A list once failed as a whole where one record on its page could not be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_names_what_it_cannot_read_and_serves_the_others() {
    let server = Server::start();
    let pool = server.pool(6).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    for (tick, name) in (1..).zip(["a", "b", "c"]) {
        create(&store, name, NewOperation::new("export").label("site", "north"), tick).await;
    }
    // One bit of the last byte, and back again.
    let flip = async || {
        let flip = "UPDATE longrun.operation SET record = set_byte(record, length(record) - 1, \
                    get_byte(record, length(record) - 1) # 1) WHERE id = 'b'";
        assert_eq!(sqlx::query(flip).execute(&pool).await.unwrap().rows_affected(), 1);
    };
    let mut labelled = Query::default();
    labelled.label = Some(("site".into(), "north".into()));
    flip().await;
    assert_eq!(store.health().unreadable, 0, "nobody has met it");
    for query in [Query::default(), labelled] {
        let page = store.page(&query).await.unwrap();
        let names: Vec<_> = page.items.iter().map(|operation| operation.id().to_string()).collect();
        assert_eq!((names, page.unreadable), (vec!["a".to_owned(), "c".into()], vec![id("b")]));
        assert_eq!(store.health().unreadable, 1);
    }
    assert!(matches!(store.load(&id("b")).await, Err(StoreError::Corrupt(what)) if what.contains("record b")));
    assert!(store.verify().await.unwrap().problems.iter().any(|problem| problem.contains("record b")));
    flip().await;
    assert_eq!(store.page(&Query::default()).await.unwrap().items.len(), 3);
    assert_eq!(store.health().unreadable, 0, "it was read since");
}

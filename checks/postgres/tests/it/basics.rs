//! One record at a time: create, read, swap, lose, remove, create again.

use longrun::Status;
use longrun::model::{NewOperation, Patch};
use longrun::store::{Durability, PostgresStore, Store, StoreError, Swap};
use longrun_checks_postgres::Server;

use crate::support::{change, create, first, id, next, run, sound};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_kept_byte_for_byte_and_only_swapped_at_its_version() {
    let server = Server::start();
    let store = PostgresStore::connect(server.pool(6).await).await.unwrap();
    assert_eq!(store.load(&id("a")).await.unwrap(), None);

    let new = NewOperation::new("export").label("order", "17\u{1f600}42").label("site", "Zürich");
    let created = create(&store, "a", new.clone(), 1).await;
    assert_eq!(store.load(&id("a")).await.unwrap(), Some(created.clone()));

    // The id is taken: the answer is what is there.
    let other = first(&store, "a", NewOperation::new("import"), 2);
    let lost = store.swap(None, &other, Durability::Immediate).await.unwrap();
    assert_eq!(lost, Swap::Lost(Some(created.clone())));

    let running = change(&store, &created, &run(), 3).await;
    let progress = change(&store, &running, &Patch::new().progress(40).detail("half"), 4).await;
    assert_eq!(store.load(&id("a")).await.unwrap(), Some(progress.clone()));

    // A stale version loses and sees the newest record, whatever it wanted.
    let stale = next(&store, &running, &Patch::new().progress(10), 5);
    let lost = store.swap(Some(running.version()), &stale, Durability::Eventual).await.unwrap();
    assert_eq!(lost, Swap::Lost(Some(progress.clone())));
    assert_eq!(store.remove(&id("a"), running.version()).await.unwrap(), Swap::Lost(Some(progress.clone())));
    sound(&store, [0, 1, 0, 0]).await;

    let done = change(&store, &progress, &Patch::complete(None), 6).await;
    sound(&store, [0, 0, 1, 0]).await;
    assert_eq!(store.remove(&id("a"), done.version()).await.unwrap(), Swap::Stored);
    assert_eq!(store.load(&id("a")).await.unwrap(), None);
    assert_eq!(store.remove(&id("a"), done.version()).await.unwrap(), Swap::Lost(None));
    assert_eq!(store.swap(Some(done.version()), &done, Durability::Immediate).await.unwrap(), Swap::Lost(None));
    sound(&store, [0; 4]).await;

    // The id lives again, as another operation.
    let again = create(&store, "a", new, 7).await;
    assert_eq!(store.load(&id("a")).await.unwrap(), Some(again));
    sound(&store, [1, 0, 0, 0]).await;
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_may_be_a_uuid_or_any_text_and_case_matters() {
    let server = Server::start();
    let store = PostgresStore::connect(server.pool(6).await).await.unwrap();
    let names = ["~", "A", "a", "018f4d5e-7b3a-7c11-9f00-3a2b1c0d9e8f", &"x".repeat(128), "b~2", ".hidden", "-"];
    let mut kept = Vec::new();
    for (tick, name) in (1..).zip(names) {
        kept.push(create(&store, name, NewOperation::untyped(), tick).await);
    }
    for operation in kept {
        assert_eq!(store.load(operation.id()).await.unwrap(), Some(operation));
    }
    sound(&store, [8, 0, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_type_too_many_is_refused_and_known_ones_go_on() {
    let server = Server::start();
    let pool = server.pool(6).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..1024_i64 {
        let store = store.clone();
        writes.spawn(async move {
            create(&store, &format!("op{number}"), NewOperation::new(format!("type {number}")), number).await;
        });
    }
    writes.join_all().await;
    for store in [store, PostgresStore::connect(pool).await.unwrap()] {
        let beyond = first(&store, "beyond", NewOperation::new("one too many"), 1);
        let refused = store.swap(None, &beyond, Durability::Immediate).await.unwrap_err();
        assert!(matches!(refused, StoreError::TypeLimit), "{refused:?}");
        let name = format!("more{}", store.opened().instance);
        create(&store, &name, NewOperation::new("type 1023"), 2).await;
        assert_eq!(store.counts().await.unwrap().of_type(Some("one too many"), Status::NotStarted), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_says_so_and_opens_again_as_another_instance() {
    let server = Server::start();
    let pool = server.pool(6).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let before = store.opened();
    let kept = create(&store, "a", NewOperation::new("export"), 1).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.load(&id("a")).await, Err(StoreError::Closed)));
    let swap = store.swap(Some(kept.version()), &kept, Durability::Immediate).await;
    assert!(matches!(swap, Err(StoreError::Closed)));

    let again = PostgresStore::connect(pool).await.unwrap();
    assert_eq!(again.opened().store, before.store);
    assert!(again.opened().instance > before.instance);
    assert_eq!(again.load(&id("a")).await.unwrap(), Some(kept));
}

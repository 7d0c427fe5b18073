//! Loads that come together share a statement; each has its own answer.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use longrun::model::NewOperation;
use longrun::store::{Store, StoreError};
use longrun_checks_postgres::Server;

use crate::support::{all_connections, change, create, id, patient, run};

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_loads_gets_its_own_answer() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = patient(&pool).await;
    let mut operations = Vec::new();
    for number in 0..90 {
        operations.push(create(&store, &format!("op{number}"), NewOperation::new("export"), 0).await);
    }
    store.remove(operations[13].id(), operations[13].version()).await.unwrap();
    operations[14] = change(&store, &operations[14], &run(), 1).await;
    let taken = all_connections(&pool).await;
    // Twice each, and some that are not there.
    let mut loads: Vec<_> = (0..200)
        .map(|number| {
            let (store, id) = (store.clone(), id(&format!("op{}", number % 100)));
            Box::pin(async move { store.load(&id).await })
        })
        .collect();
    poll_fn(|context| {
        for load in &mut loads {
            assert!(load.as_mut().poll(context).is_pending());
        }
        Poll::Ready(())
    })
    .await;
    // Nobody waits for these any more, and the others are answered all the same.
    loads.truncate(195);
    drop(taken);
    for (number, load) in loads.into_iter().enumerate() {
        let expected = operations.get(number % 100).filter(|_| number % 100 != 13);
        assert_eq!(load.await.unwrap().as_ref(), expected, "load {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_waits_is_told_that_the_store_was_closed() {
    let server = Server::start();
    let pool = server.pool(4).await;
    let store = patient(&pool).await;
    let name = create(&store, "op", NewOperation::new("export"), 0).await.id().clone();
    let taken = all_connections(&pool).await;
    let other = store.clone();
    let mut waits = Vec::new();
    // One in a reader's hands, others in the list.
    for _ in 0..3 {
        let (store, name) = (store.clone(), name.clone());
        let mut load = Box::pin(async move { store.load(&name).await });
        poll_fn(|context| {
            assert!(load.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
        waits.push(load);
    }
    let mut close = pin!(async move { other.close().await });
    // Its last word to the server waits for a connection; the loads do not.
    let mut ended = 0;
    while ended < waits.len() {
        let load = &mut waits[ended];
        tokio::select! {
            loaded = load => {
                assert!(matches!(loaded, Err(StoreError::Closed)), "{loaded:?}");
                ended += 1;
            }
            closed = &mut close => panic!("{closed:?} without a connection"),
        }
    }
    drop(taken);
    close.await.unwrap();
    assert!(matches!(store.load(&name).await, Err(StoreError::Closed)));
}

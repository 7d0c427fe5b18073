//! Every write and load is answered, whatever ends the store meanwhile. A write that had found the store open
//! once waited for ever where the close overtook it before it was in the list.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use longrun::clock::{Clock, Sleep, SystemClock};
use longrun::model::NewOperation;
use longrun::store::{Durability, PostgresOptions, PostgresStore, Store, StoreError, Swap};
use longrun_checks_postgres::Server;

use crate::support::{create, first, id, next, patient, run, sound};

/// A machine that stands still for a while is no failure; a wait for ever is.
const WATCHDOG: Duration = Duration::from_mins(5);

/// Holds up who asks for the time, once: a write does so after it has found the store open.
#[derive(Debug)]
struct Stop {
    clock: SystemClock,
    armed: AtomicBool,
    /// Met twice: when the write has come, and when it may go on.
    gate: Barrier,
}

impl Clock for Stop {
    fn now(&self) -> DateTime<FixedOffset> {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        if self.armed.swap(false, Ordering::SeqCst) {
            self.gate.wait();
            self.gate.wait();
        }
        self.clock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.clock.sleep(duration)
    }
}

async fn answered<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(WATCHDOG, answer).await.expect("it waits for ever")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_a_close_overtakes_is_refused() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let clock = Arc::new(Stop { clock: SystemClock::default(), armed: false.into(), gate: Barrier::new(2) });
    let options = PostgresOptions::default().clock(Arc::<Stop>::clone(&clock));
    let store = PostgresStore::connect_with(pool.clone(), options).await.unwrap();
    let operation = create(&store, "op", NewOperation::new("export"), 0).await;
    let wanted = next(&store, &operation, &run(), 1);
    clock.armed.store(true, Ordering::SeqCst);
    let (writer, expected) = (store.clone(), operation.version());
    let write = tokio::spawn(async move { writer.swap(Some(expected), &wanted, Durability::Immediate).await });
    let gate = Arc::clone(&clock);
    tokio::task::spawn_blocking(move || gate.gate.wait()).await.unwrap();
    answered(store.close()).await.unwrap();
    tokio::task::spawn_blocking(move || clock.gate.wait()).await.unwrap();
    let refused = answered(write).await.unwrap();
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    let again = patient(&pool).await;
    assert_eq!(again.load(operation.id()).await.unwrap(), Some(operation));
    sound(&again, [1, 0, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_writers_that_race_a_close_each_is_answered_and_what_was_stored_is_there() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let mut all = 0;
    for round in 0..10 {
        let store = patient(&pool).await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..32 {
            let store = store.clone();
            writers.spawn(async move {
                let mut made = 0_u64;
                loop {
                    let name = format!("op{round}-{writer}-{made}");
                    let new = first(&store, &name, NewOperation::new("export"), 0);
                    match store.swap(None, &new, Durability::Immediate).await {
                        Ok(swap) => assert_eq!(swap, Swap::Stored),
                        Err(StoreError::Closed) => return made,
                        Err(error) => panic!("{error:?}"),
                    }
                    made += 1;
                }
            });
        }
        create(&store, &format!("op{round}"), NewOperation::new("export"), 0).await;
        answered(store.close()).await.unwrap();
        all += 1 + answered(writers.join_all()).await.into_iter().sum::<u64>();
    }
    sound(&patient(&pool).await, [all, 0, 0, 0]).await;
}

#[test]
fn who_asks_after_the_runtime_has_ended_is_told() {
    let server = Server::start();
    let opener = tokio::runtime::Runtime::new().unwrap();
    let (store, operation) = opener.block_on(async {
        let store = patient(&server.pool(8).await).await;
        let operation = create(&store, "op", NewOperation::new("export"), 0).await;
        (store, operation)
    });
    drop(opener);
    let ended = |error: StoreError| match error {
        StoreError::Unavailable { definite: true, source } => source.to_string().contains("runtime"),
        _ => false,
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let wanted = next(&store, &operation, &run(), 1);
        let swap = store.swap(Some(operation.version()), &wanted, Durability::Immediate);
        assert!(ended(answered(swap).await.unwrap_err()));
        assert!(ended(answered(store.load(&id("op"))).await.unwrap_err()));
    });
}

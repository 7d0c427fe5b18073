//! Connections cut after each byte, backends ended, servers killed: what was acknowledged is there, what
//! was definitely refused is not, and what is unknown is one of the two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use longrun::model::{NewOperation, Operation, Patch};
use longrun::store::{Durability, PostgresStore, Store, StoreError, Swap};
use longrun_checks_postgres::{Proxy, Server};
use sqlx::postgres::PgPoolOptions;

use crate::support::{create, first, next, run, sound};

/// One writer of one operation, who knows what may be true.
struct Owner {
    store: PostgresStore,
    current: Operation,
    acknowledged: u64,
    unknown: u64,
}

impl Owner {
    async fn step(&mut self, number: u64) {
        let patch = Patch::new().detail(format!("step {number}"));
        let wanted = next(&self.store, &self.current, &patch, 1);
        let before = self.current.clone();
        match self.store.swap(Some(before.version()), &wanted, Durability::Immediate).await {
            Ok(Swap::Stored) => {
                self.acknowledged += 1;
                self.current = wanted;
            }
            Ok(other) => panic!("nobody else writes this operation: {other:?}"),
            Err(StoreError::Unavailable { definite, .. }) => {
                let found = self.read().await;
                if found == wanted && !definite {
                    self.current = wanted;
                } else {
                    assert_eq!(found, before, "after a failure that was definite: {definite}");
                }
                self.unknown += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// The record, once the server answers again.
    async fn read(&self) -> Operation {
        loop {
            match self.store.load(self.current.id()).await {
                Ok(found) => return found.expect("it was created"),
                Err(StoreError::Unavailable { .. }) => tokio::task::yield_now().await,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

/// Cuts after byte 0, 1, 2 .. of what passes during a write, either way, until a write passes whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_after_any_byte_leaves_the_truth() {
    let server = Server::start();
    let way = server.database().await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(folder.path(), server.socket_folder(), server.port()).unwrap();
    let pool = PgPoolOptions::new().max_connections(3).connect_lazy_with(way.clone().socket(proxy.folder()));
    let store = PostgresStore::connect(pool).await.unwrap();
    let direct = PostgresStore::connect(server_pool(&way)).await.unwrap();
    let mut number = 0;
    for to_server in [false, true] {
        let current = create(&store, &format!("op{to_server}"), NewOperation::new("export").patch(run()), 0).await;
        let mut owner = Owner { store: store.clone(), current, acknowledged: 0, unknown: 0 };
        let mut bytes = 0;
        let mut whole = 0;
        while whole < 5 {
            let before = proxy.cut().made();
            if to_server {
                proxy.cut().after_sent(bytes, true);
            } else {
                proxy.cut().after_answered(bytes, true);
            }
            let acknowledged = owner.acknowledged;
            owner.step(number).await;
            // Cut once, it is sent again and settled: the caller sees no failure.
            assert_eq!(owner.acknowledged, acknowledged + 1, "after byte {bytes}, to the server: {to_server}");
            whole = if proxy.cut().made() == before { whole + 1 } else { 0 };
            proxy.cut().never();
            assert_eq!(direct.load(owner.current.id()).await.unwrap().as_ref(), Some(&owner.current));
            number += 1;
            bytes += 1;
        }
        assert!(bytes > 40, "only {bytes} bytes were tried");
    }
    // Cut for as long as it is tried: the failure says what is known.
    let current = create(&store, "long", NewOperation::new("export").patch(run()), 0).await;
    let mut owner = Owner { store: direct.clone(), current, acknowledged: 0, unknown: 0 };
    let mut unknown = 0;
    for bytes in (0..60).step_by(6) {
        // Whole, so that a connection is there to be cut: a write for which there is none is a definite failure.
        let whole = next(&store, &owner.current, &Patch::new().detail(format!("before {bytes}")), 1);
        let swap = store.swap(Some(owner.current.version()), &whole, Durability::Immediate).await.unwrap();
        assert_eq!(swap, Swap::Stored);
        owner.current = whole;
        let wanted = next(&store, &owner.current, &Patch::new().detail(format!("{bytes}")), 1);
        proxy.cut().after_answered(bytes, false);
        let outcome = store.swap(Some(owner.current.version()), &wanted, Durability::Immediate).await;
        proxy.cut().never();
        let found = owner.read().await;
        match outcome {
            Ok(swap) => {
                assert_eq!(swap, Swap::Stored);
                assert_eq!(found, wanted);
            }
            Err(StoreError::Unavailable { definite: true, .. }) => assert_eq!(found, owner.current),
            Err(StoreError::Unavailable { definite: false, .. }) => {
                unknown += 1;
                assert!(found == wanted || found == owner.current);
            }
            Err(other) => panic!("{other:?}"),
        }
        owner.current = found;
    }
    assert!(unknown > 0);
    let report = direct.verify().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

fn server_pool(way: &sqlx::postgres::PgConnectOptions) -> sqlx::PgPool {
    PgPoolOptions::new().max_connections(4).connect_lazy_with(way.clone())
}

/// Sixteen owners of an operation each, working until told to stop.
fn owners(
    store: &PostgresStore,
    made: &Arc<AtomicU64>,
    stop: &Arc<AtomicBool>,
) -> tokio::task::JoinSet<(Operation, u64, u64)> {
    let mut owners = tokio::task::JoinSet::new();
    for name in 0..16 {
        let (store, made, stop) = (store.clone(), Arc::clone(made), Arc::clone(stop));
        owners.spawn(async move {
            let current = create(&store, &format!("op{name}"), NewOperation::new("export").patch(run()), 0).await;
            let mut owner = Owner { store, current, acknowledged: 0, unknown: 0 };
            let mut number = 0;
            while !stop.load(Ordering::Acquire) {
                let before = owner.acknowledged;
                owner.step(number).await;
                made.fetch_add(owner.acknowledged - before, Ordering::AcqRel);
                number += 1;
            }
            (owner.current, owner.acknowledged, owner.unknown)
        });
    }
    owners
}

async fn until(made: &AtomicU64, more: u64) {
    let enough = made.load(Ordering::Acquire) + more;
    while made.load(Ordering::Acquire) < enough {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn finish(
    store: &PostgresStore,
    mut owners: tokio::task::JoinSet<(Operation, u64, u64)>,
    stop: &AtomicBool,
) -> (u64, u64) {
    stop.store(true, Ordering::Release);
    let (mut acknowledged, mut unknown) = (0, 0);
    while let Some(ended) = owners.join_next().await {
        let (current, made, lost) = ended.unwrap();
        assert_eq!(store.load(current.id()).await.unwrap(), Some(current));
        acknowledged += made;
        unknown += lost;
    }
    sound(store, [0, 16, 0, 0]).await;
    (acknowledged, unknown)
}

/// P1: each cycle has at least a hundred acknowledged writes and sixteen under way at the kill.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_load_keeps_what_it_acknowledged() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let (made, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let owners = owners(&store, &made, &stop);
    for _ in 0..20 {
        until(&made, 100).await;
        server.kill().unwrap();
        server.up().unwrap();
    }
    until(&made, 100).await;
    let (acknowledged, unknown) = finish(&store, owners, &stop).await;
    assert!(acknowledged >= 21 * 100);
    println!("20 kills: {acknowledged} acknowledged and there, {unknown} failures resolved by reading");
}

/// The connections of the store itself are ended one after another while it writes.
#[tokio::test(flavor = "multi_thread")]
async fn backends_ended_under_load_lose_nothing() {
    let server = Server::start();
    let way = server.database().await;
    let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(way.clone().application_name("victim"));
    let store = PostgresStore::connect(pool).await.unwrap();
    let admin = server_pool(&way);
    let (made, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let owners = owners(&store, &made, &stop);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'victim'";
    let mut ended = 0;
    while ended < 200 {
        until(&made, 20).await;
        ended += sqlx::query_scalar::<_, i64>(end).fetch_one(&admin).await.unwrap();
    }
    let (acknowledged, unknown) = finish(&store, owners, &stop).await;
    println!(
        "{ended} backends ended: {acknowledged} acknowledged and there, {unknown} failures resolved by reading"
    );
}

/// A caller that goes away takes nothing with it: the write happens whole or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_tears_nothing() {
    let server = Server::start();
    let store = PostgresStore::connect(server.pool(6).await).await.unwrap();
    for polls in 0..200_u64 {
        let name = format!("op{polls}");
        let operation = first(&store, &name, NewOperation::new("export").label("site", "north"), 1);
        let mut swap = Box::pin(store.swap(None, &operation, Durability::Immediate));
        let mut left = polls % 8;
        std::future::poll_fn(|context| {
            if left == 0 || swap.as_mut().poll(context).is_ready() {
                return std::task::Poll::Ready(());
            }
            left -= 1;
            std::task::Poll::Pending
        })
        .await;
    }
    store.close().await.unwrap();
    let pool = server.options().database("t0");
    let again = PostgresStore::connect(server_pool(&pool)).await.unwrap();
    let report = again.verify().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.records >= 100, "{}", report.records);
}

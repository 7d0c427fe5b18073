//! The user's own transaction: the operation changes if and only if it commits.

use std::sync::Arc;

use longrun::model::{NewOperation, Patch};
use longrun::postgres::{create_in, patch_in};
use longrun::store::{PostgresStore, Store, Swap};
use longrun::{ErrorKind, OperationId, Status, Tracker};
use longrun_checks_postgres::{Proxy, Server};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::{create, first, id, next, patient, run, sound};

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_stands_if_and_only_if_the_users_row_does() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    sqlx::query("CREATE TABLE orders (number int PRIMARY KEY, operation text NOT NULL)")
        .execute(&pool)
        .await
        .unwrap();
    let existing = create(&store, "existing", NewOperation::new("export"), 0).await;
    for commits in [false, true] {
        let mut user = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO orders VALUES (1742, 'op')").execute(&mut *user).await.unwrap();
        let op = first(&store, "op", NewOperation::new("export").label("order", "1742"), 1);
        assert_eq!(store.swap_in(&mut user, None, &op).await.unwrap(), Swap::Stored);
        let running = next(&store, &op, &run(), 2);
        assert_eq!(store.swap_in(&mut user, Some(op.version()), &running).await.unwrap(), Swap::Stored);
        let stale = next(&store, &op, &Patch::new().detail("stale"), 3);
        let lost = store.swap_in(&mut user, Some(op.version()), &stale).await.unwrap();
        assert_eq!(lost, Swap::Lost(Some(running.clone())));
        let taken = store.swap_in(&mut user, None, &op).await.unwrap();
        assert_eq!(taken, Swap::Lost(Some(running.clone())));
        assert_eq!(store.remove_in(&mut user, existing.id(), existing.version()).await.unwrap(), Swap::Stored);
        assert_eq!(store.load_in(&mut user, existing.id()).await.unwrap(), None);
        assert_eq!(store.load_in(&mut user, &id("op")).await.unwrap(), Some(running.clone()));
        // Nobody else sees any of it.
        assert_eq!(store.load(&id("op")).await.unwrap(), None);
        sound(&store, [1, 0, 0, 0]).await;
        if commits {
            user.commit().await.unwrap();
            assert_eq!(store.load(&id("op")).await.unwrap(), Some(running));
        } else {
            user.rollback().await.unwrap();
            assert_eq!(store.load(&id("op")).await.unwrap(), None);
        }
        sound(&store, if commits { [0, 1, 0, 0] } else { [1, 0, 0, 0] }).await;
    }
}

async fn tracked(pool: &PgPool) -> (PostgresStore, Tracker) {
    let store = patient(pool).await;
    let tracker = Tracker::builder().open_store(Arc::new(store.clone())).await.unwrap();
    sqlx::query("CREATE TABLE IF NOT EXISTS orders (number int PRIMARY KEY)").execute(pool).await.unwrap();
    (store, tracker)
}

fn order(number: i32) -> NewOperation {
    NewOperation::new("export").id(id(&format!("order-{number}"))).label("order", number.to_string())
}

/// Whether the order and its operation are there: both or neither, as one snapshot shows them.
async fn stands(pool: &PgPool, store: &PostgresStore, number: i32) -> bool {
    let mut snapshot = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    let row = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM orders WHERE number = $1").bind(number);
    let row = row.fetch_one(&mut *snapshot).await.unwrap() == 1;
    let operation = store.load_in(&mut snapshot, &id(&format!("order-{number}"))).await.unwrap();
    assert_eq!(row, operation.is_some(), "order {number}");
    if let Some(operation) = &operation {
        assert_eq!((operation.status(), operation.version().n()), (Status::Running, 2));
    }
    row
}

/// An order, its operation, and the operation's first move, not yet committed.
async fn place(
    pool: &PgPool,
    (store, tracker): &(PostgresStore, Tracker),
    number: i32,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, Box<dyn std::error::Error>> {
    let mut user = pool.begin().await?;
    sqlx::query("INSERT INTO orders VALUES ($1)").bind(number).execute(&mut *user).await?;
    let created = create_in(tracker, store, &mut user, &order(number)).await?;
    assert!(created.is_new);
    patch_in(tracker, store, &mut user, created.operation.id(), &run()).await?;
    Ok(user)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_and_its_operation_are_made_together_whatever_ends_the_connection() {
    let server = Server::start();
    let way = server.database().await;
    let admin = PgPoolOptions::new().max_connections(6).connect_lazy_with(way.clone());
    let both = tracked(&admin).await;
    let pool = PgPoolOptions::new().max_connections(4).connect_lazy_with(way.clone());
    let end = "SELECT pg_terminate_backend($1)";
    let pid_of = "SELECT pg_backend_pid()";

    // Ended before the commit: neither. After it: both.
    for (number, commits) in [(1, false), (2, true)] {
        let mut user = place(&pool, &both, number).await.unwrap();
        assert!(!stands(&admin, &both.0, number).await, "nobody else sees it before the commit");
        let pid: i32 = sqlx::query_scalar(pid_of).fetch_one(&mut *user).await.unwrap();
        if commits {
            user.commit().await.unwrap();
        }
        sqlx::query(end).bind(pid).execute(&admin).await.unwrap();
        assert_eq!(stands(&admin, &both.0, number).await, commits);
    }
    // The server killed between the two, and the other way round.
    for (number, commits) in [(3, false), (4, true)] {
        let user = place(&pool, &both, number).await.unwrap();
        if commits {
            user.commit().await.unwrap();
            server.kill().unwrap();
        } else {
            server.kill().unwrap();
            user.commit().await.unwrap_err();
        }
        server.up().unwrap();
        // The first of each broken connection is found out by using it.
        while sqlx::query("SELECT 1").execute(&admin).await.is_err() {}
        assert_eq!(stands(&admin, &both.0, number).await, commits);
    }
    // The way cut within the commit's answer and within its question: nobody knows, and the two agree.
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(folder.path(), server.socket_folder(), server.port()).unwrap();
    let cut = PgPoolOptions::new().max_connections(2).connect_lazy_with(way.socket(proxy.folder()));
    let (mut made, mut number) = (0, 10);
    for bytes in 0..24 {
        for answered in [true, false] {
            let user = place(&cut, &both, number).await.unwrap();
            if answered {
                proxy.cut().after_answered(bytes, true);
            } else {
                proxy.cut().after_sent(bytes, true);
            }
            let told = user.commit().await;
            proxy.cut().never();
            let stood = stands(&admin, &both.0, number).await;
            assert!(stood || told.is_err(), "a commit that was acknowledged stands");
            made += i32::from(stood);
            number += 1;
        }
    }
    assert!(made > 0 && made < 48, "{made} of 48 cut commits happened");
    let report = both.0.verify().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_hold_inside_a_users_transaction_and_a_refusal_leaves_it_usable() {
    let server = Server::start();
    let pool = server.pool(16).await;
    let (store, tracker) = tracked(&pool).await;
    let elsewhere = Tracker::builder().in_memory().await.unwrap();
    let mut user = pool.begin().await.unwrap();
    let refused = create_in(&elsewhere, &store, &mut user, &order(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);

    assert!(create_in(&tracker, &store, &mut user, &order(1)).await.unwrap().is_new);
    assert!(!create_in(&tracker, &store, &mut user, &order(1)).await.unwrap().is_new, "the same call again");
    let other = NewOperation::new("import").id(id("order-1"));
    let taken = create_in(&tracker, &store, &mut user, &other).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    let early = patch_in(&tracker, &store, &mut user, &id("order-1"), &Patch::complete(None)).await.unwrap_err();
    assert_eq!(early.kind(), ErrorKind::IllegalTransition);
    let missing = patch_in(&tracker, &store, &mut user, &id("nobody"), &run()).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    patch_in(&tracker, &store, &mut user, &id("order-1"), &run()).await.unwrap();
    let again = patch_in(&tracker, &store, &mut user, &id("order-1"), &run()).await.unwrap();
    assert_eq!(again.version().n(), 2, "unchanged");
    user.commit().await.unwrap();
    assert_eq!(tracker.get(&id("order-1")).await.unwrap(), again);
    sound(&store, [0, 1, 0, 0]).await;
}

/// Transactions and the tracker's own writes on the same operations: a sum tells what was lost.
#[tokio::test(flavor = "multi_thread")]
async fn patches_in_transactions_and_outside_lose_nothing() {
    let server = Server::start();
    let pool = server.pool(24).await;
    let (store, tracker) = tracked(&pool).await;
    let names: Vec<OperationId> = (0..4).map(|number| id(&format!("op{number}"))).collect();
    for name in &names {
        tracker.create(NewOperation::new("export").id(name.clone()).patch(run())).await.unwrap();
    }
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16_usize {
        let (store, tracker, pool, names) = (store.clone(), tracker.clone(), pool.clone(), names.clone());
        writers.spawn(async move {
            let mut made = 0;
            for step in 0..20_usize {
                let name = &names[(writer + step) % 4];
                let patch = Patch::new().detail(format!("{writer} {step}"));
                if writer % 4 == 0 {
                    let mut user = pool.begin().await.unwrap();
                    patch_in(&tracker, &store, &mut user, name, &patch).await.unwrap();
                    if step % 5 == 0 {
                        user.rollback().await.unwrap();
                        continue;
                    }
                    user.commit().await.unwrap();
                } else {
                    tracker.patch(name, patch).await.unwrap();
                }
                made += 1;
            }
            made
        });
    }
    let made: u64 = writers.join_all().await.into_iter().sum();
    let mut versions = 0;
    for name in &names {
        versions += tracker.get(name).await.unwrap().version().n() - 1;
    }
    assert_eq!((versions, made), (made, 16 * 20 - 4 * 4));
    sound(&store, [0, 4, 0, 0]).await;
}

//! P11: what a dead process was running is ended by whoever maintains, within 60 s of its last renewal and
//! one sweep. The database's clock is injected: a function of the same name found first.

use std::sync::Arc;
use std::time::Duration;

use longrun::clock::ManualClock;
use longrun::store::{PostgresOptions, PostgresStore};
use longrun::{NewOperation, OperationId, Status, Tracker};
use longrun_checks_postgres::Server;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::id;

/// The seconds that the database's clock shows.
pub(crate) const CLOCK: &str = "
    CREATE SCHEMA clock;
    CREATE TABLE clock.shown (seconds int NOT NULL);
    INSERT INTO clock.shown VALUES (0);
    CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT timestamptz ''2026-03-01 00:00Z'' + make_interval(secs => seconds) FROM clock.shown';";

pub(crate) async fn show(pool: &PgPool, seconds: i32) {
    sqlx::query("UPDATE clock.shown SET seconds = $1").bind(seconds).execute(pool).await.unwrap();
}

async fn open(pool: &PgPool, clock: &ManualClock) -> (PostgresStore, Tracker) {
    let options = PostgresOptions::default().clock(Arc::new(clock.clone()));
    let store = PostgresStore::connect_with(pool.clone(), options).await.unwrap();
    let tracker = Tracker::builder().clock(clock.clone()).open_store(Arc::new(store.clone())).await.unwrap();
    (store, tracker)
}

async fn running(tracker: &Tracker, name: &str) -> longrun::Run {
    tracker.create(NewOperation::new("export").id(id(name))).await.unwrap();
    tracker.start(&id(name)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_ran_is_ended_a_minute_after_its_last_renewal() {
    let server = Server::start();
    let way = server.database().await.options([("search_path", "clock,pg_catalog,public")]);
    let pool = PgPoolOptions::new().max_connections(16).connect_with(way).await.unwrap();
    sqlx::raw_sql(CLOCK).execute(&pool).await.unwrap();
    let clock = ManualClock::new("2026-03-01T00:00:00+00:00".parse().unwrap());

    let (store, tracker) = open(&pool, &clock).await;
    let mine = running(&tracker, "mine").await;
    let (dying, dies) = open(&pool, &clock).await;
    let theirs: Vec<OperationId> = ["dead1", "dead2", "dead3"].map(id).into();
    let mut runs = Vec::new();
    for name in &theirs {
        runs.push(running(&dies, &name.to_string()).await);
    }
    tracker.create(NewOperation::new("export").id(id("remote"))).await.unwrap();
    tracker.claim(&id("remote"), "a worker far away").await.unwrap();
    // Its last sign of life comes at 20 s; then it is gone, with nothing said.
    show(&pool, 20).await;
    dying.maintain_now().await.unwrap();
    drop((runs, dies, dying));

    for second in [30, 50, 70, 80] {
        show(&pool, second).await;
        store.maintain_now().await.unwrap();
        assert_eq!(tracker.sweep().await.unwrap().orphaned, [], "at {second} s");
    }
    show(&pool, 81).await;
    store.maintain_now().await.unwrap();
    assert_eq!(tracker.sweep().await.unwrap().orphaned, theirs);
    for name in &theirs {
        let ended = tracker.get(name).await.unwrap();
        assert_eq!(ended.failure().map(longrun::Failure::code), Some("orphaned"));
    }
    assert_eq!(tracker.sweep().await.unwrap().orphaned, []);
    // Who lives, and who is far away, is left alone.
    assert_eq!(tracker.get(&id("remote")).await.unwrap().status(), Status::Running);
    assert_eq!(mine.complete(()).await.unwrap().status(), Status::Completed);
}

/// The same by the futures that a host drives: the store's own rounds renew, `maintain` sweeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_drives_maintain_need_do_no_more() {
    let server = Server::start();
    let way = server.database().await.options([("search_path", "clock,pg_catalog,public")]);
    let pool = PgPoolOptions::new().max_connections(16).connect_with(way).await.unwrap();
    sqlx::raw_sql(CLOCK).execute(&pool).await.unwrap();
    let clock = ManualClock::new("2026-03-01T00:00:00+00:00".parse().unwrap());
    let (_store, tracker) = open(&pool, &clock).await;
    let mine = running(&tracker, "mine").await;
    let (dying, dies) = open(&pool, &clock).await;
    let theirs = running(&dies, "dead").await;
    drop((theirs, dies, dying));
    let maintaining = tokio::spawn(tracker.maintain());
    let ended = tokio::spawn({
        let tracker = tracker.clone();
        async move { tracker.wait(&id("dead"), Duration::MAX).await.unwrap() }
    });
    let seen = "SELECT extract(epoch FROM max(seen) - timestamptz '2026-03-01 00:00Z')::int FROM longrun.instance";
    for second in (10..=70).step_by(10) {
        show(&pool, second).await;
        clock.advance(Duration::from_secs(10));
        // The living one has renewed before time goes on.
        while sqlx::query_scalar::<_, i32>(seen).fetch_one(&pool).await.unwrap() < second {
            tokio::task::yield_now().await;
        }
    }
    let ended = ended.await.unwrap();
    assert_eq!(ended.failure().map(longrun::Failure::code), Some("orphaned"));
    assert_eq!(mine.complete(()).await.unwrap().status(), Status::Completed);
    tracker.close(Duration::ZERO).await.unwrap();
    maintaining.await.unwrap();
}

//! Who may open what: names, versions, servers, ways; many at once; moved and restored stores.

use longrun::model::NewOperation;
use longrun::store::{Position, PostgresOptions, PostgresStore, Store, StoreError};
use longrun_checks_postgres::{Server, Settings};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};

use crate::support::{create, id, limit, sound};

fn unsupported(outcome: Result<PostgresStore, StoreError>) -> String {
    match outcome {
        Err(StoreError::Unsupported(what)) => what,
        other => panic!("must be refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_starters_at_once_make_one_store_and_eight_instances() {
    let server = Server::start();
    let pool = server.pool(32).await;
    let mut starters = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let pool = pool.clone();
        starters.spawn(async move { PostgresStore::connect(pool).await.unwrap() });
    }
    let stores = starters.join_all().await;
    let mut instances: Vec<_> = stores.iter().map(|store| store.opened().instance).collect();
    instances.sort_unstable();
    assert_eq!(instances, (1..=8).collect::<Vec<_>>());
    assert!(stores.iter().all(|store| store.opened().store == stores[0].opened().store));
    assert!(!stores[0].opened().exclusive);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_a_store_of_its_own_and_its_name_is_checked() {
    let server = Server::start();
    let pool = server.pool(16).await;
    let one =
        PostgresStore::connect_with(pool.clone(), PostgresOptions::default().schema("tenant_1")).await.unwrap();
    let two = PostgresStore::connect_with(pool.clone(), PostgresOptions::default().schema("select")).await.unwrap();
    create(&one, "a", NewOperation::new("export"), 1).await;
    assert_eq!(two.load(&id("a")).await.unwrap(), None);
    assert_ne!(one.opened().store, two.opened().store);
    sound(&two, [0; 4]).await;
    for name in ["", "a\"b", "A", "1a", "a-b", "a b", "pg_catalog", "é", "a;drop", &"a".repeat(64)] {
        let options = PostgresOptions::default().schema(name);
        let what = unsupported(PostgresStore::connect_with(pool.clone(), options).await);
        assert!(what.contains("schema"), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_and_foreign_schemas_are_refused_and_left_alone() {
    let server = Server::start();
    let pool = server.pool(8).await;
    PostgresStore::connect(pool.clone()).await.unwrap().close().await.unwrap();
    sqlx::query("INSERT INTO longrun.migration VALUES (999)").execute(&pool).await.unwrap();
    let what = unsupported(PostgresStore::connect(pool.clone()).await);
    assert!(what.contains("newer"), "{what}");

    sqlx::raw_sql("CREATE SCHEMA theirs; CREATE TABLE theirs.meta (x int)").execute(&pool).await.unwrap();
    let theirs = PostgresOptions::default().schema("theirs");
    let what = unsupported(PostgresStore::connect_with(pool.clone(), theirs).await);
    assert!(what.contains("something else"), "{what}");
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'theirs'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn inspecting_makes_and_writes_nothing() {
    let server = Server::start();
    let pool = server.pool(8).await;
    let inspect = PostgresOptions::default().inspect();
    unsupported(PostgresStore::connect_with(pool.clone(), inspect.clone()).await);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'longrun'";
    assert_eq!(sqlx::query_scalar::<_, i64>(schemas).fetch_one(&pool).await.unwrap(), 0);

    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let kept = create(&store, "a", NewOperation::new("export"), 1).await;
    let looks = PostgresStore::connect_with(pool.clone(), inspect).await.unwrap();
    assert_eq!(looks.load(&id("a")).await.unwrap(), Some(kept.clone()));
    let refused = looks.remove(&id("a"), kept.version()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unsupported(_)), "{refused:?}");
    looks.close().await.unwrap();
    let instances = "SELECT count(*) FROM longrun.instance";
    assert_eq!(sqlx::query_scalar::<_, i64>(instances).fetch_one(&pool).await.unwrap(), 1);
}

/// A pool that has connected to nothing yet.
fn lazy(way: PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(4).connect_lazy_with(way)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unencrypted_way_to_another_machine_is_refused_before_anything_is_sent() {
    let away = PgConnectOptions::new_without_pgpass().host("db.example.invalid").username("me").password("secret");
    for mode in [PgSslMode::Disable, PgSslMode::Allow, PgSslMode::Prefer] {
        let what = unsupported(PostgresStore::connect(lazy(away.clone().ssl_mode(mode))).await);
        assert!(what.contains("unencrypted") && !what.contains("secret"), "{what}");
    }
    // Encrypted, or allowed: now it is tried, and there is no such machine.
    let sealed = PostgresStore::connect(lazy(away.clone().ssl_mode(PgSslMode::VerifyFull))).await.unwrap_err();
    assert!(matches!(sealed, StoreError::Unavailable { definite: true, .. }), "{sealed:?}");
    let allowed = PostgresOptions::default().allow_plaintext_to_remote();
    let allowed = PostgresStore::connect_with(lazy(away), allowed).await.unwrap_err();
    assert!(matches!(allowed, StoreError::Unavailable { definite: true, .. }), "{allowed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_is_refused_and_a_session_that_would_is_overruled() {
    let server = Server::start_with(&Settings { lines: vec!["fsync = off".into()], port: None });
    let pool = server.pool(8).await;
    let what = unsupported(PostgresStore::connect(pool.clone()).await);
    assert!(what.contains("fsync"), "{what}");
    let trusting = PostgresOptions::default().trust_server_settings();
    create(&PostgresStore::connect_with(pool, trusting).await.unwrap(), "a", NewOperation::new("export"), 1).await;
    drop(server);

    let server = Server::start_with(&Settings { lines: vec!["synchronous_commit = off".into()], port: None });
    let pool = server.pool(8).await;
    // Whether a commit waited for the disk: the flushed position has reached it when it returns.
    let flushed = "SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn";
    let position = "SELECT pg_current_wal_insert_lsn()::text";
    for (schema, options, durable) in [
        ("durable", PostgresOptions::default(), true),
        ("trusting", PostgresOptions::default().trust_server_settings(), false),
    ] {
        let store = PostgresStore::connect_with(pool.clone(), options.schema(schema)).await.unwrap();
        let mut on_disk = 0;
        for number in 0..20 {
            create(&store, &format!("op{number}"), NewOperation::new("export"), 1).await;
            let at: String = sqlx::query_scalar(position).fetch_one(&pool).await.unwrap();
            let done: bool = sqlx::query_scalar(flushed).bind(at).fetch_one(&pool).await.unwrap();
            on_disk += i32::from(done);
        }
        assert_eq!(on_disk > 10, durable, "{schema}: {on_disk} of 20 commits were on disk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_elsewhere_is_another_store_and_its_feed_goes_on() {
    let server = Server::start();
    let way = server.database().await;
    let pool = PgPoolOptions::new().max_connections(6).connect_with(way.clone()).await.unwrap();
    let store = PostgresStore::connect(pool.clone()).await.unwrap();
    let kept = create(&store, "kept", NewOperation::new("export"), 1).await;
    let position = store.changes(&Position::START, limit(10)).await.unwrap().next;
    let original = store.opened();
    store.close().await.unwrap();
    pool.close().await;

    let admin = lazy(server.options());
    let copy = format!("CREATE DATABASE copy TEMPLATE {}", way.get_database().unwrap());
    sqlx::query(sqlx::AssertSqlSafe(copy)).execute(&admin).await.unwrap();
    let copy = PostgresStore::connect(lazy(way.clone().database("copy"))).await.unwrap();
    assert_ne!(copy.opened().store, original.store);
    assert!(copy.opened().instance > original.instance + 1_000, "instances of the original are not given again");
    let expired = copy.changes(&position, limit(10)).await.unwrap_err();
    assert!(matches!(expired, StoreError::PositionExpired), "{expired:?}");
    let snapshot = copy.changes(&Position::START, limit(10)).await.unwrap();
    assert_eq!(snapshot.items.len(), 1);
    let new = create(&copy, "new", NewOperation::new("export"), 2).await;
    let changes = copy.changes(&snapshot.next, limit(10)).await.unwrap();
    assert_eq!(changes.items.iter().map(|change| change.id().clone()).collect::<Vec<_>>(), [new.id().clone()]);
    assert_eq!(copy.load(kept.id()).await.unwrap(), Some(kept));
    sound(&copy, [2, 0, 0, 0]).await;

    // The original is what it was.
    let again = PostgresStore::connect(lazy(way)).await.unwrap();
    assert_eq!(again.opened().store, original.store);
    again.changes(&position, limit(10)).await.unwrap();
}

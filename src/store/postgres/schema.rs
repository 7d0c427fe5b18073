//! The store's own tables: made, brought up to date, and told apart from others'.

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, Row as _};

use super::failure::{Failed, read};
use super::options::PostgresOptions;
use crate::store::StoreError;

/// In order; each is applied once. A released one never changes.
const MIGRATIONS: [&str; 2] = [include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];
/// The oldest server with `pg_current_xact_id`.
const OLDEST_SERVER: i32 = 130_000;
/// Instances skipped when a store turns up in another place: those that the original has given since.
const SKIPPED_INSTANCES: i64 = 1 << 20;

/// What a store learns of itself when it is opened.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) store: u64,
    pub(super) instance: u32,
    pub(super) base: i64,
}

/// Checks the way and the server, migrates, and takes an instance, unless only inspecting.
pub(super) async fn open(pool: &PgPool, options: &PostgresOptions) -> Result<Found, StoreError> {
    options.check()?;
    check_way(&pool.connect_options(), options)?;
    let mut connection = pool.acquire().await.map_err(|error| Failed::unsent(&error))?;
    let mut transaction = connection.begin().await.map_err(|error| read(&error))?;
    check_server(&mut transaction, options).await?;
    migrate(&mut transaction, options).await?;
    let found = enter(&mut transaction, options).await?;
    if options.inspect {
        transaction.rollback().await.map_err(|error| read(&error))?;
    } else {
        // Whether an instance was taken is of no consequence: the next open takes another.
        transaction.commit().await.map_err(|error| read(&error))?;
    }
    Ok(found)
}

/// Refuses to send records, and what opens the database, over a network in the clear.
fn check_way(way: &PgConnectOptions, options: &PostgresOptions) -> Result<(), StoreError> {
    let host = way.get_host();
    let local = way.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let sealed = matches!(way.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    if local || sealed || options.plain_remote {
        return Ok(());
    }
    let what = "the connection to another machine may be unencrypted: set sslmode=verify-full, or allow it";
    Err(StoreError::Unsupported(what.into()))
}

async fn text(connection: &mut PgConnection, sql: String) -> Result<Option<String>, StoreError> {
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    let rows = query.fetch_all(connection).await.map_err(|error| read(&error))?;
    rows.first().map(|row| row.try_get(0)).transpose().map(Option::flatten).map_err(|error| read(&error))
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<(), StoreError> {
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await {
        Ok(_) => Ok(()),
        Err(error) => match error.as_database_error().and_then(DatabaseError::code).as_deref() {
            Some("42P06" | "42P07") => {
                Err(StoreError::Unsupported("the schema holds tables of something else".into()))
            }
            _ => Err(read(&error)),
        },
    }
}

/// Refuses a server that does not keep what it commits.
async fn check_server(connection: &mut PgConnection, options: &PostgresOptions) -> Result<(), StoreError> {
    let setting = |name: &str| format!("SELECT current_setting('{name}')");
    let number = text(connection, setting("server_version_num")).await?.unwrap_or_default();
    if number.parse::<i32>().is_ok_and(|number| number < OLDEST_SERVER) {
        return Err(StoreError::Unsupported(format!("PostgreSQL 13 or later is needed, this is {number}")));
    }
    let encoding = text(connection, setting("server_encoding")).await?.unwrap_or_default();
    if encoding != "UTF8" {
        return Err(StoreError::Unsupported(format!("the database's encoding must be UTF8, is {encoding}")));
    }
    for name in ["fsync", "full_page_writes"] {
        if !options.trust_server && text(connection, setting(name)).await?.as_deref() == Some("off") {
            let what = format!("the server runs with {name} = off: it may lose or tear what it has acknowledged");
            return Err(StoreError::Unsupported(what));
        }
    }
    if text(connection, setting("synchronous_commit")).await?.as_deref() == Some("off") {
        let kept = if options.trust_server { "off: writes may be lost" } else { "on for the store's own writes" };
        tracing::warn!(schema = options.schema, kept, "the server's synchronous_commit is off");
    }
    Ok(())
}

async fn migrate(connection: &mut PgConnection, options: &PostgresOptions) -> Result<(), StoreError> {
    let schema = options.quoted_schema();
    let applied = version(connection, options).await?;
    check_version(applied)?;
    if applied == MIGRATIONS.len() {
        return Ok(());
    }
    if options.inspect {
        return Err(StoreError::Unsupported("the schema holds no store of this version, and none was made".into()));
    }
    // One starter at a time; the others find it done.
    run(connection, format!("SELECT pg_advisory_xact_lock({})", options.lock(1))).await?;
    if text(connection, format!("SELECT nspname::text FROM pg_namespace WHERE nspname = '{}'", options.schema))
        .await?
        .is_none()
    {
        run(connection, format!("CREATE SCHEMA {schema}")).await?;
    }
    let applied = version(connection, options).await?;
    check_version(applied)?;
    if applied == 0 {
        let table = "(version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT clock_timestamp())";
        run(connection, format!("CREATE TABLE {schema}.migration {table}")).await?;
    }
    for (number, migration) in (1_usize..).zip(MIGRATIONS).skip(applied) {
        run(connection, migration.replace("{s}", &schema)).await?;
        run(connection, format!("INSERT INTO {schema}.migration (version) VALUES ({number})")).await?;
    }
    Ok(())
}

fn check_version(applied: usize) -> Result<(), StoreError> {
    let known = MIGRATIONS.len();
    if applied > known {
        return Err(StoreError::Unsupported(format!("schema version {applied} is newer than {known}")));
    }
    Ok(())
}

/// How many migrations the schema has seen.
async fn version(connection: &mut PgConnection, options: &PostgresOptions) -> Result<usize, StoreError> {
    let schema = options.quoted_schema();
    let table = format!("SELECT to_regclass('{schema}.migration')::text");
    if text(connection, table).await?.is_none() {
        return Ok(0);
    }
    let newest = text(connection, format!("SELECT max(version)::text FROM {schema}.migration")).await?;
    Ok(newest.and_then(|newest| newest.parse().ok()).unwrap_or(0))
}

/// Takes an instance. In another cluster, database or table than before, as after a restore, the store is
/// another one: positions in the original's feed mean nothing here, and its own goes on above them.
async fn enter(connection: &mut PgConnection, options: &PostgresOptions) -> Result<Found, StoreError> {
    let schema = options.quoted_schema();
    let allowed = "SELECT CASE WHEN has_function_privilege('pg_control_system()', 'execute') THEN 'yes' END";
    let cluster = match text(connection, allowed.into()).await? {
        Some(_) => text(connection, "SELECT system_identifier::text FROM pg_control_system()".into()).await?,
        None => None,
    };
    let place = format!(
        "SELECT d.oid || '/' || '{schema}.meta'::regclass::oid FROM pg_database d WHERE d.datname = current_database()"
    );
    let place = text(connection, place).await?.unwrap_or_default();
    let home = format!("{}/{place}", cluster.unwrap_or_default());
    let read_only = options.inspect;
    let meta = format!("SELECT store, instance, base, home FROM {schema}.meta");
    let lock = if read_only { "" } else { " FOR UPDATE" };
    let make = format!(
        "INSERT INTO {schema}.meta (store, instance, purged, base, home) VALUES ($1, 0, 0, 0, $2) ON CONFLICT DO NOTHING"
    );
    if !read_only {
        let make = sqlx::query(AssertSqlSafe(make)).bind(random()).bind(&home).persistent(false);
        make.execute(&mut *connection).await.map_err(|error| read(&error))?;
    }
    let rows = sqlx::query(AssertSqlSafe(meta + lock)).persistent(false).fetch_all(&mut *connection).await;
    let rows = rows.map_err(|error| read(&error))?;
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("the store's own row is gone".into()))?;
    let get = |at: usize| row.try_get::<i64, _>(at).map_err(|error| read(&error));
    let (mut store, mut instance, mut base) = (get(0)?, get(1)?, get(2)?);
    let was: String = row.try_get(3).map_err(|error| read(&error))?;
    if read_only {
        let instance = u32::try_from(instance).unwrap_or(u32::MAX);
        return Ok(Found { store: store.cast_unsigned(), instance, base });
    }
    if was != home {
        let last = format!("SELECT coalesce(max(feed) >> {}, 0)::text FROM {schema}.feed", super::sql::BITS);
        let last = text(connection, last).await?.and_then(|last| last.parse::<i64>().ok()).unwrap_or(0);
        (store, base) = (random(), last.saturating_add(1));
        instance = instance.saturating_add(SKIPPED_INSTANCES);
        tracing::info!(schema = options.schema, "the store was moved or restored: it is another one now");
    }
    instance = instance.saturating_add(1);
    let given = u32::try_from(instance).map_err(|_| StoreError::Unsupported("it was opened 2^32 times".into()))?;
    let update = format!("UPDATE {schema}.meta SET store = $1, instance = $2, base = $3, home = $4");
    let update = sqlx::query(AssertSqlSafe(update)).bind(store).bind(instance).bind(base).bind(&home);
    update.persistent(false).execute(&mut *connection).await.map_err(|error| read(&error))?;
    let live = format!(
        "INSERT INTO {schema}.instance (id, opened, seen) VALUES ($1, clock_timestamp(), clock_timestamp())"
    );
    let live = sqlx::query(AssertSqlSafe(live)).bind(instance).persistent(false);
    live.execute(&mut *connection).await.map_err(|error| read(&error))?;
    Ok(Found { store: store.cast_unsigned(), instance: given, base })
}

/// 64 bits that differ from store to store: std seeds its hasher from the system's randomness.
fn random() -> i64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish().max(1).cast_signed()
}

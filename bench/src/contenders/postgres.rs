//! The rival on PostgreSQL: a tracker by hand on sqlx, one connection for each caller.
//!
//! What a good engineer writes first: one table, an index on the status, `UPDATE .. WHERE id AND status`, one
//! statement and one commit for each move, and as many connections as there are callers. The same server
//! with the same settings serves ours, which makes do with a pool of sixteen.

use std::path::Path;

use anyhow::{Context, Result};
pub use longrun_checks_postgres::Server;
use longrun_checks_postgres::{Settings, pool_options};
use sqlx::PgPool;

use crate::{
    contender::Contender,
    job::Job,
    record::{Id, Status, fresh_id},
};

/// What both have.
pub const DURABILITY: &str = "synchronous_commit=on, fsync=on";
/// Connections that ours may have.
pub const OURS: u32 = 16;
/// Connections that the server takes from one pool.
pub const MOST: usize = 600;

const SCHEMA: &str = "
    CREATE TABLE operation (
        id      uuid     PRIMARY KEY,
        kind    text     NOT NULL,
        status  smallint NOT NULL,
        percent smallint NOT NULL,
        version bigint   NOT NULL,
        created bigint   NOT NULL,
        changed bigint   NOT NULL
    );
    CREATE INDEX operation_by_status ON operation (status, id);
";
const CREATE: &str = "
    INSERT INTO operation (id, kind, status, percent, version, created, changed)
    VALUES ($1, 'export', 0, 0, 1, $2, $2)";
const MOVE: &str = "
    UPDATE operation SET status = $3, version = version + 1, changed = $4 WHERE id = $1 AND status = $2";
const PROGRESS: &str = "
    UPDATE operation SET percent = $2, version = version + 1, changed = $3
    WHERE id = $1 AND status = 1 AND percent <= $2";

/// A server of its own, with the settings that all are measured with.
///
/// # Errors
/// No server.
pub fn start() -> Result<Server> {
    let settings = Settings { lines: vec![format!("max_connections = {}", MOST + 20)], port: None };
    Server::try_start(&settings).context("scripts/postgres installs it")
}

/// The same, and a pool of so many connections to it.
///
/// # Errors
/// No server, or it does not answer.
pub async fn server(connections: u32) -> Result<(Server, PgPool)> {
    let server = start()?;
    let way = server.database().await;
    // All connected before the window opens, and not asked whether they live each time: a caller's own
    // connection would not be, so neither is ours.
    let pool = pool_options(connections).min_connections(connections).test_before_acquire(false);
    let pool = pool.connect_with(way).await?;
    while pool.size() < connections {
        tokio::task::yield_now().await;
    }
    Ok((server, pool))
}

/// A tracker by hand.
#[derive(Debug)]
pub struct Postgres {
    pool: PgPool,
    _server: Server,
}

impl Postgres {
    async fn shift(&self, id: &Id, to: Status) -> Result<bool> {
        let query = sqlx::query(MOVE).bind(uuid::Uuid::from_bytes(*id));
        let query = query.bind(i16::from(to.before() as u8)).bind(i16::from(to as u8)).bind(crate::record::now());
        Ok(query.execute(&self.pool).await?.rows_affected() == 1)
    }
}

impl Contender for Postgres {
    type Key = Id;
    type Claim = ();

    async fn open(_folder: &Path, job: &Job) -> Result<Self> {
        let (server, pool) = server(u32::try_from(job.callers.min(MOST))?).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self { pool, _server: server })
    }

    fn durability(&self) -> String {
        DURABILITY.into()
    }

    async fn create(&self) -> Result<Id> {
        let id = fresh_id();
        let query = sqlx::query(CREATE).bind(uuid::Uuid::from_bytes(id)).bind(crate::record::now());
        query.execute(&self.pool).await?;
        Ok(id)
    }

    async fn start(&self, key: &Id) -> Result<Option<()>> {
        Ok(self.shift(key, Status::Running).await?.then_some(()))
    }

    async fn complete(&self, key: &Id, (): ()) -> Result<()> {
        anyhow::ensure!(self.shift(key, Status::Completed).await?, "it was not running");
        Ok(())
    }

    async fn transition(&self, key: &Id, to: Status) -> Result<()> {
        anyhow::ensure!(self.shift(key, to).await?, "it was elsewhere");
        Ok(())
    }

    async fn progress(&self, key: &Id, percent: u8) -> Result<()> {
        let query = sqlx::query(PROGRESS).bind(uuid::Uuid::from_bytes(*key)).bind(i16::from(percent));
        query.bind(crate::record::now()).execute(&self.pool).await?;
        Ok(())
    }

    async fn get(&self, key: &Id) -> Result<Option<Status>> {
        let query = sqlx::query_scalar::<_, i16>("SELECT status FROM operation WHERE id = $1");
        let number = query.bind(uuid::Uuid::from_bytes(*key)).fetch_optional(&self.pool).await?;
        let status = |number: i16| Status::from_number(u8::try_from(number).ok()?).context("no status").ok();
        Ok(number.and_then(status))
    }

    async fn page(&self, status: Status, limit: usize) -> Result<usize> {
        let query = sqlx::query("SELECT * FROM operation WHERE status = $1 ORDER BY id LIMIT $2");
        let query = query.bind(i16::from(status as u8)).bind(i64::try_from(limit)?);
        Ok(query.fetch_all(&self.pool).await?.len())
    }

    async fn counts(&self) -> Result<[u64; 4]> {
        let query = sqlx::query_as::<_, (i16, i64)>("SELECT status, count(*) FROM operation GROUP BY status");
        let mut counts = [0; 4];
        for (status, count) in query.fetch_all(&self.pool).await? {
            if let Some(slot) = counts.get_mut(usize::try_from(status)?) {
                *slot = u64::try_from(count)?;
            }
        }
        Ok(counts)
    }

    async fn delete(&self, key: &Id) -> Result<()> {
        let query = sqlx::query("DELETE FROM operation WHERE id = $1").bind(uuid::Uuid::from_bytes(*key));
        query.execute(&self.pool).await?;
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.pool.close().await;
        Ok(())
    }
}

//! apalis-sqlite 1.0 by its own queries: push, fetch, ack
//! (<https://docs.rs/apalis-sqlite/1.0.0/apalis_sqlite/queries/index.html>), each awaited until it is committed.
//!
//! Its worker acknowledges in batches that nobody can wait for, so the queries are called as its backend calls them.
//! Its `setup` turns `synchronous` off for the connection that runs it
//! (<https://docs.rs/crate/apalis-sqlite/1.0.0/source/src/lib.rs>), so that runs on a pool of its own; what is measured
//! is WAL with `synchronous=FULL`, its fastest setting that keeps what it acknowledged.

use std::path::Path;

use anyhow::Result;
use apalis_core::{
    backend::TaskResult,
    task::{Task, status::Status, task_id::TaskId},
    worker::context::WorkerContext,
};
use apalis_sqlite::{
    Config, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage,
    queries::{ack_tasks, fetch_next, push_tasks, register_worker},
};
use longrun_bench::{child, contender::Contender, job::Job};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

const QUEUE: &str = "export";

struct Apalis {
    pool: SqlitePool,
    config: Config,
    worker: WorkerContext,
}

impl Contender for Apalis {
    type Key = ();
    type Claim = TaskId;

    async fn open(folder: &Path, _job: &Job) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(folder.join("jobs.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(60));
        let setup = SqlitePool::connect_with(options.clone()).await?;
        SqliteStorage::setup(&setup).await?;
        setup.close().await;
        // SQLite has one writer: more connections only wait for its lock by sleeping.
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let mut config = Config::default().queue(QUEUE);
        config.batch_size = 1;
        let worker = WorkerContext::new("bench");
        register_worker(&pool, &config, &worker, "SqliteStorage").await?;
        Ok(Self { pool, config, worker })
    }

    fn durability(&self) -> String {
        "WAL, synchronous=FULL".into()
    }

    async fn create(&self) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        Ok(push_tasks(&mut *connection, QUEUE, &[Task::new(b"null".to_vec())]).await?)
    }

    /// It hands out the next task, not a named one.
    async fn start(&self, _key: &()) -> Result<Option<TaskId>> {
        let task = fetch_next(&self.pool, &self.config, &self.worker).await?.pop();
        Ok(task.and_then(|task| task.task_id().cloned()))
    }

    async fn complete(&self, _key: &(), claim: TaskId) -> Result<()> {
        let result = TaskResult {
            task_id: claim,
            attempt: 1,
            status: Status::Done,
            result: Ok(serde_json::Value::Null),
        };
        let acked = ack_tasks(&self.pool, &[&result], self.worker.name()).await?;
        anyhow::ensure!(acked == 1, "an acknowledgement of {acked} tasks");
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.pool.close().await;
        Ok(())
    }
}

fn main() -> Result<()> {
    child::serve::<Apalis>()
}

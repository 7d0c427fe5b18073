//! underway 0.2 by its own API: enqueue, and a worker that processes the next task.
//!
//! Its public API completes a task nowhere but in a worker
//! (<https://docs.rs/underway/0.2.0/underway/queue/struct.InProgressTask.html>), so each start is a call of
//! `Worker::process_next_task` (<https://docs.rs/underway/0.2.0/underway/worker/struct.Worker.html>): it commits that
//! the task is in progress, executes it, which waits for the caller to complete it, and has committed that it
//! succeeded when it returns. A worker that runs by itself tells nobody when that is. One connection for each caller:
//! a task that is executed holds one.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, anyhow};
use longrun_bench::{
    child,
    contender::Contender,
    contenders::postgres::{self, MOST, Server},
    job::Job,
};
use sqlx::{PgPool, Postgres, Transaction, postgres::PgPoolOptions};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::{JoinHandle, block_in_place},
};
use underway::{Queue, Task, Worker, task};

const QUEUE: &str = "export";

/// Told that its task is in progress, and telling it to end.
type Hands = (oneshot::Sender<()>, oneshot::Receiver<()>);

/// A task that ends when its caller says so.
struct Export(Mutex<Option<Hands>>);

impl Task for Export {
    type Input = ();
    type Output = ();

    async fn execute(&self, _: Transaction<'_, Postgres>, (): ()) -> task::Result<()> {
        let hands = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((started, finish)) = hands {
            let _ = started.send(());
            let _ = finish.await;
        }
        Ok(())
    }
}

struct Underway {
    queue: Arc<Queue<Export>>,
    pool: PgPool,
    _server: Server,
}

/// A worker with one task in its hands, and how to tell it to end.
struct Claim {
    finish: oneshot::Sender<()>,
    processed: JoinHandle<Result<bool>>,
}

impl Contender for Underway {
    type Key = ();
    type Claim = Claim;

    async fn open(_folder: &Path, job: &Job) -> Result<Self> {
        let server = postgres::start()?;
        let connections = u32::try_from(job.callers.min(MOST))?;
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(connections)
            .test_before_acquire(false)
            .connect(&server.url())
            .await?;
        while pool.size() < connections {
            tokio::task::yield_now().await;
        }
        // Its future cannot be shown to be `Send`.
        block_in_place(|| Handle::current().block_on(underway::run_migrations(&pool)))?;
        let queue = Queue::builder().name(QUEUE).pool(pool.clone()).build().await?;
        Ok(Self { queue: Arc::new(queue), pool, _server: server })
    }

    fn durability(&self) -> String {
        postgres::DURABILITY.into()
    }

    async fn create(&self) -> Result<()> {
        self.queue.enqueue(&self.pool, &Export(Mutex::default()), &()).await?;
        Ok(())
    }

    /// It hands out the next task, not a named one.
    async fn start(&self, _key: &()) -> Result<Option<Claim>> {
        loop {
            let (started, in_progress) = oneshot::channel();
            let (finish, finished) = oneshot::channel();
            let worker = Worker::new(Arc::clone(&self.queue), Export(Mutex::new(Some((started, finished)))));
            let processed = tokio::spawn(async move { Ok(worker.process_next_task().await?.is_some()) });
            if in_progress.await.is_ok() {
                return Ok(Some(Claim { finish, processed }));
            }
            // Others held every task that it saw; there is one for each who starts.
            processed.await??;
        }
    }

    async fn complete(&self, _key: &(), claim: Claim) -> Result<()> {
        claim.finish.send(()).map_err(|()| anyhow!("the worker dropped a task"))?;
        anyhow::ensure!(claim.processed.await?.context("a task failed")?, "a task was not processed");
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.pool.close().await;
        Ok(())
    }
}

fn main() -> Result<()> {
    child::serve::<Underway>()
}

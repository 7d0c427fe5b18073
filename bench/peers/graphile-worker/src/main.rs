//! graphile_worker 0.14 by its own API: a job is added, its worker locks it and hands it over, and completes it.
//!
//! Its API has no call that takes a job or completes one: a worker runs as documented, the job's handler waits for the
//! caller to complete it, and `JobComplete` (<https://docs.rs/crate/graphile_worker/0.14.1/source/docs/src/guides/hooks.md>)
//! says when that is committed.
//!
//! Its setting is the "throughput-oriented worker" of its documentation
//! (<https://docs.rs/crate/graphile_worker/0.14.1/source/docs/src/configuration/worker-options.md>): a local queue that
//! fetches many jobs at once, and completions in batches; as many jobs run at once as there are callers.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use graphile_worker::{
    IntoTaskHandlerResult, JobComplete, JobSpec, LocalQueueConfig, TaskHandler, Worker, WorkerContext,
    WorkerOptions, WorkerUtils,
};
use longrun_bench::{
    child,
    contender::Contender,
    contenders::postgres::{self, MOST, Server},
    job::Job,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, task::JoinHandle};

/// A job that the worker has started: its number, and how to tell its handler to end.
type Started = (i64, oneshot::Sender<()>);

/// Where the worker leaves the jobs that it has started and completed, for those who added them.
#[derive(Clone, Debug, Default)]
struct Desk(Arc<Mutex<Expected>>);

#[derive(Debug, Default)]
struct Expected {
    started: HashMap<u64, oneshot::Sender<Started>>,
    completed: HashMap<i64, oneshot::Sender<()>>,
}

impl Desk {
    fn with<T>(&self, act: impl FnOnce(&mut Expected) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Deserialize, Serialize)]
struct Export {
    token: u64,
}

impl TaskHandler for Export {
    const IDENTIFIER: &'static str = "export";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let desk = context.get_ext::<Desk>().ok_or("no desk")?;
        if let Some(caller) = desk.with(|expected| expected.started.remove(&self.token)) {
            let (finish, finished) = oneshot::channel();
            let _ = caller.send((*context.job().id(), finish));
            let _ = finished.await;
        }
        Ok::<(), &str>(())
    }
}

struct Graphile {
    worker: Arc<Worker>,
    jobs: WorkerUtils,
    running: JoinHandle<Result<()>>,
    desk: Desk,
    next: AtomicU64,
    _server: Server,
}

/// The job as its maker waits for it; taken by the one who starts it.
type Awaited = Arc<Mutex<Option<oneshot::Receiver<Started>>>>;

impl Contender for Graphile {
    type Key = Awaited;
    type Claim = Started;

    async fn open(_folder: &Path, job: &Job) -> Result<Self> {
        let (server, pool) = postgres::server(u32::try_from(job.callers.min(MOST))?).await?;
        let desk = Desk::default();
        let told = desk.clone();
        let worker = WorkerOptions::default()
            .concurrency(job.callers)
            .poll_interval(Duration::from_millis(500))
            .complete_job_batch_delay(Duration::from_millis(5))
            .local_queue(LocalQueueConfig::default().with_size(100).with_ttl(Duration::from_secs(60)))
            .listen_os_shutdown_signals(false)
            .pg_pool(pool)
            .add_extension(desk.clone())
            .define_job::<Export>()
            .on(JobComplete, move |completed| {
                let caller = told.with(|expected| expected.completed.remove(completed.job.id()));
                async move {
                    if let Some(caller) = caller {
                        let _ = caller.send(());
                    }
                }
            })
            .init()
            .await?;
        let worker = Arc::new(worker);
        let jobs = worker.create_utils();
        let running = tokio::spawn({
            let worker = Arc::clone(&worker);
            async move { Ok(worker.run().await?) }
        });
        Ok(Self { worker, jobs, running, desk, next: AtomicU64::new(0), _server: server })
    }

    fn durability(&self) -> String {
        postgres::DURABILITY.into()
    }

    async fn create(&self) -> Result<Awaited> {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let (caller, started) = oneshot::channel();
        self.desk.with(|expected| expected.started.insert(token, caller));
        self.jobs.add_job(Export { token }, JobSpec::default()).await?;
        Ok(Arc::new(Mutex::new(Some(started))))
    }

    /// Its worker starts jobs by itself: this waits until it has.
    async fn start(&self, key: &Awaited) -> Result<Option<Started>> {
        let started = key.lock().unwrap_or_else(PoisonError::into_inner).take();
        match started {
            Some(started) => Ok(Some(started.await.context("the worker dropped a job")?)),
            None => Ok(None),
        }
    }

    async fn complete(&self, _key: &Awaited, (id, finish): Started) -> Result<()> {
        let (caller, completed) = oneshot::channel();
        self.desk.with(|expected| expected.completed.insert(id, caller));
        finish.send(()).map_err(|()| anyhow!("the worker dropped a job"))?;
        completed.await.context("the worker dropped a job")
    }

    async fn close(self) -> Result<()> {
        self.worker.request_shutdown();
        self.running.await?
    }
}

fn main() -> Result<()> {
    child::serve::<Graphile>()
}

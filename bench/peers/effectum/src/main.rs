//! effectum 0.7 by its own API: a job is added, its worker marks it running and hands it over, and it is completed.
//!
//! It has one durable setting, which its queue sets when it opens
//! (<https://docs.rs/crate/effectum/0.7.0/source/src/local_queue.rs>): `synchronous=normal`. The pragma that it means
//! to set the journal's mode by does not exist, so that is SQLite's default, `delete`.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, anyhow};
use effectum::{JobRunner, Queue, RunningJob, Worker};
use longrun_bench::{child, contender::Contender, job::Job};
use tokio::sync::oneshot;

/// Told to complete, and by whom to be told that it is done.
type Finish = oneshot::Sender<oneshot::Sender<Result<(), effectum::Error>>>;

/// Where the worker leaves the jobs that it has started, for those who added them.
#[derive(Debug, Default)]
struct Desk {
    next: AtomicU64,
    expected: Mutex<HashMap<u64, oneshot::Sender<Finish>>>,
}

impl Desk {
    fn expect(&self) -> (u64, oneshot::Receiver<Finish>) {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).insert(token, sender);
        (token, receiver)
    }

    fn arrived(&self, token: u64) -> Option<oneshot::Sender<Finish>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).remove(&token)
    }
}

async fn work(job: RunningJob, desk: Arc<Desk>) -> Result<(), effectum::Error> {
    let token: u64 = job.json_payload()?;
    let Some(caller) = desk.arrived(token) else { return Ok(()) };
    let (finish, finished) = oneshot::channel();
    let _ = caller.send(finish);
    if let Ok(done) = finished.await {
        let _ = done.send(job.complete(()).await);
    }
    Ok(())
}

struct Effectum {
    queue: Queue,
    worker: Worker,
    desk: Arc<Desk>,
}

/// The job as its maker waits for it; taken by the one who starts it.
type Started = Arc<Mutex<Option<oneshot::Receiver<Finish>>>>;

impl Contender for Effectum {
    type Key = Started;
    type Claim = Finish;

    async fn open(folder: &Path, job: &Job) -> Result<Self> {
        let queue = Queue::new(&folder.join("jobs.sqlite")).await?;
        let desk = Arc::new(Desk::default());
        let runner = JobRunner::builder("export", work).build();
        let concurrency = u16::try_from(job.callers).unwrap_or(u16::MAX);
        let worker =
            Worker::builder(&queue, Arc::clone(&desk)).max_concurrency(concurrency).jobs([runner]).build().await?;
        Ok(Self { queue, worker, desk })
    }

    fn durability(&self) -> String {
        "journal=delete, synchronous=normal".into()
    }

    async fn create(&self) -> Result<Started> {
        let (token, started) = self.desk.expect();
        effectum::Job::builder("export").json_payload(&token)?.add_to(&self.queue).await?;
        Ok(Arc::new(Mutex::new(Some(started))))
    }

    /// Its worker starts jobs by itself: this waits until it has.
    async fn start(&self, key: &Started) -> Result<Option<Finish>> {
        let started = key.lock().unwrap_or_else(PoisonError::into_inner).take();
        match started {
            Some(started) => Ok(Some(started.await.context("the worker dropped a job")?)),
            None => Ok(None),
        }
    }

    async fn complete(&self, _key: &Started, claim: Finish) -> Result<()> {
        let (done, completed) = oneshot::channel();
        claim.send(done).map_err(|_| anyhow!("the worker dropped a job"))?;
        Ok(completed.await.context("the worker dropped a job")??)
    }

    async fn close(self) -> Result<()> {
        self.worker.unregister(None).await?;
        Ok(self.queue.close(std::time::Duration::from_secs(10)).await?)
    }
}

fn main() -> Result<()> {
    child::serve::<Effectum>()
}

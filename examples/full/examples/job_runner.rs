//! A `tower` layer that tracks any service: whatever hands out the jobs, their state is in the tracker.
//!
//!     cargo run -p longrun-examples --example job_runner
//!
//! prints
//!
//!     mail-1: Completed on attempt 1 with "sent to ada@example.org"
//!     mail-2: Failed on attempt 1: failed: the mailbox is full
//!     mail-2~2: Failed on attempt 2: failed: the mailbox is full
//!     mail-2~3: Completed on attempt 3 with "sent to bob@example.org"
//!     mail-1 again: refused, it is Completed
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use longrun::{ErrorKind, NewOperation, Operation, OperationId, RunError, Tracker};
use serde::Serialize;
use tower::{Layer, Service, ServiceExt as _};

/// What a runner hands to its services: a job with a name, and which attempt this is.
#[derive(Clone, Debug)]
struct Task<T> {
    id: OperationId,
    attempt: u32,
    job: T,
}

/// Tracks the tasks of a service as operations of one type.
#[derive(Clone, Debug)]
struct Tracked {
    tracker: Tracker,
    type_name: &'static str,
}

impl<S> Layer<S> for Tracked {
    type Service = TrackedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TrackedService { layer: self.clone(), inner }
    }
}

#[derive(Clone, Debug)]
struct TrackedService<S> {
    layer: Tracked,
    inner: S,
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, RunError<T, E>>> + Send>>;

impl<S, T> Service<Task<T>> for TrackedService<S>
where
    S: Service<Task<T>> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Serialize + Send,
    S::Error: fmt::Display + Send + 'static,
    T: Send + 'static,
{
    type Response = S::Response;
    type Error = RunError<S::Response, S::Error>;
    type Future = Answer<S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(RunError::Work)
    }

    fn call(&mut self, task: Task<T>) -> Self::Future {
        let Tracked { tracker, type_name } = self.layer.clone();
        // The service that was ready does the work; a fresh clone takes its place.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            let operation = open(&tracker, type_name, &task).await.map_err(RunError::Refused)?;
            // The result and the error go back to the runner; the record keeps both.
            tracker.run(operation.id(), async move |_| inner.call(task).await).await
        })
    }
}

/// The operation of a task: one for each attempt, each naming the one before it. The same task again finds
/// the same operation.
async fn open<T>(tracker: &Tracker, type_name: &str, task: &Task<T>) -> longrun::Result<Operation> {
    let mut new = NewOperation::new(type_name).id(task.id.attempt(task.attempt)?);
    if task.attempt > 1 {
        new = new.retry_of(task.id.attempt(task.attempt - 1)?);
    }
    tracker.create(new).await
}

/// Work that knows nothing of the tracker.
#[derive(Clone, Debug)]
struct Mailer {
    refusals: Arc<Mutex<u32>>,
}

impl Service<Task<&'static str>> for Mailer {
    type Response = String;
    type Error = &'static str;
    type Future = std::future::Ready<Result<String, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<&'static str>) -> Self::Future {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        std::future::ready(match *refusals {
            left @ 1.. if task.job.starts_with("bob") => {
                *refusals = left - 1;
                Err("the mailbox is full")
            }
            _ => Ok(format!("sent to {}", task.job)),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tracker = Tracker::builder().in_memory().await?;
    let layer = Tracked { tracker: tracker.clone(), type_name: "mail" };
    let mut service = layer.layer(Mailer { refusals: Arc::new(Mutex::new(2)) });
    for (id, job) in [("mail-1", "ada@example.org"), ("mail-2", "bob@example.org")] {
        let id: OperationId = id.parse()?;
        // The runner's own policy: three attempts. What became of each is in the tracker.
        for attempt in 1..=3 {
            let answer = service.ready().await?.call(Task { id: id.clone(), attempt, job }).await;
            let now = tracker.get(&id.attempt(attempt)?).await?;
            match (&answer, now.failure()) {
                (Ok(value), _) => println!("{}: {} on attempt {attempt} with {value:?}", now.id(), now.status()),
                (_, Some(failure)) => println!("{}: {} on attempt {attempt}: {failure}", now.id(), now.status()),
                (Err(error), None) => println!("{}: {error}", now.id()),
            }
            if answer.is_ok() {
                break;
            }
        }
    }
    let again = Task { id: "mail-1".parse()?, attempt: 1, job: "ada@example.org" };
    match service.ready().await?.call(again).await {
        Err(RunError::Refused(error)) if error.kind() == ErrorKind::Terminal => {
            println!(
                "mail-1 again: refused, it is {}",
                error.current().map_or("gone", |now| now.status().as_str())
            );
        }
        other => println!("mail-1 again: {other:?}"),
    }
    tracker.close(Duration::from_secs(1)).await?;
    Ok(())
}

//! Runs somebody's work as an operation: claims it, reports for it, and always records how it ended.

use std::any::Any;
use std::fmt::{self, Display};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tracing::Span;

use super::Tracker;
use super::between;
use super::future::{Boxed, first};
use super::held::Closing;
use super::hub::Subject;
use super::start::{Run, end_patch, is_held_by};
use crate::error::{Error, ErrorKind};
use crate::model::{Amount, Failure, Operation, OperationId, Patch, Told, TraceParent};

/// What is told is written at most this often.
const PACE: Duration = Duration::from_secs(1);
/// A waiting future reads the record at least this often: hints may be lost.
pub(super) const RE_READ: Duration = Duration::from_secs(30);

/// Why a [`Tracker::run`] has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError<T, E> {
    /// The operation could not be claimed; the work was never called.
    Refused(Error),
    /// The work failed, and the failure is recorded.
    Work(E),
    /// The operation was ended by somebody else: cancelled, stalled, timed out, interrupted. As it is now.
    Lost(Operation),
    /// The work was stopped before its end, and that could not be recorded.
    Stopped(Error),
    /// The work is done and its end could not be recorded.
    Unrecorded {
        /// What the work returned.
        value: Result<T, E>,
        /// Why it is not recorded.
        error: Error,
    },
    /// The work is done and what it returned is too large to keep; Failed/`resultTooLarge` is recorded.
    TooLarge {
        /// What the work returned.
        value: T,
        /// The operation as it was recorded.
        operation: Operation,
    },
}

impl<T, E: Display> Display for RunError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_) => f.write_str("the operation could not be claimed"),
            Self::Work(error) => error.fmt(f),
            Self::Lost(operation) => match operation.failure() {
                Some(failure) => write!(f, "operation {} was ended by somebody else: {failure}", operation.id()),
                None => {
                    write!(f, "operation {} was ended by somebody else: {}", operation.id(), operation.status())
                }
            },
            Self::Stopped(_) => f.write_str("the work was stopped and that could not be recorded"),
            Self::Unrecorded { .. } => f.write_str("the work is done and its end could not be recorded"),
            Self::TooLarge { operation, .. } => {
                write!(f, "the result of operation {} is too large", operation.id())
            }
        }
    }
}

impl<T: fmt::Debug, E: fmt::Debug + Display> std::error::Error for RunError<T, E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) | Self::Stopped(error) | Self::Unrecorded { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// What the work has to tell: plain calls that never fail, usable from any thread. Cannot end the run.
#[derive(Clone, Debug)]
pub struct Reporter {
    tracker: Tracker,
    id: OperationId,
    holder: Arc<str>,
    told: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    news: Mutex<News>,
    fresh: Notify,
}

#[derive(Debug, Default)]
struct News {
    /// The most told so far.
    percent: Option<u8>,
    amount: Option<Amount>,
    detail: Option<String>,
    /// What of it was told since it was last written.
    fresh_percent: bool,
    fresh_amount: bool,
    fresh_detail: bool,
}

impl News {
    fn is_fresh(&self) -> bool {
        self.fresh_percent || self.fresh_amount || self.fresh_detail
    }

    /// What is fresh, to be written.
    fn take(&mut self) -> Fresh {
        Fresh {
            percent: self.percent.filter(|_| std::mem::take(&mut self.fresh_percent)),
            amount: self.amount.clone().filter(|_| std::mem::take(&mut self.fresh_amount)),
            detail: self.detail.clone().filter(|_| std::mem::take(&mut self.fresh_detail)),
        }
    }

    /// What could not be written is fresh again.
    fn put_back(&mut self, fresh: &Fresh) {
        self.fresh_percent |= fresh.percent.is_some();
        self.fresh_amount |= fresh.amount.is_some();
        self.fresh_detail |= fresh.detail.is_some();
    }
}

/// What was told since it was last written.
struct Fresh {
    percent: Option<u8>,
    amount: Option<Amount>,
    detail: Option<String>,
}

impl Reporter {
    pub(super) fn new(tracker: Tracker, id: OperationId, holder: Arc<str>) -> Self {
        Self { tracker, id, holder, told: Arc::default() }
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.told.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operation's id.
    pub fn id(&self) -> &OperationId {
        &self.id
    }

    /// The tracker, to look at other operations.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// How much is done, in percent or as `(done, total, unit)`; what is over the whole counts as the whole,
    /// what is less than before in the same unit is kept as before. Written at most once a second.
    pub fn progress(&self, told: impl Into<Told>) {
        let mut news = self.news();
        match told.into() {
            Told::Percent(percent) => {
                let most = news.percent.max(Some(percent.min(100)));
                news.fresh_percent |= most != news.percent;
                news.percent = most;
            }
            Told::Amount(amount) => {
                let amount = amount.fitted();
                if !amount.regresses(news.amount.as_ref()) && news.amount.as_ref() != Some(&amount) {
                    news.amount = Some(amount);
                    news.fresh_amount = true;
                }
            }
        }
        drop(news);
        self.told.fresh.notify_one();
    }

    /// What is going on, for people: the first KiB of it. Written at most once a second.
    pub fn detail(&self, text: impl Into<String>) {
        let mut text: String = text.into().replace('\0', "\u{fffd}");
        text.truncate(text.floor_char_boundary(1_024));
        let mut news = self.news();
        news.detail = Some(text);
        news.fresh_detail = true;
        drop(news);
        self.told.fresh.notify_one();
    }

    /// Ends when the work should stop: somebody asked for it, its deadline has passed, the operation is not
    /// this run's any more, or the tracker closes.
    pub async fn cancelled(&self) {
        drop(self.stop().await);
    }

    /// Why the work should stop.
    async fn stop(&self) -> Stop {
        let held = self.tracker.held();
        let mut changes = self.tracker.subscribe(Subject::One(self.id.clone()));
        let closing: Boxed<'_, Stop> = Box::pin(async {
            held.closing_is(Closing::Stopping).await;
            Stop::Closing
        });
        let ended: Boxed<'_, Stop> = Box::pin(async {
            loop {
                let now = self.tracker.now().ok();
                let mut pause = RE_READ;
                match self.tracker.store().load(&self.id).await {
                    Ok(Some(operation)) if !is_held_by(&operation, &self.holder) => {
                        return Stop::Lost(Some(operation));
                    }
                    Ok(Some(operation)) if operation.cancellation_requested().is_some() => return Stop::Cancelled,
                    Ok(None) => return Stop::Lost(None),
                    Ok(Some(operation)) if now.is_some_and(|now| operation.is_due(now)) => return Stop::Overdue,
                    Ok(Some(operation)) => {
                        let due = now.zip(operation.stamps().deadline);
                        pause = due.map_or(RE_READ, |(now, due)| between(now, due).min(RE_READ));
                    }
                    // Read again with the next hint; the end tells what is wrong with the store.
                    Err(_) => {}
                }
                let sleep = self.tracker.clock().sleep(pause);
                first(vec![Box::pin(changes.hinted()), Box::pin(sleep)]).await;
            }
        });
        first(vec![closing, ended]).await
    }

    /// Writes what is told, and a sign of life where a lease asks for one; never ends.
    async fn write(&self, beat: Option<Duration>) {
        let clock = self.tracker.clock();
        let mut written = clock.monotonic();
        loop {
            let fresh: Boxed<'_, ()> = Box::pin(async {
                while !self.news().is_fresh() {
                    self.told.fresh.notified().await;
                }
            });
            let mut events = vec![fresh];
            // Counted from the last write, whatever was said again since.
            let due = beat.map(|beat| written.saturating_add(beat));
            if let Some(due) = due {
                events.push(clock.sleep(due.saturating_sub(clock.monotonic())));
            }
            first(events).await;
            let fresh = self.news().take();
            let begun = clock.monotonic();
            if self.tell(&fresh).await {
                written = begun;
            } else {
                self.news().put_back(&fresh);
            }
            let pace = beat.map_or(PACE, |beat| beat.min(PACE));
            clock.sleep(pace).await;
        }
    }

    /// Writes news, as a sign of life too; `false` if it should be told again.
    async fn tell(&self, fresh: &Fresh) -> bool {
        let mut patch = Patch::heartbeat().held_by(&*self.holder);
        if let Some(detail) = &fresh.detail {
            patch = patch.detail(detail.clone());
        }
        let mut with_progress = patch.clone();
        if let Some(percent) = fresh.percent {
            with_progress = with_progress.progress(percent);
        }
        if let Some(amount) = &fresh.amount {
            with_progress = with_progress.progress(amount.clone());
        }
        let told = match self.tracker.patch(&self.id, with_progress).await {
            // Somebody else has told more already: the sign of life counts all the same.
            Err(error) if error.kind() == ErrorKind::Conflict || error.code() == "progressRegressed" => {
                self.tracker.patch(&self.id, patch).await
            }
            told => told,
        };
        match told {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(operation.id = %self.id, %error, "progress could not be written");
                // A refusal shows in `stop`.
                !error.is_retryable()
            }
        }
    }

    /// The last words, written with the end.
    fn last_words(&self, mut patch: Patch) -> Patch {
        let news = self.news();
        if let Some(percent) = news.percent {
            patch = patch.progress(percent);
        }
        if let Some(amount) = &news.amount {
            patch = patch.progress(amount.clone());
        }
        if let Some(detail) = &news.detail {
            patch = patch.detail(detail.clone());
        }
        patch
    }
}

/// Why work is stopped before its end.
#[derive(Debug)]
enum Stop {
    Cancelled,
    Closing,
    TimedOut(Duration),
    /// Its deadline has passed.
    Overdue,
    /// Somebody else ended or deleted it.
    Lost(Option<Operation>),
}

/// How polling the work ended.
enum Polled<R> {
    Done(R),
    Panicked(Box<dyn Any + Send>),
    Stopped(Stop),
}

impl Tracker {
    /// Claims an operation, runs the work, and records how it ended.
    ///
    /// The work gets a [`Reporter`]. Its `Ok` is the operation's result, its `Err` the failure (a [`Failure`]
    /// keeps its code); a panic is recorded as `panicked` and handed on; on cancel, time limit, deadline or close
    /// the work is dropped at its next await. It runs in the span `operation`.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let id = tracker.create(NewOperation::new("sum")).await?.id().clone();
    /// let sum = tracker.run(&id, async |run| {
    ///     run.progress(50);
    ///     Ok::<_, std::io::Error>(1 + 2)
    /// });
    /// assert_eq!(sum.await.unwrap(), 3);
    /// assert_eq!(tracker.get(&id).await?.result::<i32>().unwrap(), 3);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub fn run<F, Fut, T, E>(
        &self,
        id: &OperationId,
        work: F,
    ) -> impl Future<Output = Result<T, RunError<T, E>>> + Send + use<F, Fut, T, E>
    where
        F: FnOnce(Reporter) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Serialize + Send,
        E: Display + Send + 'static,
    {
        let (tracker, id) = (self.clone(), id.clone());
        async move {
            let run = tracker.start(&id).await.map_err(RunError::Refused)?;
            let reporter = Reporter::new(tracker.clone(), id, run.holder());
            let type_name = run.operation().type_name();
            let trace_parent = run.operation().trace_parent().map(TraceParent::as_str);
            let span = tracing::info_span!(
                "operation",
                operation.id = %run.id(),
                operation.type = type_name,
                operation.trace_parent = trace_parent
            );
            match drive(&tracker, &run, &reporter, &span, work).await {
                Polled::Done(value) => record(run, &reporter, value).await,
                Polled::Panicked(payload) => {
                    let failure = Failure::new(Failure::PANICKED, panic_message(&*payload));
                    // The panic goes on whatever becomes of the record; an unfinished claim is settled later.
                    drop(run.end(reporter.last_words(Patch::fail(failure.fitted())), None).await);
                    resume_unwind(payload);
                }
                Polled::Stopped(stop) => Err(end_stopped(run, &reporter, stop).await),
            }
        }
    }
}

async fn drive<F, Fut, T, E>(
    tracker: &Tracker,
    run: &Run,
    reporter: &Reporter,
    span: &Span,
    work: F,
) -> Polled<Result<T, E>>
where
    F: FnOnce(Reporter) -> Fut + Send,
    Fut: Future<Output = Result<T, E>> + Send,
{
    let called = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| work(reporter.clone()))));
    // On the heap, so that it can be dropped where its panic is caught.
    let mut working: Option<Boxed<'_, Result<T, E>>> = match called {
        Ok(future) => Some(Box::pin(future)),
        Err(payload) => return Polled::Panicked(payload),
    };
    let type_name = run.operation().type_name();
    let beat = tracker.inner.policy.lease(type_name).map(|lease| lease / 3);
    let limit = tracker.inner.policy.limit(type_name);
    let mut writing = pin!(reporter.write(beat));
    let mut stopping = pin!(first(vec![
        Box::pin(reporter.stop()) as Boxed<'_, Stop>,
        Box::pin(async {
            match limit {
                Some(limit) => {
                    tracker.clock().sleep(limit).await;
                    Stop::TimedOut(limit)
                }
                None => std::future::pending().await,
            }
        }),
    ]));
    let polled = poll_fn(|context| {
        if let Some(future) = &mut working {
            let polled = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| future.as_mut().poll(context))));
            match polled {
                Ok(Poll::Ready(value)) => return Poll::Ready(Polled::Done(value)),
                Ok(Poll::Pending) => {}
                Err(payload) => return Poll::Ready(Polled::Panicked(payload)),
            }
        }
        let _: Poll<()> = writing.as_mut().poll(context);
        stopping.as_mut().poll(context).map(Polled::Stopped)
    })
    .await;
    // Its drop may panic too, and the end must be recorded all the same.
    let dropped = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| drop(working.take()))));
    match (polled, dropped) {
        // The first panic tells more than the one that it caused.
        (Polled::Panicked(payload), _) | (_, Err(payload)) => Polled::Panicked(payload),
        (polled, Ok(())) => polled,
    }
}

async fn record<T, E>(run: Run, reporter: &Reporter, value: Result<T, E>) -> Result<T, RunError<T, E>>
where
    T: Serialize + Send,
    E: Display + Send + 'static,
{
    let patch = match &value {
        Ok(result) => end_patch(run.tracker(), result),
        Err(error) => Patch::fail(failure_of(error).fitted()),
    };
    let failed = patch.failure.is_some();
    match run.end(reporter.last_words(patch), None).await {
        Ok(operation) => match value {
            Ok(value) if failed => Err(RunError::TooLarge { value, operation }),
            Ok(value) => Ok(value),
            Err(error) => Err(RunError::Work(error)),
        },
        Err(end) => {
            let error = end.into_error();
            match (error.kind(), error.current(), value) {
                (ErrorKind::Terminal | ErrorKind::IllegalTransition, Some(current), Err(_)) => {
                    Err(RunError::Lost(current.clone()))
                }
                (_, _, value) => Err(RunError::Unrecorded { value, error }),
            }
        }
    }
}

async fn end_stopped<T, E>(run: Run, reporter: &Reporter, stop: Stop) -> RunError<T, E> {
    let id = run.id().clone();
    let failure = match stop {
        Stop::Lost(Some(operation)) => return RunError::Lost(operation),
        Stop::Lost(None) => return RunError::Stopped(Error::not_found(&id)),
        Stop::Cancelled => Failure::new(Failure::CANCELLED, "cancelled while it ran"),
        Stop::Closing => Failure::new(Failure::INTERRUPTED, "the tracker was closed while it ran"),
        Stop::Overdue => Failure::new(Failure::DEADLINE_EXCEEDED, "its deadline passed while it ran"),
        Stop::TimedOut(limit) => Failure::new(Failure::TIMEOUT, format!("ran longer than {limit:?}")),
    };
    match run.end(reporter.last_words(Patch::fail(failure)), None).await {
        Ok(operation) => RunError::Lost(operation),
        Err(end) => {
            let run = end.run();
            let interrupted = run.tracker().held().as_interrupted(run.number());
            let current = end.error().current().cloned();
            match interrupted.or(current) {
                Some(operation) => RunError::Lost(operation),
                None => RunError::Stopped(end.into_error()),
            }
        }
    }
}

/// An error as a failure: itself if it is one, else `failed` with its text.
fn failure_of<E: Display + 'static>(error: &E) -> Failure {
    match (error as &dyn Any).downcast_ref::<Failure>() {
        Some(failure) => failure.clone(),
        None => Failure::new(Failure::FAILED, error.to_string()),
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".into())
}

//! The claim that a caller holds, and what becomes of one that is dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::future::{Boxed, all};
use super::held::Claim;
use super::run::Reporter;
use super::{ROUNDS, STEP, Tracker};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Failure, Json, Operation, OperationId, Patch, State, Status, Told, holder};
use crate::store::StoreError;

/// A claimed operation. Ends at most once, by move; dropped unfinished it is ended as Failed/`abandoned` by
/// the next call on any clone of the tracker.
///
/// ```compile_fail
/// # async fn end_twice(run: longrun::Run) {
/// run.complete("done").await.unwrap();
/// run.complete("done again").await.unwrap();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a claim that is dropped ends its operation as abandoned"]
pub struct Run {
    claim: Guard,
    operation: Operation,
}

/// The claim's place on the list of what this process holds. Does no I/O on drop.
#[derive(Debug)]
struct Guard {
    tracker: Tracker,
    number: u64,
    claim: Claim,
    /// Whether a swap may have made the claim.
    armed: AtomicBool,
}

impl Guard {
    fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
        drop(self.tracker.held().let_go(self.number));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if *self.armed.get_mut() {
            self.tracker.held().drop_claim(self.number);
            // Who waits for it settles it.
            self.tracker.inner.hub.hint(&self.claim.id);
        } else {
            drop(self.tracker.held().let_go(self.number));
        }
    }
}

/// An end that could not be written, with the claim.
pub struct EndError {
    error: Error,
    run: Box<Run>,
}

impl EndError {
    /// Why.
    pub fn error(&self) -> &Error {
        &self.error
    }

    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// The claim, to try again.
    pub fn into_run(self) -> Run {
        *self.run
    }

    /// Why, letting the claim go.
    pub fn into_error(self) -> Error {
        self.error
    }
}

impl fmt::Debug for EndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl fmt::Display for EndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the end of operation {} could not be written", self.run.id())
    }
}

impl std::error::Error for EndError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Tracker {
    /// Claims an operation: exactly one caller gets a [`Run`].
    ///
    /// `IllegalTransition` with the holder in [`Error::current`] if it is claimed, `Terminal` if it has ended,
    /// `Closed` while the tracker is closing.
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let id = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// let run = tracker.start(&id).await?;
    /// assert!(tracker.start(&id).await.is_err());
    /// let done = run.complete(42).await.map_err(|end| end.into_error())?;
    /// assert_eq!(done.status(), Status::Completed);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn start(&self, id: &OperationId) -> Result<Run> {
        self.enter().await?;
        let number = self.held().number();
        let claim =
            Claim { id: id.clone(), holder: holder::of_instance(self.store().opened().instance, number).into() };
        self.held().hold(number, claim.clone());
        let guard = Guard { tracker: self.clone(), number, claim, armed: AtomicBool::new(false) };
        // Looked at after the claim is on the list: `close` sees the claim, or this sees `close`.
        if self.held().is_closing() {
            guard.disarm();
            return Err(StoreError::Closed.into());
        }
        let patch = Patch::claim(guard.claim.holder.clone());
        // Dropped before a swap is sent this has claimed nothing; from then on the claim is left on the list,
        // whatever became of the swap.
        let patch_of = |_: &Operation| {
            guard.armed.store(true, Ordering::Relaxed);
            self.held().sent(number);
            Ok(&patch)
        };
        match self.update(id, Some(ROUNDS), patch_of).await {
            Ok(operation) => Ok(Run { claim: guard, operation }),
            Err(error) => {
                if error.is_definite() {
                    guard.disarm();
                }
                Err(error)
            }
        }
    }

    /// Ends what was dropped unfinished. What cannot be settled now stays on the list.
    pub(super) async fn settle(&self) {
        let claims = self.held().to_settle();
        // Side by side: they share a sync.
        for step in claims.chunks(STEP) {
            let settling =
                step.iter().map(|(number, claim)| -> Boxed<'_, _> { Box::pin(self.settle_one(*number, claim)) });
            all(settling.collect()).await;
        }
    }

    async fn settle_one(&self, number: u64, claim: &Claim) {
        let failure = Failure::new(Failure::ABANDONED, "its run was dropped unfinished");
        let patch = Patch::fail(failure).held_by(claim.holder.clone());
        match self.update(&claim.id, Some(ROUNDS), |_| Ok(&patch)).await {
            Ok(_) => self.held().settled(number),
            Err(error) => {
                let waits = error.current().is_some_and(|current| current.status() == Status::NotStarted);
                match error.kind() {
                    // Its claim may be on its way to the disk still.
                    ErrorKind::IllegalTransition if waits => {}
                    // Ended, gone, or not its own any more; of a closed store the next open ends it.
                    ErrorKind::Terminal
                    | ErrorKind::NotFound
                    | ErrorKind::IllegalTransition
                    | ErrorKind::Closed => self.held().settled(number),
                    _ => tracing::warn!(operation.id = %claim.id, %error, "a dropped run could not be settled"),
                }
            }
        }
    }
}

impl Run {
    /// The operation's id.
    pub fn id(&self) -> &OperationId {
        self.operation.id()
    }

    /// The operation as it was when this claim was made.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The tracker that made the claim.
    pub fn tracker(&self) -> &Tracker {
        &self.claim.tracker
    }

    pub(super) fn number(&self) -> u64 {
        self.claim.number
    }

    pub(super) fn holder(&self) -> Arc<str> {
        Arc::clone(&self.claim.claim.holder)
    }

    /// Progress, 0 to 100 or `(done, total, unit)`; never back.
    pub async fn progress(&self, told: impl Into<Told> + Send) -> Result<Operation> {
        self.update(Patch::new().progress(told)).await
    }

    /// Free text for people.
    pub async fn detail(&self, text: impl Into<String>) -> Result<Operation> {
        self.update(Patch::new().detail(text)).await
    }

    /// A sign of life.
    pub async fn heartbeat(&self) -> Result<Operation> {
        self.update(Patch::heartbeat()).await
    }

    /// Applies a patch while this claim holds.
    pub async fn update(&self, patch: Patch) -> Result<Operation> {
        self.tracker().patch(self.id(), patch.held_by(self.holder())).await
    }

    /// Ends when somebody asks for the end, when the deadline has passed, when the operation is no longer this
    /// claim's, or when the tracker closes.
    pub async fn cancelled(&self) {
        let reporter = Reporter::new(self.tracker().clone(), self.id().clone(), self.holder());
        reporter.cancelled().await;
    }

    /// Completed, with what came out. A result over its bound, or one that is no JSON, is recorded as
    /// Failed with the reason: the end is always recorded.
    pub async fn complete(self, result: impl Serialize + Send) -> Result<Operation, EndError> {
        let patch = end_patch(&self.claim.tracker, &result);
        drop(result);
        self.end(patch, Some(ROUNDS)).await
    }

    /// Failed, with the reason. A reason over its bound is cut.
    pub async fn fail(self, failure: impl Into<Failure> + Send) -> Result<Operation, EndError> {
        self.end(Patch::fail(failure.into().fitted()), Some(ROUNDS)).await
    }

    pub(super) async fn end(self, patch: Patch, rounds: Option<u32>) -> Result<Operation, EndError> {
        let patch = patch.held_by(self.holder());
        match self.claim.tracker.update(self.operation.id(), rounds, |_| Ok(&patch)).await {
            Ok(ended) => {
                self.claim.disarm();
                Ok(ended)
            }
            Err(error) => Err(EndError { error, run: Box::new(self) }),
        }
    }
}

/// The patch that records a result, or why it cannot be recorded.
pub(super) fn end_patch(tracker: &Tracker, result: &impl Serialize) -> Patch {
    let max = tracker.inner.rules.max_result;
    match Json::new(result) {
        Ok(json) if json.is_null() => Patch::complete(None),
        Ok(json) if json.as_str().len() <= max => Patch::complete(json),
        Ok(json) => {
            let message =
                format!("the result has {} bytes of JSON, at most {max} can be kept", json.as_str().len());
            Patch::fail(Failure::new(Failure::RESULT_TOO_LARGE, message))
        }
        Err(error) => {
            let message = format!("the result cannot be kept: it {error}");
            Patch::fail(Failure::new(Failure::RESULT_TOO_LARGE, message).fitted())
        }
    }
}

/// Whether a record is a Running one of this holder.
pub(super) fn is_held_by(operation: &Operation, holder: &str) -> bool {
    matches!(operation.state(), State::Running(work) if work.holder.as_deref() == Some(holder))
}

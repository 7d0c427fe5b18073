//! Waiting without polling: snapshot and subscription are one step, truth is the record.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::Tracker;
use super::future::{Boxed, all, first};
use super::hub::{Subject, Subscription};
use super::run::RE_READ;
use crate::error::{Error, Result};
use crate::model::{Operation, OperationId, Version};
use crate::store::Hint;

/// One operation as it changes: the current record, then each newer one; who reads slowly gets the newest.
/// Ends after the terminal record, or after `Deleted`.
#[derive(Debug)]
#[must_use = "a watch is asked with `next`"]
pub struct Watch {
    tracker: Tracker,
    id: OperationId,
    hints: Subscription,
    seen: Option<Version>,
    ended: bool,
}

/// What a [`Watch`] saw.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Watched {
    /// The operation is so now.
    Updated(Operation),
    /// The operation is gone.
    Deleted,
}

impl Watch {
    /// The next change; `None` after the end. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Watched>> {
        loop {
            // Without a bound there is always an answer.
            match self.next_until(None).await {
                Some(None) => {}
                Some(next) => return next,
                None => return None,
            }
        }
    }

    /// The next change, or `Some(None)` if none came within `bound`; `None` after the end. Cancel-safe.
    #[cfg(feature = "http")]
    pub(crate) async fn next_within(&mut self, bound: Duration) -> Option<Option<Result<Watched>>> {
        let until = self.tracker.clock().monotonic().saturating_add(bound);
        self.next_until(Some(until)).await
    }

    async fn next_until(&mut self, until: Option<Duration>) -> Option<Option<Result<Watched>>> {
        loop {
            if self.ended {
                return None;
            }
            match self.tracker.read_for_wait(&self.id).await {
                Err(error) => return Some(Some(Err(error))),
                Ok(None) => {
                    self.ended = true;
                    return Some(Some(Ok(Watched::Deleted)));
                }
                Ok(Some(operation))
                    if self.seen.is_some_and(|seen| seen.birth() != operation.version().birth()) =>
                {
                    // Deleted and created again under the same name.
                    self.ended = true;
                    return Some(Some(Ok(Watched::Deleted)));
                }
                Ok(Some(operation)) if self.seen != Some(operation.version()) => {
                    self.seen = Some(operation.version());
                    self.ended = operation.is_terminal();
                    return Some(Some(Ok(Watched::Updated(operation))));
                }
                Ok(Some(_)) => {}
            }
            let left = until.map(|until| until.saturating_sub(self.tracker.clock().monotonic()));
            if left.is_some_and(|left| left.is_zero()) {
                return Some(None);
            }
            self.tracker.await_hint(&mut self.hints, left).await;
        }
    }
}

impl Tracker {
    pub(super) fn subscribe(&self, subject: Subject) -> Subscription {
        self.inner.hub.subscribe(subject, self.store())
    }

    /// Watches, long polls and running work that wait for changes now.
    pub fn watchers(&self) -> usize {
        self.inner.hub.subscriptions()
    }

    /// Watches one operation. `NotFound` if there is none.
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker, calls::Watched};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let id = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// let mut watch = tracker.watch(&id).await?;
    /// tracker.cancel(&id).await?;
    /// while let Some(Watched::Updated(operation)) = watch.next().await.transpose()? {
    ///     println!("{}", operation.status());
    /// }
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn watch(&self, id: &OperationId) -> Result<Watch> {
        let hints = self.subscribe(Subject::One(id.clone()));
        // The record is read after the subscription: what changes in between is hinted.
        self.get(id).await?;
        Ok(Watch { tracker: self.clone(), id: id.clone(), hints, seen: None, ended: false })
    }

    /// The operation once it has ended, or as it is after `bound`. `NotFound` if there is none, or none
    /// any more. Cancel-safe.
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # use std::time::Duration;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let id = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// assert_eq!(tracker.wait(&id, Duration::ZERO).await?.status(), Status::NotStarted);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn wait(&self, id: &OperationId, bound: Duration) -> Result<Operation> {
        self.wait_until(id, bound, Operation::is_terminal).await
    }

    /// The operation once it is as wanted, or as it is after `bound`.
    pub(crate) async fn wait_until(
        &self,
        id: &OperationId,
        bound: Duration,
        wanted: impl Fn(&Operation) -> bool,
    ) -> Result<Operation> {
        self.enter().await?;
        let mut hints = self.subscribe(Subject::One(id.clone()));
        let until = self.clock().monotonic().saturating_add(bound);
        loop {
            let operation = self.read_for_wait(id).await?.ok_or_else(|| Error::not_found(id))?;
            let left = until.saturating_sub(self.clock().monotonic());
            if wanted(&operation) || left.is_zero() {
                return Ok(operation);
            }
            self.await_hint(&mut hints, Some(left)).await;
        }
    }

    /// All these operations, each once it has ended or as it is after `bound`, in order.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # use std::time::Duration;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let one = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// let two = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// assert_eq!(tracker.wait_all(&[one, two], Duration::ZERO).await?.len(), 2);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn wait_all(&self, ids: &[OperationId], bound: Duration) -> Result<Vec<Operation>> {
        let until = self.clock().monotonic().saturating_add(bound);
        let mut ended = Vec::with_capacity(ids.len());
        // One after the other takes as long as the slowest: they run meanwhile.
        for id in ids {
            ended.push(self.wait(id, until.saturating_sub(self.clock().monotonic())).await?);
        }
        Ok(ended)
    }

    /// The first of these operations that has ended; `None` if none has after `bound`, or there are none.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # use std::time::Duration;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let one = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// let two = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// tracker.cancel(&two).await?;
    /// let ended = tracker.wait_any(&[one, two.clone()], Duration::from_secs(1)).await?;
    /// assert_eq!(ended.map(|operation| operation.id().clone()), Some(two));
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn wait_any(&self, ids: &[OperationId], bound: Duration) -> Result<Option<Operation>> {
        if ids.is_empty() {
            return Ok(None);
        }
        if let Some(ended) = self.any_ended(ids).await? {
            return Ok(Some(ended));
        }
        let waits = ids.iter().map(|id| -> Boxed<'_, _> { Box::pin(self.wait(id, bound)) });
        let operation = first(waits.collect()).await?;
        if operation.is_terminal() {
            return Ok(Some(operation));
        }
        // At the bound the first that answers need not be the one that ended.
        self.any_ended(ids).await
    }

    /// The first of these that has ended already, in one look.
    async fn any_ended(&self, ids: &[OperationId]) -> Result<Option<Operation>> {
        let now = ids.iter().map(|id| -> Boxed<'_, _> { Box::pin(self.wait(id, Duration::ZERO)) });
        for operation in all(now.collect()).await {
            let operation = operation?;
            if operation.is_terminal() {
                return Ok(Some(operation));
            }
        }
        Ok(None)
    }

    /// Hints of changes, to decide when to ask [`changes`](Self::changes) again: lossy, never blocking.
    pub fn hints(&self) -> impl futures_core::Stream<Item = Hint> + Send + use<> {
        self.store().hints()
    }

    /// Reads what a waiting future waits for.
    async fn read_for_wait(&self, id: &OperationId) -> Result<Option<Operation>> {
        self.settle().await;
        self.inner.warn_if_forgotten();
        Ok(self.store().load(id).await?)
    }

    /// Waits for a hint (a dropped run gives one too), the time to read again, or the bound.
    pub(super) async fn await_hint(&self, hints: &mut Subscription, bound: Option<Duration>) {
        let pause = bound.map_or(RE_READ, |bound| bound.min(RE_READ));
        let mut sleep = self.clock().sleep(pause);
        // Without a box of their own: this is what each of many waiters keeps in memory.
        poll_fn(|context| match Pin::new(&mut *hints).poll_hint(context) {
            Poll::Pending => sleep.as_mut().poll(context),
            Poll::Ready(()) => Poll::Ready(()),
        })
        .await;
    }
}

//! What must be done now and then: ends for what stalls, takes too long or has passed its deadline, deletion
//! of what is old. One future that the host drives.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta};

use super::Tracker;
use super::future::{Boxed, all, first};
use super::held::Closing;
use super::recovery::{end_due, end_idle, end_orphans};
use crate::error::{ErrorKind, Result};
use crate::model::{Failure, Operation, OperationId, OrderBy, Patch, Precondition, Query, Status, Timestamp};
use crate::store::Idle;

/// How often [`Tracker::maintain`] sweeps.
const PERIOD: Duration = Duration::from_secs(10);
/// Operations that one sweep deletes of one rule; the rest waits for the next.
const DELETES: u64 = 10_000;

/// What the host asked for, by type.
#[derive(Debug, Default)]
pub(super) struct Policy {
    pub(super) leases: HashMap<Option<String>, Duration>,
    pub(super) limits: HashMap<Option<String>, Duration>,
    pub(super) retention: HashMap<(Option<String>, Status), Duration>,
}

impl Policy {
    pub(super) fn lease(&self, type_name: Option<&str>) -> Option<Duration> {
        self.leases.get(&type_name.map(Into::into)).copied()
    }

    pub(super) fn limit(&self, type_name: Option<&str>) -> Option<Duration> {
        self.limits.get(&type_name.map(Into::into)).copied()
    }
}

/// What one sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Ended as Failed/`orphaned`.
    pub orphaned: Vec<OperationId>,
    /// Ended as Failed/`stalled`.
    pub stalled: Vec<OperationId>,
    /// Ended as Failed/`timeout`.
    pub timed_out: Vec<OperationId>,
    /// Ended as Failed/`deadlineExceeded`.
    pub overdue: Vec<OperationId>,
    /// Deleted because they were old.
    pub deleted: u64,
}

impl Tracker {
    /// Sweeps every ten seconds until the tracker is closed or gone. Spawn it once.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = longrun::Tracker::builder().in_memory().await?;
    /// let maintaining = tokio::spawn(tracker.maintain());
    /// tracker.close(std::time::Duration::ZERO).await?;
    /// maintaining.await.unwrap();
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub fn maintain(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = Arc::clone(&self.inner.clock);
        let inner = Arc::downgrade(&self.inner);
        let mut closing = self.held().closing.subscribe();
        let mut drops = self.held().drops.subscribe();
        async move {
            let mut next = clock.monotonic();
            loop {
                // The tracker is not kept alive while nothing is done.
                let Some(inner) = inner.upgrade() else { return };
                let tracker = Self { inner };
                if *tracker.held().closing.borrow() == Closing::Done {
                    return;
                }
                if clock.monotonic() < next {
                    tracker.settle().await;
                } else {
                    next = clock.monotonic().saturating_add(PERIOD);
                    if let Err(error) = tracker.sweep().await {
                        tracing::warn!(%error, "a sweep failed; the next one tries again");
                    }
                }
                drop(tracker);
                let closed = first(vec![
                    Box::pin(async {
                        // An error means that the tracker is gone, which ends this too.
                        drop(closing.wait_for(|stage| *stage == Closing::Done).await);
                        true
                    }),
                    Box::pin(async {
                        drop(drops.changed().await);
                        false
                    }),
                    Box::pin(async {
                        clock.sleep(next.saturating_sub(clock.monotonic())).await;
                        false
                    }),
                ])
                .await;
                if closed {
                    return;
                }
            }
        }
    }

    /// One round of [`maintain`](Self::maintain), for hosts that keep their own time.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = longrun::Tracker::builder().in_memory().await?;
    /// assert_eq!(tracker.sweep().await?.deleted, 0);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn sweep(&self) -> Result<Swept> {
        self.enter().await?;
        self.inner.note_maintained();
        let mut swept = Swept::default();
        if !self.inner.inspects {
            // Where nobody else can have the store open these are what the open could not end.
            swept.orphaned = end_orphans(self).await?;
            swept.overdue = end_due(self, self.now()?).await?;
        }
        for (type_name, lease) in &self.inner.policy.leases {
            let which = Idle::Quiet { type_name: type_name.clone(), longer_than: *lease };
            let failure = Failure::new(Failure::STALLED, format!("gave no sign of life for {lease:?}"));
            swept.stalled.extend(end_idle(self, &which, &failure).await?);
        }
        for (type_name, limit) in &self.inner.policy.limits {
            swept.timed_out.extend(self.end_overdue(type_name.as_deref(), *limit).await?);
        }
        for ((type_name, status), keep) in &self.inner.policy.retention {
            let deleted = self.delete_old(type_name.as_deref(), *status, *keep).await?;
            swept.deleted = swept.deleted.saturating_add(deleted);
        }
        #[cfg(feature = "metrics")]
        self.meter().await?;
        Ok(swept)
    }

    /// Ends what runs longer than its type may, also where its process cannot do it itself.
    async fn end_overdue(&self, type_name: Option<&str>, limit: Duration) -> Result<Vec<OperationId>> {
        let (now, scan) = (self.now()?.ticks(), self.clock().monotonic());
        let mut query = Query { statuses: vec![Status::Running], limit: PAGE, ..Query::default() };
        query.type_name = type_name.map(Into::into);
        let mut ended = Vec::new();
        loop {
            let page = self.store().page(&query).await?;
            let is_over = |operation: &&Operation| {
                let started = operation.stamps().started.map_or(now, Timestamp::ticks);
                let dated = u64::try_from(now.saturating_sub(started)).unwrap_or(0);
                let dated = Duration::from_nanos(dated.saturating_mul(100));
                self.inner.ages.is_over(operation, scan, dated, limit)
            };
            let over: Vec<_> = page.items.iter().filter(is_over).collect();
            let ends = over.iter().map(|operation| -> Boxed<'_, _> {
                let failure = Failure::new(Failure::TIMEOUT, format!("ran longer than {limit:?}"));
                Box::pin(self.patch(operation.id(), Patch::fail(failure).if_match(*operation)))
            });
            for (operation, end) in over.iter().zip(all(ends.collect()).await) {
                match end {
                    Ok(_) => ended.push(operation.id().clone()),
                    Err(error) => skip(operation.id(), &error),
                }
            }
            query.after = match page.next {
                Some(next) => Some(next),
                None => break,
            };
        }
        self.inner.ages.scanned(type_name, scan);
        Ok(ended)
    }

    /// Deletes what ended long ago: only what has ended, conditional on the record that was looked at.
    async fn delete_old(&self, type_name: Option<&str>, status: Status, keep: Duration) -> Result<u64> {
        if !status.is_terminal() {
            return Ok(0);
        }
        let until = TimeDelta::from_std(keep).ok().and_then(|keep| self.steady_now().checked_sub_signed(keep));
        let Some(until) = until.and_then(|until| Timestamp::try_from(until).ok()) else { return Ok(0) };
        let mut query =
            Query { statuses: vec![status], order: OrderBy::LastAction, limit: PAGE, ..Query::default() };
        query.type_name = type_name.map(Into::into);
        query.until = Some(until);
        let mut deleted = 0_u64;
        while deleted < DELETES {
            let page = self.store().page(&query).await?;
            let has_own_rule = |operation: &Operation| {
                let own = (operation.type_name().map(Into::into), status);
                type_name.is_none() && own.0.is_some() && self.inner.policy.retention.contains_key(&own)
            };
            let old: Vec<_> = page.items.iter().filter(|operation| !has_own_rule(operation)).collect();
            let deletions = old.iter().map(|operation| -> Boxed<'_, _> {
                let if_match = Some(operation.version().into());
                Box::pin(async move {
                    self.delete_if(operation.id(), &Precondition { if_match, ..Precondition::none() }).await
                })
            });
            for (operation, deletion) in old.iter().zip(all(deletions.collect()).await) {
                match deletion {
                    Ok(()) => deleted = deleted.saturating_add(1),
                    Err(error) => skip(operation.id(), &error),
                }
            }
            query.after = match page.next {
                Some(next) => Some(next),
                None => break,
            };
        }
        Ok(deleted)
    }

    /// The date, or the one at the open plus the time since if that is earlier: a clock that is set forward
    /// must not delete what is young.
    fn steady_now(&self) -> DateTime<FixedOffset> {
        let (date, monotonic) = self.inner.opened_at;
        let passed = TimeDelta::from_std(self.clock().monotonic().saturating_sub(monotonic)).ok();
        let steady = passed.and_then(|passed| date.checked_add_signed(passed));
        let now = self.clock().now();
        steady.map_or(now, |steady| steady.min(now))
    }
}

const PAGE: std::num::NonZeroU32 = std::num::NonZeroU32::MIN.saturating_add(499);

/// One that cannot be handled does not keep the others.
fn skip(id: &OperationId, error: &crate::error::Error) {
    match error.kind() {
        ErrorKind::PreconditionFailed
        | ErrorKind::Terminal
        | ErrorKind::NotFound
        | ErrorKind::IllegalTransition => {}
        _ => tracing::warn!(operation.id = %id, %error, "maintain passed an operation over"),
    }
}

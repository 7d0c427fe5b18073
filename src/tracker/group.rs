//! Operations that belong together: counted, waited for and cancelled as one.

use std::time::Duration;

use super::future::{Boxed, all};
use super::{STEP, Tracker};
use crate::error::{ErrorKind, Result};
use crate::model::{Operation, Query, Status};
use crate::store::Counts;

impl Tracker {
    /// How many operations of a group there are, by type and status: exact. A progress bar over a batch is
    /// two lines.
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// tracker.create(NewOperation::new("page").group("book-7")).await?;
    /// let counts = tracker.group_counts("book-7").await?;
    /// println!("{} of {} pages", counts.of(Status::Completed), counts.total());
    /// assert_eq!(counts.total(), 1);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn group_counts(&self, group: &str) -> Result<Counts> {
        self.enter().await?;
        Ok(self.store().group_counts(group).await?)
    }

    /// The counts of a group once all of it has ended, or as they are after `bound`. A group without
    /// operations has ended. Cancel-safe.
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # use std::time::Duration;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// tracker.create(NewOperation::new("page").group("book-7")).await?;
    /// tracker.cancel_group("book-7").await?;
    /// let counts = tracker.wait_group("book-7", Duration::from_secs(30)).await?;
    /// assert_eq!(counts.of(Status::Failed), 1);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn wait_group(&self, group: &str, bound: Duration) -> Result<Counts> {
        let until = self.clock().monotonic().saturating_add(bound);
        // The one created last is likely the one that ends last.
        let mut query = Query { descending: true, limit: std::num::NonZeroU32::MIN, ..alive(group) };
        loop {
            let left = until.saturating_sub(self.clock().monotonic());
            let page = self.page(&query).await?;
            match (page.items.first(), page.next) {
                (Some(operation), _) if !left.is_zero() => {
                    match self.wait(operation.id(), left).await {
                        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                        // Whatever became of it, others may be left.
                        _ => query.after = None,
                    }
                }
                // What this page had found has moved on since.
                (None, Some(next)) if !left.is_zero() => query.after = Some(next),
                // Perhaps not to its end: only a whole look that finds nothing tells.
                (None, None) if query.after.is_some() && !left.is_zero() => query.after = None,
                _ => return self.group_counts(group).await,
            }
        }
    }

    /// Cancels all operations of a group that have not ended: what is not started ends at once, what runs is
    /// asked to. Answers how many were asked.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// tracker.create(NewOperation::new("page").group("book-7")).await?;
    /// assert_eq!(tracker.cancel_group("book-7").await?, 1);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn cancel_group(&self, group: &str) -> Result<u64> {
        let limit = u32::try_from(STEP).ok().and_then(std::num::NonZeroU32::new);
        let mut query = Query { limit: limit.unwrap_or(std::num::NonZeroU32::MIN), ..alive(group) };
        let mut asked = 0_u64;
        loop {
            let page = self.page(&query).await?;
            // Side by side: they share a sync.
            let cancels = page
                .items
                .iter()
                .map(|operation: &Operation| -> Boxed<'_, _> { Box::pin(self.cancel(operation.id())) });
            for cancel in all(cancels.collect()).await {
                match cancel {
                    Ok(_) => asked = asked.saturating_add(1),
                    // It was quicker.
                    Err(error) if matches!(error.kind(), ErrorKind::Terminal | ErrorKind::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            query.after = match page.next {
                Some(next) => Some(next),
                None => return Ok(asked),
            };
        }
    }
}

/// What of a group has not ended.
fn alive(group: &str) -> Query {
    let statuses = Status::ALL.into_iter().filter(|status| !status.is_terminal()).collect();
    Query { group: Some(group.into()), statuses, ..Query::default() }
}

//! What is there: one operation, lists, counts, the feed.

use std::num::NonZeroU32;

use super::{List, Tracker};
use crate::error::{Error, Result};
use crate::model::{Operation, OperationId, Query};
use crate::store::{Changes, Counts, Position, Report};

impl Tracker {
    /// The operation as it is. `NotFound` if there is none.
    ///
    /// ```
    /// # use longrun::{ErrorKind, OperationId, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let error = tracker.get(&OperationId::derive("order", "1742")).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn get(&self, id: &OperationId) -> Result<Operation> {
        self.enter().await?;
        self.store().load(id).await?.ok_or_else(|| Error::not_found(id))
    }

    /// A list, asked for step by step and awaited.
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// tracker.create(NewOperation::new("export").label("order", "1742")).await?;
    /// let page = tracker.list().status(Status::NotStarted).label("order", "1742").await?;
    /// assert_eq!(page.items.len(), 1);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub fn list(&self) -> List {
        List::new(self.clone())
    }

    /// A list from a whole query.
    ///
    /// ```
    /// # use longrun::{Tracker, model::Query};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// assert!(tracker.page(&Query::default()).await?.items.is_empty());
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn page(&self, query: &Query) -> Result<crate::model::Page> {
        List::of(self.clone(), query.clone()).await
    }

    /// How many operations there are, by type and status: exact, whatever the total.
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// tracker.create(NewOperation::new("export")).await?;
    /// assert_eq!(tracker.counts().await?.of(Status::NotStarted), 1);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn counts(&self) -> Result<Counts> {
        self.enter().await?;
        Ok(self.store().counts().await?)
    }

    /// The lossless feed after a position, from [`Position::START`] the snapshot first: the newest version of
    /// each operation that changed. Keep `next` and go on from it, also after a restart.
    ///
    /// `PositionExpired` if what was deleted since is no longer known: begin from the start.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker, store::Position};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// tracker.create(NewOperation::new("export")).await?;
    /// let changes = tracker.changes(&Position::START, 100).await?;
    /// assert_eq!(changes.items.len(), 1);
    /// assert!(tracker.changes(&changes.next, 100).await?.items.is_empty());
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn changes(&self, after: &Position, limit: u32) -> Result<Changes> {
        self.enter().await?;
        let limit = NonZeroU32::new(limit.min(Query::MAX_LIMIT))
            .ok_or_else(|| Error::from(crate::model::Unfit::new("limit", "must be 1 or more")))?;
        Ok(self.store().changes(after, limit).await?)
    }

    /// The feed's end now: what comes after it is what is not there yet. Read lists after this to have what
    /// was there before.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// tracker.create(NewOperation::new("export")).await?;
    /// let now = tracker.latest().await?;
    /// assert!(tracker.changes(&now, 100).await?.items.is_empty());
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn latest(&self) -> Result<Position> {
        // Who begins from the start is told how far the feed reached then.
        let next = self.changes(&Position::START, 1).await?.next;
        Ok(Position::new(next.store(), next.since(), next.since()))
    }

    /// Reads the whole store anew and reports every difference from what is in memory.
    ///
    /// ```
    /// # use longrun::Tracker;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// assert!(tracker.verify().await?.problems.is_empty());
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn verify(&self) -> Result<Report> {
        self.enter().await?;
        Ok(self.store().verify().await?)
    }
}

//! Lists, asked for step by step and awaited.

use std::future::IntoFuture;
use std::num::NonZeroU32;

use chrono::{DateTime, FixedOffset};

use super::Tracker;
use super::future::Boxed;
use crate::error::Result;
use crate::model::{OperationId, OrderBy, Page, PageToken, Query, Status, Timestamp, Unfit};

/// A list to ask for; await it for one [`Page`]. Conditions are joined by *and*.
#[derive(Clone, Debug)]
#[must_use = "a list is asked when it is awaited"]
pub struct List {
    tracker: Tracker,
    query: Query,
    unfit: Option<Unfit>,
}

impl List {
    pub(super) fn new(tracker: Tracker) -> Self {
        Self { tracker, query: Query::default(), unfit: None }
    }

    pub(super) fn of(tracker: Tracker, query: Query) -> Self {
        Self { tracker, query, unfit: None }
    }

    /// In this status; given again, in one of them.
    pub fn status(mut self, status: Status) -> Self {
        self.query.statuses.push(status);
        self
    }

    /// Of this type.
    pub fn type_name(mut self, name: impl Into<String>) -> Self {
        self.query.type_name = Some(name.into());
        self
    }

    /// With this label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.label = Some((key.into(), value.into()));
        self
    }

    /// Of this group.
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.query.group = Some(name.into());
        self
    }

    /// All attempts at the same work as this one.
    pub fn base(mut self, id: &OperationId) -> Self {
        self.query.base = Some(id.base());
        self
    }

    /// At this instant or later.
    pub fn since(mut self, time: DateTime<FixedOffset>) -> Self {
        self.query.from = self.stamp("since", time);
        self
    }

    /// Before this instant.
    pub fn until(mut self, time: DateTime<FixedOffset>) -> Self {
        self.query.until = self.stamp("until", time);
        self
    }

    /// Newest first.
    pub fn newest_first(mut self) -> Self {
        self.query.descending = true;
        self
    }

    /// Ordered and bounded by the end instead of the creation; needs exactly one terminal status.
    pub fn by_end(mut self) -> Self {
        self.query.order = OrderBy::LastAction;
        self
    }

    /// Operations on the page: 1 to 1,000; 100 by default.
    pub fn limit(mut self, limit: u32) -> Self {
        match NonZeroU32::new(limit) {
            Some(limit) => self.query.limit = limit,
            None => self.unfit = Some(Unfit::new("limit", "must be 1 to 1000")),
        }
        self
    }

    /// On from where a page ended.
    pub fn after(mut self, token: PageToken) -> Self {
        self.query.after = Some(token);
        self
    }

    fn stamp(&mut self, field: &str, time: DateTime<FixedOffset>) -> Option<Timestamp> {
        match Timestamp::try_from(time) {
            Ok(stamp) => Some(stamp),
            Err(error) => {
                self.unfit = Some(Unfit::new(field, error.to_string()));
                None
            }
        }
    }
}

impl IntoFuture for List {
    type Output = Result<Page>;
    type IntoFuture = Boxed<'static, Result<Page>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            if let Some(unfit) = self.unfit {
                return Err(unfit.into());
            }
            self.query.check()?;
            self.tracker.enter().await?;
            Ok(self.tracker.store().page(&self.query).await?)
        })
    }
}

//! Exact counts: each write inserts what it changed, and the store folds those rows now and then. So
//! writers never wait for each other's counters.

use std::sync::atomic::Ordering;

use sqlx::postgres::PgRow;

use super::Shared;
use super::row::column;
use crate::model::Status;
use crate::store::{Counts, StoreError};

/// Rows from which on folding is worth its while.
const WORTH: i64 = 2_048;
/// Writes after which the store folds before its time.
const PRESSING: u64 = 5_000;

/// What the rows of the counting statement say.
pub(super) fn counts_of(rows: &[PgRow]) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    for row in rows {
        let name: &str = column(row, 0)?;
        for (at, status) in (1..).zip(Status::ALL) {
            let count = u64::try_from(column::<i64>(row, at)?)
                .map_err(|_| StoreError::Corrupt(format!("fewer than no operations of type {name:?}")))?;
            counts.add(Some(name).filter(|name| !name.is_empty()), status, count);
        }
    }
    Ok(counts)
}

impl Shared {
    pub(super) async fn counts(&self) -> Result<Counts, StoreError> {
        counts_of(&self.ask(|| self.statements.counts.query()).await?)
    }

    /// Counted anew each time, from an index of the group alone.
    pub(super) async fn group_counts(&self, group: &str) -> Result<Counts, StoreError> {
        counts_of(&self.ask(|| self.statements.group_counts.query().bind(group.to_owned())).await?)
    }

    pub(super) async fn fold(&self) -> Result<(), StoreError> {
        self.unfolded.store(0, Ordering::Relaxed);
        self.ask(|| self.statements.fold.query().bind(WORTH)).await?;
        Ok(())
    }

    /// Notes a group of writes and `created` new operations.
    pub(super) fn count_write(&self, created: u64) {
        let unfolded = self.unfolded.fetch_add(1, Ordering::Relaxed);
        let fresh = self.created.fetch_add(created, Ordering::Relaxed).saturating_add(created);
        if unfolded == PRESSING || fresh >= self.analyze_after.load(Ordering::Relaxed) {
            self.due.notify_one();
        }
    }
}

//! The lossless feed, in an order that no reader can fall behind.
//!
//! A place is a transaction's number and which of its changes this is. Transactions become visible in
//! another order than they are numbered, so a reader goes no further than the oldest one that is still
//! open, anywhere in the cluster: everything below that is final.

use std::num::NonZeroU32;
use std::time::Duration;

use sqlx::postgres::PgRow;

use super::Shared;
use super::row::{column, decode, id_column};
use crate::store::record::Entry;
use crate::store::{Change, Changes, Position, StoreError};

/// The longest wait for open transactions is twice this.
const PATIENCE: Duration = Duration::from_millis(32);

impl Shared {
    pub(super) async fn changes(&self, after: Position, limit: NonZeroU32) -> Result<Changes, StoreError> {
        let store = self.opened.store;
        if after.store() != 0 && after.store() != store {
            return Err(StoreError::PositionExpired);
        }
        let at = i64::try_from(after.at()).map_err(|_| StoreError::PositionExpired)?;
        let rows = self.settled(at, i64::from(limit.get())).await?;
        let first = rows.first().ok_or_else(|| StoreError::Corrupt("the store's own row is gone".into()))?;
        let purged = column::<i64>(first, 0)?.cast_unsigned();
        let horizon = column::<i64>(first, 1)?.cast_unsigned();
        let behind = column::<i64>(first, 6)?.saturating_sub(column(first, 5)?);
        let since = if after.store() == 0 { horizon } else { after.since() };
        // Beyond the horizon: of a history that the server has lost, as after a recovery to an older time.
        if after.at().max(since) < purged || after.at() > horizon {
            return Err(StoreError::PositionExpired);
        }
        let mut items = Vec::with_capacity(rows.len());
        let mut end = after.at();
        for row in &rows {
            let Some(place) = column::<Option<i64>>(row, 2)? else { break };
            end = place.cast_unsigned();
            let id = id_column(row, 3)?;
            items.push(match decode(&id, column(row, 4)?)? {
                Entry::Live(operation) => Change::Updated(operation),
                Entry::Tombstone { id, version, .. } => Change::Deleted { id, version },
            });
        }
        let at_end = items.len() < usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let at = if at_end { horizon } else { end };
        let next = Position::new(store, at, since);
        Ok(Changes::new(items, next, at_end).waiting_for(u64::try_from(behind).unwrap_or(0)))
    }

    /// A stretch of the feed. At its end it waits a moment for transactions that were open when it was asked:
    /// so it tells what was acknowledged before, unless one of them stays open for longer.
    async fn settled(&self, at: i64, limit: i64) -> Result<Vec<PgRow>, StoreError> {
        let mut begun = None;
        let mut wait = Duration::from_millis(1);
        loop {
            let rows = self.ask(|| self.statements.changes.query().bind(at).bind(limit)).await?;
            let Some(first) = rows.first() else { return Ok(rows) };
            let (oldest, newest): (i64, i64) = (column(first, 5)?, column(first, 6)?);
            let full = i64::try_from(rows.len()).is_ok_and(|found| found >= limit);
            if full || oldest >= *begun.get_or_insert(newest) || wait > PATIENCE {
                return Ok(rows);
            }
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2);
        }
    }
}

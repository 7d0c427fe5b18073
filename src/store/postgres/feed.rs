//! The lossless feed, in an order that no reader can fall behind.
//!
//! A place is a transaction's number and which of its changes this is. Transactions become visible in
//! another order than they are numbered, so a reader goes no further than the oldest one that is still
//! open, anywhere in the cluster: everything below that is final.

use std::num::NonZeroU32;

use super::Shared;
use super::row::{column, decode, id_column};
use crate::store::record::Entry;
use crate::store::{Change, Changes, Position, StoreError};

impl Shared {
    pub(super) async fn changes(&self, after: Position, limit: NonZeroU32) -> Result<Changes, StoreError> {
        let store = self.opened.store;
        if after.store() != 0 && after.store() != store {
            return Err(StoreError::PositionExpired);
        }
        let at = i64::try_from(after.at()).map_err(|_| StoreError::PositionExpired)?;
        let query = || self.statements.changes.query().bind(at).bind(i64::from(limit.get()));
        let rows = self.ask(query).await?;
        let first = rows.first().ok_or_else(|| StoreError::Corrupt("the store's own row is gone".into()))?;
        let purged = column::<i64>(first, 0)?.cast_unsigned();
        let horizon = column::<i64>(first, 1)?.cast_unsigned();
        let behind = column::<i64>(first, 2)?;
        let since = if after.store() == 0 { horizon } else { after.since() };
        // Beyond the horizon: of a history that the server has lost, as after a recovery to an older time.
        if after.at().max(since) < purged || after.at() > horizon {
            return Err(StoreError::PositionExpired);
        }
        let mut items = Vec::with_capacity(rows.len());
        let mut end = after.at();
        for row in &rows {
            let Some(place) = column::<Option<i64>>(row, 3)? else { break };
            end = place.cast_unsigned();
            let id = id_column(row, 4)?;
            items.push(match decode(&id, column(row, 5)?)? {
                Entry::Live(operation) => Change::Updated(operation),
                Entry::Tombstone { id, version, .. } => Change::Deleted { id, version },
            });
        }
        let at_end = items.len() < usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let at = if at_end { horizon } else { end };
        let next = Position::new(store, at, since);
        Ok(Changes::new(items, next, at_end).waiting_for(u64::try_from(behind).unwrap_or(0)))
    }
}

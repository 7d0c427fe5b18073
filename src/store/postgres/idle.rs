//! Operations that somebody else should end: what nobody seems to work on by the database's clock, what is
//! past its deadline by the tracker's.

use std::num::NonZeroU32;

use super::Shared;
use super::row::id_column;
use crate::model::OperationId;
use crate::store::{Idle, StoreError};

/// Seconds after which an instance that said nothing is dead.
pub(super) const SILENCE: f64 = 60.0;

impl Shared {
    pub(super) async fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: NonZeroU32,
    ) -> Result<Vec<OperationId>, StoreError> {
        // No id sorts before the empty text.
        let after = after.map(ToString::to_string).unwrap_or_default();
        let limit = i64::from(limit.get());
        let rows = match which {
            Idle::Quiet { type_name, longer_than } => {
                let type_name = type_name.clone().unwrap_or_default();
                // Longer than an interval can be means never.
                let seconds = longer_than.as_secs_f64().min(1e9);
                let query = || {
                    let query = self.statements.quiet.query().bind(type_name.clone()).bind(after.clone());
                    query.bind(seconds).bind(limit)
                };
                self.ask(query).await?
            }
            Idle::Orphaned => {
                self.ask(|| self.statements.orphaned.query().bind(after.clone()).bind(limit).bind(SILENCE)).await?
            }
            Idle::Due { until } => {
                let until = until.ticks();
                self.ask(|| self.statements.due.query().bind(until).bind(after.clone()).bind(limit)).await?
            }
        };
        rows.iter().map(|row| id_column(row, 0)).collect()
    }
}

//! The lossless feed as it goes on, for a face that streams it.

use std::time::Duration;

use super::hub::{Subject, Subscription};
use super::{Changes, Position, Tracker};
use crate::error::Result;

/// The lossless feed as it goes on.
#[derive(Debug)]
pub(crate) struct Follow {
    tracker: Tracker,
    hints: Subscription,
    position: Position,
}

impl Follow {
    /// The next stretch of the feed, empty if nothing came within `bound`. Cancel-safe.
    pub(crate) async fn next(&mut self, limit: u32, bound: Duration) -> Result<Changes> {
        let until = self.tracker.clock().monotonic().saturating_add(bound);
        loop {
            let changes = self.tracker.changes(&self.position, limit).await?;
            self.position = changes.next;
            let left = until.saturating_sub(self.tracker.clock().monotonic());
            if !changes.items.is_empty() || left.is_zero() {
                return Ok(changes);
            }
            self.tracker.await_hint(&mut self.hints, Some(left)).await;
        }
    }
}

impl Tracker {
    /// Follows the feed after a position.
    pub(crate) fn follow(&self, after: Position) -> Follow {
        Follow { tracker: self.clone(), hints: self.subscribe(Subject::Any), position: after }
    }
}

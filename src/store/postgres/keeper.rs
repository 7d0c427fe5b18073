//! The store's rounds: tells that this instance lives, folds counts, purges tombstones, and keeps the
//! planner's statistics of a young table near the truth.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::row::column;
use super::{PostgresStore, Shared};
use crate::store::StoreError;

/// How often an instance says that it lives. One silent for [`SILENCE`](super::idle::SILENCE) is dead.
const RENEWAL: Duration = Duration::from_secs(10);
/// Creates after which statistics are made for the first time. A plan made for an empty table reads all of
/// it, and is kept until statistics say otherwise.
pub(super) const FIRST_ANALYZE: u64 = 500;
/// Tombstones are kept so long at least, and so many at most.
const TOMBSTONE_HOURS: f64 = 24.0;
const MAX_TOMBSTONES: i64 = 100_000;
/// Tombstones purged by one statement.
const PURGE: i64 = 1_000;

/// Makes its rounds for ever.
pub(super) async fn keep(shared: Arc<Shared>) {
    let clock = Arc::clone(&shared.options.clock);
    let mut next = clock.sleep(RENEWAL);
    loop {
        let due = tokio::select! {
            () = &mut next => true,
            () = shared.due.notified() => false,
        };
        if due {
            next = clock.sleep(RENEWAL);
            shared.report("renewal", shared.renew().await);
            shared.report("purge", shared.purge().await);
        }
        shared.report("fold", shared.fold().await);
        shared.report("analyze", shared.analyze().await);
    }
}

impl PostgresStore {
    /// Makes the store's rounds now, which it otherwise makes by itself every 10 s: says that this instance
    /// lives, purges what is due, folds counts. Safe to call anywhere, any number of times at once.
    pub async fn maintain_now(&self) -> Result<(), StoreError> {
        self.shared.renew().await?;
        self.shared.purge().await?;
        self.shared.fold().await
    }
}

impl Shared {
    fn report(&self, what: &str, outcome: Result<(), StoreError>) {
        if let Err(error) = outcome
            && !matches!(error, StoreError::Closed)
        {
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            tracing::warn!(schema = self.options.schema, what, reason, "a round of the store failed");
        }
    }

    /// Says that this instance lives.
    pub(super) async fn renew(&self) -> Result<(), StoreError> {
        self.ask(|| self.statements.renew.query().bind(i64::from(self.opened.instance))).await?;
        Ok(())
    }

    /// Says that this instance ends.
    pub(super) async fn leave(&self) {
        let query = self.statements.leave.query().bind(i64::from(self.opened.instance));
        let outcome = match self.pool.acquire().await {
            Ok(mut connection) => super::write::rows(&mut connection, query, self.options.pooler).await.map(drop),
            Err(error) => Err(error),
        };
        // It will be taken for dead a minute later instead.
        if let Err(error) = outcome {
            tracing::warn!(%error, "the store's instance could not be signed off");
        }
    }

    /// Purges tombstones that are too old or too many, oldest first.
    pub(super) async fn purge(&self) -> Result<(), StoreError> {
        loop {
            let query = || self.statements.purge.query().bind(TOMBSTONE_HOURS).bind(MAX_TOMBSTONES).bind(PURGE);
            let rows = self.ask(query).await?;
            if rows.first().map(|row| column::<i64>(row, 0)).transpose()?.unwrap_or(0) < PURGE {
                return Ok(());
            }
        }
    }

    async fn analyze(&self) -> Result<(), StoreError> {
        let bound = self.analyze_after.load(Ordering::Relaxed);
        if self.created.load(Ordering::Relaxed) < bound {
            return Ok(());
        }
        self.analyze_after.store(bound.saturating_mul(4), Ordering::Relaxed);
        self.ask(|| self.statements.analyze.query()).await?;
        Ok(())
    }
}

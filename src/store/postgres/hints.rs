//! Hints of what other processes wrote: one poller per process, only while somebody listens.
//!
//! A notification only wakes the poller, so it carries nothing and may be lost; it is sent after a group at
//! most every [`PAUSE`], and never inside a write, where it would make commits wait for each other. The
//! poller also sees what lies beyond the feed's horizon: a waiting future re-reads by id and must not wait
//! for a transaction that somebody else holds open.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::Shared;
use super::row::{column, id_column};
use crate::model::OperationId;
use crate::store::StoreError;

/// Between two notifications.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two polls: halved when something was found, doubled when not.
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(2);
/// Changes looked at by one poll.
const WINDOW: i64 = 1_000;

/// What a poller has seen.
#[derive(Default)]
struct Seen {
    /// All up to here is known.
    horizon: i64,
    /// Known places beyond it.
    beyond: HashSet<i64>,
}

/// Wakes the pollers of other processes after writes, for ever.
pub(super) async fn tell(shared: Arc<Shared>) {
    let channel = shared.channel();
    loop {
        shared.told.notified().await;
        let notify = || sqlx::query("SELECT pg_notify($1, '')").bind(channel.clone());
        if let Err(error) = shared.ask(notify).await {
            tracing::debug!(%error, "a notification was not sent; pollers will see the change by themselves");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Polls while somebody listens, for ever.
pub(super) async fn hear(shared: Arc<Shared>) {
    loop {
        while shared.listeners.is_empty() {
            shared.listened.notified().await;
        }
        let mut seen = Seen::default();
        let mut wait = SHORTEST;
        let mut listener = shared.listener().await;
        let mut first = true;
        while !shared.listeners.is_empty() {
            let found = shared.poll(&mut seen, first).await;
            if first && found.is_ok() {
                // What happened between "listen" and here is unknown: any may have changed.
                first = false;
                shared.listeners.tell_any();
            }
            wait = match found {
                Ok(true) => (wait / 2).max(SHORTEST),
                Ok(false) | Err(_) => wait.saturating_mul(2).min(LONGEST),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = notified(&mut listener) => {}
                () = shared.listened.notified() => shared.listeners.tell_any(),
            }
        }
    }
}

/// Ends with a notification; never where none can come.
async fn notified(listener: &mut Option<PgListener>) {
    match listener {
        // An error: the connection was lost and is made anew by the next call.
        Some(listener) => drop(listener.recv().await),
        None => std::future::pending().await,
    }
}

impl Shared {
    fn channel(&self) -> String {
        format!("{}_hints", self.options.schema)
    }

    /// A connection of its own, so that the user's pool is not one short for good.
    async fn listener(&self) -> Option<PgListener> {
        if self.options.pooler {
            return None;
        }
        let own = PgPoolOptions::new().max_connections(1).connect_lazy_with((*self.pool.connect_options()).clone());
        let listener = async {
            let mut listener = PgListener::connect_with(&own).await?;
            listener.listen(&self.channel()).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        match listener.await {
            Ok(listener) => Some(listener),
            Err(error) => {
                tracing::debug!(%error, "no notifications: polling alone");
                None
            }
        }
    }

    /// Looks for changes and tells of them. Whether there were any.
    async fn poll(&self, seen: &mut Seen, first: bool) -> Result<bool, StoreError> {
        let after = if first { i64::MAX } else { seen.horizon };
        let rows = self.ask(|| self.statements.recent.query().bind(after).bind(WINDOW)).await?;
        let mut ids: Vec<OperationId> = Vec::new();
        let mut beyond = HashSet::new();
        let mut horizon = seen.horizon;
        let mut places = 0_i64;
        for row in &rows {
            horizon = column(row, 0)?;
            let Some(place) = column::<Option<i64>>(row, 1)? else { continue };
            places = places.saturating_add(1);
            if !seen.beyond.contains(&place) {
                ids.push(id_column(row, 2)?);
            }
            if place > horizon {
                beyond.insert(place);
            }
        }
        let found = !ids.is_empty();
        if found && places >= WINDOW {
            // There may be more than were looked at.
            self.listeners.tell_any();
        } else if found {
            self.listeners.tell(&ids.into_iter());
        }
        *seen = Seen { horizon, beyond };
        Ok(found)
    }
}

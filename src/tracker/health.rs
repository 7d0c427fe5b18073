//! How it goes, in one look.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Tracker, millis};
use crate::store::StoreHealth;

/// How a tracker and its store do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The store: what makes writes durable, whether it takes them, how far flush and feed are behind.
    pub store: StoreHealth,
    /// Watches, waits and running work that wait for changes now.
    pub watchers: usize,
    /// Runs of this process that have not ended.
    pub runs: usize,
    /// How long ago maintain swept, or this was opened.
    pub since_sweep: Duration,
}

impl Health {
    /// Whether writes are taken.
    pub fn is_writable(&self) -> bool {
        self.store.read_only.is_none()
    }
}

impl Tracker {
    /// How it goes. Reads no record and never fails.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = longrun::Tracker::builder().in_memory().await?;
    /// let health = tracker.health();
    /// assert!(health.is_writable());
    /// assert_eq!(health.store.durability, "memory");
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub fn health(&self) -> Health {
        let swept = self.inner.maintained.load(Ordering::Relaxed);
        let since_sweep = Duration::from_millis(millis(self.clock().monotonic()).saturating_sub(swept));
        Health { store: self.store().health(), watchers: self.watchers(), runs: self.held().len(), since_sweep }
    }
}

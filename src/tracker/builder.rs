//! What a host may choose before it opens a tracker.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::ids::{IdSource, SystemIds};
use super::maintain::Policy;
use super::{Tracker, recovery};
use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::model::{Rules, Status};
use crate::store::Store;

/// Opens a [`Tracker`] over any store.
#[derive(Debug)]
pub struct Builder {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) clock_skew: Duration,
    pub(super) max_result: usize,
    pub(super) max_operations: Option<u64>,
    pub(super) policy: Policy,
    pub(super) inspect: bool,
    #[cfg(feature = "metrics")]
    pub(super) meters: super::meters::Meters,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            ids: Arc::new(SystemIds::default()),
            clock_skew: Duration::from_mins(5),
            max_result: Rules::MAX_RESULT,
            max_operations: None,
            policy: Policy::default(),
            inspect: false,
            #[cfg(feature = "metrics")]
            meters: super::meters::Meters::default(),
        }
    }
}

impl Builder {
    /// The clock; the machine's by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where ids come from; UUIDv7 by default.
    pub fn ids(mut self, ids: impl IdSource) -> Self {
        self.ids = Arc::new(ids);
        self
    }

    /// How far a client's clock may differ from ours; 5 minutes by default.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self
    }

    /// Bytes of compact JSON that a result may take; 64 KiB by default and at most. What is longer belongs
    /// elsewhere, with a `resourceLocation` that leads there.
    pub fn max_result(mut self, bytes: usize) -> Self {
        self.max_result = bytes.min(Rules::MAX_RESULT);
        self
    }

    /// Operations that the store may hold, whatever their state; as many as fit by default. A create beyond is
    /// `QuotaExceeded`, until some are deleted, by hand or by [`retention`](Self::retention).
    ///
    /// In one process no race of creates exceeds it, but for those whose caller gave up before the answer.
    /// Processes that share a store do not see each other's creates under way: together they may exceed it by
    /// as many. Each create asks the store for its counts. What is imported, or created inside the user's own
    /// transaction, is not refused, and counts. Beyond the bound only a create whose id exists is answered: one that
    /// names a unique key is refused, whether or not the key is held.
    pub fn max_operations(mut self, most: u64) -> Self {
        self.max_operations = Some(most);
        self
    }

    /// A Running operation of this type that nobody writes for longer than this is ended as
    /// Failed/`stalled` by [`Tracker::maintain`]; [`Tracker::run`] beats by itself at a third of it.
    pub fn lease(mut self, type_name: impl Into<String>, lease: Duration) -> Self {
        self.policy.leases.insert(Some(type_name.into()), lease);
        self
    }

    /// An operation of this type may run no longer than this: then it ends as Failed/`timeout`.
    pub fn time_limit(mut self, type_name: impl Into<String>, limit: Duration) -> Self {
        self.policy.limits.insert(Some(type_name.into()), limit);
        self
    }

    /// Operations of this type (`None`: of any type without a rule of its own) that ended so are deleted
    /// this long after their end. Without a rule nothing is deleted.
    pub fn retention(mut self, type_name: Option<&str>, status: Status, keep: Duration) -> Self {
        let rules: &mut HashMap<_, _> = &mut self.policy.retention;
        rules.insert((type_name.map(Into::into), status), keep);
        self
    }

    /// Types that the metrics tell apart; all others are `other` there, so that the number of series does not
    /// grow with what clients send.
    #[cfg(feature = "metrics")]
    pub fn metered_types<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.meters.name_types(names);
        self
    }

    /// Ends nothing and writes nothing at open: orphans stay as they are, [`Tracker::recovery`] lists them. A
    /// folder that is missing is an error.
    pub fn inspect(mut self) -> Self {
        self.inspect = true;
        self
    }

    /// A tracker over a store that is open. Operations that an earlier, dead instance was running are ended
    /// as Failed/`orphaned` before this answers, unless [`inspect`](Self::inspect) was asked.
    pub async fn open_store(self, store: Arc<dyn Store>) -> Result<Tracker> {
        let (exclusive, inspects) = (store.opened().exclusive, self.inspect);
        let tracker = Tracker::new(self, store);
        if exclusive {
            let orphaned = if inspects {
                recovery::find_orphans(&tracker).await?
            } else {
                recovery::end_orphans(&tracker).await?
            };
            tracker.set_recovery(orphaned);
        }
        Ok(tracker)
    }

    /// A tracker over a sled store in this folder, made if it is missing.
    #[cfg(feature = "sled")]
    pub async fn open(self, path: impl Into<std::path::PathBuf>) -> Result<Tracker> {
        self.open_with(crate::store::SledOptions::new(path)).await
    }

    /// A tracker over a sled store with options of its own.
    #[cfg(feature = "sled")]
    pub async fn open_with(self, options: crate::store::SledOptions) -> Result<Tracker> {
        use crate::store::SledStore;
        let clock = Arc::clone(&self.clock);
        let store = if self.inspect {
            SledStore::inspect_folder(options, clock).await?
        } else {
            SledStore::open_folder(options, clock).await?
        };
        self.open_store(Arc::new(store)).await
    }

    /// A tracker over a store in memory.
    pub async fn in_memory(self) -> Result<Tracker> {
        let store = crate::store::MemoryStore::in_memory(Arc::clone(&self.clock)).await?;
        self.open_store(Arc::new(store)).await
    }
}

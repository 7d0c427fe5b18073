//! A tracker with operations in every state, the same each time it is made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longrun::calls::{Builder, IdSource};
use longrun::clock::ManualClock;
use longrun::conformance::FaultyStore;
use longrun::model::{Query, Timestamp};
use longrun::store::{MemoryEngine, MemoryStore, Store};
use longrun::{NewOperation, Operation, OperationId, Patch, Status, Tracker};

use crate::polled::finish;

/// Ids and births that are the same each time.
#[derive(Debug, Default)]
pub(crate) struct CountedIds(AtomicU64);

impl IdSource for CountedIds {
    fn id(&self) -> OperationId {
        format!("drawn-{}", self.0.fetch_add(1, Ordering::Relaxed)).parse().unwrap()
    }

    fn birth(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::new("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap().to_datetime())
}

pub(crate) const LEASE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    pub(crate) tracker: Tracker,
    pub(crate) store: Arc<MemoryStore>,
    engine: MemoryEngine,
    clock: ManualClock,
}

pub(crate) fn id(text: &str) -> OperationId {
    text.parse().unwrap()
}

pub(crate) fn builder(clock: &ManualClock) -> Builder {
    Tracker::builder()
        .clock(clock.clone())
        .ids(CountedIds::default())
        .lease("export", LEASE)
        .time_limit("limited", LEASE)
        .retention(None, Status::Failed, LEASE)
}

impl World {
    /// `waiting`, `running` (by PATCH), `limited` (overdue), `silent` (without a sign of life), `done` and `failed`
    /// (old), behind a store that others come between at every call.
    pub(crate) fn new() -> Self {
        let clock = clock();
        let engine = MemoryEngine::default();
        let store = Arc::new(finish(MemoryStore::over(engine.clone(), Arc::new(clock.clone()))).unwrap());
        let paced = Arc::new(FaultyStore::new(Arc::clone(&store) as Arc<dyn Store>).paced(1, 1));
        let tracker = finish(builder(&clock).open_store(paced)).unwrap();
        let create = |name: &str, type_name: &str, status: Option<Status>| {
            let mut new = NewOperation::new(type_name).id(id(name));
            if let Some(status) = status {
                new = new.patch(Patch::new().status(status));
            }
            finish(tracker.create(new)).unwrap();
        };
        create("failed", "other", Some(Status::Running));
        finish(tracker.fail(&id("failed"), longrun::Failure::new("code", "message"))).unwrap();
        create("silent", "export", Some(Status::Running));
        create("limited", "limited", Some(Status::Running));
        clock.advance(LEASE * 2);
        create("waiting", "other", None);
        create("running", "other", Some(Status::Running));
        create("done", "other", Some(Status::Running));
        finish(tracker.complete(&id("done"), 42)).unwrap();
        Self { tracker, store, engine, clock }
    }

    /// All records, read from the store within.
    pub(crate) fn records(&self) -> Records {
        records(&self.store)
    }

    /// All records, unless the store is closed, which another thread may do at any moment.
    pub(crate) fn records_while_open(&self) -> Option<Records> {
        let page = finish(self.store.page(&Query::default())).ok()?;
        Some(page.items.into_iter().map(|operation| (operation.id().clone(), operation)).collect())
    }

    /// All records after the next call of somebody else, a close, and an open.
    pub(crate) fn settled_records(self) -> Records {
        // Settles what was dropped; refused where the call had closed the tracker.
        drop(finish(self.tracker.counts()));
        finish(self.tracker.close(Duration::ZERO)).unwrap();
        let store = finish(MemoryStore::over(self.engine, Arc::new(self.clock))).unwrap();
        assert_eq!(finish(store.verify()).unwrap().problems, Vec::<String>::new());
        records(&store)
    }
}

pub(crate) type Records = BTreeMap<OperationId, Operation>;

fn records(store: &MemoryStore) -> Records {
    let items = finish(store.page(&Query::default())).unwrap().items;
    items.into_iter().map(|operation| (operation.id().clone(), operation)).collect()
}

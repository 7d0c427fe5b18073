//! A store that fails where a test says so, over any other.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use longrun::Tracker;
use longrun::calls::Builder;
use longrun::clock::ManualClock;
use longrun::model::{Operation, OperationId, Page, Query, Version};
use longrun::store::{
    Changes, Counts, Durability, HintStream, Idle, MemoryStore, Opened, Position, Report, Store, StoreError, Swap,
};

use crate::support::clock;

/// What fails.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// No hint is ever given.
    pub(crate) silent: AtomicBool,
    /// Every write fails, certainly without effect.
    pub(crate) writes_fail: AtomicBool,
    /// Writes of these fail.
    pub(crate) stuck: Mutex<HashSet<OperationId>>,
    /// So many pages come without what they found, as if it had moved on since, and say where to go on.
    pub(crate) thin: AtomicU64,
    /// Loads so far.
    pub(crate) loads: AtomicU64,
}

/// A store with faults.
#[derive(Debug)]
pub(crate) struct Faulty<S> {
    inner: S,
    faults: Arc<Faults>,
}

impl<S: Store> Faulty<S> {
    fn check(&self, id: &OperationId) -> Result<(), StoreError> {
        let fails =
            self.faults.writes_fail.load(Ordering::SeqCst) || self.faults.stuck.lock().unwrap().contains(id);
        if fails { Err(StoreError::definite("the test says so")) } else { Ok(()) }
    }
}

#[async_trait]
impl<S: Store> Store for Faulty<S> {
    fn opened(&self) -> Opened {
        self.inner.opened()
    }

    async fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        self.faults.loads.fetch_add(1, Ordering::SeqCst);
        self.inner.load(id).await
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        next: &Operation,
        durability: Durability,
    ) -> Result<Swap, StoreError> {
        self.check(next.id())?;
        self.inner.swap(expected, next, durability).await
    }

    async fn remove(&self, id: &OperationId, expected: Version) -> Result<Swap, StoreError> {
        self.check(id)?;
        self.inner.remove(id, expected).await
    }

    async fn page(&self, query: &Query) -> Result<Page, StoreError> {
        let mut page = self.inner.page(query).await?;
        let is_thin = |left: u64| left.checked_sub(1);
        let may_be_thin = page.next.is_some() || query.after.is_some();
        if may_be_thin && self.faults.thin.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_thin).is_ok() {
            page.items.clear();
        }
        Ok(page)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.inner.counts().await
    }

    async fn group_counts(&self, group: &str) -> Result<Counts, StoreError> {
        self.inner.group_counts(group).await
    }

    async fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: NonZeroU32,
    ) -> Result<Vec<OperationId>, StoreError> {
        self.inner.idle(which, after, limit).await
    }

    async fn changes(&self, after: &Position, limit: NonZeroU32) -> Result<Changes, StoreError> {
        self.inner.changes(after, limit).await
    }

    fn hints(&self) -> HintStream {
        if self.faults.silent.load(Ordering::SeqCst) { Box::pin(Never) } else { self.inner.hints() }
    }

    fn health(&self) -> longrun::store::StoreHealth {
        self.inner.health()
    }

    async fn verify(&self) -> Result<Report, StoreError> {
        self.inner.verify().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

struct Never;

impl futures_core::Stream for Never {
    type Item = longrun::store::Hint;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}

/// A tracker in memory with a clock and faults in the test's hand.
pub(crate) struct Bench {
    pub(crate) tracker: Tracker,
    pub(crate) clock: ManualClock,
    pub(crate) faults: Arc<Faults>,
}

pub(crate) async fn bench() -> Bench {
    bench_with(|builder| builder).await
}

pub(crate) async fn bench_with(choose: impl FnOnce(Builder) -> Builder) -> Bench {
    let clock = (*clock()).clone();
    let faults = Arc::new(Faults::default());
    let inner = MemoryStore::in_memory(Arc::new(clock.clone())).await.unwrap();
    let store = Faulty { inner, faults: Arc::clone(&faults) };
    let builder = choose(Tracker::builder().clock(clock.clone()));
    let tracker = builder.open_store(Arc::new(store)).await.unwrap();
    Bench { tracker, clock, faults }
}

//! How writes get on: which have no answer yet, and how many groups were committed in what time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::store::StoreHealth;

/// All of it under one short lock.
#[derive(Debug, Default)]
pub(super) struct Flow(Mutex<Figures>);

#[derive(Debug, Default)]
struct Figures {
    /// The number that the next write gets.
    next: u64,
    /// When each write without an answer set out, by its number: the oldest first.
    open: BTreeMap<u64, Duration>,
    groups: u64,
    time: Duration,
}

impl Flow {
    fn with<T>(&self, change: impl FnOnce(&mut Figures) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A write sets out; its number.
    pub(super) fn begin(&self, now: Duration) -> u64 {
        self.with(|figures| {
            let number = figures.next;
            figures.next = number.wrapping_add(1);
            figures.open.insert(number, now);
            number
        })
    }

    /// A write has its answer.
    pub(super) fn end(&self, number: u64) {
        self.with(|figures| figures.open.remove(&number));
    }

    /// A group was committed, so long after the first of its writes set out.
    pub(super) fn committed(&self, took: Duration) {
        self.with(|figures| {
            figures.groups = figures.groups.saturating_add(1);
            figures.time = figures.time.saturating_add(took);
        });
    }

    /// Completes what is known of the store's health.
    pub(super) fn tell(&self, now: Duration, health: StoreHealth) -> StoreHealth {
        self.with(|figures| StoreHealth {
            unflushed: u64::try_from(figures.open.len()).unwrap_or(u64::MAX),
            flush_lag: figures
                .open
                .first_key_value()
                .map_or(Duration::ZERO, |(_, since)| now.saturating_sub(*since)),
            groups: figures.groups,
            group_time: figures.time,
            ..health
        })
    }
}

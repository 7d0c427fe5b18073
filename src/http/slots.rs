//! How many requests may wait at once, in all and per principal (FAULTS 33, 34).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;

use super::fault::Fault;

/// Places for long polls and event streams.
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<String, usize>,
}

impl Slots {
    pub(super) fn new(total: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { total, each, taken: Mutex::default() })
    }

    /// A place, or 429 for who has too many, or 503 where there are none.
    pub(super) fn take(self: &Arc<Self>, principal: &str) -> Result<Slot, Fault> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.total {
            return Err(Fault::busy(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait"));
        }
        let mine = taken.by.entry(principal.to_owned()).or_default();
        if *mine >= self.each {
            return Err(Fault::busy(StatusCode::TOO_MANY_REQUESTS, "too many of your requests wait"));
        }
        *mine += 1;
        taken.all += 1;
        Ok(Slot { slots: Arc::clone(self), principal: principal.to_owned() })
    }
}

/// A place, freed on drop.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    principal: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(mine) = taken.by.get_mut(&self.principal) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                taken.by.remove(&self.principal);
            }
        }
    }
}

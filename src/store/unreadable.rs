//! Records that were met and could not be read: lists pass them over, and say so.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::OperationId;
use crate::store::StoreError;

/// Ids kept at most: with so many the store is to be salvaged, not looked through.
const MOST: usize = 10_000;

/// Those met since the open and not read since.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    met: Mutex<BTreeSet<OperationId>>,
    /// How many: what reads well asks for no lock.
    count: AtomicU64,
}

impl Unreadable {
    /// Notes what came of reading a record; whether it is unreadable and was not known to be.
    pub(super) fn note<T>(&self, id: &OperationId, read: &Result<T, StoreError>) -> bool {
        match read {
            Err(StoreError::Corrupt(_)) => {
                let mut met = self.lock();
                let is_new = met.len() < MOST && met.insert(id.clone());
                self.tell(&met);
                is_new
            }
            Ok(_) if self.count() > 0 => {
                let mut met = self.lock();
                met.remove(id);
                self.tell(&met);
                false
            }
            _ => false,
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<OperationId>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, met: &BTreeSet<OperationId>) {
        self.count.store(u64::try_from(met.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

//! A store that forgets when it is dropped: for tests, and for work that need not outlive the process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::StoreError;
use super::embedded::{Embedded, Engine, EngineError, Visit};
use crate::clock::Clock;

/// A store in memory.
pub type MemoryStore = Embedded<MemoryEngine>;

/// An engine over a map. Clones share the map, so that a store can be "opened again" over it.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    map: Arc<RwLock<BTreeMap<Vec<u8>, Vec<u8>>>>,
    claimed: Arc<AtomicBool>,
    /// Whether this is the clone that a store has.
    is_claim: bool,
}

impl Clone for MemoryEngine {
    fn clone(&self) -> Self {
        Self { map: Arc::clone(&self.map), claimed: Arc::clone(&self.claimed), is_claim: false }
    }
}

impl Drop for MemoryEngine {
    fn drop(&mut self) {
        if self.is_claim {
            self.claimed.store(false, Ordering::Release);
        }
    }
}

impl MemoryEngine {
    /// The clone for a store to have; `Locked` while another store has one.
    pub fn claim(&self) -> Result<Self, StoreError> {
        if self.claimed.swap(true, Ordering::AcqRel) {
            return Err(StoreError::Locked("another store of this process has this memory".into()));
        }
        let mut claim = self.clone();
        claim.is_claim = true;
        Ok(claim)
    }
}

impl MemoryStore {
    /// An empty store.
    pub async fn in_memory(clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::over(MemoryEngine::default(), clock).await
    }

    /// A store over an engine that may have been used before; `Locked` while another store has it.
    pub async fn over(engine: MemoryEngine, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open(move || engine.claim(), clock, true).await
    }
}

impl Engine for MemoryEngine {
    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.iter().try_for_each(|(key, value)| visit(key, value))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.map.write().unwrap_or_else(PoisonError::into_inner).insert(key.into(), value.into());
        Ok(())
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.map.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(())
    }

    fn durability(&self) -> &'static str {
        "memory"
    }

    fn sync(&self) -> Result<(), EngineError> {
        Ok(())
    }
}

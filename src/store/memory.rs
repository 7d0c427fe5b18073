//! A store that forgets when it is dropped: for tests, and for work that need not outlive the process.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::StoreError;
use super::embedded::{Embedded, Engine, EngineError, Visit};
use crate::clock::Clock;

/// A store in memory.
pub type MemoryStore = Embedded<MemoryEngine>;

/// An engine over a map. Clones share the map, so that a store can be "opened again" over it.
#[derive(Clone, Debug, Default)]
pub struct MemoryEngine {
    map: Arc<RwLock<BTreeMap<Vec<u8>, Vec<u8>>>>,
}

impl MemoryStore {
    /// An empty store.
    pub async fn in_memory(clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::over(MemoryEngine::default(), clock).await
    }

    /// A store over an engine that may have been used before.
    pub async fn over(engine: MemoryEngine, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open(move || Ok(engine.clone()), clock, true).await
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

    fn sync(&self) -> Result<(), EngineError> {
        Ok(())
    }
}

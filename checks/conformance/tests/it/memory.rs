//! Every promise on the store in memory.

longrun::conformance_tests!(longrun::conformance::MemoryOpener::default());

/// `MemoryStore::over` said that it is exclusive and let two stores write into one map.
#[tokio::test]
async fn one_memory_has_one_store() {
    use longrun::clock::SystemClock;
    use longrun::store::{MemoryEngine, MemoryStore, Store, StoreError};
    use std::sync::Arc;

    let clock = Arc::new(SystemClock::default());
    let engine = MemoryEngine::default();
    let store = MemoryStore::over(engine.clone(), clock.clone()).await.unwrap();
    let second = MemoryStore::over(engine.clone(), clock.clone()).await;
    assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
    store.close().await.unwrap();
    MemoryStore::over(engine, clock).await.unwrap();
}

//! Lists by label over the lives of operations: the index keeps no labels, so an end of a life has to say them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longrun::model::{NewOperation, Operation, Query};
use longrun::store::embedded::{Embedded, Engine, EngineError, Visit};
use longrun::store::{Durability, MemoryEngine, SledOptions, SledStore, Store, StoreError, Swap};

use crate::support::{clock, first, put, put_eventual, remove, soon};

/// An engine that shows what is synced alone, and garbage when it is told.
#[derive(Clone, Debug, Default)]
struct Rotten {
    bytes: MemoryEngine,
    rots: Arc<AtomicBool>,
}

impl Engine for Rotten {
    const SHOWS_SYNCED_ONLY: bool = true;

    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        self.bytes.replay(visit)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        if self.rots.load(Ordering::Relaxed) { Ok(Some(b"garbage".into())) } else { self.bytes.get(key) }
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.bytes.put(key, value)
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.bytes.purge(key)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.bytes.sync()
    }
}

fn labelled(name: &str, birth: u64, order: &str) -> Operation {
    let new = NewOperation::untyped().label("order", order).label("of", "all");
    first(&new, name, birth, &format!("2026-05-04T12:00:{:02}Z", birth % 60))
}

async fn names(store: &impl Store, key: &str, value: &str) -> Vec<String> {
    let mut query = Query::default();
    (query.label, query.limit) = (Some((key.to_owned(), value.to_owned())), NonZeroU32::new(100).unwrap());
    let page = store.page(&query).await.unwrap();
    page.items.iter().map(|operation| operation.id().to_string()).collect()
}

async fn sound(store: &impl Store) {
    let report = soon("verify", store.verify()).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

async fn opened(folder: &std::path::Path) -> SledStore {
    SledStore::open_folder(SledOptions::new(folder).cache_bytes(1 << 20).journal_bytes(1 << 22), clock())
        .await
        .unwrap()
}

async fn lives(store: &impl Store) {
    let a = labelled("a", 1, "1");
    put(store, None, &a).await;
    put_eventual(store, None, &labelled("b", 2, "1")).await;
    // A further attempt is found by its base as well.
    put(store, None, &labelled("a~2", 3, "1")).await;
    assert_eq!(names(store, "order", "1").await, ["a", "b", "a~2"]);
    sound(store).await;
    remove(store, &a).await;
    assert_eq!(names(store, "of", "all").await, ["b", "a~2"]);
    sound(store).await;
    // Another life under the same name, with other labels.
    put(store, None, &labelled("a", 4, "2")).await;
    assert_eq!(names(store, "order", "1").await, ["b", "a~2"]);
    assert_eq!(names(store, "order", "2").await, ["a"]);
    // A life that nobody saw durable, and the next within the same group or the one after.
    put_eventual(store, None, &labelled("c", 5, "3")).await;
    let (c, again) = (labelled("c", 5, "3"), labelled("c", 6, "4"));
    let (gone, back) =
        tokio::join!(store.remove(c.id(), c.version()), store.swap(None, &again, Durability::Immediate),);
    assert_eq!(gone.unwrap(), Swap::Stored);
    match back.unwrap() {
        Swap::Stored => assert_eq!(names(store, "order", "4").await, ["c"]),
        _ => assert_eq!(names(store, "of", "all").await, ["b", "a~2", "a"]),
    }
    assert_eq!(names(store, "order", "3").await, [""; 0]);
    sound(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_finds_the_lives_that_have_it() {
    lives(&longrun::store::MemoryStore::in_memory(clock()).await.unwrap()).await;
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    lives(&store).await;
    store.close().await.unwrap();
    drop(store);
    let store = opened(folder.path()).await;
    assert_eq!(names(&store, "order", "1").await, ["b", "a~2"]);
    sound(&store).await;
}

/// Whose record cannot be read can be removed, and its labels go with it.
#[tokio::test(flavor = "multi_thread")]
async fn labels_of_a_damaged_record_go_with_it() {
    let engine = Rotten::default();
    let opener = engine.clone();
    let store = Embedded::open(move || Ok(opener.clone()), clock(), true).await.unwrap();
    let (a, b) = (labelled("a", 1, "1"), labelled("b", 2, "1"));
    put(&store, None, &a).await;
    put(&store, None, &b).await;
    engine.rots.store(true, Ordering::Relaxed);
    remove(&store, &a).await;
    engine.rots.store(false, Ordering::Relaxed);
    assert_eq!(names(&store, "order", "1").await, ["b"]);
    sound(&store).await;
}

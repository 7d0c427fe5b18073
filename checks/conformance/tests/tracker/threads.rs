//! FAULTS 58: what blocks happens on the store's thread, never on the runtime's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use longrun::store::embedded::{Embedded, Engine, EngineError, Visit};
use longrun::store::{MemoryEngine, StoreError};
use longrun::{NewOperation, Patch, Status, Tracker};

use crate::world::{builder, clock, id};

/// Calls by name and by the thread that made them.
type Calls = Arc<Mutex<BTreeMap<(&'static str, String), u64>>>;

#[derive(Debug)]
struct Recorded {
    engine: MemoryEngine,
    calls: Calls,
}

impl Recorded {
    fn note(&self, call: &'static str) {
        let thread = thread::current().name().unwrap_or("unnamed").to_owned();
        *self.calls.lock().unwrap().entry((call, thread)).or_default() += 1;
    }
}

impl Engine for Recorded {
    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        self.note("replay");
        self.engine.replay(visit)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.engine.get(key)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.note("put");
        self.engine.put(key, value)
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.note("purge");
        self.engine.purge(key)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.note("sync");
        self.engine.sync()
    }
}

async fn work(calls: &Calls) {
    let clock = clock();
    let (engine, recorded) = (MemoryEngine::default(), Arc::clone(calls));
    let opener = move || Ok(Recorded { engine: engine.clone(), calls: Arc::clone(&recorded) });
    let store = Embedded::open(opener, Arc::new(clock.clone()), true).await.unwrap();
    let tracker: Tracker = builder(&clock).open_store(Arc::new(store)).await.unwrap();
    for number in 0..20 {
        let name = id(&format!("a{number}"));
        tracker.create(NewOperation::new("export").id(name.clone())).await.unwrap();
        tracker.patch(&name, Patch::new().status(Status::Running)).await.unwrap();
        tracker.progress(&name, 40).await.unwrap();
        tracker.complete(&name, number).await.unwrap();
        tracker.delete(&name).await.unwrap();
    }
    tracker.verify().await.unwrap();
    tracker.close(Duration::ZERO).await.unwrap();
}

fn judge(calls: &Calls) {
    let calls = calls.lock().unwrap().clone();
    println!("{calls:?}");
    for call in ["replay", "put", "sync"] {
        let threads: Vec<_> = calls.keys().filter(|(name, _)| *name == call).map(|(_, thread)| &**thread).collect();
        assert_eq!(threads, ["longrun-store"], "{call}");
    }
}

#[test]
fn nothing_blocks_the_one_thread_of_a_runtime() {
    let calls = Calls::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work(&calls));
    judge(&calls);
}

#[test]
fn nothing_blocks_a_thread_of_a_runtime_of_many() {
    let calls = Calls::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let theirs = Arc::clone(&calls);
    runtime.block_on(async move { tokio::spawn(async move { work(&theirs).await }).await.unwrap() });
    judge(&calls);
}

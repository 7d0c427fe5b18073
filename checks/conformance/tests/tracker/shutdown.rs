//! FAULTS 57: the runtime is dropped at random points of writes, 1,000 times on folders of sled. No
//! deadlock, no panic, and what was acknowledged is there at the next open.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{panic, thread};

use longrun::store::SledOptions;
use longrun::{Failure, NewOperation, Operation, OperationId, Patch, Status, Tracker};
use tokio::runtime::{Builder, Runtime};

/// What was acknowledged, by id; `None` for what was deleted.
type Acked = Arc<Mutex<HashMap<OperationId, Option<Operation>>>>;

const TIMES: u64 = 1_000;
const WRITERS: u64 = 4;
/// Times in one folder; `TIMES` is a multiple.
const STAYS: u64 = 50;

/// splitmix64.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn runtime(number: u64) -> Runtime {
    let mut builder =
        if number.is_multiple_of(2) { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    builder.worker_threads(2).enable_all().build().unwrap()
}

async fn opened(path: &Path) -> Tracker {
    // Read at each of a thousand opens.
    let options = SledOptions::new(path).journal_bytes(1 << 21);
    Tracker::builder().open_with(options).await.unwrap()
}

async fn write(tracker: Tracker, acked: Acked, acks: Arc<AtomicU64>, name: String) {
    for number in 0_u64.. {
        let id: OperationId = format!("{name}-{number}").parse().unwrap();
        let note = |operation: Option<Operation>| {
            acked.lock().unwrap().insert(id.clone(), operation);
            acks.fetch_add(1, Ordering::Relaxed);
        };
        note(Some(tracker.create(NewOperation::new("export").id(id.clone())).await.unwrap()));
        if number % 3 == 0 {
            let run = tracker.start(&id).await.unwrap();
            note(Some(run.operation().clone()));
            note(Some(run.progress(10).await.unwrap()));
            note(Some(run.complete("done").await.unwrap()));
        } else {
            note(Some(tracker.patch(&id, Patch::new().status(Status::Running)).await.unwrap()));
            note(Some(tracker.progress(&id, 50).await.unwrap()));
            note(Some(tracker.fail(&id, Failure::new("code", "message")).await.unwrap()));
        }
        tracker.delete(&id).await.unwrap();
        note(None);
    }
}

/// Whether what is there follows from what was acknowledged.
fn follows(acked: Option<&Operation>, found: Option<&Operation>) -> bool {
    match (acked, found) {
        (Some(acked), Some(found)) => {
            acked.version().birth() == found.version().birth()
                && found.version().n() >= acked.version().n()
                && (!acked.is_terminal() || acked == found)
        }
        // A deletion that was under way: only what has ended can be deleted.
        (Some(acked), None) => acked.is_terminal(),
        (None, found) => found.is_none(),
    }
}

/// How many went on beyond what was acknowledged. All that was must be there.
async fn gone_on(tracker: &Tracker, acked: HashMap<OperationId, Option<Operation>>) -> u64 {
    let mut gone_on = 0;
    for (id, acked) in acked {
        let found = tracker.get(&id).await.ok();
        assert!(follows(acked.as_ref(), found.as_ref()), "{id}: {acked:?} acknowledged, {found:?} found");
        gone_on += u64::from(acked.as_ref().map(Operation::version) != found.as_ref().map(Operation::version));
    }
    gone_on
}

#[test]
fn runtime_may_go_at_any_time() {
    let panics = Arc::new(Mutex::new(Vec::new()));
    let (list, before) = (Arc::clone(&panics), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        list.lock().unwrap().push(info.to_string());
        before(info);
    }));
    // The runtime goes, not the machine: a disk in memory tells as much, and sooner.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let (sender, ended) = mpsc::channel();
    let child = thread::spawn(move || {
        let mut seed = 57;
        let (mut writes, mut in_flight) = (0, 0);
        let mut before: HashMap<OperationId, Option<Operation>> = HashMap::new();
        for number in 0..TIMES {
            let (acked, acks) = (Acked::default(), Arc::new(AtomicU64::new(0)));
            let wanted = draw(&mut seed) % 24;
            let turns = draw(&mut seed) % 8;
            // What is deleted leaves a trace for a day: a new folder now and then keeps opens short.
            let path = folder.path().join(format!("jobs-{}", number / STAYS));
            let open = runtime(number);
            open.block_on(async {
                let tracker = opened(&path).await;
                in_flight += gone_on(&tracker, std::mem::take(&mut before)).await;
                assert_eq!(tracker.verify().await.unwrap().problems, Vec::<String>::new());
                for writer in 0..WRITERS {
                    let (acked, acks) = (Arc::clone(&acked), Arc::clone(&acks));
                    tokio::spawn(write(tracker.clone(), acked, acks, format!("{number}-{writer}")));
                }
                while acks.load(Ordering::Relaxed) < wanted {
                    tokio::task::yield_now().await;
                }
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            });
            // Without a close, with writes under way.
            drop(open);
            before = std::mem::take(&mut *acked.lock().unwrap());
            if number % STAYS == STAYS - 1 {
                runtime(number / 2).block_on(async {
                    let tracker = opened(&path).await;
                    in_flight += gone_on(&tracker, std::mem::take(&mut before)).await;
                    tracker.close(Duration::ZERO).await.unwrap();
                });
            }
            writes += acks.load(Ordering::Relaxed);
            sender.send(()).unwrap();
        }
        (writes, in_flight)
    });
    for number in 0..TIMES {
        match ended.recv_timeout(Duration::from_mins(1)) {
            Ok(()) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("shutdown {number} hangs"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let (writes, in_flight) = child.join().unwrap();
    drop(panic::take_hook());
    assert_eq!(*panics.lock().unwrap(), Vec::<String>::new());
    println!(
        "{TIMES} runtimes dropped, {writes} writes acknowledged, 0 lost; {in_flight} went on beyond their answer"
    );
    assert!(writes > TIMES && in_flight > TIMES / 10, "too little was under way");
}

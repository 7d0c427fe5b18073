//! Moving: every record arrives as it was, a call that was broken off goes on, and a file that is not what
//! was written is refused before anything is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use longrun::clock::SystemClock;
use longrun::store::{MemoryStore, Store};
use longrun::transfer::{export, import};
use longrun::{ErrorKind, Failure, NewOperation, Operation, OperationId, Patch, Status, Tracker};

async fn memory() -> (Arc<MemoryStore>, Tracker) {
    let store = Arc::new(MemoryStore::in_memory(Arc::new(SystemClock::default())).await.unwrap());
    let tracker = Tracker::builder().open_store(store.clone()).await.unwrap();
    (store, tracker)
}

fn id(number: u32) -> OperationId {
    OperationId::derive("order", number.to_string())
}

/// In each state, with and without each member.
async fn fill(tracker: &Tracker, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let new = if number % 5 == 0 { NewOperation::untyped() } else { NewOperation::new("export") };
        tracker.create(new.id(id(number)).label("order", number.to_string())).await.unwrap();
        let patches = [
            Patch::claim(format!("worker {number}")),
            Patch::new().progress(40).detail("halfway \u{1f600} \"quoted\""),
            match number % 3 {
                0 => Patch::complete(longrun::model::Json::new(&vec![1.5, 2.0]).ok()),
                1 => Patch::fail(Failure::new("noRows", "nothing to export").target("rows")),
                _ => Patch::new().resource_location(format!("https://example.org/{number}")),
            },
        ];
        for patch in patches.into_iter().take(number as usize % 4) {
            tracker.patch(&id(number), patch).await.unwrap();
        }
    }
}

async fn all(tracker: &Tracker, count: u32) -> Vec<Operation> {
    let mut all = Vec::new();
    for number in 0..count {
        all.extend(tracker.get(&id(number)).await.ok());
    }
    all
}

#[tokio::test]
async fn every_record_arrives_with_its_version_and_times() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let (old, tracker) = memory().await;
    fill(&tracker, 0..2500).await;
    let exported = export(&*old, &file).await.unwrap();
    assert_eq!((exported.operations, exported.deletions, exported.written), (2500, 0, 2500));

    let (new, moved) = memory().await;
    let imported = import(&*new, &file).await.unwrap();
    assert_eq!((imported.operations, imported.written, imported.verified), (2500, 2500, 2500));
    assert_eq!(imported.orphaned, 0, "a remote worker runs on");
    assert_eq!(all(&moved, 2500).await, all(&tracker, 2500).await);
    assert_eq!(moved.counts().await.unwrap(), tracker.counts().await.unwrap());
    // Again: nothing is written, all of it is there.
    let again = import(&*new, &file).await.unwrap();
    assert_eq!((again.written, again.there, again.verified), (0, 2500, 2500));
}

#[tokio::test]
async fn an_export_goes_on_where_it_was_broken_off_at_any_byte() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.jsonl");
    let (old, tracker) = memory().await;
    fill(&tracker, 0..1200).await;
    export(&*old, &whole).await.unwrap();
    let bytes = fs::read(&whole).unwrap();
    let lines: Vec<usize> = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at).collect();
    // Around the beginning, the first mark, the last one, and in the middle of lines.
    let mut cuts = vec![0, 1, lines[0], lines[0] + 1, lines[600] + 30, lines[1000], lines[1001], lines[1001] + 1];
    cuts.extend([lines[1002] - 7, lines[lines.len() - 2] + 1, bytes.len() - 1]);
    for cut in cuts {
        let torn = folder.path().join("torn.jsonl");
        fs::write(&torn, &bytes[..cut]).unwrap();
        let (new, _) = memory().await;
        let refused = import(&*new, &torn).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "cut at {cut}");
        assert_eq!(new.counts().await.unwrap().total(), 0);
        let exported = export(&*old, &torn).await.unwrap();
        assert_eq!(exported.operations, 1200, "cut at {cut}");
        assert_eq!(fs::read(&torn).unwrap(), bytes, "cut at {cut}");
        assert!(cut <= lines[1001] || exported.written < 1200, "cut at {cut}: only the rest is written");
    }
}

#[tokio::test]
async fn a_later_export_takes_up_changes_and_deletions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let (old, tracker) = memory().await;
    fill(&tracker, 0..40).await;
    export(&*old, &file).await.unwrap();
    let (new, moved) = memory().await;
    import(&*new, &file).await.unwrap();

    tracker.patch(&id(0), Patch::new().status(Status::Running)).await.unwrap();
    let ended = tracker.cancel(&id(4)).await.unwrap();
    tracker.delete(ended.id()).await.unwrap();
    let reborn = tracker.cancel(&id(8)).await.unwrap();
    tracker.delete(reborn.id()).await.unwrap();
    fill(&tracker, 8..9).await;
    let exported = export(&*old, &file).await.unwrap();
    assert_eq!((exported.operations, exported.deletions, exported.written), (42, 1, 3));

    // Into the store that has the older state, and into one that has nothing.
    let imported = import(&*new, &file).await.unwrap();
    assert_eq!((imported.written, imported.deleted), (2, 1));
    let (fresh, copy) = memory().await;
    let imported = import(&*fresh, &file).await.unwrap();
    // One is written twice, for it changed; two were deleted, of which one lives again.
    assert_eq!((imported.written, imported.newer, imported.deleted), (40, 2, 0));
    for tracker_there in [&moved, &copy] {
        assert_eq!(all(tracker_there, 40).await, all(&tracker, 40).await);
        assert_eq!(tracker_there.counts().await.unwrap(), tracker.counts().await.unwrap());
    }
    // Where the id names another operation, nothing is taken for it.
    let (taken, other) = memory().await;
    let own = other.create(NewOperation::new("import").id(id(7))).await.unwrap();
    let conflict = import(&*taken, &file).await.unwrap_err();
    assert_eq!((conflict.kind(), conflict.current()), (ErrorKind::AlreadyExists, Some(&own)));
    // What moved on after it was imported stays as it is.
    let later = moved.patch(&id(1), Patch::heartbeat()).await;
    assert_eq!(later.is_ok(), tracker.patch(&id(1), Patch::heartbeat()).await.is_ok());
    let imported = import(&*new, &file).await.unwrap();
    assert_eq!((imported.written, imported.there + imported.newer), (0, 42));
}

#[tokio::test]
async fn what_ran_in_a_process_is_ended_where_it_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let (old, tracker) = memory().await;
    for number in [1, 2] {
        tracker.create(NewOperation::new("export").id(id(number))).await.unwrap();
    }
    let _held = tracker.start(&id(1)).await.unwrap();
    tracker.claim(&id(2), "a worker far away").await.unwrap();
    export(&*old, &file).await.unwrap();

    // The same number of instance lives here, and has a claim of the same number.
    let (new, moved) = memory().await;
    moved.create(NewOperation::new("export").id(id(3))).await.unwrap();
    let own = moved.start(&id(3)).await.unwrap();
    let imported = import(&*new, &file).await.unwrap();
    assert_eq!((imported.written, imported.orphaned, imported.verified), (2, 1, 1));
    let orphan = moved.get(&id(1)).await.unwrap();
    assert_eq!(orphan.failure().map(Failure::code), Some("orphaned"));
    assert_eq!(orphan.started(), tracker.get(&id(1)).await.unwrap().started());
    assert_eq!(moved.get(&id(2)).await.unwrap(), tracker.get(&id(2)).await.unwrap());
    assert_eq!(own.complete(()).await.unwrap().status(), Status::Completed);
    // Broken off between the record and its end: the next call ends it.
    let again = import(&*new, &file).await.unwrap();
    assert_eq!((again.written, again.orphaned, again.newer, again.there), (0, 0, 1, 1));
}

fn flip(file: &Path, at: usize) -> Vec<u8> {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    bytes
}

#[tokio::test]
async fn a_file_that_was_changed_anywhere_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let (old, tracker) = memory().await;
    fill(&tracker, 0..6).await;
    export(&*old, &file).await.unwrap();
    let bad = folder.path().join("bad.jsonl");
    let (new, _) = memory().await;
    for at in 0..fs::read(&file).unwrap().len() {
        fs::write(&bad, flip(&file, at)).unwrap();
        let refused = import(&*new, &bad).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "byte {at}");
        assert_eq!(new.counts().await.unwrap().total(), 0, "byte {at}");
    }
    let (other, _) = memory().await;
    let refused = export(&*other, &file).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Invalid, "fileOfAnotherStore"));
    let missing = import(&*other, &folder.path().join("none")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Unavailable);
}

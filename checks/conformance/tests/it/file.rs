//! The engine that `docs/stores.md` writes, under every promise.

use std::fs;
use std::io::Write;
use std::sync::Arc;

use longrun::clock::SystemClock;
use longrun::conformance::EngineOpener;
use longrun::store::embedded::{Embedded, Engine};
use longrun::{NewOperation, Status, Tracker};

use crate::file_engine::FileEngine;

longrun::conformance_tests!(EngineOpener::new(FileEngine::open));

/// The page quotes the file that is tested here, to the letter.
#[test]
fn page_quotes_this_engine() {
    let page = include_str!("../../../../docs/stores.md");
    let quoted = page.split("```rust\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
    let tested = include_str!("file_engine.rs").replace("pub(crate) ", "pub ");
    assert_eq!(quoted, tested.trim_end());
    let is_code = |line: &&str| {
        !["", "//", "use "]
            .iter()
            .any(|start| line.trim() == *start || (!start.is_empty() && line.trim().starts_with(start)))
    };
    let lines = tested.lines().filter(is_code).count();
    assert!((55..=70).contains(&lines), "about 60 lines, says the page: {lines}");
}

/// The page's second snippet.
#[tokio::test]
async fn tracker_runs_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let clock = Arc::new(SystemClock::default());
    let store = Embedded::open(move || FileEngine::open(&path), clock, true).await.unwrap();
    let tracker = Tracker::builder().open_store(Arc::new(store)).await.unwrap();
    let operation = tracker.create(NewOperation::new("export")).await.unwrap();
    assert_eq!(operation.status(), Status::NotStarted);
}

/// Entries that a crash cut short are gone, those before them stay, and writing goes on behind them.
#[tokio::test]
async fn torn_entry_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("jobs.log");
    let engine = FileEngine::open(folder.path()).unwrap();
    engine.put(b"kept", b"value").unwrap();
    drop(engine);
    let whole = fs::read(&log).unwrap();
    for cut in 0..whole.len() {
        fs::write(&log, &whole).unwrap();
        fs::File::options().append(true).open(&log).unwrap().write_all(&whole[..cut]).unwrap();
        let engine = FileEngine::open(folder.path()).unwrap();
        engine.put(b"later", b"value").unwrap();
        drop(engine);
        let engine = FileEngine::open(folder.path()).unwrap();
        assert!(engine.get(b"kept").unwrap().is_some() && engine.get(b"later").unwrap().is_some(), "cut at {cut}");
    }
}

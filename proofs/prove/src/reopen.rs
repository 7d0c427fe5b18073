//! Opens what a crash left, and reads all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use longrun::clock::SystemClock;
use longrun::model::Query;
use longrun::store::{Counts, SledOptions, SledStore};
use longrun::{Status, Tracker};

use crate::Outcome;
use crate::plan::Seen;

/// Small: pages are written and read, not only kept.
pub(crate) const CACHE: u64 = 1024 * 1024;
/// Small: its halves are used again and again, and read in no time.
pub(crate) const JOURNAL: u64 = 4 * 1024 * 1024;
/// Longer than any open takes on a busy machine: beyond, it hangs.
const HANGS: Duration = Duration::from_mins(1);

/// What an open found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) operations: BTreeMap<String, Seen>,
    /// What it said it ended.
    pub(crate) recovery: BTreeSet<String>,
    /// What the store itself says is wrong, and counts that are no recount.
    pub(crate) problems: Vec<String>,
}

/// Why it could not be opened and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// By an error.
    Error(String),
    Panicked,
    Hangs,
}

/// Opens the folder as a host does, reads everything, and closes it.
pub(crate) fn look(folder: &Path) -> Result<Found, Refusal> {
    watched(folder, |folder| {
        tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(read(folder))
    })
}

/// Opens the folder only to look, and reads everything.
pub(crate) fn inspect(folder: &Path) -> Result<Found, Refusal> {
    watched(folder, |folder| {
        tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
            let store = SledStore::inspect_folder(options(&folder), Arc::new(SystemClock::default())).await?;
            let tracker = Tracker::builder().inspect().open_store(Arc::new(store)).await?;
            let found = read_all(&tracker).await?;
            tracker.close(Duration::ZERO).await?;
            Ok(found)
        })
    })
}

fn watched(folder: &Path, read: fn(PathBuf) -> Outcome<Found>) -> Result<Found, Refusal> {
    let (sender, answer) = mpsc::channel();
    let folder = folder.to_path_buf();
    thread::spawn(move || drop(sender.send(read(folder).map_err(|error| chain(&*error)))));
    match answer.recv_timeout(HANGS) {
        Ok(found) => found.map_err(Refusal::Error),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(Refusal::Panicked),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Refusal::Hangs),
    }
}

async fn read(folder: PathBuf) -> Outcome<Found> {
    let tracker = open(&folder).await?;
    let mut found = read_all(&tracker).await?;
    found.recovery = tracker.recovery().iter().map(ToString::to_string).collect();
    let running = found.operations.iter().filter(|(_, seen)| seen.status == Status::Running);
    found.problems.extend(running.map(|(id, _)| format!("{id} is Running and nobody runs it")));
    tracker.close(Duration::ZERO).await?;
    Ok(found)
}

/// Of every store here: little cache, a small journal.
pub(crate) fn options(folder: &Path) -> SledOptions {
    SledOptions::new(folder).cache_bytes(CACHE).journal_bytes(JOURNAL)
}

/// Opens a folder as a host does.
pub(crate) async fn open(folder: &Path) -> longrun::Result<Tracker> {
    let store = SledStore::open_folder(options(folder), Arc::new(SystemClock::default())).await?;
    Tracker::builder().open_store(Arc::new(store)).await
}

/// Everything that an open tracker shows, and what the store says of itself.
pub(crate) async fn read_all(tracker: &Tracker) -> Outcome<Found> {
    let mut found = Found { problems: tracker.verify().await?.problems, ..Found::default() };
    let mut recount = Counts::default();
    let mut query = Query::default();
    query.limit = NonZeroU32::new(Query::MAX_LIMIT).unwrap_or(query.limit);
    loop {
        let page = tracker.page(&query).await?;
        for operation in &page.items {
            recount.add(operation.type_name(), operation.status(), 1);
            found.operations.insert(operation.id().to_string(), Seen::of(operation));
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let counts = tracker.counts().await?;
    if counts != recount {
        found.problems.push(format!("counts {counts:?}, recounted {recount:?}"));
    }
    Ok(found)
}

/// An error with its causes.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

//! The process that is killed: writers and a reader over one sled store, telling all they do.

#![expect(clippy::disallowed_methods, reason = "each writer is a task")]

use std::error::Error;
use std::future::poll_fn;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use feed::{Line, Seen};
use futures_core::Stream;
use longrun::store::{Change, Position, SledOptions};
use longrun::{Failure, NewOperation, Operation, OperationId, Patch, Status, Tracker};

/// Operations of each writer.
const IDS: u64 = 5;
const WRITERS: u64 = 4;
/// The last write of all.
const REST: &str = "rest";

/// Numbers that a seed gives, the same every time.
#[derive(Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

fn tell(line: &Line) {
    // Whole lines in one write. If nobody reads any more, nobody is left to tell.
    let _ = io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

fn name(writer: u64, n: u64) -> String {
    format!("w{writer}-{n}")
}

fn seen(operation: &Operation) -> Seen {
    let version = operation.version();
    let rank = match operation.status() {
        Status::NotStarted => 0,
        Status::Running => 1,
        Status::Completed | Status::Failed => 2,
    };
    Seen {
        id: operation.id().to_string(),
        birth: version.birth(),
        n: version.n(),
        instance: version.instance(),
        rank,
    }
}

fn seen_change(change: &Change) -> Option<Seen> {
    match change {
        Change::Updated(operation) => Some(seen(operation)),
        Change::Deleted { id, version } => Some(Seen {
            id: id.to_string(),
            birth: version.birth(),
            n: version.n(),
            instance: version.instance(),
            rank: 3,
        }),
        _ => None,
    }
}

/// Writes `rounds` times with each writer, reading on from `position`; then compares at rest.
pub(crate) async fn run(folder: &Path, seed: u64, rounds: u64, position: &str) -> Result<(), Box<dyn Error>> {
    let position: Position = position.parse()?;
    let options = SledOptions::new(folder).journal_bytes(4 << 20);
    let tracker = Tracker::builder().open_with(options).await?;
    let instance = instance_of(&tracker)?;
    tell(&Line::Open(instance));
    for id in tracker.recovery() {
        tell(&Line::Orphan(id.to_string()));
    }
    let writing = Arc::new(AtomicUsize::new(usize::try_from(WRITERS)?));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (tracker, writing) = (tracker.clone(), Arc::clone(&writing));
        writers.push(tokio::spawn(async move {
            let mut numbers = Numbers::new(seed.wrapping_mul(31).wrapping_add(writer));
            for _ in 0..rounds {
                write(&tracker, writer, &mut numbers).await;
            }
            writing.fetch_sub(1, Ordering::SeqCst);
        }));
    }
    let position = read(&tracker, position, &writing).await?;
    for writer in writers {
        writer.await?;
    }
    // Eventual writes are shown by the feed when they are on the disk, which they are before a later Immediate one.
    let rest: OperationId = REST.parse()?;
    tell(&Line::Want(REST.into()));
    let rest = tracker.create(NewOperation::new("work").id(rest)).await?;
    tell(&Line::Did(seen(&rest), true));
    tell(&Line::Is(seen(&rest)));
    read(&tracker, position, &writing).await?;
    // All rest: what is there now is what every reader must know.
    for writer in 0..WRITERS {
        for n in 0..IDS {
            let id: OperationId = name(writer, n).parse()?;
            match tracker.get(&id).await {
                Ok(operation) => tell(&Line::Is(seen(&operation))),
                Err(_) => tell(&Line::IsNot(id.to_string())),
            }
        }
    }
    let mut at = Position::START;
    loop {
        let changes = tracker.changes(&at, 3).await?;
        changes.items.iter().filter_map(seen_change).for_each(|seen| tell(&Line::Anew(seen)));
        at = changes.next;
        if changes.at_end {
            break;
        }
    }
    tell(&Line::Done);
    tracker.close(std::time::Duration::ZERO).await?;
    Ok(())
}

fn instance_of(tracker: &Tracker) -> Result<u32, Box<dyn Error>> {
    // The writer of a draft is the instance of this open.
    Ok(tracker.draft(&NewOperation::untyped())?.version().instance())
}

async fn write(tracker: &Tracker, writer: u64, numbers: &mut Numbers) {
    let text = name(writer, numbers.below(IDS));
    let Ok(id) = text.parse::<OperationId>() else { return };
    tell(&Line::Want(text.clone()));
    let (done, durable) = match numbers.below(10) {
        0 | 1 => (tracker.create(NewOperation::new("work").id(id)).await, true),
        2 | 3 => (tracker.patch(&id, Patch::new().status(Status::Running)).await, true),
        4 | 5 => (tracker.heartbeat(&id).await, false),
        6 => (tracker.complete(&id, 1).await, true),
        7 => (tracker.fail(&id, Failure::new("no", "no")).await, true),
        8 => (tracker.cancel(&id).await, true),
        _ => {
            let before = tracker.get(&id).await;
            match (before, tracker.delete(&id).await) {
                (Ok(before), Ok(())) => tell(&Line::Did(Seen { rank: 3, ..seen(&before) }, true)),
                _ => tell(&Line::No(text)),
            }
            return;
        }
    };
    match done {
        Ok(operation) => tell(&Line::Did(seen(&operation), durable)),
        Err(_) => tell(&Line::No(text)),
    }
}

/// Reads on until the writers are done and nothing is new.
async fn read(tracker: &Tracker, mut at: Position, writing: &AtomicUsize) -> Result<Position, Box<dyn Error>> {
    let mut hints = Box::pin(tracker.hints());
    loop {
        let done = writing.load(Ordering::SeqCst) == 0;
        tell(&Line::Ask);
        let changes = tracker.changes(&at, 3).await?;
        changes.items.iter().filter_map(seen_change).for_each(|seen| tell(&Line::Sees(seen)));
        let nothing_new = changes.items.is_empty();
        at = changes.next;
        tell(&Line::At(at.to_string(), changes.at_end));
        if changes.at_end && nothing_new {
            if done {
                return Ok(at);
            }
            // The last writer's end gives no hint: it may be the one that is waited for.
            let hinted = poll_fn(|context| hints.as_mut().poll_next(context));
            if tokio::time::timeout(std::time::Duration::from_millis(20), hinted).await == Ok(None) {
                return Err("the hints ended".into());
            }
        }
    }
}

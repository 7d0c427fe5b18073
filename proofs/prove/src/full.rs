//! A disk that is full: writes are refused before they are acknowledged, reads go on, and with room everything goes
//! on by itself. On a real file system, for what sled does with ENOSPC depends on where it meets it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use longrun::{ErrorKind, NewOperation, OperationId, Tracker};

use crate::child::live_one;
use crate::disk::Disk;
use crate::oracle::{Oracle, Settled, Wrong};
use crate::plan::{Mix, Name};
use crate::reopen::{Found, Refusal, chain, inspect, look, open, read_all};
use crate::tally::Tally;
use crate::{Outcome, scratch};

/// An empty store leaves of these hardly more than sled wants free: the journal takes what fits, sled soon nothing.
const TIGHT: u64 = 40;
/// Room for a store that grows, once the ballast is gone.
const ROOMY: u64 = 112;
const WRITERS: u32 = 4;
/// Lives of a writer within which the disk must have been found full: three times what a journal holds.
const LIVES: u32 = 240;
/// Lives of a writer once there is room again.
const AFTER: u32 = 4;
/// Beyond this a cycle hangs; no call of it takes a tenth on a busy machine.
const HANGS: Duration = Duration::from_mins(2);
/// The store looks for room once a second.
const RECOVERS: Duration = Duration::from_secs(30);

/// The operation that asks whether there is room.
const PROBE: &str = "room";

/// What a cycle tells.
type Told = Arc<Mutex<Tally>>;

/// `count` disks that fill up.
pub(crate) fn run(count: u64, seed: u64) -> Outcome<()> {
    let begun = Instant::now();
    let mut rng = Rng::with_seed(seed);
    let tally = Told::default();
    for cycle in 0..count {
        let seed = rng.u64(..) >> 16;
        let disk = Disk::of(if cycle % 4 == 3 { TIGHT } else { ROOMY })?;
        let what = format!("disk {cycle}, {seed:x}");
        let (sender, done) = mpsc::channel();
        let told = Arc::clone(&tally);
        // Returned, so that a cycle that hangs keeps its disk.
        thread::spawn(move || drop(sender.send(one(&disk, cycle, seed, &what, &told).map_err(|e| chain(&*e)))));
        match done.recv_timeout(HANGS) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => lock(&tally).illegal(&format!("disk {cycle}: {error}")),
            Err(mpsc::RecvTimeoutError::Disconnected) => lock(&tally).illegal(&format!("disk {cycle}: panicked")),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                lock(&tally).illegal(&format!("disk {cycle}: hangs"));
                break;
            }
        }
    }
    let tally = std::mem::take(&mut *lock(&tally));
    tally.finish(seed, begun.elapsed())
}

fn lock<T>(told: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

fn one(disk: &Disk, cycle: u64, seed: u64, what: &str, told: &Told) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let oracle = Arc::new(Mutex::new(Oracle::new(seed, Mix::Wide)));
    let roomy = cycle % 4 != 3;
    let mut rng = Rng::with_seed(seed);
    if cycle % 4 == 2 {
        refused_open(&runtime, disk, rng.u64(..4 << 20), what, told)?;
    }
    runtime.block_on(async {
        let tracker = open(&disk.store()).await?;
        // Something to read from before.
        write(&tracker, &oracle, seed, 0..AFTER).await?;
        if roomy {
            disk.fill(rng.u64(..6 << 20))?;
        }
        let refused = write(&tracker, &oracle, seed, AFTER..LIVES).await?;
        check_refusals(&refused, what, told);
        let health = tracker.health();
        if health.is_writable() {
            lock(told).illegal(&format!("{what}: {health:?} of a store that refuses"));
        }
        judge(&tracker, &oracle, &format!("{what}, full"), told).await?;
        if roomy {
            disk.relieve()?;
            recover(&tracker, what, told).await?;
            judge(&tracker, &oracle, &format!("{what}, with room"), told).await?;
            for error in write(&tracker, &oracle, seed, LIVES..LIVES + AFTER).await? {
                lock(told).illegal(&format!("{what}: refused with room: {}", chain(&error)));
            }
            if rng.bool() {
                disk.fill(0)?;
            }
        }
        // What a full disk does not take is still in the journal: it may be closed by an error, not by a loss.
        drop(tracker.close(Duration::ZERO).await);
        Outcome::Ok(())
    })?;
    drop(runtime);
    let mut oracle = lock(&oracle).clone();
    lock(told).load(oracle.acknowledged, oracle.in_flight());
    (oracle.may_close, oracle.may_recover_twice) = (true, true);
    let mut found = look(&disk.store());
    if let Err(Refusal::Error(_)) = found {
        // An open takes a number, durably: a full disk may refuse it. Sled may want room even to be looked at.
        oracle.may_run = true;
        match inspect(&disk.store()) {
            Ok(found) => lock(told).also(&format!("{what}, inspected"), &said(&oracle, found)),
            Err(Refusal::Error(_)) => {}
            Err(refusal) => lock(told).illegal(&format!("{what}, inspected: {refusal:?}")),
        }
        oracle.may_run = false;
        found = if roomy {
            disk.relieve()?;
            look(&disk.store())
        } else {
            let moved = scratch()?;
            copy(&disk.store(), &moved.path().join("store"))?;
            look(&moved.path().join("store"))
        };
    }
    lock(told).judged(&format!("{what}, opened again"), &found.map(|found| said(&oracle, found)));
    Ok(())
}

/// Moves a store to a disk with room.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?.path();
        let to = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            copy(&entry, &to)?;
        } else {
            fs::copy(&entry, &to)?;
        }
    }
    Ok(())
}

/// What the oracle says, but for the operation that only asks whether there is room.
fn said(oracle: &Oracle, mut found: Found) -> Wrong {
    found.operations.remove(PROBE);
    oracle.judge(&found, &mut Settled::new())
}

/// What the living store shows.
async fn judge(tracker: &Tracker, oracle: &Mutex<Oracle>, what: &str, told: &Told) -> Outcome<()> {
    let found = read_all(tracker).await.map_err(|error| format!("{what}: reads fail: {}", chain(&*error)))?;
    let mut oracle = lock(oracle).clone();
    (oracle.may_run, oracle.may_close) = (true, true);
    let wrong = said(&oracle, found);
    lock(told).also(what, &wrong);
    Ok(())
}

fn check_refusals(refused: &[longrun::Error], what: &str, told: &Told) {
    let mut tally = lock(told);
    if refused.is_empty() {
        tally.illegal(&format!("{what}: nothing was refused"));
    }
    for error in refused.iter().filter(|error| error.kind() != ErrorKind::Unavailable || !error.is_retryable()) {
        tally.illegal(&format!("{what}: refused by {:?}: {}", error.kind(), chain(error)));
    }
}

/// Asks until a write is taken.
async fn recover(tracker: &Tracker, what: &str, told: &Told) -> Outcome<()> {
    let begun = Instant::now();
    let id: OperationId = PROBE.parse()?;
    while let Err(error) = tracker.create(NewOperation::new("proof").id(id.clone())).await {
        if begun.elapsed() > RECOVERS {
            lock(told).illegal(&format!("{what}: still refused with room: {}", chain(&error)));
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if !tracker.health().is_writable() {
        lock(told).illegal(&format!("{what}: {:?} of a store that took a write", tracker.health()));
    }
    Ok(())
}

/// A disk that is full before there is a store: refused by a typed error; what it began is no hindrance later.
fn refused_open(runtime: &tokio::runtime::Runtime, disk: &Disk, but: u64, what: &str, told: &Told) -> Outcome<()> {
    disk.fill(but)?;
    match runtime.block_on(open(&disk.store())) {
        Ok(_) => lock(told).illegal(&format!("{what}: made where {but} bytes are free")),
        Err(error) if error.kind() == ErrorKind::Unavailable && error.is_definite() => {}
        Err(error) => lock(told).illegal(&format!("{what}: full from the start: {}", chain(&error))),
    }
    disk.relieve()
}

/// Writers until each is refused or done; what refused them.
async fn write(
    tracker: &Tracker,
    oracle: &Arc<Mutex<Oracle>>,
    seed: u64,
    numbers: std::ops::Range<u32>,
) -> Outcome<Vec<longrun::Error>> {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (tracker, oracle, numbers) = (tracker.clone(), Arc::clone(oracle), numbers.clone());
        writers.spawn(async move {
            let say = |line: &str| -> io::Result<()> {
                lock(&oracle).hear(line.trim_end());
                Ok(())
            };
            let mut held = Vec::new();
            for number in numbers {
                let life = live_one(&tracker, Name { seed, writer, number }, Mix::Wide, &mut held, &say);
                if let Err(error) = life.await {
                    return Some(error);
                }
            }
            None
        });
    }
    let mut refused = Vec::new();
    while let Some(ended) = writers.join_next().await {
        if let Some(error) = ended? {
            refused.push(*error.downcast::<longrun::Error>()?);
        }
    }
    Ok(refused)
}

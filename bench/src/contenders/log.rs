//! The least that could do the work: a checksummed, append-only log, a map in memory, and one thread that writes what
//! has gathered, syncs once, and wakes its callers.
//!
//! `log-preallocated` appends into blocks that were written and synced beforehand, so that the sync has no metadata to
//! commit: the ceiling.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io, mem,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::oneshot;

use crate::{
    contender::Contender,
    job::Job,
    record::{ENCODED, Id, Record, Status, fresh_id},
};

/// Checksum and record.
const FRAME: usize = 4 + ENCODED;

/// What is written ahead of the log at a time.
const BLOCKS: u64 = 16 << 20;

/// The log; `AHEAD` says whether its blocks are written beforehand.
#[derive(Debug)]
pub struct Log<const AHEAD: bool> {
    shared: Arc<Shared>,
    flusher: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    records: HashMap<Id, Record>,
    counts: [u64; 4],
    pending: Vec<u8>,
    waiters: Vec<oneshot::Sender<()>>,
    flusher: Flusher,
}

/// What the flusher is told and tells.
#[derive(Debug, Default, PartialEq, Eq)]
enum Flusher {
    #[default]
    Works,
    Sleeps,
    Closes,
    Failed,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides, notes and queues one write; a promise of its durability, or `None` if the machine refuses it.
    fn write(
        &self,
        id: &Id,
        decide: impl FnOnce(Option<&Record>) -> Option<Record>,
    ) -> Option<oneshot::Receiver<()>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.note(id, decide)?;
        state.waiters.push(sender);
        self.unlock_and_wake(state);
        Some(receiver)
    }

    fn delete(&self, id: &Id) -> Option<oneshot::Receiver<()>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.forget(id)?;
        state.waiters.push(sender);
        self.unlock_and_wake(state);
        Some(receiver)
    }

    fn unlock_and_wake(&self, mut state: MutexGuard<'_, State>) {
        let wake = state.flusher == Flusher::Sleeps;
        if wake {
            state.flusher = Flusher::Works;
        }
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }
}

impl State {
    fn note(&mut self, id: &Id, decide: impl FnOnce(Option<&Record>) -> Option<Record>) -> Option<()> {
        if self.flusher == Flusher::Failed {
            return None;
        }
        let before = self.records.get(id).map(|record| record.status);
        let next = decide(self.records.get(id))?;
        self.put(id, before, next);
        append(&mut self.pending, &next.encode(id));
        Some(())
    }

    fn put(&mut self, id: &Id, before: Option<Status>, next: Record) {
        if let Some(count) = before.and_then(|status| self.counts.get_mut(status as usize)) {
            *count -= 1;
        }
        if let Some(count) = self.counts.get_mut(next.status as usize) {
            *count += 1;
        }
        self.records.insert(*id, next);
    }

    fn forget(&mut self, id: &Id) -> Option<()> {
        let record = self.records.remove(id)?;
        if let Some(count) = self.counts.get_mut(record.status as usize) {
            *count -= 1;
        }
        let mut bytes = record.encode(id);
        bytes[16] = DELETED;
        append(&mut self.pending, &bytes);
        Some(())
    }
}

/// Stands where a record's status does.
const DELETED: u8 = 0xff;

fn append(log: &mut Vec<u8>, record: &[u8; ENCODED]) {
    log.extend_from_slice(&crc32fast::hash(record).to_le_bytes());
    log.extend_from_slice(record);
}

/// Reads frames until one is torn or was never written; where the log ends.
fn replay(log: &[u8], state: &mut State) -> u64 {
    let mut end = 0;
    for frame in log.chunks_exact(FRAME) {
        let Some((checksum, record)) = frame.split_first_chunk::<4>() else { break };
        if crc32fast::hash(record) != u32::from_le_bytes(*checksum) {
            break;
        }
        if let Some((id, next)) = Record::decode(record) {
            let before = state.records.get(&id).map(|record| record.status);
            state.put(&id, before, next);
        } else {
            let Some((id, _)) = record.split_first_chunk::<16>() else { break };
            let _ = state.forget(id);
        }
        end += FRAME as u64;
    }
    state.pending.clear();
    end
}

/// The file, where the next frame goes, and how far blocks are written ahead of it.
struct Tail {
    file: File,
    end: u64,
    written: u64,
    ahead: bool,
}

impl Tail {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.end + bytes.len() as u64;
        if self.ahead && end > self.written {
            self.write_ahead(end - self.end)?;
        }
        self.file.write_all_at(bytes, self.end)?;
        self.file.sync_data()?;
        self.end = end;
        Ok(())
    }

    fn write_ahead(&mut self, at_least: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 1 << 20];
        let until = self.written + at_least.max(BLOCKS);
        while self.written < until {
            self.file.write_all_at(ZEROS, self.written)?;
            self.written += ZEROS.len() as u64;
        }
        self.file.sync_all()
    }
}

/// Flushes until told to close; after an error nobody waits in vain.
fn flush(shared: &Shared, tail: Tail) -> io::Result<()> {
    let ended = flush_groups(shared, tail);
    if ended.is_err() {
        let mut state = shared.lock();
        state.flusher = Flusher::Failed;
        state.waiters.clear();
    }
    ended
}

/// Takes what has gathered, makes it durable, wakes its callers; ends when told to and nothing is left.
fn flush_groups(shared: &Shared, mut tail: Tail) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut waiters = Vec::new();
    loop {
        let mut state = shared.lock();
        while state.pending.is_empty() {
            if state.flusher == Flusher::Closes {
                return Ok(());
            }
            state.flusher = Flusher::Sleeps;
            state = shared.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.flusher == Flusher::Sleeps {
            state.flusher = Flusher::Works;
        }
        mem::swap(&mut state.pending, &mut bytes);
        mem::swap(&mut state.waiters, &mut waiters);
        drop(state);
        tail.append(&bytes)?;
        bytes.clear();
        for waiter in waiters.drain(..) {
            let _ = waiter.send(());
        }
    }
}

impl<const AHEAD: bool> Contender for Log<AHEAD> {
    type Key = Id;
    type Claim = ();

    async fn open(folder: &Path, job: &Job) -> Result<Self> {
        let path = folder.join("log");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let log = fs::read(&path).context("read the log")?;
        let mut state = State::default();
        let end = replay(&log, &mut state);
        let mut tail = Tail { file, end, written: log.len() as u64, ahead: AHEAD };
        drop(log);
        if AHEAD {
            tail.write_ahead(expected_bytes(job))?;
        }
        File::open(folder)?.sync_all()?;
        let shared = Arc::new(Shared { state: Mutex::new(state), filled: Condvar::new() });
        let flusher = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("flusher".into()).spawn(move || flush(&shared, tail))?
        };
        Ok(Self { shared, flusher: Some(flusher) })
    }

    fn durability(&self) -> String {
        if AHEAD { "fdatasync over blocks written beforehand" } else { "fdatasync" }.into()
    }

    async fn create(&self) -> Result<Id> {
        let id = fresh_id();
        self.settle(self.shared.write(&id, |known| known.is_none().then(Record::new))).await?;
        Ok(id)
    }

    async fn start(&self, key: &Id) -> Result<Option<()>> {
        match self.shared.write(key, |record| record?.moved(Status::Running)) {
            Some(durable) => self.settle(Some(durable)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn complete(&self, key: &Id, (): ()) -> Result<()> {
        self.transition(key, Status::Completed).await
    }

    async fn transition(&self, key: &Id, to: Status) -> Result<()> {
        self.settle(self.shared.write(key, |record| record?.moved(to))).await
    }

    async fn progress(&self, key: &Id, percent: u8) -> Result<()> {
        let mut state = self.shared.lock();
        let noted = state.note(key, |record| record?.progressed(percent));
        self.shared.unlock_and_wake(state);
        noted.ok_or_else(|| anyhow!("the machine refused a progress"))
    }

    async fn get(&self, key: &Id) -> Result<Option<Status>> {
        Ok(self.shared.lock().records.get(key).map(|record| record.status))
    }

    async fn counts(&self) -> Result<[u64; 4]> {
        Ok(self.shared.lock().counts)
    }

    async fn delete(&self, key: &Id) -> Result<()> {
        self.settle(self.shared.delete(key)).await
    }

    async fn close(mut self) -> Result<()> {
        match self.stop() {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(error.into()),
            None => bail!("the flusher panicked"),
        }
    }
}

impl<const AHEAD: bool> Log<AHEAD> {
    async fn settle(&self, durable: Option<oneshot::Receiver<()>>) -> Result<()> {
        durable.context("the machine refused a write")?.await.context("the log failed")
    }

    fn stop(&mut self) -> Option<io::Result<()>> {
        self.shared.lock().flusher = Flusher::Closes;
        self.shared.filled.notify_one();
        self.flusher.take()?.join().ok()
    }
}

impl<const AHEAD: bool> Drop for Log<AHEAD> {
    fn drop(&mut self) {
        if self.flusher.is_some() {
            let _ = self.stop();
        }
    }
}

/// A generous guess of what the log will take, so that no block is written ahead within the window.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a guess of megabytes")]
fn expected_bytes(job: &Job) -> u64 {
    const A_SECOND: f64 = 32.0 * 1024.0 * 1024.0;
    (job.seconds * A_SECOND) as u64 + job.records as u64 * 4 * FRAME as u64
}

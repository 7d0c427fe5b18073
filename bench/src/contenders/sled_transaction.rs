//! A tracker on sled as its documentation suggests: one `transaction` over records, index and counters for each write.
//!
//! As durable as ours: the folder carries the sync flag, or else the group's thread calls `fdatasync` after `flush`.

use std::{
    fs::{self, File},
    mem,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow, ensure};
use sled::{
    Db, Transactional, Tree,
    transaction::{ConflictableTransactionError, TransactionError, TransactionalTree},
};
use tokio::sync::oneshot;

use crate::{
    contender::Contender,
    job::Job,
    record::{Id, Record, Status, fresh_id},
    sync_flag,
};

/// The trees, and the thread that flushes for all callers.
#[derive(Debug)]
pub struct SledTransaction {
    records: Tree,
    index: Tree,
    counts: Tree,
    flagged: bool,
    group: Arc<Group>,
    flusher: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct Group {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiters: Vec<oneshot::Sender<()>>,
    closing: bool,
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn flush(group: &Group, database: &Db, file: Option<&File>) -> Result<()> {
    loop {
        let mut state = group.lock();
        while state.waiters.is_empty() {
            if state.closing {
                return Ok(());
            }
            state = group.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let waiters = mem::take(&mut state.waiters);
        drop(state);
        database.flush()?;
        if let Some(file) = file {
            file.sync_data()?;
        }
        for waiter in waiters {
            let _ = waiter.send(());
        }
    }
}

impl SledTransaction {
    /// Decides and writes one record with its index entry and counters; `false` if the machine refuses.
    async fn write(&self, id: &Id, decide: impl Fn(Option<Record>) -> Decision) -> Result<bool> {
        let trees = (&self.records, &self.index, &self.counts);
        let done = trees.transaction(|(records, index, counts)| {
            let before = records.get(id)?.and_then(|bytes| Record::decode(&bytes)).map(|(_, record)| record);
            let after = match decide(before) {
                Decision::Keep(record) => Some(record),
                Decision::Remove => None,
                Decision::Refuse => return Ok::<_, ConflictableTransactionError<()>>(false),
            };
            match after {
                Some(after) => records.insert(id, after.encode(id).as_slice())?,
                None => records.remove(id)?,
            };
            let (from, to) = (before.map(|record| record.status), after.map(|record| record.status));
            if from != to {
                if let Some(from) = from {
                    index.remove(&index_key(from, id))?;
                    add(counts, from, -1)?;
                }
                if let Some(to) = to {
                    index.insert(&index_key(to, id), &[])?;
                    add(counts, to, 1)?;
                }
            }
            Ok(true)
        });
        let done = match done {
            Ok(done) => done,
            Err(TransactionError::Storage(error)) => return Err(error.into()),
            Err(TransactionError::Abort(())) => false,
        };
        if done {
            let (sender, receiver) = oneshot::channel();
            self.group.lock().waiters.push(sender);
            self.group.filled.notify_one();
            receiver.await.context("the flusher failed")?;
        }
        Ok(done)
    }

    async fn insist(&self, id: &Id, decide: impl Fn(Option<Record>) -> Decision) -> Result<()> {
        ensure!(self.write(id, decide).await?, "the machine refused a write");
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        self.group.lock().closing = true;
        self.group.filled.notify_one();
        match self.flusher.take() {
            Some(flusher) => flusher.join().map_err(|_| anyhow!("the flusher panicked"))?,
            None => Ok(()),
        }
    }
}

enum Decision {
    Keep(Record),
    Remove,
    Refuse,
}

impl From<Option<Record>> for Decision {
    fn from(next: Option<Record>) -> Self {
        next.map_or(Self::Refuse, Self::Keep)
    }
}

fn index_key(status: Status, id: &Id) -> [u8; 17] {
    let mut key = [status as u8; 17];
    key[1..].copy_from_slice(id);
    key
}

fn add(
    counts: &TransactionalTree,
    status: Status,
    difference: i64,
) -> Result<(), ConflictableTransactionError<()>> {
    let key = [status as u8];
    let before = counts.get(key)?.map_or(0, |bytes| number(&bytes));
    counts.insert(&key, &before.saturating_add_signed(difference).to_le_bytes())?;
    Ok(())
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

impl Contender for SledTransaction {
    type Key = Id;
    type Claim = ();

    async fn open(folder: &Path, _job: &Job) -> Result<Self> {
        let data = folder.join("sled");
        fs::create_dir_all(&data)?;
        sync_flag::set(&data)?;
        let database = sled::Config::new().path(&data).cache_capacity(64 << 20).flush_every_ms(None).open()?;
        // sled never syncs these, and does not open without them.
        for name in ["conf", "db"] {
            File::open(data.join(name))?.sync_all()?;
        }
        File::open(&data)?.sync_all()?;
        let flagged = sync_flag::is_set(&data.join("db"))?;
        let file = if flagged { None } else { Some(File::open(data.join("db"))?) };
        let group = Arc::new(Group::default());
        let (records, index, counts) =
            (database.open_tree("records")?, database.open_tree("by status")?, database.open_tree("counts")?);
        let flusher = {
            let group = Arc::clone(&group);
            thread::Builder::new().name("flusher".into()).spawn(move || {
                let ended = flush(&group, &database, file.as_ref());
                if let Err(error) = &ended {
                    eprintln!("the flusher failed: {error:#}");
                }
                ended
            })?
        };
        Ok(Self { records, index, counts, flagged, group, flusher: Some(flusher) })
    }

    fn durability(&self) -> String {
        if self.flagged { "flush of a file with the sync flag" } else { "flush and fdatasync" }.into()
    }

    async fn create(&self) -> Result<Id> {
        let id = fresh_id();
        self.insist(&id, |known| known.is_none().then(Record::new).into()).await?;
        Ok(id)
    }

    async fn start(&self, key: &Id) -> Result<Option<()>> {
        let moved =
            self.write(key, |record| record.and_then(|record| record.moved(Status::Running)).into()).await?;
        Ok(moved.then_some(()))
    }

    async fn complete(&self, key: &Id, (): ()) -> Result<()> {
        self.transition(key, Status::Completed).await
    }

    async fn transition(&self, key: &Id, to: Status) -> Result<()> {
        self.insist(key, |record| record.and_then(|record| record.moved(to)).into()).await
    }

    async fn progress(&self, key: &Id, percent: u8) -> Result<()> {
        self.insist(key, |record| record.and_then(|record| record.progressed(percent)).into()).await
    }

    async fn get(&self, key: &Id) -> Result<Option<Status>> {
        let bytes = self.records.get(key)?;
        Ok(bytes.and_then(|bytes| Record::decode(&bytes)).map(|(_, record)| record.status))
    }

    async fn page(&self, status: Status, limit: usize) -> Result<usize> {
        let mut read = 0;
        for entry in self.index.scan_prefix([status as u8]).take(limit) {
            let (key, _) = entry?;
            let id = key.get(1..).context("an index entry without an id")?;
            let bytes = self.records.get(id)?.context("an index entry without a record")?;
            read += usize::from(Record::decode(&bytes).is_some());
        }
        Ok(read)
    }

    async fn counts(&self) -> Result<[u64; 4]> {
        let mut counts = [0; 4];
        for (status, count) in Status::ALL.into_iter().zip(&mut counts) {
            *count = self.counts.get([status as u8])?.map_or(0, |bytes| number(&bytes));
        }
        Ok(counts)
    }

    async fn delete(&self, key: &Id) -> Result<()> {
        self.insist(key, |record| record.map_or(Decision::Refuse, |_| Decision::Remove)).await
    }

    async fn close(mut self) -> Result<()> {
        self.stop()
    }
}

impl Drop for SledTransaction {
    fn drop(&mut self) {
        if self.flusher.is_some() {
            let _ = self.stop();
        }
    }
}

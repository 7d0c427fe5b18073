//! One writer thread that commits what has gathered: how a good engineer makes a transactional store fast.
//!
//! Shared by the hand-written trackers on SQLite, redb and fjall. Callers send commands; the thread takes as many as
//! there are (at most [`GROUP`]), decides each within one durable commit, and answers all of them.

use std::{
    path::Path,
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::sync::oneshot;

use crate::{
    contender::Contender,
    job::Job,
    record::{Id, Record, Status, fresh_id},
};

/// The largest group.
pub const GROUP: usize = 256;

/// One write, to be decided by the writer.
#[derive(Debug, Clone, Copy)]
pub enum Command {
    /// A new operation; refused if the name is known.
    Create(Id, Record),
    /// A move; refused if the machine has no such arrow.
    Move(Id, Status),
    /// A percentage; refused unless running, and never back.
    Progress(Id, u8),
    /// Removal; refused if unknown.
    Delete(Id),
}

/// A transactional store as the writer thread and the readers use it.
pub trait Keeper: Send + Sized + 'static {
    /// What makes a commit durable.
    const DURABILITY: &'static str;

    /// How callers read while the writer writes.
    type Reader: Send + Sync + 'static;

    /// Opens the store.
    ///
    /// # Errors
    /// The store's own.
    fn open(folder: &Path) -> Result<(Self, Self::Reader)>;

    /// Decides the commands in order and commits durably; for each whether it was done.
    ///
    /// # Errors
    /// The store's own; nothing of the group is then promised.
    fn commit(&mut self, group: &[Command]) -> Result<Vec<bool>>;

    /// The status of one operation.
    ///
    /// # Errors
    /// The store's own.
    fn get(reader: &Self::Reader, id: &Id) -> Result<Option<Status>>;

    /// How many of the first `limit` of a status there are, each one read.
    ///
    /// # Errors
    /// The store's own.
    fn page(reader: &Self::Reader, status: Status, limit: usize) -> Result<usize>;

    /// How many each status has.
    ///
    /// # Errors
    /// The store's own.
    fn counts(reader: &Self::Reader) -> Result<[u64; 4]>;
}

type Waiting = (Command, oneshot::Sender<bool>);

/// A tracker on a [`Keeper`].
#[derive(Debug)]
pub struct Grouped<K: Keeper> {
    commands: Sender<Waiting>,
    reader: K::Reader,
    writer: JoinHandle<Result<()>>,
}

impl<K: Keeper> Grouped<K> {
    async fn ask(&self, command: Command) -> Result<bool> {
        let (sender, receiver) = oneshot::channel();
        self.commands.send((command, sender)).ok().context("the writer has ended")?;
        receiver.await.context("the writer failed")
    }

    async fn insist(&self, command: Command) -> Result<()> {
        ensure!(self.ask(command).await?, "the machine refused {command:?}");
        Ok(())
    }
}

fn write<K: Keeper>(mut keeper: K, commands: &Receiver<Waiting>) -> Result<()> {
    let mut group = Vec::with_capacity(GROUP);
    let mut waiters = Vec::with_capacity(GROUP);
    while let Ok(first) = commands.recv() {
        for (command, waiter) in std::iter::once(first).chain(commands.try_iter()).take(GROUP) {
            group.push(command);
            waiters.push(waiter);
        }
        let answers = keeper.commit(&group)?;
        group.clear();
        for (waiter, done) in waiters.drain(..).zip(answers) {
            let _ = waiter.send(done);
        }
    }
    Ok(())
}

impl<K: Keeper> Contender for Grouped<K> {
    type Key = Id;
    type Claim = ();

    async fn open(folder: &Path, _job: &Job) -> Result<Self> {
        let (keeper, reader) = K::open(folder)?;
        let (commands, received) = mpsc::channel();
        let writer = thread::Builder::new().name("writer".into()).spawn(move || {
            let ended = write(keeper, &received);
            if let Err(error) = &ended {
                eprintln!("the writer failed: {error:#}");
            }
            ended
        })?;
        Ok(Self { commands, reader, writer })
    }

    fn durability(&self) -> String {
        K::DURABILITY.into()
    }

    async fn create(&self) -> Result<Id> {
        let id = fresh_id();
        self.insist(Command::Create(id, Record::new())).await?;
        Ok(id)
    }

    async fn start(&self, key: &Id) -> Result<Option<()>> {
        Ok(self.ask(Command::Move(*key, Status::Running)).await?.then_some(()))
    }

    async fn complete(&self, key: &Id, (): ()) -> Result<()> {
        self.transition(key, Status::Completed).await
    }

    async fn transition(&self, key: &Id, to: Status) -> Result<()> {
        self.insist(Command::Move(*key, to)).await
    }

    async fn progress(&self, key: &Id, percent: u8) -> Result<()> {
        self.insist(Command::Progress(*key, percent)).await
    }

    async fn get(&self, key: &Id) -> Result<Option<Status>> {
        K::get(&self.reader, key)
    }

    async fn page(&self, status: Status, limit: usize) -> Result<usize> {
        K::page(&self.reader, status, limit)
    }

    async fn counts(&self) -> Result<[u64; 4]> {
        K::counts(&self.reader)
    }

    async fn delete(&self, key: &Id) -> Result<()> {
        self.insist(Command::Delete(*key)).await
    }

    async fn close(self) -> Result<()> {
        let Self { commands, reader, writer } = self;
        drop(commands);
        drop(reader);
        writer.join().map_err(|_| anyhow!("the writer panicked"))?
    }
}

//! A hand-written tracker on fjall: one writer thread, a group in one batch, synced to disk
//! (<https://docs.rs/fjall/3.1.13/fjall/enum.PersistMode.html>).

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use crate::{
    group::{Command, Keeper},
    record::{Id, Record, Status},
};

/// The database and its two keyspaces: records by id, and status with id.
#[derive(Clone)]
pub struct Fjall {
    database: Database,
    records: Keyspace,
    index: Keyspace,
}

impl std::fmt::Debug for Fjall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fjall")
    }
}

fn index_key(status: Status, id: &Id) -> [u8; 17] {
    let mut key = [status as u8; 17];
    key[1..].copy_from_slice(id);
    key
}

impl Fjall {
    fn record(&self, id: &Id) -> Result<Option<Record>> {
        let Some(bytes) = self.records.get(id)? else { return Ok(None) };
        let (_, record) = Record::decode(&bytes).context("a record that is none")?;
        Ok(Some(record))
    }
}

impl Keeper for Fjall {
    const DURABILITY: &'static str = "PersistMode::SyncData";

    type Reader = Self;

    fn open(folder: &Path) -> Result<(Self, Self)> {
        let database = Database::builder(folder).open()?;
        let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
        let index = database.keyspace("by_status", KeyspaceCreateOptions::default)?;
        let fjall = Self { database, records, index };
        Ok((fjall.clone(), fjall))
    }

    fn commit(&mut self, group: &[Command]) -> Result<Vec<bool>> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        let mut answers = Vec::with_capacity(group.len());
        // A batch cannot be read, so the group's own writes are looked up here first.
        let mut written: HashMap<Id, Option<Record>> = HashMap::new();
        for command in group {
            let (Command::Create(id, _) | Command::Move(id, _) | Command::Progress(id, _) | Command::Delete(id)) =
                command;
            let before = match written.get(id) {
                Some(record) => *record,
                None => self.record(id)?,
            };
            let after = match command {
                Command::Create(_, record) => before.is_none().then_some(*record),
                Command::Move(_, to) => before.and_then(|record| record.moved(*to)),
                Command::Progress(_, percent) => before.and_then(|record| record.progressed(*percent)),
                Command::Delete(_) => None,
            };
            match (command, after) {
                (Command::Delete(_), _) if before.is_some() => batch.remove(&self.records, *id),
                (_, Some(after)) => batch.insert(&self.records, *id, after.encode(id)),
                _ => {
                    answers.push(false);
                    continue;
                }
            }
            let (from, to) = (before.map(|record| record.status), after.map(|record| record.status));
            if from != to {
                if let Some(from) = from {
                    batch.remove(&self.index, index_key(from, id));
                }
                if let Some(to) = to {
                    batch.insert(&self.index, index_key(to, id), []);
                }
            }
            written.insert(*id, after);
            answers.push(true);
        }
        batch.commit()?;
        Ok(answers)
    }

    fn get(reader: &Self, id: &Id) -> Result<Option<Status>> {
        Ok(reader.record(id)?.map(|record| record.status))
    }

    fn page(reader: &Self, status: Status, limit: usize) -> Result<usize> {
        let snapshot = reader.database.snapshot();
        let mut read = 0;
        for entry in snapshot.prefix(&reader.index, [status as u8]).take(limit) {
            let key = entry.key()?;
            let id = key.get(1..).context("an index entry without an id")?;
            let bytes = snapshot.get(&reader.records, id)?.context("an index entry without a record")?;
            read += usize::from(Record::decode(&bytes).is_some());
        }
        Ok(read)
    }

    fn counts(reader: &Self) -> Result<[u64; 4]> {
        let mut counts = [0; 4];
        for (number, count) in (0_u8..).zip(&mut counts) {
            *count = reader.index.prefix([number]).count() as u64;
        }
        Ok(counts)
    }
}

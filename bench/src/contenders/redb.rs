//! A hand-written tracker on redb: one writer thread, a group in one transaction of immediate durability
//! (<https://docs.rs/redb/4.6.0/redb/enum.Durability.html>).

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};

use crate::{
    group::{Command, Keeper},
    record::{Id, Record, Status},
};

const RECORDS: TableDefinition<'_, Id, &[u8]> = TableDefinition::new("records");

/// Status and id.
const INDEX: TableDefinition<'_, (u8, Id), ()> = TableDefinition::new("by status");

/// The database.
#[derive(Debug)]
pub struct Redb(Arc<Database>);

struct Tables<'t> {
    records: Table<'t, Id, &'static [u8]>,
    index: Table<'t, (u8, Id), ()>,
}

impl Tables<'_> {
    fn record(&self, id: &Id) -> Result<Option<Record>> {
        let Some(bytes) = self.records.get(id)? else { return Ok(None) };
        let (_, record) = Record::decode(bytes.value()).context("a record that is none")?;
        Ok(Some(record))
    }

    fn apply(&mut self, command: &Command) -> Result<bool> {
        let (Command::Create(id, _) | Command::Move(id, _) | Command::Progress(id, _) | Command::Delete(id)) =
            command;
        let before = self.record(id)?;
        let after = match command {
            Command::Create(_, record) => before.is_none().then_some(*record),
            Command::Move(_, to) => before.and_then(|record| record.moved(*to)),
            Command::Progress(_, percent) => before.and_then(|record| record.progressed(*percent)),
            Command::Delete(_) => None,
        };
        let (from, to) = (before.map(|record| record.status), after.map(|record| record.status));
        match (command, after) {
            (Command::Delete(_), _) if before.is_some() => {
                self.records.remove(id)?;
            }
            (_, Some(after)) => {
                self.records.insert(id, after.encode(id).as_slice())?;
            }
            _ => return Ok(false),
        }
        if from != to {
            if let Some(from) = from {
                self.index.remove((from as u8, *id))?;
            }
            if let Some(to) = to {
                self.index.insert((to as u8, *id), ())?;
            }
        }
        Ok(true)
    }
}

impl Keeper for Redb {
    const DURABILITY: &'static str = "Durability::Immediate";

    type Reader = Arc<Database>;

    fn open(folder: &Path) -> Result<(Self, Arc<Database>)> {
        let database = Arc::new(Database::create(folder.join("operations.redb"))?);
        let transaction = database.begin_write()?;
        transaction.open_table(RECORDS)?;
        transaction.open_table(INDEX)?;
        transaction.commit()?;
        Ok((Self(Arc::clone(&database)), database))
    }

    fn commit(&mut self, group: &[Command]) -> Result<Vec<bool>> {
        let transaction = self.0.begin_write()?;
        let mut tables =
            Tables { records: transaction.open_table(RECORDS)?, index: transaction.open_table(INDEX)? };
        let answers = group.iter().map(|command| tables.apply(command)).collect::<Result<_>>()?;
        drop(tables);
        transaction.commit()?;
        Ok(answers)
    }

    fn get(reader: &Arc<Database>, id: &Id) -> Result<Option<Status>> {
        let records = reader.begin_read()?.open_table(RECORDS)?;
        let Some(bytes) = records.get(id)? else { return Ok(None) };
        Ok(Record::decode(bytes.value()).map(|(_, record)| record.status))
    }

    fn page(reader: &Arc<Database>, status: Status, limit: usize) -> Result<usize> {
        let transaction = reader.begin_read()?;
        let (records, index) = (transaction.open_table(RECORDS)?, transaction.open_table(INDEX)?);
        let number = status as u8;
        let mut read = 0;
        for entry in index.range((number, [0; 16])..=(number, [0xff; 16]))?.take(limit) {
            let (_, id) = entry?.0.value();
            let bytes = records.get(id)?.context("an index entry without a record")?;
            read += usize::from(Record::decode(bytes.value()).is_some());
        }
        Ok(read)
    }

    fn counts(reader: &Arc<Database>) -> Result<[u64; 4]> {
        let index = reader.begin_read()?.open_table(INDEX)?;
        let mut counts = [0; 4];
        for (number, count) in (0_u8..).zip(&mut counts) {
            *count = index.range((number, [0; 16])..=(number, [0xff; 16]))?.count() as u64;
        }
        Ok(counts)
    }
}

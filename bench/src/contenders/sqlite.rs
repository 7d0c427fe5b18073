//! The rival to beat: what a good engineer writes on SQLite in an afternoon.
//!
//! WAL with `synchronous=FULL` (every commit is fsynced, <https://www.sqlite.org/pragma.html#pragma_synchronous>), one
//! writer thread with prepared statements, groups of up to 256 in one transaction, `UPDATE .. WHERE id AND status`.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::{
    group::{Command, Keeper},
    record::{Id, Status},
};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS operation (
        id      BLOB    PRIMARY KEY,
        kind    TEXT    NOT NULL,
        status  INTEGER NOT NULL,
        percent INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL,
        changed INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS operation_by_status ON operation (status);
";

const CREATE: &str = "
    INSERT INTO operation (id, kind, status, percent, version, created, changed)
    VALUES (?1, 'export', ?2, 0, 1, ?3, ?3) ON CONFLICT DO NOTHING";

const MOVE: &str = "
    UPDATE operation SET status = ?3, version = version + 1, changed = ?4 WHERE id = ?1 AND status = ?2";

const PROGRESS: &str = "
    UPDATE operation SET percent = ?2, version = version + 1, changed = ?3
    WHERE id = ?1 AND status = 1 AND percent <= ?2";

const DELETE: &str = "DELETE FROM operation WHERE id = ?1";

/// The writer's connection.
#[derive(Debug)]
pub struct Sqlite(Connection);

fn connect(folder: &Path) -> Result<Connection> {
    let connection = Connection::open(folder.join("operations.sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

/// As much as sled is given.
const CACHE_KIB: i64 = 64 * 1024;

fn apply(transaction: &Transaction<'_>, command: &Command, now: i64) -> rusqlite::Result<bool> {
    let changed = match command {
        Command::Create(id, record) => {
            transaction.prepare_cached(CREATE)?.execute(params![id, record.status as u8, record.created])?
        }
        Command::Move(id, to) => {
            transaction.prepare_cached(MOVE)?.execute(params![id, to.before() as u8, *to as u8, now])?
        }
        Command::Progress(id, percent) => {
            transaction.prepare_cached(PROGRESS)?.execute(params![id, percent, now])?
        }
        Command::Delete(id) => transaction.prepare_cached(DELETE)?.execute(params![id])?,
    };
    Ok(changed == 1)
}

fn lock(reader: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

fn status(number: u8) -> Result<Status> {
    Status::from_number(number).context("a status that is none")
}

impl Keeper for Sqlite {
    const DURABILITY: &'static str = "WAL, synchronous=FULL";

    type Reader = Mutex<Connection>;

    fn open(folder: &Path) -> Result<(Self, Mutex<Connection>)> {
        let writer = connect(folder)?;
        writer.execute_batch(SCHEMA)?;
        Ok((Self(writer), Mutex::new(connect(folder)?)))
    }

    fn commit(&mut self, group: &[Command]) -> Result<Vec<bool>> {
        let now = crate::record::now();
        let transaction = self.0.transaction()?;
        let answers =
            group.iter().map(|command| apply(&transaction, command, now)).collect::<rusqlite::Result<_>>()?;
        transaction.commit()?;
        Ok(answers)
    }

    fn get(reader: &Mutex<Connection>, id: &Id) -> Result<Option<Status>> {
        let reader = lock(reader);
        let mut get = reader.prepare_cached("SELECT status FROM operation WHERE id = ?1")?;
        let number: Option<u8> = get.query_row(params![id], |row| row.get(0)).optional()?;
        number.map(status).transpose()
    }

    fn page(reader: &Mutex<Connection>, status: Status, limit: usize) -> Result<usize> {
        let reader = lock(reader);
        let mut page = reader.prepare_cached("SELECT * FROM operation WHERE status = ?1 ORDER BY id LIMIT ?2")?;
        let rows = page.query_map(params![status as u8, i64::try_from(limit)?], |row| row.get::<_, Id>(0))?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.len())
    }

    fn counts(reader: &Mutex<Connection>) -> Result<[u64; 4]> {
        let reader = lock(reader);
        let mut count = reader.prepare_cached("SELECT status, count(*) FROM operation GROUP BY status")?;
        let rows = count.query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?)))?;
        let mut counts = [0; 4];
        for row in rows {
            let (status, number) = row?;
            if let Some(count) = counts.get_mut(usize::from(status)) {
                *count = u64::try_from(number)?;
            }
        }
        Ok(counts)
    }
}

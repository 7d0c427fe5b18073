//! One write in one statement and one round trip.
//!
//! The forms that come to mind first are wrong at READ COMMITTED: `UPDATE .. UNION ALL SELECT` answers a
//! lost race with the old row, `ON CONFLICT DO NOTHING .. SELECT` tells the loser of a create that there
//! is no row. So the row is locked and read first, in the same statement; and a create that finds the id
//! taken asks a second time, with a newer snapshot.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, PgConnection, Postgres};

use super::failure::Failed;
use super::row::{Row, version_columns, written};
use super::sql::{Patience, Statements};
use crate::model::{OperationId, Version};

/// A row and the version that it replaces.
#[derive(Debug)]
pub(super) struct Write {
    /// `None`: no record.
    pub(super) expected: Option<Version>,
    pub(super) row: Row,
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum Written {
    Stored,
    /// The record bytes that were there instead, if any.
    Lost(Option<Vec<u8>>),
    /// Who holds the unique key.
    Taken(OperationId, Vec<u8>),
}

/// Sends a statement. Behind a pooler it runs inside a transaction, so that its parts meet one server.
///
/// All answers are read up to the end: rows come before the commit, and only the end says that it is done.
pub(super) async fn rows(
    connection: &mut PgConnection,
    query: Query<'static, Postgres, PgArguments>,
    pooler: bool,
) -> Result<Vec<PgRow>, sqlx::Error> {
    if !pooler {
        return query.fetch_all(connection).await;
    }
    let mut transaction = connection.begin().await?;
    let rows = query.persistent(false).fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(rows)
}

/// Whether a create failed because another operation holds its key.
fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.constraint() == Some("operation_unique"))
}

/// Writes one row by itself.
pub(super) async fn alone(
    connection: &mut PgConnection,
    statements: &Statements,
    write: &Write,
    patience: Patience,
    pooler: bool,
) -> Result<Written, Failed> {
    let row = &write.row;
    let sent = |error: sqlx::Error| Failed::sent(&error);
    let (birth, n, instance) = version_columns(row.version);
    let Some(expected) = write.expected else {
        let (names, values): (Vec<_>, Vec<_>) = row.labels.iter().cloned().unzip();
        let query = statements.create.get(patience).query();
        let query = query.bind(row.id.to_string()).bind(birth).bind(n).bind(instance).bind(row.status);
        let query = query.bind(row.type_name.clone().unwrap_or_default()).bind(row.created.unwrap_or_default());
        let query = query.bind(row.ended).bind(row.holder).bind(row.record.clone()).bind(names).bind(values);
        let query = query.bind(row.deadline).bind(row.group.clone()).bind(row.unique_key.clone());
        let answer = match rows(connection, query, pooler).await {
            // Somebody else with the same key came at the same moment and was first.
            Err(error) if patience != Patience::Within && is_taken(&error) => Vec::new(),
            answer => answer.map_err(sent)?,
        };
        if answer.first().map(|row| written::<bool>(row, 0)).transpose()?.unwrap_or(false) {
            return Ok(Written::Stored);
        }
        let query = statements.load.query().bind(row.id.to_string());
        // The write was refused: a failure to see by what leaves nothing in doubt.
        let found = rows(connection, query, pooler).await.map_err(|error| Failed::unsent(&error))?;
        if let (None, Some(key)) = (found.first(), &row.unique_key) {
            let query = statements.taken.query().bind(key.clone());
            let found = rows(connection, query, pooler).await.map_err(|error| Failed::unsent(&error))?;
            if let Some(row) = found.first() {
                let id: &str = written(row, 0)?;
                let id = id.parse().map_err(|_| Failed::refused("the holder of a key has no id"))?;
                return Ok(Written::Taken(id, written(row, 1)?));
            }
        }
        return Ok(Written::Lost(found.first().map(|row| written(row, 0)).transpose()?));
    };
    let (old_birth, old_n, old_instance) = version_columns(expected);
    let statement = if row.is_tombstone() { &statements.remove } else { &statements.swap };
    let query = statement.get(patience).query();
    let query = query.bind(row.id.to_string()).bind(old_birth).bind(old_n).bind(old_instance);
    let query = query.bind(birth).bind(n).bind(instance).bind(row.status).bind(row.type_name.clone());
    let query = query.bind(row.created).bind(row.ended).bind(row.holder).bind(row.record.clone());
    let answer = rows(connection, query, pooler).await.map_err(sent)?;
    match answer.first() {
        None => Ok(Written::Lost(None)),
        Some(row) if written(row, 0)? => Ok(Written::Stored),
        Some(row) => Ok(Written::Lost(written(row, 1)?)),
    }
}

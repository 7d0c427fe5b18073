//! Inside the user's own transaction: what is written here stands if and only if the user commits.

use sqlx::PgConnection;

use super::failure::read;
use super::row::{self, Row, decode_live};
use super::sql::Patience;
use super::write::{Write, Written, alone, rows};
use super::{PostgresStore, Shared};
use crate::model::{Operation, OperationId, Version};
use crate::store::{StoreError, Swap};

impl PostgresStore {
    /// The operation as the connection's transaction sees it.
    pub async fn load_in(
        &self,
        connection: &mut PgConnection,
        id: &OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        let query = self.shared.statements.load.query().bind(id.to_string());
        let rows = query.persistent(!self.shared.options.pooler).fetch_all(connection).await;
        let rows = rows.map_err(|error| read(&error))?;
        let found = rows.first().map(|row| decode_live(id, row::column(row, 0)?)).transpose()?;
        Ok(found)
    }

    /// [`Store::swap`](crate::store::Store::swap) in the connection's transaction: `Stored` holds once that commits.
    ///
    /// The row stays locked until then; the store's other writes pass it by. The transaction's isolation and
    /// settings are the user's. An error may have aborted the transaction.
    pub async fn swap_in(
        &self,
        connection: &mut PgConnection,
        expected: Option<Version>,
        next: &Operation,
    ) -> Result<Swap, StoreError> {
        if expected.is_none() {
            self.shared.admit_type_in(connection, next.type_name()).await?;
        }
        self.write_in(connection, Write { expected, row: Row::live(next)? }).await
    }

    /// [`Store::remove`](crate::store::Store::remove) in the connection's transaction.
    pub async fn remove_in(
        &self,
        connection: &mut PgConnection,
        id: &OperationId,
        expected: Version,
    ) -> Result<Swap, StoreError> {
        let row = self.shared.tombstone(id, expected)?;
        self.write_in(connection, Write { expected: Some(expected), row }).await
    }

    async fn write_in(&self, connection: &mut PgConnection, write: Write) -> Result<Swap, StoreError> {
        self.shared.check_open()?;
        // Whether it happened is the user's commit to say: until then nothing has.
        let outcome = alone(connection, &self.shared.statements, &write, Patience::Within, false).await;
        match outcome.map_err(|failed| StoreError::definite(failed.to_string()))? {
            Written::Stored => Ok(Swap::Stored),
            Written::Taken(id, bytes) => Ok(Swap::Taken(decode_live(&id, &bytes)?)),
            Written::Lost(None) => Ok(Swap::Lost(None)),
            Written::Lost(Some(bytes)) => Ok(Swap::Lost(Some(decode_live(&write.row.id, &bytes)?))),
        }
    }
}

impl Shared {
    async fn admit_type_in(&self, connection: &mut PgConnection, name: Option<&str>) -> Result<(), StoreError> {
        let Some(name) = name else { return Ok(()) };
        if self.knows_type(name) {
            return Ok(());
        }
        let found = rows(connection, self.statements.types.query(), false).await.map_err(|error| read(&error))?;
        let found = found.iter().map(|row| Ok(row::column::<String>(row, 0)?.into_boxed_str()));
        self.admit_among(name, found.collect::<Result<_, StoreError>>()?)
    }
}

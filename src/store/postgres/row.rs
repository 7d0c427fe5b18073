//! A record and the columns that serve indexes.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::failure::{Failed, read};
use crate::model::{Operation, OperationId, Timestamp, Version, holder};
use crate::store::record::{self, Entry, Record, RecordError};
use crate::store::{StoreError, place};

/// The status column of a tombstone.
pub(super) const TOMBSTONE: i16 = -1;

/// What is written for one operation.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: OperationId,
    pub(super) version: Version,
    pub(super) status: i16,
    /// `None` leaves what is there, as a tombstone does.
    pub(super) type_name: Option<String>,
    pub(super) created: Option<i64>,
    pub(super) ended: Option<i64>,
    pub(super) holder: Option<i64>,
    pub(super) record: Vec<u8>,
    /// Written by a create alone, for they never change: this and all that follows.
    pub(super) deadline: Option<i64>,
    pub(super) group: Option<String>,
    pub(super) unique_key: Option<String>,
    /// Names and values; of a further attempt its base too, under the name that no label has.
    pub(super) labels: Vec<(String, String)>,
}

impl Row {
    pub(super) fn live(operation: &Operation) -> Result<Self, StoreError> {
        let record = encode(Entry::Live(operation.clone()))?;
        let stamps = operation.stamps();
        let base =
            (operation.id().attempt_number() > 1).then(|| (String::new(), operation.id().base().to_string()));
        let labels = operation.labels().map(|(name, value)| (name.into(), value.into()));
        let running = operation.status() == crate::model::Status::Running;
        Ok(Self {
            id: operation.id().clone(),
            version: operation.version(),
            status: status_column(operation),
            type_name: Some(operation.type_name().unwrap_or_default().into()),
            created: Some(stamps.created.ticks()),
            ended: operation.is_terminal().then(|| stamps.last_action.ticks()),
            holder: operation.holder().filter(|_| running).and_then(holder::instance).map(i64::from),
            record,
            deadline: stamps.deadline.map(Timestamp::ticks),
            group: operation.group().map(Into::into),
            unique_key: operation.unique_key().map(Into::into),
            labels: base.into_iter().chain(labels).collect(),
        })
    }

    pub(super) fn is_tombstone(&self) -> bool {
        self.status == TOMBSTONE
    }

    pub(super) fn tombstone(id: &OperationId, version: Version, at: Timestamp) -> Result<Self, StoreError> {
        Ok(Self {
            id: id.clone(),
            version,
            status: TOMBSTONE,
            type_name: None,
            created: None,
            ended: None,
            holder: None,
            record: encode(Entry::Tombstone { id: id.clone(), version, at })?,
            deadline: None,
            group: None,
            unique_key: None,
            labels: Vec::new(),
        })
    }
}

/// Birth, n and instance as columns.
pub(super) fn version_columns(version: Version) -> (i64, i64, i64) {
    (version.birth().cast_signed(), version.n().cast_signed(), version.instance().into())
}

pub(super) fn status_column(operation: &Operation) -> i16 {
    i16::try_from(place(operation.status())).unwrap_or(i16::MAX)
}

fn encode(entry: Entry) -> Result<Vec<u8>, StoreError> {
    record::encode(&Record::new(0, entry)).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What stands in a `record` column.
pub(super) fn decode(id: &OperationId, bytes: &[u8]) -> Result<Entry, StoreError> {
    match record::decode(&record::key(id), bytes) {
        Ok(record) => Ok(record.entry),
        Err(error @ RecordError::Newer(_)) => Err(StoreError::Unsupported(error.to_string())),
        Err(error) => Err(StoreError::Corrupt(format!("record {id}: {error}"))),
    }
}

/// The operation in a `record` column that must hold one.
pub(super) fn decode_live(id: &OperationId, bytes: &[u8]) -> Result<Operation, StoreError> {
    match decode(id, bytes)? {
        Entry::Live(operation) => Ok(operation),
        Entry::Tombstone { .. } => Err(StoreError::Corrupt(format!("record {id}: a tombstone among the living"))),
    }
}

/// A column of an answer.
pub(super) fn column<'r, T>(row: &'r PgRow, at: usize) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(at).map_err(|error| read(&error))
}

/// A column of a write's answer, which came after its commit.
pub(super) fn written<'r, T>(row: &'r PgRow, at: usize) -> Result<T, Failed>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(at).map_err(|error| Failed::sent(&error))
}

/// A column that holds an id.
pub(super) fn id_column(row: &PgRow, at: usize) -> Result<OperationId, StoreError> {
    let text: &str = column(row, at)?;
    text.parse().map_err(|_| StoreError::Corrupt(format!("{text:?} stands in a column of ids")))
}

//! Many writes in one statement.
//!
//! A row that somebody else has locked, in a user's transaction for example, is left out: one such row
//! would hold up the whole group, and two groups that wait for each other's rows would be a deadlock. What
//! is left out has no answer here and is written alone.

use sqlx::PgConnection;

use super::failure::Failed;
use super::row::{version_columns, written};
use super::sql::Statements;
use super::write::{Write, Written, rows};

/// Columns of many rows.
#[derive(Default)]
struct Columns {
    id: Vec<String>,
    expected: (Vec<i64>, Vec<i64>, Vec<i64>),
    version: (Vec<i64>, Vec<i64>, Vec<i64>),
    status: Vec<i16>,
    type_name: Vec<Option<String>>,
    created: Vec<Option<i64>>,
    ended: Vec<Option<i64>>,
    holder: Vec<Option<i64>>,
    deadline: Vec<Option<i64>>,
    group: Vec<Option<String>>,
    record: Vec<Vec<u8>>,
    label: (Vec<String>, Vec<String>, Vec<String>),
}

impl Columns {
    fn of(writes: &[&Write]) -> Self {
        let mut all = Self::default();
        for write in writes {
            let row = &write.row;
            let (birth, n, instance) = version_columns(row.version);
            if let Some(expected) = write.expected {
                let (birth, n, instance) = version_columns(expected);
                all.expected.0.push(birth);
                all.expected.1.push(n);
                all.expected.2.push(instance);
            }
            all.version.0.push(birth);
            all.version.1.push(n);
            all.version.2.push(instance);
            all.status.push(row.status);
            all.type_name.push(row.type_name.clone());
            all.created.push(row.created);
            all.ended.push(row.ended);
            all.holder.push(row.holder);
            all.deadline.push(row.deadline);
            all.group.push(row.group.clone());
            all.record.push(row.record.clone());
            let id = row.id.to_string();
            for (name, value) in &row.labels {
                all.label.0.push(id.clone());
                all.label.1.push(name.clone());
                all.label.2.push(value.clone());
            }
            all.id.push(id);
        }
        all
    }
}

/// Writes of one kind with different ids, sorted by id. `None`: left out.
pub(super) async fn together(
    connection: &mut PgConnection,
    statements: &Statements,
    writes: &[&Write],
    pooler: bool,
) -> Result<Vec<Option<Written>>, Failed> {
    match writes.first() {
        None => Ok(Vec::new()),
        Some(write) if write.expected.is_none() => create(connection, statements, writes, pooler).await,
        Some(_) => swap(connection, statements, writes, pooler).await,
    }
}

async fn swap(
    connection: &mut PgConnection,
    statements: &Statements,
    writes: &[&Write],
    pooler: bool,
) -> Result<Vec<Option<Written>>, Failed> {
    let all = Columns::of(writes);
    let removes = writes.first().is_some_and(|write| write.row.is_tombstone());
    let statement = if removes { &statements.remove_group } else { &statements.swap_group };
    let query = statement.query().bind(all.id).bind(all.expected.0).bind(all.expected.1).bind(all.expected.2);
    let query = query.bind(all.version.0).bind(all.version.1).bind(all.version.2).bind(all.status);
    let query = query.bind(all.type_name).bind(all.created).bind(all.ended).bind(all.holder).bind(all.record);
    let answer = rows(connection, query, pooler).await.map_err(|error| Failed::sent(&error))?;
    let mut outcomes = Vec::new();
    outcomes.resize_with(writes.len(), || None);
    for row in &answer {
        let place: i64 = written(row, 0)?;
        let outcome = if written(row, 1)? { Written::Stored } else { Written::Lost(written(row, 2)?) };
        if let Some(slot) = usize::try_from(place).ok().and_then(|place| outcomes.get_mut(place.checked_sub(1)?)) {
            *slot = Some(outcome);
        }
    }
    Ok(outcomes)
}

async fn create(
    connection: &mut PgConnection,
    statements: &Statements,
    writes: &[&Write],
    pooler: bool,
) -> Result<Vec<Option<Written>>, Failed> {
    let all = Columns::of(writes);
    let ids = all.id.clone();
    let query = statements.create_group.query().bind(all.id).bind(all.version.0).bind(all.version.1);
    let query = query.bind(all.version.2).bind(all.status).bind(all.type_name).bind(all.created).bind(all.ended);
    let query = query.bind(all.holder).bind(all.record).bind(all.label.0).bind(all.label.1).bind(all.label.2);
    let query = query.bind(all.deadline).bind(all.group);
    let answer = rows(connection, query, pooler).await.map_err(|error| Failed::sent(&error))?;
    let mut outcomes = Vec::new();
    outcomes.resize_with(writes.len(), || None);
    for row in &answer {
        let id: &str = written(row, 0)?;
        // The ids are sorted, as the rows are.
        if let Ok(place) = ids.binary_search_by(|other| other.as_str().cmp(id))
            && let Some(slot) = outcomes.get_mut(place)
        {
            *slot = Some(Written::Stored);
        }
    }
    // What was taken is asked for alone, with a newer snapshot.
    Ok(outcomes)
}

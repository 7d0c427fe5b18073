//! Reads every record anew and compares it with the columns, the feed, the labels and the counts.

use sqlx::Connection as _;
use sqlx::postgres::PgRow;

use super::Shared;
use super::failure::read;
use super::row::{Row, TOMBSTONE, column, decode, id_column, version_columns};
use crate::store::record::Entry;
use crate::store::{Counts, Report, StoreError};

/// Records read by one statement.
const STEP: i64 = 1_000;

impl Shared {
    /// All in one snapshot, so that what others write meanwhile makes no difference.
    pub(super) async fn verify(&self) -> Result<Report, StoreError> {
        self.check_open()?;
        let mut connection = self.connection().await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut snapshot = connection.begin_with(begin).await.map_err(|error| read(&error))?;
        let persistent = !self.options.pooler;
        let mut report = Report::default();
        let mut counted = Counts::default();
        let mut after = String::new();
        loop {
            let query = self.statements.verify.query().bind(after.clone()).bind(STEP).persistent(persistent);
            let rows = query.fetch_all(&mut *snapshot).await.map_err(|error| read(&error))?;
            for row in &rows {
                let text: &str = column(row, 0)?;
                after = text.into();
                report.records = report.records.saturating_add(1);
                match check(row, &mut counted) {
                    Ok(found) => {
                        let named = found.into_iter().map(|what| format!("record {text}: {what}"));
                        report.problems.extend(named);
                    }
                    Err(error) => report.problems.push(error.to_string()),
                }
            }
            if rows.is_empty() {
                break;
            }
        }
        let query = self.statements.counts.query().persistent(persistent);
        let rows = query.fetch_all(&mut *snapshot).await.map_err(|error| read(&error))?;
        let kept = super::tally::counts_of(&rows)?;
        if kept != counted {
            report.problems.push(format!("counts: {kept:?} kept, {counted:?} counted"));
        }
        let query = self.statements.strays.query().persistent(persistent);
        for row in &query.fetch_all(&mut *snapshot).await.map_err(|error| read(&error))? {
            report.problems.push(format!("{} belongs to no operation", column::<&str>(row, 0)?));
        }
        snapshot.rollback().await.map_err(|error| read(&error))?;
        Ok(report)
    }
}

/// What is wrong with one row.
fn check(row: &PgRow, counted: &mut Counts) -> Result<Vec<&'static str>, StoreError> {
    let id = id_column(row, 0)?;
    let mut problems = Vec::new();
    let mut expect = |holds: bool, what| {
        if !holds {
            problems.push(what);
        }
    };
    let version = (column::<i64>(row, 1)?, column::<i64>(row, 2)?, column::<i64>(row, 3)?);
    let status: i16 = column(row, 4)?;
    let deleted: bool = column(row, 9)?;
    expect(column::<i64>(row, 11)? == 1, "has no place in the feed, or several");
    let labels = column::<Option<Vec<String>>>(row, 12)?.unwrap_or_default();
    match decode(&id, column(row, 10)?)? {
        Entry::Live(operation) => {
            let row_of = Row::live(&operation)?;
            let Row { version: own, status: of, type_name, created, ended, holder, labels: wanted, .. } = row_of;
            counted.add(operation.type_name(), operation.status(), 1);
            expect(version_columns(own) == version, "has another version in its columns");
            expect(of == status && !deleted, "has another status in its columns");
            expect(type_name == column(row, 5)?, "has another type in its columns");
            let stamps = (column(row, 6)?, column(row, 7)?);
            expect((created, ended) == stamps, "has other times in its columns");
            expect(holder == column(row, 8)?, "has another holder in its columns");
            expect(row_of.deadline == column(row, 13)?, "has another deadline in its columns");
            expect(row_of.group == column(row, 14)?, "has another group in its columns");
            expect(row_of.unique_key == column(row, 15)?, "has another unique key in its columns");
            let wanted: Vec<_> = wanted.iter().map(|(name, value)| format!("{name}={value}")).collect();
            expect(wanted == labels, "has other labels in their table");
        }
        Entry::Tombstone { version: own, .. } => {
            expect(version_columns(own) == version, "has another version in its columns");
            expect(status == TOMBSTONE && deleted, "is a tombstone, and its columns say otherwise");
        }
    }
    Ok(problems)
}

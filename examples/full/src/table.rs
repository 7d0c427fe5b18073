//! Tables for people, as wide as what is in them.

use longrun::Status;
use longrun::store::Counts;

use crate::{Seen, age};

/// A table of operations; `now` makes ages of dates.
pub fn table(seen: &[Seen], now: chrono::DateTime<chrono::FixedOffset>) -> String {
    let head = ["ID", "TYPE", "STATUS", "DONE", "AGE", "LABELS", "REASON"].map(str::to_owned).to_vec();
    let rows = seen.iter().map(|seen| {
        let done = seen.percent.map(|percent| format!("{percent} %")).unwrap_or_default();
        let reason = seen.failure.as_ref().map(|(code, message)| format!("{code}: {message}"));
        let ran = match (seen.status, seen.started) {
            (Status::Running, Some(started)) => age(started, now),
            _ => age(seen.created, now),
        };
        let status =
            if seen.is_cancelling && seen.status == Status::Running { "cancelling" } else { seen.status.as_str() };
        vec![
            seen.id.clone(),
            seen.type_name.clone(),
            status.to_owned(),
            done,
            ran,
            seen.labels.join(" "),
            reason.unwrap_or_else(|| seen.detail.clone()),
        ]
    });
    lay_out(std::iter::once(head).chain(rows).collect())
}

/// A table of counts, by type.
pub fn counts_table(counts: &Counts) -> String {
    let head = ["TYPE", "NotStarted", "Running", "Completed", "Failed"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    let mut types: Vec<_> = counts.iter().map(|(name, ..)| name).collect();
    types.dedup();
    for name in types {
        let mut row = vec![name.unwrap_or("(none)").to_owned()];
        row.extend(Status::ALL.map(|status| counts.of_type(name, status).to_string()));
        rows.push(row);
    }
    let mut all = vec!["all".to_owned()];
    all.extend(Status::ALL.map(|status| counts.of(status).to_string()));
    rows.push(all);
    lay_out(rows)
}

fn lay_out(rows: Vec<Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        // A terminal gets no escape sequence that somebody put into a label.
        .map(|row| row.iter().map(|cell| cell.replace(char::is_control, " ")).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let line =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

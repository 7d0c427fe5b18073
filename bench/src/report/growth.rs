//! The table of growth: a line for each contender and step.

use std::{fmt::Write as _, path::Path};

use anyhow::Result;

use super::plot::{self, Line};
use crate::{args::Options, parent::Series, works::figure};

/// What the parent measured after the step's process had gone.
pub(crate) const REOPEN_KILLED: &str = "open ms after kill -9";
/// The same after a close.
pub(crate) const REOPEN_CLOSED: &str = "open ms after close";

const COLUMNS: [&str; 6] =
    [figure::INSERTS, figure::TRANSITIONS, figure::MEMORY, figure::FOLDER, REOPEN_CLOSED, REOPEN_KILLED];

pub(super) fn markdown(options: &Options, all: &[Series]) -> Result<String> {
    let callers = options.callers.first().copied().unwrap_or_default();
    let mut text = format!("`growth` at {callers} callers, one run\n\n| contender | records |");
    for column in COLUMNS {
        write!(text, " {column} |")?;
    }
    text += "\n|---|--:|";
    text += &"--:|".repeat(COLUMNS.len());
    text.push('\n');
    for series in all {
        write!(text, "| {} | {} |", series.contender, series.records)?;
        for column in COLUMNS {
            match figure_of(series, column) {
                Some(figure) => write!(text, " {figure:.0} |")?,
                None => text += " - |",
            }
        }
        text.push('\n');
    }
    Ok(text)
}

/// Folder bytes for each operation, by the number of operations.
pub(super) fn draw(file: &Path, all: &[Series]) -> Result<()> {
    let mut lines: Vec<Line> = Vec::new();
    for series in all {
        let Some(bytes) = figure_of(series, figure::FOLDER) else { continue };
        let point = (plot::number(series.records), bytes);
        match lines.iter_mut().find(|line| line.name == series.contender) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { name: series.contender.clone(), points: vec![point] }),
        }
    }
    plot::draw(file, "Folder bytes per operation", "operations", "bytes", &lines)
}

fn figure_of(series: &Series, name: &str) -> Option<f64> {
    series.rounds.last()?.cases.iter().find(|case| case.name == name)?.value
}

//! The table of churn: what the folder occupies while operations come and go.

use std::{fmt::Write as _, path::Path};

use anyhow::Result;

use super::plot::{self, Line};
use crate::{
    args::Options,
    job::Case,
    parent::Series,
    record::ENCODED,
    works::{CHURN_CLOSED, CHURN_SAMPLE},
};

/// At which parts of the run the table shows the folder.
const SHOWN: [f64; 6] = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0];

const MEGABYTE: f64 = 1024.0 * 1024.0;

pub(super) fn markdown(options: &Options, all: &[Series]) -> Result<String> {
    let mut text = format!(
        "`churn`: {} transitions (create, start, complete, delete), folder in MiB at parts of the run\n\n",
        options.transitions
    );
    text +=
        "| contender | callers | live | transitions/s | 0 | 0.1 | 0.25 | 0.5 | 0.75 | 1 | closed | x live data |\n";
    text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for series in all {
        let Some(last) = series.rounds.last() else { continue };
        write!(text, "| {} | {} | {} | {:.0} |", series.contender, series.callers, series.records, last.rate())?;
        let samples = points(&last.cases);
        let end = samples.last().map_or(0.0, |(at, _)| *at);
        for part in SHOWN {
            let sample = samples.iter().find(|(at, _)| *at >= end * part);
            write!(text, " {:.0} |", sample.map_or(0.0, |(_, bytes)| bytes / MEGABYTE))?;
        }
        let closed = last.cases.iter().find(|case| case.name == CHURN_CLOSED).and_then(|case| case.value);
        let live = plot::number(series.records * ENCODED);
        let at_end = samples.last().map_or(0.0, |(_, bytes)| *bytes);
        writeln!(text, " {:.0} | {:.0} |", closed.unwrap_or_default() / MEGABYTE, at_end / live)?;
    }
    Ok(text)
}

pub(super) fn draw(file: &Path, all: &[Series]) -> Result<()> {
    let lines: Vec<Line> = all
        .iter()
        .filter_map(|series| {
            let points = points(&series.rounds.last()?.cases);
            let points = points.into_iter().map(|(at, bytes)| (at, bytes / MEGABYTE)).collect();
            Some(Line { name: series.contender.clone(), points })
        })
        .collect();
    plot::draw(file, "Folder under churn", "transitions", "MiB", &lines)
}

fn points(cases: &[Case]) -> Vec<(f64, f64)> {
    let samples = cases.iter().filter(|case| case.name == CHURN_SAMPLE);
    samples.filter_map(|case| Some((case.at?, case.value?))).collect()
}

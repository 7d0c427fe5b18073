//! What a comparison prints: a markdown table, or one JSON object; and the plots.

mod churn;
mod growth;
mod plot;
mod rates;
mod ratio;

use anyhow::Result;
use serde_json::{Value, json};

pub(crate) use self::growth::{REOPEN_CLOSED, REOPEN_KILLED};
use crate::{args::Options, parent::Series, works::Work};

/// Prints the rows, and draws the plot that the options ask for.
///
/// # Errors
/// The rows cannot be written.
pub fn print(options: &Options, all: &[Series]) -> Result<()> {
    if options.json {
        println!("{}", serde_json::to_string(&as_json(options, all))?);
    } else {
        let text = match options.work {
            Work::Growth => growth::markdown(options, all)?,
            Work::Churn => churn::markdown(options, all)?,
            _ => rates::markdown(options, all)?,
        };
        print!("{text}");
    }
    if let Some(file) = &options.plot {
        match options.work {
            Work::Growth => growth::draw(file, all)?,
            Work::Churn => churn::draw(file, all)?,
            _ => {}
        }
    }
    Ok(())
}

fn as_json(options: &Options, all: &[Series]) -> Value {
    let rows: Vec<Value> = match options.work {
        Work::Growth | Work::Churn => all.iter().flat_map(figures).collect(),
        _ => rates::rows(all).iter().map(rates::Row::as_json).collect(),
    };
    json!({ "work": options.work.name(), "rounds": options.rounds, "rows": rows })
}

/// Works whose figures are not rates: one row for each figure of the last round.
fn figures(series: &Series) -> Vec<Value> {
    let Some(last) = series.rounds.last() else { return Vec::new() };
    let figure = |case: &crate::job::Case| {
        json!({
            "contender": series.contender,
            "callers": series.callers,
            "ops_per_s": case.ops_per_s,
            "p50_us": case.p50_us,
            "p99_us": case.p99_us,
            "ratio_to_log": null,
            "records": series.records,
            "case": case.name,
            "at": case.at,
            "value": case.value,
        })
    };
    last.cases.iter().map(figure).collect()
}

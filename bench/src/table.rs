//! The answer: a markdown table, or one JSON object.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::json;

use crate::{
    args::Options,
    contenders::{CEILING, LOG},
    job::Measurement,
    parent::Series,
};

/// Prints the rows.
///
/// # Errors
/// The rows cannot be written as JSON.
pub fn print(options: &Options, all: &[Series]) -> Result<()> {
    if options.json {
        println!("{}", serde_json::to_string(&as_json(options, all))?);
    } else {
        print!("{}", as_markdown(options, all)?);
    }
    Ok(())
}

fn as_json(options: &Options, all: &[Series]) -> serde_json::Value {
    let rows: Vec<_> = all
        .iter()
        .map(|series| {
            json!({
                "contender": series.contender,
                "callers": series.callers,
                "ops_per_s": median_of(series, Measurement::rate),
                "p50_us": median_of(series, |round| round.p50_us),
                "p99_us": median_of(series, |round| round.p99_us),
                "ratio_to_log": ratio(all, series, LOG),
            })
        })
        .collect();
    json!({ "work": options.work.name(), "rounds": options.rounds, "rows": rows })
}

fn as_markdown(options: &Options, all: &[Series]) -> Result<String> {
    let mut text = format!(
        "`{}`, medians of {} interleaved rounds of {} s; ratios are medians of per-round ratios\n\n",
        options.work.name(),
        options.rounds,
        options.seconds
    );
    text += "| contender | callers | ops/s | p50 us | p99 us | / log | / ceiling | syncs per 1,000 acks | durable by |\n";
    text += "|---|--:|--:|--:|--:|--:|--:|---|---|\n";
    for series in all {
        let syncs = series.syncs.map_or("-".into(), |syncs| {
            format!("{:.0} sync, {:.0} range, {:.0} write", syncs.syncs, syncs.range_syncs, syncs.writes)
        });
        writeln!(
            text,
            "| {} | {} | {:.0} | {:.0} | {:.0} | {} | {} | {} | {} |",
            series.contender,
            series.callers,
            median_of(series, Measurement::rate),
            median_of(series, |round| round.p50_us),
            median_of(series, |round| round.p99_us),
            ratio_text(ratio(all, series, LOG)),
            ratio_text(ratio(all, series, CEILING)),
            syncs,
            series.rounds.first().map_or("", |round| round.durability.as_str()),
        )?;
    }
    Ok(text)
}

fn ratio_text(ratio: Option<f64>) -> String {
    ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"))
}

/// The median of the per-round ratios to a contender at the same number of callers, if it took part.
fn ratio(all: &[Series], of: &Series, to: &str) -> Option<f64> {
    let to = all.iter().find(|series| series.contender == to && series.callers == of.callers)?;
    let ratios = of.rounds.iter().zip(&to.rounds).filter(|(_, to)| to.rate() > 0.0);
    median(ratios.map(|(of, to)| of.rate() / to.rate()).collect())
}

fn median_of(series: &Series, figure: impl Fn(&Measurement) -> f64) -> f64 {
    median(series.rounds.iter().map(figure).collect()).unwrap_or(0.0)
}

/// The median; of an even number the mean of the middle two.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    let upper = *figures.get(figures.len() / 2)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *figures.get(figures.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(contender: &str, rates: &[u64]) -> Series {
        let rounds = rates.iter().map(|ops| Measurement { ops: *ops, seconds: 1.0, ..Measurement::default() });
        Series { contender: contender.into(), callers: 1, rounds: rounds.collect(), syncs: None }
    }

    #[test]
    fn the_ratio_is_the_median_of_the_ratios_of_each_round() {
        let all = [series(LOG, &[100, 200, 400]), series("other", &[50, 50, 400])];
        assert_eq!(ratio(&all, &all[1], LOG), Some(0.5));
        assert_eq!(ratio(&all, &all[0], LOG), Some(1.0));
        assert_eq!(ratio(&all, &all[1], CEILING), None);
    }

    #[test]
    fn a_median_of_an_even_number_is_between() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}

//! The table of the works that measure rates and latencies.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::ratio;
use crate::{
    args::Options,
    contenders::{BARE, CEILING, HTTP, LIBRARY, LOG},
    job::{Case, Measurement},
    parent::Series,
    strace::Syncs,
};

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    contender: String,
    callers: usize,
    /// Which of several figures, for works that have several.
    case: Option<String>,
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    to_log: Option<f64>,
    to_ceiling: Option<f64>,
    /// To the same calls without sockets; of what is asked through them alone.
    to_library: Option<f64>,
    syncs: Option<Syncs>,
    durability: String,
}

impl Row {
    pub(super) fn as_json(&self) -> Value {
        let mut row = json!({
            "contender": self.contender,
            "callers": self.callers,
            "ops_per_s": self.rate,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "ratio_to_log": self.to_log,
        });
        if let (Some(case), Some(members)) = (&self.case, row.as_object_mut()) {
            members.insert("case".into(), json!(case));
        }
        if let (Some(ratio), Some(members)) = (self.to_library, row.as_object_mut()) {
            members.insert("ratio_to_library".into(), json!(ratio));
        }
        if let (Some(syncs), Some(members)) = (&self.syncs, row.as_object_mut()) {
            members.insert("syncs_per_1000_acks".into(), json!(syncs.syncs));
        }
        row
    }
}

/// What one figure was in every round.
struct Rounds {
    rates: Vec<f64>,
    p50s: Vec<f64>,
    p99s: Vec<f64>,
}

impl Rounds {
    /// Of the measurement itself, or of its case of this name.
    fn of(series: &Series, case: Option<&str>) -> Self {
        let figures = series.rounds.iter().filter_map(|round| match case {
            None => Some((round.rate(), round.p50_us, round.p99_us)),
            Some(name) => {
                let case = round.cases.iter().find(|case| case.name == name)?;
                Some((case.ops_per_s?, case.p50_us?, case.p99_us?))
            }
        });
        let mut rounds = Self { rates: Vec::new(), p50s: Vec::new(), p99s: Vec::new() };
        for (rate, p50, p99) in figures {
            rounds.rates.push(rate);
            rounds.p50s.push(p50);
            rounds.p99s.push(p99);
        }
        rounds
    }

    fn ratio_to(&self, all: &[Series], like: &Series, contender: &str, case: Option<&str>) -> Option<f64> {
        let to = all.iter().find(|series| {
            series.contender == contender && series.callers == like.callers && series.records == like.records
        })?;
        ratio::of_rounds(&self.rates, &Rounds::of(to, case).rates)
    }
}

pub(super) fn rows(all: &[Series]) -> Vec<Row> {
    all.iter()
        .flat_map(|series| {
            let cases = series.rounds.first().map_or(&[] as &[Case], |round: &Measurement| &round.cases);
            let names: Vec<Option<&str>> = match cases {
                [] => vec![None],
                cases => cases.iter().map(|case| Some(case.name.as_str())).collect(),
            };
            names.into_iter().map(move |case| row(all, series, case))
        })
        .collect()
}

fn row(all: &[Series], series: &Series, case: Option<&str>) -> Row {
    let rounds = Rounds::of(series, case);
    let is_over_sockets = matches!(&*series.contender, HTTP | BARE);
    Row {
        contender: series.contender.clone(),
        callers: series.callers,
        case: case.map(ToString::to_string),
        to_log: rounds.ratio_to(all, series, LOG, case),
        to_ceiling: rounds.ratio_to(all, series, CEILING, case),
        to_library: rounds.ratio_to(all, series, LIBRARY, case).filter(|_| is_over_sockets),
        rate: ratio::median(rounds.rates).unwrap_or_default(),
        p50_us: ratio::median(rounds.p50s).unwrap_or_default(),
        p99_us: ratio::median(rounds.p99s).unwrap_or_default(),
        syncs: series.syncs,
        durability: series.rounds.first().map(|round| round.durability.clone()).unwrap_or_default(),
    }
}

pub(super) fn markdown(options: &Options, all: &[Series]) -> Result<String> {
    let mut text = format!(
        "`{}`: medians of {} interleaved rounds of {} s; ratios are medians of per-round ratios\n\n",
        options.work.name(),
        options.rounds,
        options.seconds
    );
    text += "| contender | callers | ops/s | p50 us | p99 us | / log | / ceiling | / library | per 1,000 acks | durable by |\n";
    text += "|---|--:|--:|--:|--:|--:|--:|--:|---|---|\n";
    for row in rows(all) {
        let case = row.case.as_ref().map(|case| format!(", {case}")).unwrap_or_default();
        let syncs = row.syncs.map_or("-".into(), |syncs| syncs.to_string());
        writeln!(
            text,
            "| {}{case} | {} | {:.0} | {:.2} | {:.2} | {} | {} | {} | {syncs} | {} |",
            row.contender,
            row.callers,
            row.rate,
            row.p50_us,
            row.p99_us,
            ratio_text(row.to_log),
            ratio_text(row.to_ceiling),
            ratio_text(row.to_library),
            row.durability,
        )?;
    }
    Ok(text)
}

fn ratio_text(ratio: Option<f64>) -> String {
    ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(contender: &str, callers: usize, rates: &[u64]) -> Series {
        let rounds = rates.iter().map(|ops| Measurement { ops: *ops, seconds: 1.0, ..Measurement::default() });
        Series { contender: contender.into(), callers, records: 1, rounds: rounds.collect(), syncs: None }
    }

    #[test]
    fn a_row_is_compared_at_its_own_number_of_callers() {
        let all = [series(LOG, 1, &[10]), series(LOG, 64, &[100]), series("other", 64, &[50])];
        let ratios: Vec<_> = rows(&all).iter().map(|row| (row.callers, row.to_log)).collect();
        assert_eq!(ratios, [(1, Some(1.0)), (64, Some(1.0)), (64, Some(0.5))]);
    }

    #[test]
    fn what_is_asked_through_sockets_is_compared_with_the_library() {
        let all = [series(LIBRARY, 64, &[10, 40]), series(HTTP, 64, &[8, 20])];
        let ratios: Vec<_> = rows(&all).iter().map(|row| row.as_json()["ratio_to_library"].as_f64()).collect();
        assert_eq!(ratios, [None, Some(0.65)]);
    }

    #[test]
    fn a_plain_row_has_six_members() {
        let all = [series(LOG, 1, &[10])];
        let row = rows(&all).pop().map(|row| row.as_json()).unwrap();
        let mut names: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
        names.sort();
        assert_eq!(names, ["callers", "contender", "ops_per_s", "p50_us", "p99_us", "ratio_to_log"]);
    }
}

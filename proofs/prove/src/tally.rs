//! What the cycles came to, and the last lines.

use std::time::Duration;

use crate::oracle::Wrong;
use crate::reopen::Refusal;
use crate::{Outcome, print};

/// Sums over all cycles.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cycles: u64,
    lost: u64,
    illegal: u64,
    failed_opens: u64,
    acknowledged: Vec<u64>,
    in_flight: Vec<u64>,
    shown: u32,
    /// Cycles after which no more are begun.
    limit: Option<u64>,
}

/// Examples printed at most: one fault breaks thousands of cycles.
const SHOWN: u32 = 20;

impl Tally {
    /// One that is done after so many cycles.
    pub(crate) fn of(limit: u64) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.limit.is_some_and(|limit| self.cycles >= limit)
    }

    /// One that prints no examples.
    pub(crate) fn quiet() -> Self {
        Self { shown: SHOWN, ..Self::default() }
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} lost, {} illegal, {} failed opens", self.lost, self.illegal, self.failed_opens)
    }

    /// A cycle that counts.
    pub(crate) fn load(&mut self, acknowledged: u64, in_flight: u64) {
        self.acknowledged.push(acknowledged);
        self.in_flight.push(in_flight);
    }

    pub(crate) fn judged(&mut self, what: &str, verdict: &Result<Wrong, Refusal>) {
        self.cycles += 1;
        match verdict {
            Ok(wrong) => self.also(what, wrong),
            Err(refusal) => {
                self.failed_opens += 1;
                self.show(&format!("{what}: failed open: {refusal:?}"));
            }
        }
    }

    /// One more look within a cycle.
    pub(crate) fn also(&mut self, what: &str, wrong: &Wrong) {
        self.lost += u64::try_from(wrong.lost.len()).unwrap_or(u64::MAX);
        self.illegal += u64::try_from(wrong.illegal.len()).unwrap_or(u64::MAX);
        for line in &wrong.lost {
            self.show(&format!("{what}: lost: {line}"));
        }
        for line in &wrong.illegal {
            self.show(&format!("{what}: illegal: {line}"));
        }
    }

    pub(crate) fn illegal(&mut self, what: &str) {
        self.illegal += 1;
        self.show(&format!("illegal: {what}"));
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.illegal + self.failed_opens == 0
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.cycles += other.cycles;
        self.lost += other.lost;
        self.illegal += other.illegal;
        self.failed_opens += other.failed_opens;
        self.acknowledged.extend(other.acknowledged);
        self.in_flight.extend(other.in_flight);
    }

    fn show(&mut self, line: &str) {
        self.shown += 1;
        if self.shown <= SHOWN {
            print(line);
        }
    }

    /// The medians, and the last line, which decides the exit status.
    pub(crate) fn finish(mut self, seed: u64, took: Duration) -> Outcome<()> {
        let rate = f64::from(u32::try_from(self.cycles).unwrap_or(u32::MAX)) / took.as_secs_f64();
        let (acknowledged, in_flight) = (median(&mut self.acknowledged), median(&mut self.in_flight));
        print(&format!(
            "medians: {acknowledged} acknowledged writes, {in_flight} in flight; {rate:.1} cycles/s, {:.0} s",
            took.as_secs_f64()
        ));
        print(&format!(
            "{} cycles, {} lost, {} illegal, {} failed opens, seed {seed}",
            self.cycles, self.lost, self.illegal, self.failed_opens
        ));
        if self.is_clean() { Ok(()) } else { Err("not clean".into()) }
    }
}

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

//! What a history can show at all: one without races proves nothing about races.

use std::collections::HashMap;
use std::ops::AddAssign;

use super::calls::{Answer, Text};
use super::lines::Recording;
use super::model::Ask;

/// Counts of what makes a history worth judging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    /// Questions.
    pub calls: usize,
    /// Questions that overlapped another of the same operation.
    pub overlapping: usize,
    /// Questions that lost a race or found another version.
    pub lost: usize,
    /// Questions whose answer nobody saw.
    pub open: usize,
    /// Crashes.
    pub crashes: usize,
}

impl Worth {
    /// Counts a history.
    #[must_use]
    pub fn of(recording: &Recording) -> Self {
        let mut worth = Self::default();
        let mut spans: HashMap<&Text, Vec<(u64, u64)>> = HashMap::new();
        for call in recording.calls() {
            let Ask::Of { id, .. } = &call.input else {
                worth.crashes += 1;
                continue;
            };
            worth.calls += 1;
            let output = call.output();
            worth.open += usize::from(output.is_none());
            worth.lost += usize::from(matches!(output, Some(Answer::Lost(_) | Answer::Conflict(_))));
            spans.entry(id).or_default().push((call.called, call.until().unwrap_or(u64::MAX)));
        }
        for mut spans in spans.into_values() {
            spans.sort_unstable();
            worth.overlapping += overlapping(&spans);
        }
        worth
    }

    /// Whether calls raced and one of them lost.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.overlapping > 0 && self.lost > 0
    }
}

impl AddAssign for Worth {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.overlapping += other.overlapping;
        self.lost += other.lost;
        self.open += other.open;
        self.crashes += other.crashes;
    }
}

/// How many of the spans, sorted by their begin, overlap another.
fn overlapping(spans: &[(u64, u64)]) -> usize {
    let mut latest_end = 0;
    let mut count = 0;
    for (index, &(begin, end)) in spans.iter().enumerate() {
        let earlier = index > 0 && begin <= latest_end;
        let later = spans.get(index + 1).is_some_and(|&(next, _)| next <= end);
        count += usize::from(earlier || later);
        latest_end = latest_end.max(end);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_overlap_are_counted_once_each() {
        assert_eq!(overlapping(&[(0, 1), (2, 3), (4, 5)]), 0);
        assert_eq!(overlapping(&[(0, 9), (2, 3), (4, 5), (10, 11)]), 3);
        assert_eq!(overlapping(&[(0, 1), (2, 4), (3, 5)]), 2);
    }
}

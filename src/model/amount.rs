//! How much is done, in a unit that people know.

use super::state::Progress;
use super::text::Unfit;

/// So much of so much: 1,200 of 4,000 rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    done: u64,
    total: u64,
    unit: Box<str>,
}

impl Amount {
    /// The largest number, which every reader of JSON keeps exactly: 2^53 - 1.
    pub const MAX: u64 = (1 << 53) - 1;
    /// Characters of a unit.
    pub const MAX_UNIT: usize = 32;

    /// `done` of `total`, from 1 to [`MAX`](Self::MAX); the unit has at most 32 characters.
    pub fn new(done: u64, total: u64, unit: impl Into<String>) -> Self {
        Self { done, total, unit: unit.into().into() }
    }

    /// How much is done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Of how much.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Of what; empty where it was not said.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The same in whole percent, rounded down.
    pub fn progress(&self) -> Progress {
        let percent = u128::from(self.done.min(self.total)).saturating_mul(100).checked_div(self.total.into());
        percent.and_then(|percent| i64::try_from(percent).ok()?.try_into().ok()).unwrap_or(Progress::NONE)
    }

    pub(crate) fn check(&self) -> Result<(), Unfit> {
        if self.total == 0 || self.total > Self::MAX {
            return Err(Unfit::new("progress/total", format!("must be from 1 to {}", Self::MAX)));
        }
        if self.done > self.total {
            return Err(Unfit::new("progress/done", "must not be more than `total`"));
        }
        let length = self.unit.chars().count();
        if length > Self::MAX_UNIT {
            let rule = format!("must have at most {} characters, has {length}", Self::MAX_UNIT);
            return Err(Unfit::new("progress/unit", rule));
        }
        if self.unit.chars().any(char::is_control) {
            return Err(Unfit::new("progress/unit", "must not contain control characters"));
        }
        Ok(())
    }

    /// This amount bent to what can be recorded.
    pub(crate) fn fitted(self) -> Self {
        let total = self.total.clamp(1, Self::MAX);
        let unit = self.unit.chars().filter(|c| !c.is_control()).take(Self::MAX_UNIT).collect::<String>();
        Self { done: self.done.min(total), total, unit: unit.into() }
    }

    /// Whether this goes back behind what was told before. Another unit begins anew.
    pub(crate) fn regresses(&self, before: Option<&Self>) -> bool {
        before.is_some_and(|before| before.unit == self.unit && self.done < before.done)
    }
}

/// What work tells of how far it is: percent, or `(done, total, unit)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// Whole percent.
    Percent(u8),
    /// So much of so much.
    Amount(Amount),
}

impl From<u8> for Told {
    fn from(percent: u8) -> Self {
        Self::Percent(percent)
    }
}

impl From<Amount> for Told {
    fn from(amount: Amount) -> Self {
        Self::Amount(amount)
    }
}

impl<U: Into<String>> From<(u64, u64, U)> for Told {
    fn from((done, total, unit): (u64, u64, U)) -> Self {
        Self::Amount(Amount::new(done, total, unit))
    }
}

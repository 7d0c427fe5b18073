//! What was seen from outside: calls with the instants between which each may have taken effect.

use std::fmt;

/// How a call ended, as far as its caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<O> {
    /// The answer came at this instant: the call took effect before it.
    Answered {
        /// When the answer arrived.
        at: u64,
        /// What it said.
        output: O,
    },
    /// No answer came: the call may take effect at any instant after it was made, or never.
    Open,
    /// No answer came, and nothing of the call is left after this instant (its process was killed,
    /// say): it took effect before, or never will.
    Lapsed {
        /// From when on the call can no longer take effect.
        at: u64,
    },
}

/// One call, from the instant it was made to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<I, O> {
    /// What was asked.
    pub input: I,
    /// When it was asked. Only the order of instants matters; equal instants count as overlapping.
    pub called: u64,
    /// How it ended.
    pub end: End<O>,
}

impl<I, O> Call<I, O> {
    /// A call whose answer came.
    pub const fn answered(called: u64, at: u64, input: I, output: O) -> Self {
        let end = End::Answered { at, output };
        Self { input, called, end }
    }

    /// A call whose answer never came.
    pub const fn open(called: u64, input: I) -> Self {
        let end = End::Open;
        Self { input, called, end }
    }

    /// A call without an answer of which nothing was left after `at`.
    pub const fn lapsed(called: u64, at: u64, input: I) -> Self {
        let end = End::Lapsed { at };
        Self { input, called, end }
    }

    /// The answer, if it came.
    pub const fn output(&self) -> Option<&O> {
        match &self.end {
            End::Answered { output, .. } => Some(output),
            End::Open | End::Lapsed { .. } => None,
        }
    }

    /// The instant by which the call has taken effect or never will; `None` if there is none.
    pub const fn until(&self) -> Option<u64> {
        match self.end {
            End::Answered { at, .. } | End::Lapsed { at } => Some(at),
            End::Open => None,
        }
    }
}

/// A call that is said to have ended before it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backwards {
    /// Which call of the history it is, counted from 0.
    pub call: usize,
}

impl fmt::Display for Backwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {} ends before it was made", self.call)
    }
}

impl std::error::Error for Backwards {}

//! Histories that others recorded, with the verdicts that others gave: the judge is judged first.

pub mod folder;
pub mod jepsen;
pub mod kv;

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use crate::Call;

/// A line that does not say what its format promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Which line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for BadLine {}

/// Joins the lines "process asks" and "process is answered" to calls; the line's number is the instant.
#[derive(Debug)]
struct Pairing<P, I, O> {
    calls: Vec<Call<I, O>>,
    /// Which call each process waits for.
    waiting: HashMap<P, usize>,
}

impl<P: Eq + Hash, I, O> Pairing<P, I, O> {
    fn new() -> Self {
        Self { calls: Vec::new(), waiting: HashMap::new() }
    }

    /// A process asks. What it still waited for stays open-ended.
    fn asks(&mut self, at: u64, process: P, input: I) {
        self.waiting.insert(process, self.calls.len());
        self.calls.push(Call::open(at, input));
    }

    /// A process is answered; hands back the call, still open, for its end to be set.
    fn answered(&mut self, at: u64, process: &P) -> Result<&mut Call<I, O>, BadLine> {
        let call = self.waiting.remove(process);
        call.and_then(|call| self.calls.get_mut(call))
            .ok_or(BadLine { line: at, reason: "an answer to a process that asked nothing" })
    }
}

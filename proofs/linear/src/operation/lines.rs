//! How a history is written down: JSON lines, which a process that is killed leaves readable.
//!
//! A recorder writes a `call` before it asks and an `answer` after it was told, each in one write; a
//! process asks one thing at a time. Instants are of one clock that all recorders share.
//!
//! ```text
//! {"event":"history","name":"seed 7"}
//! {"event":"call","process":0,"at":10,"id":"a","verb":{"create":{}}}
//! {"event":"answer","process":0,"at":14,"answer":{"done":{"version":"v1","status":"NotStarted"}}}
//! {"event":"crash","at":20,"killed":[0]}
//! ```

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::calls::{Answer, Text, Verb};
use super::model::Ask;
use crate::{Call, End};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// What follows belongs to this history, and goes on with it if it was begun before.
    History {
        /// Its name.
        name: Text,
    },
    /// A process asks. If it still waited for an answer, that one never came.
    Call {
        /// Which process.
        process: u64,
        /// When.
        at: u64,
        /// Of which operation.
        id: Text,
        /// What.
        verb: Verb,
    },
    /// A process is answered.
    Answer {
        /// Which process.
        process: u64,
        /// When.
        at: u64,
        /// What.
        answer: Answer,
    },
    /// The store died: what was not durable may be gone.
    Crash {
        /// When.
        at: u64,
        /// The processes whose calls died with it: what they still waited for takes effect no more.
        /// Of others it may.
        killed: Vec<u64>,
    },
}

/// What is wrong with recorded lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misread {
    /// A line that is none of ours.
    Line {
        /// Which, counted from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// An answer to a process that asked nothing.
    Unasked {
        /// In which history.
        history: Text,
        /// Which process.
        process: u64,
        /// When.
        at: u64,
    },
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { number, reason } => write!(f, "line {number}: {reason}"),
            Self::Unasked { history, process, at } => {
                write!(f, "history {history:?}: process {process} is answered at {at} and asked nothing")
            }
        }
    }
}

impl std::error::Error for Misread {}

/// Reads lines. A last line that was cut off is left out: whoever wrote it was killed while writing, and
/// had not asked yet or not heard the answer.
///
/// # Errors
/// If a whole line is none of ours.
pub fn read(text: &str) -> Result<Vec<Line>, Misread> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        match serde_json::from_str(line) {
            Ok(line) => lines.push(line),
            Err(_) if !line.ends_with('\n') => {}
            Err(_) if line.trim().is_empty() => {}
            Err(error) => return Err(Misread::Line { number, reason: error.to_string() }),
        }
    }
    Ok(lines)
}

/// One history of operations, from an empty store on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    name: Text,
    calls: Vec<Call<Ask, Answer>>,
}

/// A call of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(usize);

impl Recording {
    /// A history in which nothing happened yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), calls: Vec::new() }
    }

    /// The histories in these lines, in the order in which they begin. Lines of one history may come in
    /// any order of time, those of one process not.
    ///
    /// # Errors
    /// If a process is answered that asked nothing.
    pub fn all(lines: impl IntoIterator<Item = Line>) -> Result<Vec<Self>, Misread> {
        let mut histories: Vec<(Text, Vec<(u64, Line)>)> = Vec::new();
        let mut place: HashMap<Text, usize> = HashMap::new();
        let mut name = Text::default();
        for line in lines {
            let at = match &line {
                Line::History { name: next } => {
                    name = next.clone();
                    continue;
                }
                Line::Call { at, .. } | Line::Answer { at, .. } | Line::Crash { at, .. } => *at,
            };
            let index = *place.entry(name.clone()).or_insert(histories.len());
            if index == histories.len() {
                histories.push((name.clone(), Vec::new()));
            }
            if let Some((_, lines)) = histories.get_mut(index) {
                lines.push((at, line));
            }
        }
        histories.into_iter().map(|(name, lines)| Self::of(name, lines)).collect()
    }

    fn of(name: Text, mut lines: Vec<(u64, Line)>) -> Result<Self, Misread> {
        // The sort is stable: what one process wrote at one instant keeps its order.
        lines.sort_by_key(|&(at, _)| at);
        let mut recording = Self { name, calls: Vec::new() };
        let mut waiting = HashMap::new();
        for (_, line) in lines {
            match line {
                Line::History { .. } => {}
                Line::Call { process, at, id, verb } => {
                    waiting.insert(process, recording.call(at, id, verb));
                }
                Line::Answer { process, at, answer } => {
                    let Some(call) = waiting.remove(&process) else {
                        return Err(Misread::Unasked { history: recording.name, process, at });
                    };
                    recording.answer(call, at, answer);
                }
                Line::Crash { at, killed } => {
                    let calls: Vec<_> = killed.iter().filter_map(|process| waiting.remove(process)).collect();
                    recording.crash(at, &calls);
                }
            }
        }
        Ok(recording)
    }

    /// Adds a question.
    pub fn call(&mut self, at: u64, id: Text, verb: Verb) -> Number {
        self.calls.push(Call::open(at, Ask::Of { id, verb }));
        Number(self.calls.len() - 1)
    }

    /// Adds the answer to a question. One that says that nobody knows leaves the call open-ended.
    pub fn answer(&mut self, call: Number, at: u64, answer: Answer) {
        if let (Some(call), false) = (self.calls.get_mut(call.0), answer == Answer::Unknown) {
            call.end = End::Answered { at, output: answer };
        }
    }

    /// Adds a crash, with the questions that died in it.
    pub fn crash(&mut self, at: u64, killed: &[Number]) {
        for number in killed {
            if let Some(call) = self.calls.get_mut(number.0)
                && call.end == End::Open
            {
                // They ended before it: what touches would overlap.
                call.end = End::Lapsed { at: at.saturating_sub(1).max(call.called) };
            }
        }
        self.calls.push(Call::lapsed(at, at, Ask::Crash));
    }

    /// Its name, empty if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its calls, in the order in which they were added.
    #[must_use]
    pub fn calls(&self) -> &[Call<Ask, Answer>] {
        &self.calls
    }
}

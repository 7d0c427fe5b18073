//! What the terminal dashboard knows, and what keys do to it. No terminal, no store, no clock.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use longrun::Status;
use longrun::store::Counts;

use crate::Seen;

/// Failures that are kept.
const FAILURES: usize = 200;

/// What a source tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum News {
    /// What follows replaces all that was told before.
    Afresh,
    /// How many operations there are.
    Counts(Counts),
    /// An operation is so now.
    Changed(Box<Seen>),
    /// An operation is gone.
    Gone(String),
    /// The source is in trouble and tries again.
    Trouble(String),
}

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a terminal tells each of them")]
pub enum Key {
    /// A character.
    Char(char),
    /// The end of a text.
    Enter,
    /// Take it back.
    Escape,
    /// One character less.
    Backspace,
}

/// What the dashboard shows.
#[derive(Debug, Default)]
pub struct Board {
    pub(crate) counts: Counts,
    running: BTreeMap<String, Seen>,
    /// By when they failed.
    failures: BTreeMap<(DateTime<FixedOffset>, String), Seen>,
    pub(crate) trouble: Option<String>,
    pub(crate) filter: String,
    pub(crate) is_typing: bool,
    pub(crate) only_failures: bool,
}

impl Board {
    /// Takes in what a source tells.
    pub fn hear(&mut self, news: News) {
        match news {
            News::Afresh => {
                self.running.clear();
                self.failures.clear();
                self.trouble = None;
            }
            News::Counts(counts) => self.counts = counts,
            News::Changed(seen) => {
                self.forget(&seen.id);
                match seen.status {
                    Status::Running => drop(self.running.insert(seen.id.clone(), *seen)),
                    Status::Failed => {
                        self.failures.insert((seen.last_action, seen.id.clone()), *seen);
                        while self.failures.len() > FAILURES {
                            self.failures.pop_first();
                        }
                    }
                    Status::NotStarted | Status::Completed => {}
                }
            }
            News::Gone(id) => self.forget(&id),
            News::Trouble(what) => self.trouble = Some(what),
        }
    }

    fn forget(&mut self, id: &str) {
        self.running.remove(id);
        self.failures.retain(|(_, other), _| other != id);
    }

    /// `false`: the user wants to leave.
    pub fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Enter if self.is_typing => self.is_typing = false,
            Key::Escape => {
                self.is_typing = false;
                self.filter.clear();
            }
            Key::Backspace if self.is_typing => drop(self.filter.pop()),
            Key::Char(c) if self.is_typing => self.filter.push(c),
            Key::Char('q') => return false,
            Key::Char('f') => self.only_failures = !self.only_failures,
            Key::Char('/') => self.is_typing = true,
            _ => {}
        }
        true
    }

    /// What runs and passes the filter, the longest first.
    pub fn running(&self) -> Vec<&Seen> {
        let mut running: Vec<_> = self.running.values().filter(|seen| seen.contains(&self.filter)).collect();
        running.sort_by_key(|seen| seen.started);
        running
    }

    /// What failed and passes the filter, the newest first.
    pub fn failures(&self) -> Vec<&Seen> {
        self.failures.values().rev().filter(|seen| seen.contains(&self.filter)).collect()
    }
}

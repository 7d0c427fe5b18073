//! What a child said, and what may therefore be found.

use std::collections::BTreeMap;

use longrun::Status;

use crate::plan::{Mix, Name, Seen, Step, after};
use crate::reopen::Found;

/// How far one operation came.
#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    begun: usize,
    acknowledged: usize,
}

/// What one child said.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    seed: u64,
    mix: Mix,
    said: BTreeMap<(u32, u32), Steps>,
    pub(crate) begun: u64,
    pub(crate) acknowledged: u64,
    /// Whether the child may have ended what it ran by itself.
    pub(crate) may_close: bool,
    /// Whether an earlier open may have ended the orphans.
    pub(crate) may_recover_twice: bool,
    /// Whether the process that runs them lives.
    pub(crate) may_run: bool,
}

/// What was found wrong.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    pub(crate) lost: Vec<String>,
    pub(crate) illegal: Vec<String>,
}

/// What is settled of operations whose children are long dead.
pub(crate) type Settled = BTreeMap<String, Option<Seen>>;

impl Oracle {
    pub(crate) fn new(seed: u64, mix: Mix) -> Self {
        Self {
            seed,
            mix,
            said: BTreeMap::new(),
            begun: 0,
            acknowledged: 0,
            may_close: false,
            may_recover_twice: false,
            may_run: false,
        }
    }

    /// One line of a child's; `false` if it is none.
    pub(crate) fn hear(&mut self, line: &str) -> bool {
        let mut parts = line.split(' ');
        let word = parts.next();
        let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
        let (Some(writer), Some(which), Some(at)) = (number(), number(), number()) else {
            return word == Some("o");
        };
        let steps = self.said.entry((writer, which)).or_default();
        let count = usize::try_from(at).map_or(0, |at| at + 1);
        match word {
            Some("a") => {
                steps.acknowledged = count;
                self.acknowledged += 1;
            }
            Some("r") => {
                steps.begun = count - 1;
                self.begun -= 1;
            }
            _ => {
                steps.begun = count;
                self.begun += 1;
            }
        }
        true
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.begun - self.acknowledged
    }

    /// Compares what was found with what was said, and settles it.
    pub(crate) fn judge(&self, found: &Found, settled: &mut Settled) -> Wrong {
        let mut wrong = Wrong { illegal: found.problems.clone(), ..Wrong::default() };
        for (id, expected) in settled.iter() {
            let seen = found.operations.get(id);
            if seen != expected.as_ref() {
                wrong.lost.push(format!("{id} was settled as {expected:?} and is {seen:?}"));
            }
        }
        for ((writer, number), steps) in &self.said {
            let name = Name { seed: self.seed, writer: *writer, number: *number };
            let (id, plan) = (name.text(), name.plan(self.mix));
            let seen = found.operations.get(&id);
            let floor = floor(&plan, steps.acknowledged);
            let fits = |at: usize| {
                let there = after(name, plan.get(..at).unwrap_or_default());
                self.allows(there, seen, found.recovery.contains(&id))
            };
            if !(floor..=steps.begun).any(fits) {
                let what = format!("{id}: {steps:?} of {plan:?}, found {seen:?}");
                if (0..floor).any(fits) { wrong.lost.push(what) } else { wrong.illegal.push(what) }
            }
            settled.insert(id, seen.cloned());
        }
        let unknown = found.operations.keys().filter(|id| !settled.contains_key(*id));
        wrong.illegal.extend(unknown.map(|id| format!("{id} was never created")));
        wrong
    }

    /// Whether a later open may show this where that was on the disk.
    fn allows(&self, there: Option<Seen>, seen: Option<&Seen>, recovered: bool) -> bool {
        match there {
            Some(there) if there.status == Status::Running => {
                let orphaned =
                    (recovered || self.may_recover_twice) && seen == Some(&there.clone().ended_as("orphaned"));
                let by_itself = |code| seen == Some(&there.clone().ended_as(code));
                orphaned
                    || (self.may_run && seen == Some(&there))
                    || (self.may_close && !recovered && ["interrupted", "abandoned"].into_iter().any(by_itself))
            }
            there => !recovered && there.as_ref() == seen,
        }
    }
}

/// The step that must have survived: what comes after is progress alone, which may go back.
fn floor(plan: &[Step], acknowledged: usize) -> usize {
    let known = plan.get(..acknowledged).unwrap_or_default();
    acknowledged - known.iter().rev().take_while(|step| step.is_eventual()).count()
}

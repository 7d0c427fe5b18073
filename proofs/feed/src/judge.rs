//! The judge.

use std::collections::{HashMap, HashSet};

use crate::line::{Line, Seen};

/// What came of judging a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judged {
    /// Entries of the feed that were looked at.
    pub entries: u64,
    /// Times that a feed at its end was compared with what had been acknowledged.
    pub compared: u64,
    /// Kills.
    pub kills: u64,
    /// What is wrong, with the number of the line.
    pub violations: Vec<String>,
}

type Key = (String, u64, u64, u32, u8);

fn key(seen: &Seen) -> Key {
    (seen.id.clone(), seen.birth, seen.n, seen.instance, seen.rank)
}

#[derive(Default)]
struct Judge {
    judged: Judged,
    instance: u32,
    /// Everything that was acknowledged.
    acknowledged: HashSet<Key>,
    /// The newest write of each operation that was acknowledged and survives a kill.
    durable: HashMap<String, Seen>,
    /// The same when the reader asked.
    asked: HashMap<String, Seen>,
    /// Lives of each id in their order.
    lives: HashMap<String, Vec<u64>>,
    /// Writes that may have happened without an answer: by operation and instance.
    open: HashMap<(String, u32), u64>,
    /// Versions that only such a write explains, to be acknowledged later or excused.
    owed: Vec<(usize, Seen)>,
    /// What the reader knows up to its position, and beyond.
    known: HashMap<String, Seen>,
    fresh: Vec<Seen>,
    truth: HashMap<String, Option<Seen>>,
    anew: HashMap<String, Seen>,
    done: bool,
}

/// Judges a history.
pub fn judge(lines: &[Line]) -> Judged {
    let mut judge = Judge::default();
    for (number, line) in lines.iter().enumerate() {
        judge.take(number, line);
    }
    judge.finish();
    judge.judged
}

impl Judge {
    fn wrong(&mut self, number: usize, what: impl std::fmt::Display) {
        self.judged.violations.push(format!("line {}: {what}", number.saturating_add(1)));
    }

    fn take(&mut self, number: usize, line: &Line) {
        match line {
            Line::Open(instance) => self.instance = *instance,
            Line::Orphan(id) | Line::Want(id) => {
                let open = self.open.entry((id.clone(), self.instance)).or_default();
                *open = open.saturating_add(1);
            }
            Line::No(id) => self.answered(id),
            Line::Did(seen, durable) => {
                self.answered(&seen.id);
                // What was told before is unchanged, and no more durable than it was.
                let durable = self.acknowledged.insert(key(seen)) && *durable;
                let lives = self.lives.entry(seen.id.clone()).or_default();
                if !lives.contains(&seen.birth) {
                    lives.push(seen.birth);
                }
                if durable {
                    self.durable.insert(seen.id.clone(), seen.clone());
                }
            }
            Line::Ask => self.asked = self.durable.clone(),
            Line::Sees(seen) => {
                self.judged.entries = self.judged.entries.saturating_add(1);
                if !self.acknowledged.contains(&key(seen)) {
                    self.owed.push((number, seen.clone()));
                }
                self.fresh.push(seen.clone());
            }
            Line::At(_, end) => {
                for seen in std::mem::take(&mut self.fresh) {
                    self.follow(number, seen);
                }
                if *end {
                    self.compare(number);
                }
            }
            Line::Kill => {
                self.judged.kills = self.judged.kills.saturating_add(1);
                // It will be told again: the reader goes on from its position.
                self.fresh.clear();
            }
            Line::Is(seen) => drop(self.truth.insert(seen.id.clone(), Some(seen.clone()))),
            Line::IsNot(id) => drop(self.truth.insert(id.clone(), None)),
            Line::Anew(seen) => drop(self.anew.insert(seen.id.clone(), seen.clone())),
            Line::Done => self.done = true,
        }
    }

    fn answered(&mut self, id: &str) {
        if let Some(open) = self.open.get_mut(&(id.to_owned(), self.instance)) {
            *open = open.saturating_sub(1);
        }
    }

    /// The reader is told something about an operation it may know.
    fn follow(&mut self, number: usize, seen: Seen) {
        if let Some(before) = self.known.get(&seen.id).cloned() {
            if before.birth == seen.birth {
                let again = key(&before) == key(&seen);
                let rolled_back = before.instance != seen.instance;
                if seen.rank < before.rank {
                    self.wrong(number, format_args!("a status goes back: {before} then {seen}"));
                } else if before.rank == 3 && !again {
                    self.wrong(number, format_args!("something follows a deletion: {before} then {seen}"));
                } else if before.rank == 2 && seen.rank == 2 && !again {
                    self.wrong(number, format_args!("something follows an end: {before} then {seen}"));
                } else if seen.n < before.n && !rolled_back {
                    self.wrong(number, format_args!("a number goes back: {before} then {seen}"));
                }
            } else if self.is_older(&seen.id, seen.birth, before.birth) {
                self.wrong(number, format_args!("an older life comes back: {before} then {seen}"));
            }
        }
        self.known.insert(seen.id.clone(), seen);
    }

    /// Whether one life is known to be older than another.
    fn is_older(&self, id: &str, one: u64, other: u64) -> bool {
        let place = |birth| self.lives.get(id)?.iter().position(|life| *life == birth);
        matches!((place(one), place(other)), (Some(one), Some(other)) if one < other)
    }

    /// The reader is at the end: it knows what was acknowledged before it asked.
    fn compare(&mut self, number: usize) {
        self.judged.compared = self.judged.compared.saturating_add(1);
        let missed: Vec<_> = self
            .asked
            .values()
            .filter(|asked| match self.known.get(&asked.id) {
                None => true,
                Some(known) if known.birth == asked.birth => known.rank < asked.rank || known.n < asked.n,
                Some(known) => self.is_older(&asked.id, known.birth, asked.birth),
            })
            .cloned()
            .collect();
        for asked in missed {
            // Deleted, and created again and deleted unseen, is one deletion of a younger life.
            let known = self.known.get(&asked.id).map_or("nothing".into(), Seen::to_string);
            self.wrong(number, format_args!("missed: acknowledged {asked}, the reader knows {known}"));
        }
    }

    fn finish(&mut self) {
        let end = usize::MAX.wrapping_sub(1);
        // One open write explains one version of its operation and instance.
        let mut excused: HashMap<(String, u32), HashSet<Key>> = HashMap::new();
        for (number, seen) in std::mem::take(&mut self.owed) {
            if self.acknowledged.contains(&key(&seen)) {
                continue;
            }
            // A deletion shows the version that was removed, whoever removed it.
            let instances = if seen.rank == 3 { 1..=self.instance } else { seen.instance..=seen.instance };
            let explained = instances.into_iter().any(|instance| {
                let place = (seen.id.clone(), instance);
                let open = self.open.get(&place).copied().unwrap_or(0);
                let used = excused.entry(place).or_default();
                used.contains(&key(&seen))
                    || u64::try_from(used.len()).is_ok_and(|used| used < open) && used.insert(key(&seen))
            });
            if !explained {
                self.wrong(number, format_args!("invented: {seen}"));
            }
        }
        if !self.done {
            return self.wrong(end, "the history is not whole");
        }
        for (id, truth) in self.truth.clone() {
            let known = self.known.get(&id).filter(|known| known.rank < 3).cloned();
            if known != truth {
                self.wrong(end, format_args!("{id}: the record is {truth:?}, the reader knows {known:?}"));
            }
            let anew = self.anew.get(&id).filter(|anew| anew.rank < 3).cloned();
            if anew != truth {
                self.wrong(end, format_args!("{id}: the record is {truth:?}, a new reader knows {anew:?}"));
            }
        }
        let strays: Vec<_> =
            self.known.keys().chain(self.anew.keys()).filter(|id| !self.truth.contains_key(*id)).cloned().collect();
        for id in strays {
            self.wrong(end, format_args!("{id}: nobody ever wrote it"));
        }
    }
}

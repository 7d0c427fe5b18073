//! Which answers the machine allows, for all records that the answers so far leave possible.

use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::calls::{Answer, Seen, Text, Verb};
use super::lines::Recording;
use super::machine::{Effect, Record, Refusal, Version};
use crate::{Backwards, Call, Model, Verdict, check_within};

/// What happens to operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A caller asks.
    Of {
        /// Of which operation.
        id: Text,
        /// What.
        verb: Verb,
    },
    /// The store dies, and what was not yet durable may be gone when it is opened again.
    Crash,
}

/// Operations, each judged alone.
#[derive(Clone, Copy, Debug)]
pub struct Operations {
    /// Whether crashes are among the calls. Without, what one could bring back is not kept.
    pub crashes: bool,
}

/// Judges a recording in at most `bound` steps for each operation.
///
/// # Errors
/// If an answer is older than its question.
pub fn judge(recording: &Recording, bound: u64) -> Result<Verdict, Backwards> {
    let crashes = recording.calls().iter().any(|call| call.input == Ask::Crash);
    check_within(&Operations { crashes }, recording.calls(), bound)
}

/// One operation, as far as the answers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What there may be: in rising order, never empty, more than one only after a crash or a write
    /// whose answer nobody saw.
    possible: Vec<Slot>,
    /// The versions that were shown or named so far. No later write may draw one of them again.
    shown: Arc<BTreeSet<Text>>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Which versions were shown follows from the calls placed, which are hashed beside the state.
        self.possible.hash(state);
    }
}

/// An operation, or none.
type Slot = Option<Trail>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Trail {
    now: Record,
    /// What a crash may bring back: the last durable record and those after it, without `now`.
    earlier: Vec<Record>,
}

impl Model for Operations {
    type State = State;
    type Input = Ask;
    type Output = Answer;

    fn init(&self) -> State {
        State { possible: vec![None], shown: Arc::default() }
    }

    fn step(&self, state: &State, input: &Ask, output: Option<&Answer>) -> Option<State> {
        match input {
            Ask::Crash => Some(state.crashed()),
            Ask::Of { .. } if output == Some(&Answer::NotApplied) => Some(state.clone()),
            Ask::Of { verb, .. } => state.asked(verb, output, self.crashes),
        }
    }

    fn partition(&self, calls: &[Call<Ask, Answer>]) -> Vec<Vec<usize>> {
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let mut place: HashMap<&Text, usize> = HashMap::new();
        for call in calls {
            if let Ask::Of { id, .. } = &call.input {
                let next = place.len();
                place.entry(id).or_insert(next);
            }
        }
        parts.resize_with(place.len(), Vec::new);
        for (index, call) in calls.iter().enumerate() {
            match &call.input {
                Ask::Of { id, .. } => {
                    if let Some(part) = place.get(id).and_then(|&part| parts.get_mut(part)) {
                        part.push(index);
                    }
                }
                Ask::Crash => parts.iter_mut().for_each(|part| part.push(index)),
            }
        }
        parts
    }
}

impl State {
    fn crashed(&self) -> Self {
        let mut possible = Vec::new();
        for slot in &self.possible {
            let Some(trail) = slot else {
                possible.push(None);
                continue;
            };
            let records = trail.earlier.iter().chain([&trail.now]);
            possible.extend(records.map(|now| Some(Trail { now: now.clone(), earlier: Vec::new() })));
        }
        Self::of(possible, Arc::clone(&self.shown))
    }

    fn asked(&self, verb: &Verb, answer: Option<&Answer>, crashes: bool) -> Option<Self> {
        let mut possible = Vec::new();
        for slot in &self.possible {
            for (slot, matches) in self.readings(slot, verb.if_match()) {
                possible.extend(self.answered(slot, verb, matches, answer));
            }
        }
        if possible.is_empty() {
            return None;
        }
        if !crashes {
            possible.iter_mut().flatten().for_each(|trail| trail.earlier.clear());
        }
        let mut shown = Arc::clone(&self.shown);
        let version = answer.and_then(seen).map(|seen| &seen.version);
        for version in verb.if_match().into_iter().chain(version) {
            if !shown.contains(version) {
                Arc::make_mut(&mut shown).insert(version.clone());
            }
        }
        Some(Self::of(possible, shown))
    }

    fn of(mut possible: Vec<Slot>, shown: Arc<BTreeSet<Text>>) -> Self {
        possible.sort();
        possible.dedup();
        Self { possible, shown }
    }

    /// Whether a slot has the version asked for; an unseen one may have it or not.
    fn readings(&self, slot: &Slot, wanted: Option<&Text>) -> Vec<(Slot, bool)> {
        let (Some(trail), Some(wanted)) = (slot, wanted) else { return vec![(slot.clone(), true)] };
        match &trail.now.version {
            Version::Known(version) => vec![(slot.clone(), version == wanted)],
            Version::Unseen if self.shown.contains(wanted) => vec![(slot.clone(), false)],
            Version::Unseen => {
                let mut known = trail.clone();
                known.now.version = Version::Known(wanted.clone());
                vec![(Some(known), true), (slot.clone(), false)]
            }
        }
    }

    /// What is there after the question took effect and was answered so; `None` if it cannot be.
    fn answered(&self, slot: Slot, verb: &Verb, matches: bool, answer: Option<&Answer>) -> Option<Slot> {
        let effect = verb.effect(slot.as_ref().map(|trail| &trail.now), matches);
        match (effect, answer) {
            (Effect::Nothing | Effect::Refuse(_), None) => Some(slot),
            (Effect::Nothing, Some(Answer::Done(seen))) => self.shows(slot, seen),
            (Effect::Write { record, durable }, None) => Some(Some(written(slot, record, durable))),
            (Effect::Write { record, durable }, Some(Answer::Done(seen))) => {
                self.shows(Some(written(slot, record, durable)), seen)
            }
            (Effect::Remove, None | Some(Answer::Deleted)) => Some(None),
            (Effect::Refuse(refusal), Some(answer)) if allows(refusal, answer, verb, &slot) => match seen(answer) {
                Some(seen) => self.shows(slot, seen),
                None => Some(slot),
            },
            _ => None,
        }
    }

    /// The slot, if it is what an answer shows. An unseen version becomes known, and must be new.
    fn shows(&self, slot: Slot, seen: &Seen) -> Option<Slot> {
        let mut trail = slot?;
        let now = &mut trail.now;
        let right = match &now.version {
            Version::Known(version) => *version == seen.version,
            Version::Unseen => !self.shown.contains(&seen.version),
        };
        let rest = seen.rest.as_ref().is_none_or(|rest| *rest == now.rest);
        if !right || !rest || now.status != seen.status {
            return None;
        }
        now.version = Version::Known(seen.version.clone());
        Some(Some(trail))
    }
}

fn written(before: Slot, now: Record, durable: bool) -> Trail {
    let mut earlier = Vec::new();
    if let (Some(trail), false) = (before, durable) {
        earlier = trail.earlier;
        earlier.push(trail.now);
    }
    Trail { now, earlier }
}

/// Whether a refusal may be answered so.
fn allows(refusal: Refusal, answer: &Answer, verb: &Verb, slot: &Slot) -> bool {
    let terminal = slot.as_ref().is_some_and(|trail| trail.now.status.is_terminal());
    // "It has another version than that one" cannot show that one, even where nobody saw which it had.
    let shown = seen(answer).map(|seen| &seen.version);
    if refusal == Refusal::Version && shown.is_some() && shown == verb.if_match() {
        return false;
    }
    match answer {
        Answer::NotFound => refusal == Refusal::NotFound,
        Answer::Conflict(_) => refusal == Refusal::Version,
        // Whoever names a holder asks "is it still mine": that it has ended otherwise is a loss too.
        Answer::Lost(_) => match refusal {
            Refusal::NotFound | Refusal::Version | Refusal::Holder => true,
            Refusal::Terminal => verb.holder().is_some(),
            Refusal::State => false,
        },
        Answer::Terminal(_) => refusal == Refusal::Terminal || refusal == Refusal::Holder && terminal,
        Answer::Refused(_) => matches!(refusal, Refusal::State | Refusal::Holder),
        Answer::Done(_) | Answer::Deleted | Answer::NotApplied | Answer::Unknown => false,
    }
}

fn seen(answer: &Answer) -> Option<&Seen> {
    match answer {
        Answer::Done(seen) => Some(seen),
        Answer::Conflict(seen) | Answer::Lost(seen) | Answer::Terminal(seen) | Answer::Refused(seen) => {
            seen.as_ref()
        }
        Answer::Deleted | Answer::NotFound | Answer::NotApplied | Answer::Unknown => None,
    }
}

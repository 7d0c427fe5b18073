//! The search: Wing and Gong's, with Lowe's memory of what was already tried.
//!
//! It places one call after the other, always one that was made before the first end still in the
//! list, and goes back when none fits. A pair of (calls placed, state) that was reached before is not
//! tried again.

use std::hash::BuildHasher;

use fixedbitset::FixedBitSet;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::list::{At, List, Moment};
use crate::{Backwards, Call, End, Model};

/// What the judge says of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One order of the calls explains every answer.
    Linearizable,
    /// No order does.
    Illegal(Evidence),
    /// The bound was reached before either was known.
    Undecided,
}

impl Verdict {
    /// Whether an order was found.
    #[must_use]
    pub const fn is_linearizable(&self) -> bool {
        matches!(self, Self::Linearizable)
    }
}

/// How far the search came in a part that has no order. Calls are named by their index in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The part of the history that has no order.
    pub part: Vec<usize>,
    /// The longest order found, up to where nothing fitted.
    pub placed: Vec<usize>,
    /// The call whose end came next and whose answer that order cannot explain.
    pub stuck: usize,
}

/// Judges a history, however long it takes.
///
/// # Errors
/// If a call ends before it was made.
pub fn check<M: Model>(model: &M, calls: &[Call<M::Input, M::Output>]) -> Result<Verdict, Backwards> {
    check_within(model, calls, u64::MAX)
}

/// Judges a history in at most `bound` steps of the model for each of its parts.
///
/// # Errors
/// If a call ends before it was made.
pub fn check_within<M: Model>(
    model: &M,
    calls: &[Call<M::Input, M::Output>],
    bound: u64,
) -> Result<Verdict, Backwards> {
    for (index, call) in calls.iter().enumerate() {
        if call.until().is_some_and(|until| until < call.called) {
            return Err(Backwards { call: index });
        }
    }
    let mut parts = model.partition(calls);
    let mut round = FIRST_ROUND.min(bound);
    loop {
        let mut undecided = Vec::new();
        for part in parts {
            let chosen: Vec<_> = part.iter().filter_map(|&index| calls.get(index)).collect();
            match Search::new(model, &chosen, round).run() {
                Found::Order => {}
                Found::Bound => undecided.push(part),
                Found::Nothing { placed, stuck } => {
                    let name = |call: usize| part.get(call).copied().unwrap_or(call);
                    let placed = placed.into_iter().map(name).collect();
                    let stuck = name(stuck);
                    return Ok(Verdict::Illegal(Evidence { part, placed, stuck }));
                }
            }
        }
        if undecided.is_empty() {
            return Ok(Verdict::Linearizable);
        }
        if round == bound {
            return Ok(Verdict::Undecided);
        }
        parts = undecided;
        round = round.saturating_mul(ROUND_GROWTH).min(bound);
    }
}

/// One part without an order decides the history, and some parts take for ever to search: so all are
/// searched a little, then those left a little more. What is done anew costs a seventh of the whole.
const FIRST_ROUND: u64 = 16_384;
const ROUND_GROWTH: u64 = 8;

enum Found {
    Order,
    Bound,
    Nothing { placed: Vec<usize>, stuck: usize },
}

/// A call that was placed, and what to return to when it is taken back.
struct Placed<S> {
    call: usize,
    before: S,
    /// Whether it was placed as "never took effect".
    never: bool,
}

struct Search<'a, M: Model> {
    model: &'a M,
    calls: &'a [&'a Call<M::Input, M::Output>],
    list: List,
    state: M::State,
    done: FixedBitSet,
    stack: Vec<Placed<M::State>>,
    tried: HashTable<(FixedBitSet, M::State)>,
    hasher: DefaultHashBuilder,
    /// Answered calls not yet placed: none left means an order was found.
    missing: usize,
    left: u64,
    deepest: Option<(Vec<usize>, usize)>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, calls: &'a [&'a Call<M::Input, M::Output>], bound: u64) -> Self {
        Self {
            model,
            calls,
            list: List::new(calls.iter().map(|call| (call.called, call.until()))),
            state: model.init(),
            done: FixedBitSet::with_capacity(calls.len()),
            stack: Vec::new(),
            tried: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            missing: calls.iter().filter(|call| call.output().is_some()).count(),
            left: bound,
            deepest: None,
        }
    }

    fn run(mut self) -> Found {
        let mut at = List::head();
        while self.missing > 0 {
            let next = match self.list.next(at) {
                Some((here, Moment::Made(call))) => {
                    let Some(left) = self.left.checked_sub(1) else {
                        return Found::Bound;
                    };
                    self.left = left;
                    if self.place(call) { Some(List::head()) } else { Some(here) }
                }
                Some((_, Moment::Ended(call))) => {
                    self.note(call);
                    if self.give_up(call) { Some(List::head()) } else { self.back() }
                }
                None => self.back(),
            };
            let Some(next) = next else {
                let (placed, stuck) = self.deepest.unwrap_or_default();
                return Found::Nothing { placed, stuck };
            };
            at = next;
        }
        Found::Order
    }

    fn call(&self, call: usize) -> Option<&'a Call<M::Input, M::Output>> {
        self.calls.get(call).copied()
    }

    /// Lets a call take effect now, if its answer fits and that leads somewhere new.
    fn place(&mut self, call: usize) -> bool {
        let Some(made) = self.call(call) else {
            return false;
        };
        let Some(after) = self.model.step(&self.state, &made.input, made.output()) else {
            return false;
        };
        // A call that need not take effect and changes nothing gains nothing: what can follow it can
        // follow without it.
        if made.output().is_none() && after == self.state {
            return false;
        }
        self.put(call, after, false)
    }

    /// Settles that a call which can no longer take effect never did.
    fn give_up(&mut self, call: usize) -> bool {
        let lapsed = self.call(call).is_some_and(|call| matches!(call.end, End::Lapsed { .. }));
        lapsed && self.put(call, self.state.clone(), true)
    }

    fn put(&mut self, call: usize, after: M::State, never: bool) -> bool {
        self.done.insert(call);
        let hash = self.hasher.hash_one((&self.done, &after));
        let known = |tried: &(FixedBitSet, M::State)| tried.0 == self.done && tried.1 == after;
        if self.tried.find(hash, known).is_some() {
            self.done.set(call, false);
            return false;
        }
        let hasher = &self.hasher;
        self.tried.insert_unique(hash, (self.done.clone(), after.clone()), |pair| hasher.hash_one(pair));
        let before = std::mem::replace(&mut self.state, after);
        self.stack.push(Placed { call, before, never });
        self.list.lift(call);
        if self.call(call).is_some_and(|call| call.output().is_some()) {
            self.missing -= 1;
        }
        true
    }

    /// Takes calls back until one is found that could have come later; the place to go on from.
    fn back(&mut self) -> Option<At> {
        loop {
            let Placed { call, before, never } = self.stack.pop()?;
            self.list.restore(call);
            self.done.set(call, false);
            self.state = before;
            if self.call(call).is_some_and(|call| call.output().is_some()) {
                self.missing += 1;
            }
            // Nothing lies beyond an end, so a call given up there leaves no other choice.
            if !never {
                return Some(self.list.made(call));
            }
        }
    }

    fn note(&mut self, stuck: usize) {
        let deeper = self.deepest.as_ref().is_none_or(|(placed, _)| placed.len() < self.stack.len());
        if deeper {
            self.deepest = Some((self.stack.iter().map(|placed| placed.call).collect(), stuck));
        }
    }
}

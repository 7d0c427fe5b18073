//! What a history is judged against: the same thing used by one caller at a time.

use std::collections::HashMap;
use std::hash::Hash;

use crate::Call;

/// A sequential specification.
///
/// To ensure correctness:
/// * `step` is a function of its arguments alone;
/// * equal states (`Eq`) allow the same continuations;
/// * the parts that `partition` makes are independent: no call of one part can be seen by another.
pub trait Model {
    /// What there is between two calls.
    type State: Clone + Eq + Hash;
    /// What can be asked.
    type Input;
    /// What can be answered.
    type Output;

    /// The state before the first call.
    fn init(&self) -> Self::State;

    /// The state after `input` took effect on `state` and was answered with `output`; `None` if that
    /// answer is impossible there. Without an `output` nobody saw the answer, and any will do.
    fn step(&self, state: &Self::State, input: &Self::Input, output: Option<&Self::Output>) -> Option<Self::State>;

    /// Splits a history into parts that can be judged one by one, each a list of indices in rising
    /// order. [`whole`] is the answer of a model that cannot be split.
    fn partition(&self, calls: &[Call<Self::Input, Self::Output>]) -> Vec<Vec<usize>>;
}

/// The partition that leaves a history whole.
#[must_use]
pub fn whole<I, O>(calls: &[Call<I, O>]) -> Vec<Vec<usize>> {
    vec![(0..calls.len()).collect()]
}

/// The partition by a key of each input, in the order in which the keys first appear.
pub fn by_key<I, O, K: Eq + Hash>(calls: &[Call<I, O>], mut key: impl FnMut(&I) -> K) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut place = HashMap::new();
    for (index, call) in calls.iter().enumerate() {
        let part = *place.entry(key(&call.input)).or_insert_with(|| {
            parts.push(Vec::new());
            parts.len() - 1
        });
        if let Some(part) = parts.get_mut(part) {
            part.push(index);
        }
    }
    parts
}

//! A second judge that shares nothing with the search: it tries every order of every choice of calls.

use linear::{Call, End, Model};

/// Whether some order explains the answers. Only for a handful of calls.
pub(crate) fn possible<M: Model>(model: &M, calls: &[Call<M::Input, M::Output>]) -> bool {
    let needed = |call: &Call<_, _>| matches!(call.end, End::Answered { .. });
    let (needed, optional): (Vec<_>, Vec<_>) = calls.iter().partition(|call| needed(call));
    (0..1_u32 << optional.len()).any(|chosen| {
        let mut some = needed.clone();
        some.extend(optional.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, call)| call));
        some_order(&mut some, 0, &mut |order| explains(model, order))
    })
}

fn explains<M: Model>(model: &M, order: &[&Call<M::Input, M::Output>]) -> bool {
    for (place, first) in order.iter().enumerate() {
        if order[place + 1..].iter().any(|later| later.until().is_some_and(|until| until < first.called)) {
            return false;
        }
    }
    let mut state = model.init();
    for call in order {
        match model.step(&state, &call.input, call.output()) {
            Some(next) => state = next,
            None => return false,
        }
    }
    true
}

/// Whether a permutation of the items from `fixed` on passes the test.
fn some_order<T: Copy>(items: &mut [T], fixed: usize, test: &mut impl FnMut(&[T]) -> bool) -> bool {
    if fixed == items.len() {
        return test(items);
    }
    for next in fixed..items.len() {
        items.swap(fixed, next);
        let found = some_order(items, fixed + 1, test);
        items.swap(fixed, next);
        if found {
            return true;
        }
    }
    false
}

#[test]
fn every_order_is_tried_once() {
    let mut orders = Vec::new();
    assert!(!some_order(&mut [1, 2, 3, 4], 0, &mut |order| {
        orders.push(order.to_vec());
        false
    }));
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 24);
}

//! The search on a register, where a reader can see what is right.

use linear::{Backwards, Call, Model, Verdict, by_key, check, check_within};
use proptest::prelude::*;

use crate::oracle;
use crate::tape::{Tape, tapes};

/// Registers, each named by a number, holding 0 at first.
struct Registers;

#[derive(Clone, Copy, Debug)]
enum Ask {
    Write(u8),
    Read,
    Add(u8),
}

type Asked = Call<(u8, Ask), u8>;

impl Model for Registers {
    type State = u8;
    type Input = (u8, Ask);
    type Output = u8;

    fn init(&self) -> u8 {
        0
    }

    fn step(&self, state: &u8, (_, ask): &(u8, Ask), output: Option<&u8>) -> Option<u8> {
        let next = match ask {
            Ask::Write(value) => *value,
            Ask::Read => *state,
            Ask::Add(value) => state.wrapping_add(*value),
        };
        output.is_none_or(|output| *output == next).then_some(next)
    }

    fn partition(&self, calls: &[Asked]) -> Vec<Vec<usize>> {
        by_key(calls, |(register, _)| *register)
    }
}

fn write(called: u64, at: u64, value: u8) -> Asked {
    Call::answered(called, at, (0, Ask::Write(value)), value)
}

fn read(called: u64, at: u64, value: u8) -> Asked {
    Call::answered(called, at, (0, Ask::Read), value)
}

fn judged(calls: &[Asked]) -> bool {
    let verdict = check(&Registers, calls).unwrap();
    assert_eq!(verdict.is_linearizable(), oracle::possible(&Whole, calls), "{calls:?}");
    verdict.is_linearizable()
}

/// The same register for the oracle, which knows no parts.
struct Whole;

impl Model for Whole {
    type State = std::collections::BTreeMap<u8, u8>;
    type Input = (u8, Ask);
    type Output = u8;

    fn init(&self) -> Self::State {
        Self::State::new()
    }

    fn step(&self, state: &Self::State, input: &(u8, Ask), output: Option<&u8>) -> Option<Self::State> {
        let before = state.get(&input.0).copied().unwrap_or(0);
        let mut state = state.clone();
        state.insert(input.0, Registers.step(&before, input, output)?);
        Some(state)
    }

    fn partition(&self, calls: &[Asked]) -> Vec<Vec<usize>> {
        linear::whole(calls)
    }
}

#[test]
fn overlapping_reads_may_see_old_and_new() {
    assert!(judged(&[write(0, 100, 1), read(25, 75, 1), read(30, 60, 0)]));
}

#[test]
fn a_read_after_a_newer_read_may_not_see_the_old() {
    assert!(!judged(&[write(0, 100, 1), read(10, 30, 1), read(40, 90, 0)]));
}

#[test]
fn what_touches_overlaps() {
    assert!(judged(&[write(0, 10, 1), read(10, 20, 0)]));
    assert!(!judged(&[write(0, 10, 1), read(11, 20, 0)]));
    assert!(judged(&[write(0, 100, 1), read(25, 75, 1), read(30, 30, 0), read(30, 30, 0)]));
    assert!(!judged(&[write(0, 100, 1), read(10, 10, 1), read(10, 10, 1), read(40, 90, 0)]));
}

#[test]
fn an_open_write_may_take_effect_late_or_never_but_not_early() {
    let open = Call::open(10, (0, Ask::Write(1)));
    assert!(judged(&[open, read(20, 30, 0), read(40, 50, 0)]));
    assert!(judged(&[open, read(20, 30, 0), read(40, 50, 1)]));
    assert!(!judged(&[open, read(0, 5, 1)]));
    assert!(!judged(&[open, read(20, 30, 1), read(40, 50, 0)]));
}

#[test]
fn a_lapsed_write_takes_effect_before_or_never() {
    let lapsed = Call::lapsed(10, 20, (0, Ask::Write(1)));
    assert!(judged(&[lapsed, read(30, 40, 0)]));
    assert!(judged(&[lapsed, read(30, 40, 1), read(50, 60, 1)]));
    assert!(!judged(&[lapsed, read(30, 40, 0), read(50, 60, 1)]));
    assert!(judged(&[Call::open(10, (0, Ask::Write(1))), read(30, 40, 0), read(50, 60, 1)]));
}

#[test]
fn an_open_call_takes_effect_at_most_once() {
    let open = Call::open(0, (0, Ask::Add(1)));
    assert!(judged(&[open, read(1, 2, 0), read(3, 4, 1)]));
    assert!(!judged(&[open, read(1, 2, 1), read(3, 4, 2)]));
    assert!(judged(&[open, open, read(1, 2, 1), read(3, 4, 2)]));
}

#[test]
fn parts_are_judged_apart() {
    let other = Call::answered(5, 6, (1, Ask::Read), 0);
    assert!(judged(&[write(0, 1, 7), other, read(8, 9, 7)]));
    let wrong = Call::answered(5, 6, (1, Ask::Read), 7);
    let Verdict::Illegal(evidence) = check(&Registers, &[write(0, 1, 7), wrong, read(8, 9, 7)]).unwrap() else {
        panic!("register 1 was never written");
    };
    assert_eq!((evidence.part, evidence.placed, evidence.stuck), (vec![1], vec![], 1));
}

#[test]
fn the_evidence_is_the_longest_order_and_what_it_cannot_explain() {
    let calls = [write(0, 1, 1), write(2, 3, 2), read(4, 5, 1), read(6, 7, 2)];
    let Verdict::Illegal(evidence) = check(&Registers, &calls).unwrap() else { panic!("a stale read") };
    assert_eq!((evidence.placed, evidence.stuck), (vec![0, 1], 2));
}

#[test]
fn a_history_that_runs_backwards_is_refused() {
    assert_eq!(check(&Registers, &[write(0, 1, 1), read(9, 8, 1)]), Err(Backwards { call: 1 }));
}

/// Additions that all overlap, and a sum that none of them reaches: every order is tried.
fn hard(register: u8) -> Vec<Asked> {
    let add = |bit: u8| Call::open(0, (register, Ask::Add(1 << bit)));
    let mut calls: Vec<_> = (1..8).map(add).collect();
    calls.push(Call::answered(1, 2, (register, Ask::Read), 1));
    calls
}

#[test]
fn the_bound_is_kept_and_said() {
    assert_eq!(check_within(&Registers, &hard(0), 100), Ok(Verdict::Undecided));
    assert!(matches!(check(&Registers, &hard(0)), Ok(Verdict::Illegal(_))));
}

#[test]
fn open_calls_that_change_nothing_cost_nothing() {
    let mut calls = vec![Call::open(0, (0, Ask::Read)); 30];
    calls.push(read(1, 2, 1));
    assert!(matches!(check_within(&Registers, &calls, 100), Ok(Verdict::Illegal(_))));
}

#[test]
fn a_part_without_an_order_decides_although_another_is_undecided() {
    let mut calls = hard(0);
    calls.push(Call::answered(1, 2, (1, Ask::Read), 1));
    assert!(
        matches!(check_within(&Registers, &calls, 100), Ok(Verdict::Illegal(evidence)) if evidence.part == [8])
    );
}

/// Up to 7 calls with any spans, ends and outputs: most have no order.
fn any_history(tape: &mut Tape<'_>) -> Vec<Asked> {
    let count = 2 + tape.below(6);
    (0..count)
        .map(|_| {
            let register = u8::from(tape.one_in(4));
            let value = u8::try_from(tape.below(3)).unwrap();
            let input = (register, *tape.of(&[Ask::Read, Ask::Read, Ask::Write(value), Ask::Add(value)]));
            let called = tape.below(12) as u64;
            let at = called + tape.below(8) as u64;
            match tape.below(6) {
                0 => Call::open(called, input),
                1 => Call::lapsed(called, at, input),
                _ => Call::answered(called, at, input, u8::try_from(tape.below(3)).unwrap()),
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gets_the_oracles_verdict(bytes in tapes()) {
        judged(&any_history(&mut Tape::new(&bytes)));
    }
}

#[test]
fn the_histories_of_that_property_are_of_both_kinds() {
    let legal = crate::tape::fixed(400).filter(|bytes| judged(&any_history(&mut Tape::new(bytes)))).count();
    assert!((40..360).contains(&legal), "{legal} of 400");
}

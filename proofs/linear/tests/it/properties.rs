//! Histories of a truly atomic operation are accepted; histories of one that is not, or that were
//! tampered with, get the verdict of the oracle that tries every order.

use linear::operation::{Answer, Ask, Operations, Recording, judge};
use linear::{Call, End, check};
use proptest::prelude::*;

use crate::oracle;
use crate::programs::{Fault, answered, play};
use crate::tape::{Tape, fixed, tapes};

const MODEL: Operations = Operations { crashes: false };

type Asked = Call<Ask, Answer>;

/// The verdict, after making sure that the oracle gives the same.
fn agreed(calls: &[Asked]) -> bool {
    let legal = check(&MODEL, calls).unwrap().is_linearizable();
    assert_eq!(legal, oracle::possible(&MODEL, calls), "{calls:#?}");
    legal
}

/// One thing in a history made otherwise.
#[derive(Clone, Copy, Debug)]
enum Mutation {
    SwappedAnswers,
    StaleAnswer,
    LaterCall,
    EarlierAnswer,
}

fn mutated(tape: &mut Tape<'_>, recording: &Recording, mutation: Mutation) -> Option<Vec<Asked>> {
    let mut calls = recording.calls().to_vec();
    let places = answered(recording);
    if places.len() < 2 {
        return None;
    }
    let (first, second) = (*tape.of(&places), *tape.of(&places));
    let output = |call: &Asked| call.output().cloned();
    let (one, other) = (output(&calls[first])?, output(&calls[second])?);
    let set = |call: &mut Asked, output| call.end = End::Answered { at: call.until().unwrap_or(0), output };
    match mutation {
        Mutation::SwappedAnswers => {
            set(&mut calls[first], other);
            set(&mut calls[second], one);
        }
        Mutation::StaleAnswer => set(&mut calls[first.max(second)], if first < second { one } else { other }),
        Mutation::LaterCall => calls[first].called = calls[first].until()?,
        Mutation::EarlierAnswer => calls[first].end = End::Answered { at: calls[first].called, output: one },
    }
    Some(calls)
}

const MUTATIONS: [Mutation; 4] =
    [Mutation::SwappedAnswers, Mutation::StaleAnswer, Mutation::LaterCall, Mutation::EarlierAnswer];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn an_atomic_operation_is_always_accepted(bytes in tapes()) {
        let recording = play(&mut Tape::new(&bytes), 40, Fault::None);
        prop_assert_eq!(judge(&recording, 1_000_000), Ok(linear::Verdict::Linearizable));
    }

    #[test]
    fn a_mutation_gets_the_oracles_verdict(bytes in tapes(), which in 0..MUTATIONS.len()) {
        let mut tape = Tape::new(&bytes);
        let recording = play(&mut tape, 7, Fault::None);
        prop_assert!(agreed(recording.calls()));
        if let Some(calls) = mutated(&mut tape, &recording, MUTATIONS[which]) {
            agreed(&calls);
        }
    }

    #[test]
    fn a_broken_operation_gets_the_oracles_verdict(bytes in tapes(), blind in any::<bool>()) {
        let fault = if blind { Fault::BlindWrite } else { Fault::ForgottenWrite };
        agreed(play(&mut Tape::new(&bytes), 7, fault).calls());
    }
}

/// How many of the same 300 histories are refused.
fn refused(mut history: impl FnMut(&mut Tape<'_>) -> Vec<Asked>) -> usize {
    fixed(300).filter(|bytes| !check(&MODEL, &history(&mut Tape::new(bytes))).unwrap().is_linearizable()).count()
}

#[test]
fn each_mutation_is_caught_often() {
    for mutation in MUTATIONS {
        let count = refused(|tape| {
            let recording = play(tape, 30, Fault::None);
            mutated(tape, &recording, mutation).unwrap_or_default()
        });
        assert!(count >= 10, "{mutation:?}: {count} of 300");
    }
}

#[test]
fn each_fault_is_caught_often() {
    for fault in [Fault::ForgottenWrite, Fault::BlindWrite] {
        let count = refused(|tape| play(tape, 40, fault).calls().to_vec());
        assert!(count > 150, "{fault:?}: {count} of 300");
    }
}

#[test]
fn the_histories_have_what_makes_them_worth_judging() {
    let worth = |bytes: Vec<u8>| linear::operation::Worth::of(&play(&mut Tape::new(&bytes), 40, Fault::None));
    let counting = fixed(300).map(worth).filter(|worth| worth.counts() && worth.open > 0).count();
    assert!(counting > 200, "{counting} of 300");
}

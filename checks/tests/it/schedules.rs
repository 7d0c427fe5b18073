//! FAULTS P6: every interleaving of racing updaters on load / apply / swap / retry, on the store in memory.

use longrun::model::{Applied, Failure, Operation, Patch, Status, Version};
use longrun::store::{Durability, MemoryStore, Store, Swap};

use crate::support::{after, clock, new, put, rules, stamp};

/// An updater between two of its steps.
#[derive(Clone, Debug)]
enum Step {
    Load,
    /// The version read, and what to write over it.
    Swap(Box<(Version, Operation)>),
    Done(&'static str),
}

/// What the racers want, in turn.
fn patches() -> [Patch; 4] {
    [
        Patch::complete(None).progress(10),
        Patch::fail(Failure::new("x", "y")).progress(10),
        Patch::cancel(),
        Patch::new().status(Status::Running).detail("z").progress(10),
    ]
}

/// One race on one operation of a store: the racers take turns as `choices` says, and by first come beyond
/// its end, which is written down. Answers how many could have gone at each turn.
async fn run(
    store: &MemoryStore,
    first: &Operation,
    racers: usize,
    choices: &mut Vec<usize>,
    durability: Durability,
) -> Vec<usize> {
    put(store, None, first).await;
    let mut steps = vec![Step::Load; racers];
    let mut history = vec![first.clone()];
    let mut widths = Vec::new();
    loop {
        let left: Vec<_> = (0..racers).filter(|racer| !matches!(steps[*racer], Step::Done(_))).collect();
        if left.is_empty() {
            break;
        }
        if choices.len() == widths.len() {
            choices.push(0);
        }
        let racer = left[choices[widths.len()]];
        widths.push(left.len());
        steps[racer] = match &steps[racer] {
            Step::Load => {
                let read = store.load(first.id()).await.unwrap().unwrap();
                match read.apply(&patches()[racer], &rules(), stamp("2026-05-04T12:00:01Z")) {
                    Ok(Applied::Changed { next, .. }) => Step::Swap(Box::new((read.version(), next))),
                    Ok(_) => Step::Done("unchanged"),
                    Err(rejection) => Step::Done(rejection.code()),
                }
            }
            Step::Swap(write) => {
                let (read, next) = &**write;
                match store.swap(Some(*read), next, durability).await.unwrap() {
                    Swap::Stored => {
                        assert_eq!(history.last().map(Operation::version), Some(*read), "lost update");
                        history.push(next.clone());
                        Step::Done("stored")
                    }
                    Swap::Lost(current) => {
                        assert_eq!(current.as_ref(), history.last());
                        assert_ne!(current.unwrap().version(), *read);
                        Step::Load
                    }
                    other => panic!("{other:?}"),
                }
            }
            Step::Done(_) => unreachable!("a racer that is done is not scheduled"),
        };
    }
    assert_eq!(store.load(first.id()).await.unwrap().as_ref(), history.last());
    check(racers, &steps, &history);
    widths
}

/// A racer on plain numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Racer {
    Reads,
    /// The version it read, and the status it will write over it.
    Writes(u64, Status),
    Done,
}

/// The same race on plain numbers, by its own rules: how many schedules there are.
///
/// `version` is the record's; each racer is done, or has read a version and has what it wants to write.
fn count(status: Status, version: u64, racers: &[Racer]) -> u64 {
    let mut total = 0;
    for (at, racer) in racers.iter().enumerate() {
        if *racer == Racer::Done {
            continue;
        }
        let mut next = racers.to_vec();
        let (mut status, mut version) = (status, version);
        match racer {
            Racer::Reads => next[at] = wants(at, status, version),
            Racer::Writes(read, to) if *read == version => {
                (status, version) = (*to, version + 1);
                next[at] = Racer::Done;
            }
            _ => next[at] = Racer::Reads,
        }
        total += if next.iter().all(|racer| *racer == Racer::Done) { 1 } else { count(status, version, &next) };
    }
    total
}

/// What racer `at` would write over a status: by the table of PROTOCOL 61, not by the code.
fn wants(at: usize, status: Status, version: u64) -> Racer {
    use Status::{Completed, Failed, NotStarted, Running};
    // The start is Running without holder, progress or detail.
    match (at, status) {
        (0, Running) => Racer::Writes(version, Completed),
        (1, Running) => Racer::Writes(version, Failed),
        // The request and the detail are new until racers 2 and 3 themselves wrote them.
        (2 | 3, Running) => Racer::Writes(version, Running),
        (_, NotStarted | Running | Completed | Failed) => Racer::Done,
    }
}

/// Walks every schedule; answers how many there are.
async fn explore(racers: usize, durability: Durability) -> u64 {
    let mut choices = Vec::new();
    let mut store = MemoryStore::in_memory(clock()).await.unwrap();
    for number in 1.. {
        if number % 20_000 == 0 {
            store = MemoryStore::in_memory(clock()).await.unwrap();
        }
        let first = after(&new(&format!("race-{number}")), &Patch::new().status(Status::Running));
        let widths = run(&store, &first, racers, &mut choices, durability).await;
        // The next schedule: the last turn at which another could have gone.
        let Some(turn) = (0..choices.len()).rev().find(|turn| choices[*turn] + 1 < widths[*turn]) else {
            return number;
        };
        choices.truncate(turn + 1);
        choices[turn] += 1;
    }
    unreachable!("the schedules are finite")
}

/// Each stored write is one version; one end at most; nothing after it.
fn check(racers: usize, steps: &[Step], history: &[Operation]) {
    let stored = steps.iter().filter(|step| matches!(step, Step::Done("stored"))).count();
    assert_eq!(history.len(), stored + 1);
    let ends: Vec<_> = history.iter().map(Operation::is_terminal).collect();
    assert!(ends[..ends.len() - 1].iter().all(|ended| !ended), "{history:?}");
    for pair in history.windows(2) {
        assert_eq!(pair[1].version().n(), pair[0].version().n() + 1);
    }
    // Complete and fail race: one of them is stored, and the other is told so.
    assert!(ends.last() == Some(&true), "of {racers} racers one always ends it");
    if racers >= 2 {
        let told = |step: &Step| matches!(step, Step::Done("operationTerminal"));
        assert_eq!(steps[..2].iter().filter(|step| told(step)).count(), 1, "{steps:?}");
    }
}

async fn every_schedule_of(racers: usize, durability: Durability) {
    let run = explore(racers, durability).await;
    let expected = count(Status::Running, 0, &vec![Racer::Reads; racers]);
    println!("schedules of {racers} racers: {run} run, {expected} computed");
    assert_eq!(run, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_schedule_up_to_three() {
    for racers in 1..=3 {
        every_schedule_of(racers, Durability::Immediate).await;
    }
}

/// The same test and set, without the wait for a sync.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(debug_assertions, ignore = "281,392 schedules: minutes without --release")]
async fn every_schedule_of_four() {
    every_schedule_of(4, Durability::Eventual).await;
}

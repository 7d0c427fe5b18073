//! FAULTS 53, 54: every schedule of a worker, a rescuer and clients on one operation, step by step of the store's calls.
//!
//! The number of schedules run stands beside the number that a model of a few lines computes, which shares
//! nothing with the tracker.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use longrun::clock::ManualClock;
use longrun::model::{Operation, OperationId, Page, Query, Version};
use longrun::store::{
    Changes, Counts, Durability, HintStream, Idle, MemoryStore, Opened, Position, Report, Store, StoreError,
    StoreHealth, Swap,
};
use longrun::{ErrorKind, Failure, NewOperation, Patch, Run, Status, Tracker};

use crate::polled::{Polled, finish};
use crate::world::{LEASE, clock};

/// Who races.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Racer {
    /// Completes its run.
    Worker,
    /// Sweeps: ends what gave no sign of life.
    Rescuer,
    /// Sends a PATCH of the detail.
    Client,
    /// Asks for the end.
    Canceller,
}

/// Lets one racer's calls of the store pass one by one.
#[derive(Debug, Default)]
struct Gate(Mutex<GateState>);

#[derive(Debug, Default)]
struct GateState {
    /// Not during the set-up.
    closed: bool,
    permits: u32,
    waits: bool,
    waker: Option<Waker>,
}

impl Gate {
    async fn pass(&self) {
        std::future::poll_fn(|context| {
            let mut state = self.0.lock().unwrap();
            if !state.closed || state.permits > 0 {
                state.permits = state.permits.saturating_sub(1);
                state.waits = false;
                return Poll::Ready(());
            }
            state.waits = true;
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// One racer's view of the store.
#[derive(Debug)]
struct Stepped {
    inner: Arc<MemoryStore>,
    gate: Arc<Gate>,
}

#[async_trait]
impl Store for Stepped {
    fn opened(&self) -> Opened {
        self.inner.opened()
    }
    async fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        self.gate.pass().await;
        self.inner.load(id).await
    }
    async fn swap(
        &self,
        expected: Option<Version>,
        next: &Operation,
        durability: Durability,
    ) -> Result<Swap, StoreError> {
        self.gate.pass().await;
        self.inner.swap(expected, next, durability).await
    }
    async fn remove(&self, id: &OperationId, expected: Version) -> Result<Swap, StoreError> {
        self.gate.pass().await;
        self.inner.remove(id, expected).await
    }
    async fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.gate.pass().await;
        self.inner.page(query).await
    }
    async fn counts(&self) -> Result<Counts, StoreError> {
        // Read by a sweep for its gauges where the feature `metrics` is on, after all else: no step of the race.
        self.inner.counts().await
    }
    async fn group_counts(&self, group: &str) -> Result<Counts, StoreError> {
        self.gate.pass().await;
        self.inner.group_counts(group).await
    }
    async fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: NonZeroU32,
    ) -> Result<Vec<OperationId>, StoreError> {
        // A sweep asks for orphans and for what is past its deadline first. There are none in any schedule: no
        // step of the race.
        if matches!(which, Idle::Quiet { .. }) {
            self.gate.pass().await;
        }
        self.inner.idle(which, after, limit).await
    }
    async fn changes(&self, after: &Position, limit: NonZeroU32) -> Result<Changes, StoreError> {
        self.gate.pass().await;
        self.inner.changes(after, limit).await
    }
    fn hints(&self) -> HintStream {
        self.inner.hints()
    }
    fn health(&self) -> StoreHealth {
        self.inner.health()
    }
    async fn verify(&self) -> Result<Report, StoreError> {
        self.inner.verify().await
    }
    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

/// What became of a racer's call.
#[derive(Debug)]
enum Ended {
    Won,
    /// The race was lost to what is there now.
    Lost(Option<Operation>),
}

struct Arena {
    inner: Arc<MemoryStore>,
    clock: ManualClock,
    racers: Vec<(Racer, Tracker, Arc<Gate>)>,
}

impl Arena {
    fn new(racers: &[Racer]) -> Self {
        let clock = clock();
        let inner = Arc::new(finish(MemoryStore::in_memory(Arc::new(clock.clone()))).unwrap());
        let racers = racers.iter().map(|racer| {
            let gate = Arc::new(Gate::default());
            let store = Stepped { inner: Arc::clone(&inner), gate: Arc::clone(&gate) };
            // Leases alone: nothing else asks the store during a sweep.
            let tracker = Tracker::builder().clock(clock.clone()).lease("export", LEASE);
            (*racer, finish(tracker.open_store(Arc::new(store))).unwrap(), gate)
        });
        let racers = racers.collect();
        Self { inner, clock, racers }
    }

    /// One schedule: at each step the racer that `choose` picks of those that can go on.
    fn run(&self, mut choose: impl FnMut(&[usize]) -> usize) {
        let owner = self.racers.iter().find(|(racer, ..)| *racer == Racer::Worker).unwrap_or(&self.racers[0]);
        let created = finish(owner.1.create(NewOperation::new("export"))).unwrap();
        let id = created.id().clone();
        let mut run = Some(finish(owner.1.start(&id)).unwrap());
        let started = finish(self.inner.load(&id)).unwrap().unwrap();
        self.clock.advance(LEASE * 2);
        let mut calls: Vec<_> = Vec::new();
        for (racer, tracker, gate) in &self.racers {
            *gate.0.lock().unwrap() = GateState { closed: true, ..GateState::default() };
            let run = if *racer == Racer::Worker { run.take() } else { None };
            calls.push(Some(Polled::new(call(*racer, tracker.clone(), id.clone(), run))));
        }
        let mut ends: Vec<Option<Ended>> = calls.iter().map(|_| None).collect();
        // To the first call of the store.
        for racer in 0..calls.len() {
            self.advance(racer, &mut calls, &mut ends);
        }
        loop {
            let ready: Vec<_> = (0..calls.len()).filter(|racer| calls[*racer].is_some()).collect();
            if ready.is_empty() {
                break;
            }
            let racer = choose(&ready);
            self.racers[racer].2.0.lock().unwrap().permits = 1;
            self.advance(racer, &mut calls, &mut ends);
        }
        let ends: Vec<_> = ends.into_iter().map(Option::unwrap).collect();
        self.judge(&started, &ends);
        for (.., gate) in &self.racers {
            gate.0.lock().unwrap().closed = false;
        }
        // What nobody ended is ended here, so that the next sweep does not find it.
        drop(run);
        drop(finish(owner.1.counts()));
    }

    /// Polls a racer until it is before its next call of the store, or done.
    fn advance(&self, racer: usize, calls: &mut [Option<Polled<'_, Ended>>], ends: &mut [Option<Ended>]) {
        loop {
            let call = calls[racer].as_mut().unwrap();
            if let Poll::Ready(end) = call.poll() {
                (calls[racer], ends[racer]) = (None, Some(end));
                return;
            }
            if self.racers[racer].2.0.lock().unwrap().waits {
                return;
            }
            call.await_wake();
        }
    }

    fn judge(&self, started: &Operation, ends: &[Ended]) {
        let last = finish(self.inner.load(started.id())).unwrap().unwrap();
        let won = |who: Racer| {
            self.racers
                .iter()
                .zip(ends)
                .filter(|((racer, ..), end)| *racer == who && matches!(end, Ended::Won))
                .count()
        };
        let what = || format!("{ends:?} ended as {last:?}");
        // Terminal is for ever, and one alone makes it so.
        let (completed, stalled) = (won(Racer::Worker), won(Racer::Rescuer));
        assert!(completed + stalled <= 1, "{}", what());
        assert_eq!(last.status() == Status::Completed, completed == 1, "{}", what());
        let is_stalled = last.failure().is_some_and(|failure| failure.code() == Failure::STALLED);
        assert_eq!(is_stalled, stalled == 1, "{}", what());
        // Who was told of a write is in the record.
        let (details, cancels) = (won(Racer::Client), won(Racer::Canceller));
        assert_eq!(last.detail().is_some(), details > 0, "{}", what());
        assert_eq!(last.cancellation_requested().is_some(), cancels > 0, "{}", what());
        // The sum: each effective write raised n by one, none was lost, none is there twice. Several cancels
        // write once.
        let writes = completed + stalled + details + cancels.min(1);
        assert_eq!(last.version().n() - started.version().n(), u64::try_from(writes).unwrap(), "{}", what());
        // Whoever lost was told the record that won: an end.
        for end in ends {
            if let Ended::Lost(Some(winner)) = end {
                assert!(winner.is_terminal() && *winner == last, "{}", what());
            }
        }
    }
}

async fn call(racer: Racer, tracker: Tracker, id: OperationId, run: Option<Run>) -> Ended {
    let lost = |error: &longrun::Error| {
        assert!(
            matches!(error.kind(), ErrorKind::Terminal | ErrorKind::IllegalTransition),
            "{racer:?} failed: {error:?}"
        );
        Ended::Lost(error.current().cloned())
    };
    match racer {
        Racer::Worker => match run.unwrap().complete("done").await {
            Ok(_) => Ended::Won,
            Err(end) => {
                let end = lost(end.error());
                assert!(matches!(end, Ended::Lost(Some(_))));
                end
            }
        },
        Racer::Rescuer => {
            let swept = tracker.sweep().await.unwrap();
            if swept.stalled.contains(&id) { Ended::Won } else { Ended::Lost(None) }
        }
        // Its own text, so that several write several times.
        Racer::Client => {
            static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
            let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            match tracker.patch(&id, Patch::new().detail(format!("client {number}"))).await {
                Ok(_) => Ended::Won,
                Err(error) => lost(&error),
            }
        }
        Racer::Canceller => match tracker.cancel(&id).await {
            Ok(_) => Ended::Won,
            Err(error) => lost(&error),
        },
    }
}

/// Runs every schedule, depth first; answers how many there are.
fn run_all(racers: &[Racer]) -> u64 {
    let arena = Arena::new(racers);
    // The choices of the schedule before, each with how many there were.
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut schedules = 0;
    loop {
        let mut depth = 0;
        arena.run(|ready| {
            if depth == path.len() {
                path.push((0, ready.len()));
            }
            let (choice, of) = path[depth];
            assert_eq!(of, ready.len(), "a schedule is not the same when it is run again");
            depth += 1;
            ready[choice]
        });
        schedules += 1;
        while let Some((choice, of)) = path.pop() {
            if choice + 1 < of {
                path.push((choice + 1, of));
                break;
            }
        }
        if path.is_empty() {
            let report = finish(arena.inner.verify()).unwrap();
            assert_eq!(report.problems, Vec::<String>::new());
            return schedules;
        }
    }
}

/// The model: an operation is a number of writes, whether it ended, whether it is quiet, whether its end was asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Model {
    n: u8,
    ended: bool,
    quiet: bool,
    asked: bool,
}

/// Where a racer stands: its next step, and the version it knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Stand {
    step: u8,
    knows: u8,
}

const DONE: u8 = u8::MAX;

/// One step of a racer, by the protocol's words: load, decide, swap, again where it was lost.
fn step(racer: Racer, mut model: Model, stand: Stand) -> (Model, Stand) {
    let to = |step, knows| Stand { step, knows };
    match (racer, stand.step) {
        (Racer::Worker | Racer::Client | Racer::Canceller, 0) => {
            let nothing = model.ended || (racer == Racer::Canceller && model.asked);
            (model, to(if nothing { DONE } else { 1 }, model.n))
        }
        (Racer::Worker | Racer::Client | Racer::Canceller, _) => {
            if stand.knows == model.n {
                (model.n, model.quiet) = (model.n + 1, false);
                model.ended |= racer == Racer::Worker;
                model.asked |= racer == Racer::Canceller;
                return (model, to(DONE, 0));
            }
            let nothing = model.ended || (racer == Racer::Canceller && model.asked);
            (model, to(if nothing { DONE } else { 1 }, model.n))
        }
        // Looks for idle ones.
        (Racer::Rescuer, 0) => (model, to(if model.quiet { 1 } else { DONE }, 0)),
        // Reads the one it found.
        (Racer::Rescuer, 1) => (model, to(2, model.n)),
        // Looks again: is it still idle?
        (Racer::Rescuer, 2) => (model, to(if model.quiet { 3 } else { 5 }, stand.knows)),
        // Patches it, if it is still as it was read: loads ..
        (Racer::Rescuer, 3) => {
            let same = stand.knows == model.n && !model.ended;
            (model, to(if same { 4 } else { 5 }, stand.knows))
        }
        // .. and swaps.
        (Racer::Rescuer, 4) => {
            if stand.knows == model.n {
                (model.n, model.quiet, model.ended) = (model.n + 1, false, true);
            }
            (model, to(5, 0))
        }
        // Looks for more.
        (Racer::Rescuer, _) => (model, to(DONE, 0)),
    }
}

fn count(racers: &[Racer]) -> u64 {
    fn below(
        racers: &[Racer],
        model: Model,
        stands: &[Stand],
        known: &mut HashMap<(Model, Vec<Stand>), u64>,
    ) -> u64 {
        if let Some(count) = known.get(&(model, stands.to_vec())) {
            return *count;
        }
        let mut sum = 0;
        let mut all_done = true;
        for (number, racer) in racers.iter().enumerate() {
            if stands[number].step != DONE {
                all_done = false;
                let (next, stand) = step(*racer, model, stands[number]);
                let mut stands = stands.to_vec();
                stands[number] = stand;
                sum += below(racers, next, &stands, known);
            }
        }
        let sum = if all_done { 1 } else { sum };
        known.insert((model, stands.to_vec()), sum);
        sum
    }
    let begin = Model { n: 0, ended: false, quiet: true, asked: false };
    let stands = vec![Stand { step: 0, knows: 0 }; racers.len()];
    below(racers, begin, &stands, &mut HashMap::new())
}

fn check(racers: &[Racer]) {
    let computed = count(racers);
    let run = run_all(racers);
    println!("{racers:?}: {run} schedules run, {computed} computed");
    assert_eq!(run, computed);
}

#[test]
fn two_racers() {
    use Racer::{Canceller, Client, Rescuer, Worker};
    for racers in [
        [Worker, Rescuer],
        [Worker, Client],
        [Worker, Canceller],
        [Rescuer, Client],
        [Rescuer, Canceller],
        [Rescuer, Rescuer],
        [Client, Client],
        [Client, Canceller],
    ] {
        check(&racers);
    }
}

#[test]
fn three_racers() {
    use Racer::{Canceller, Client, Rescuer, Worker};
    for racers in [
        [Worker, Rescuer, Client],
        [Worker, Rescuer, Canceller],
        [Worker, Rescuer, Rescuer],
        [Worker, Client, Client],
    ] {
        check(&racers);
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes without optimisation: cargo test --release -p longrun-checks-conformance"
)]
fn four_racers() {
    use Racer::{Canceller, Client, Rescuer, Worker};
    check(&[Worker, Rescuer, Client, Canceller]);
    check(&[Worker, Client, Client, Canceller]);
}

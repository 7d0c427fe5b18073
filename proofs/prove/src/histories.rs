//! Recorded histories: clients that race through the public API over a store with faults, judged by a checker that
//! shares no code with it.

mod ask;
mod clients;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fastrand::Rng;
use linear::operation::{Ask, Line, Recording, Text, Worth, judge};
use linear::{Evidence, Verdict};
use longrun::clock::SystemClock;
use longrun::conformance::FaultyStore;
use longrun::store::{MemoryStore, SledStore, Store};
use longrun::{OperationId, Tracker};

use self::clients::Client;
use crate::{Outcome, print, reopen, scratch};

/// Clients of a history.
const CLIENTS: u64 = 8;
/// Calls of a client.
const CALLS: u32 = 7;
/// Operations that they share.
const OPERATIONS: u64 = 3;
/// Of 1,000 calls of the store so many fail or wait.
const FAULTS: u32 = 60;
/// Histories on one store.
const ON_ONE_STORE: u64 = 100;
/// Steps of the judge for each operation of a history.
const BOUND: u64 = 4_000_000;

/// Illegal histories that are printed whole.
const SHOWN: u64 = 3;

/// Over what the tracker works.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Memory,
    Sled,
}

/// What came of the histories.
#[derive(Debug, Default)]
struct Sum {
    counted: u64,
    passed_over: u64,
    illegal: u64,
    undecided: u64,
    hits: u64,
    worth: Worth,
}

/// `count` histories in which calls raced and one lost.
pub(crate) fn run(count: u64, seed: u64, over: Over) -> Outcome<()> {
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build()?;
    let mut sum = Sum::default();
    let mut rng = Rng::with_seed(seed);
    while sum.counted < count {
        let folder = scratch()?;
        let clock = Arc::new(SystemClock::default());
        let inner: Arc<dyn Store> = match over {
            Over::Memory => Arc::new(runtime.block_on(MemoryStore::in_memory(clock))?),
            Over::Sled => {
                let options = reopen::options(&folder.path().join("store"));
                Arc::new(runtime.block_on(SledStore::open_folder(options, clock))?)
            }
        };
        let (store, tracker) = runtime.block_on(over_faults(Arc::clone(&inner), rng.u64(..)))?;
        for _ in 0..ON_ONE_STORE.min(count - sum.counted) {
            let seed = rng.u64(..) >> 16;
            let recording = runtime.block_on(record(&tracker, seed))?;
            sum.add(&recording)?;
        }
        sum.hits += store.hits();
        runtime.block_on(inner.close())?;
    }
    sum.finish(seed, begun)
}

/// The first of so many histories over this store that no order explains.
pub(crate) async fn first_illegal(inner: Arc<dyn Store>, seed: u64, most: u64) -> Outcome<Option<String>> {
    let mut rng = Rng::with_seed(seed);
    let (_, tracker) = over_faults(inner, rng.u64(..)).await?;
    for number in 1..=most {
        let recording = record(&tracker, rng.u64(..) >> 16).await?;
        if let Verdict::Illegal(evidence) = judge(&recording, BOUND)? {
            let stuck = recording.calls().get(evidence.stuck);
            let answer = stuck.map(|call| serde_json::to_string(&call.output())).transpose()?.unwrap_or_default();
            return Ok(Some(format!("history {number}: no order explains {answer}")));
        }
    }
    Ok(None)
}

/// A tracker over a store whose calls fail and wait. Opening may meet a fault too.
async fn over_faults(inner: Arc<dyn Store>, seed: u64) -> longrun::Result<(Arc<FaultyStore>, Tracker)> {
    let store = Arc::new(FaultyStore::new(inner).random(seed, FAULTS));
    loop {
        match Tracker::builder().open_store(Arc::clone(&store) as Arc<dyn Store>).await {
            Err(error) if error.is_retryable() => {}
            opened => return Ok((store, opened?)),
        }
    }
}

/// One history, on operations of its own.
async fn record(tracker: &Tracker, seed: u64) -> Outcome<Recording> {
    let ids: Arc<[Text]> = (0..OPERATIONS).map(|number| format!("{seed:x}-{number}").into()).collect();
    // Instants need only an order.
    let clock = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (tracker, ids, clock) = (tracker.clone(), Arc::clone(&ids), Arc::clone(&clock));
        clients.spawn(async move {
            let mut client = Client::new(seed, number);
            let mut lines = Vec::new();
            for call in 0..u64::from(CALLS) {
                // A call without an answer is its process's last.
                let process = number * u64::from(CALLS) + call;
                let Some(id) = client.pick(&ids) else { break };
                let (verb, name) = (client.next(id), id.parse::<OperationId>()?);
                let at = clock.fetch_add(1, Ordering::SeqCst);
                lines.push(Line::Call { process, at, id: id.clone(), verb: verb.clone() });
                let answer = ask::ask(&tracker, &name, &verb).await?;
                let at = clock.fetch_add(1, Ordering::SeqCst);
                client.learn(id, &answer);
                lines.push(Line::Answer { process, at, answer });
            }
            Outcome::Ok(lines)
        });
    }
    let mut lines = vec![Line::History { name: format!("{seed:x}").into() }];
    while let Some(client) = clients.join_next().await {
        lines.extend(client??);
    }
    Recording::all(lines)?.pop().ok_or_else(|| "an empty history".into())
}

impl Sum {
    fn add(&mut self, recording: &Recording) -> Outcome<()> {
        let worth = Worth::of(recording);
        // Without a race and a loser it shows nothing.
        if !worth.counts() {
            self.passed_over += 1;
            return Ok(());
        }
        self.counted += 1;
        self.worth += worth;
        match judge(recording, BOUND)? {
            Verdict::Linearizable => {}
            Verdict::Undecided => {
                self.undecided += 1;
                print(&format!("history {}: undecided after {BOUND} steps", recording.name()));
            }
            Verdict::Illegal(evidence) => {
                self.illegal += 1;
                if self.illegal <= SHOWN {
                    show(recording, &evidence)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&self, seed: u64, begun: Instant) -> Outcome<()> {
        let Worth { calls, overlapping, lost, open, .. } = self.worth;
        let took = begun.elapsed().as_secs_f64();
        let Self { counted, passed_over, illegal, undecided, hits, .. } = self;
        print(&format!("{calls} calls, {overlapping} overlapping, {lost} lost, {open} open-ended; {hits} faults"));
        print(&format!("{passed_over} more histories without a race and a loser; {took:.0} s"));
        print(&format!("{counted} histories, {illegal} illegal, {undecided} undecided, seed {seed}"));
        if illegal + undecided == 0 { Ok(()) } else { Err("not clean".into()) }
    }
}

/// The calls of the operation that has no order, those first that fit.
fn show(recording: &Recording, evidence: &Evidence) -> Outcome<()> {
    print(&format!("history {}: no order explains these answers", recording.name()));
    let rest = evidence.part.iter().filter(|call| !evidence.placed.contains(call) && **call != evidence.stuck);
    let placed = evidence.placed.iter().map(|call| ("fits", call));
    for (mark, call) in placed.chain([("stuck", &evidence.stuck)]).chain(rest.map(|call| ("unused", call))) {
        let Some(call) = recording.calls().get(*call) else { continue };
        let Ask::Of { id, verb } = &call.input else { continue };
        let (verb, answer) = (serde_json::to_string(verb)?, serde_json::to_string(&call.output())?);
        print(&format!("  {mark} [{}, {:?}] {id} {verb} -> {answer}", call.called, call.until()));
    }
    Ok(())
}

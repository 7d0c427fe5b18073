//! For each promise a broken store, which the test of that promise, and it alone, turns red.
//!
//! A test that no broken store turns red could be empty. The table of promises × stores is printed: run
//! with `--nocapture`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "what fails here fails a test"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longrun::conformance::{EngineOpener, MemoryOpener, Opener, Promise, Verdict, promises};
use longrun::store::{SledEngine, SledOptions, StoreError};
use longrun_checks_conformance::broken::flaw::{Flaw, FlawedOpener, WHOLE};
use longrun_checks_conformance::broken::flaws;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Broken promises of stores that break more than one, and why that cannot be otherwise.
const ALSO: &[(&str, &str, &str)] = &[];

/// A broken store may hang: this is when.
const WATCHDOG: Duration = Duration::from_secs(20);

fn name(promise: &Promise) -> String {
    format!("{}::{}", promise.theme, promise.name)
}

#[test]
fn every_promise_has_a_broken_store() {
    let broken: Vec<_> = flaws().iter().map(|flaw| flaw.breaks.to_owned()).collect();
    let all: Vec<_> = promises().iter().map(name).collect();
    assert_eq!(broken, all);
}

/// The wrapper alone breaks nothing: what turns red is the flaw's work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unbroken_wrapper_keeps_all() {
    static NONE: Flaw = WHOLE;
    for promise in promises() {
        let verdict = promise.check_within(&FlawedOpener(&NONE), WATCHDOG).await;
        assert_eq!(verdict, Verdict::Kept, "{promise:?}");
    }
}

fn data_sync(folder: &Path) -> Result<SledEngine, StoreError> {
    SledEngine::open(&SledOptions::new(folder).sync_flag(false).journal_bytes(1 << 22))
}

/// Verdicts by promise.
async fn column(opener: Arc<dyn Opener>) -> BTreeMap<String, Verdict> {
    let mut checks = JoinSet::new();
    for part in 0..4 {
        let opener = Arc::clone(&opener);
        checks.spawn(async move {
            let mut verdicts = Vec::new();
            for promise in promises().iter().skip(part).step_by(4) {
                verdicts.push((name(promise), promise.check_within(&*opener, WATCHDOG).await));
            }
            verdicts
        });
    }
    checks.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_store_turns_its_promise_red_and_no_other() {
    let places = Arc::new(Semaphore::new(3));
    let mut columns = JoinSet::new();
    for flaw in flaws() {
        let places = Arc::clone(&places);
        columns.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            (flaw, column(Arc::new(FlawedOpener(flaw))).await)
        });
    }
    let memory = column(Arc::new(MemoryOpener::default())).await;
    let sled = column(Arc::new(EngineOpener::new(data_sync))).await;
    let mut red: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut wrong = String::new();
    for (flaw, verdicts) in columns.join_all().await {
        for (promise, verdict) in &verdicts {
            match verdict {
                Verdict::Broken(how) => {
                    red.entry(flaw.breaks).or_default().push(promise.clone());
                    let allowed = ALSO.iter().any(|(store, also, _)| *store == flaw.breaks && also == promise);
                    if promise != flaw.breaks && !allowed {
                        writeln!(wrong, "{flaw:?}: {promise} is red too: {how}").unwrap();
                    }
                }
                Verdict::Kept => {}
                other => writeln!(wrong, "{flaw:?}: {promise}: {other:?}").unwrap(),
            }
        }
        let own = verdicts.get(flaw.breaks);
        if !matches!(own, Some(Verdict::Broken(_))) {
            writeln!(wrong, "{flaw:?}: not caught").unwrap();
        }
    }
    println!("| promise | memory | sled | broken store | turned red |");
    println!("|---|---|---|---|---|");
    for (promise, flaw) in promises().iter().zip(flaws()) {
        let mark = |verdicts: &BTreeMap<String, Verdict>| match verdicts.get(&name(promise)) {
            Some(Verdict::Kept) => "kept",
            Some(Verdict::Skipped(_)) => "SKIPPED",
            _ => "BROKEN",
        };
        let (memory, sled) = (mark(&memory), mark(&sled));
        let red = red.get(flaw.breaks).map_or_else(|| "NOTHING".into(), |red| red.join(", "));
        println!("| {} | {memory} | {sled} | {} | {red} |", name(promise), flaw.says);
        if (memory, sled) != ("kept", "kept") {
            writeln!(wrong, "{}: memory {memory}, sled {sled}", name(promise)).unwrap();
        }
    }
    for (store, also, why) in ALSO {
        println!("The store that breaks {store} breaks {also} too: {why}.");
    }
    println!("{} promises, {} broken stores, each turned red", promises().len(), red.len());
    assert!(wrong.is_empty(), "{wrong}");
}

//! What the index of an embedded store takes in memory, an operation, its engine aside:
//! `longrun-index [RECORDS]` prints a table; RECORDS is 1000000 unless it is given.
//!
//! The store is over an engine that keeps nothing, each case in a process of its own. Memory is what the system says
//! is resident, so whatever the allocator wastes counts.

use std::{process::Command, sync::Arc};

use anyhow::{Context, Result, anyhow, ensure};
use longrun::{
    NewOperation, Operation, Patch, Tracker,
    clock::SystemClock,
    model::{Applied, Rules},
    store::{
        Durability, Store, StoreError, Swap,
        embedded::{Embedded, Engine, EngineError, Visit},
    },
};
use longrun_bench::space;
use tokio::task::JoinSet;

const CALLERS: usize = 64;
/// Whether the operations have ended, and their labels.
const CASES: [(bool, usize); 4] = [(false, 0), (true, 0), (false, 1), (false, 4)];

/// Keeps nothing.
#[derive(Debug)]
struct Nothing;

impl Engine for Nothing {
    // Nobody has to remember what a put hides.
    const SHOWS_SYNCED_ONLY: bool = true;

    fn replay(&self, _: Visit<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(None)
    }

    fn put(&self, _: &[u8], _: &[u8]) -> Result<(), EngineError> {
        Ok(())
    }

    fn purge(&self, _: &[u8]) -> Result<(), EngineError> {
        Ok(())
    }

    fn sync(&self) -> Result<(), EngineError> {
        Ok(())
    }
}

async fn change(store: &impl Store, operation: &Operation, patch: &Patch) -> Result<Operation> {
    let at = operation.stamps().last_action;
    let applied = operation.apply(patch, &Rules::new(store.opened().instance), at);
    let Applied::Changed { next, .. } = applied.map_err(|rejection| anyhow!("{rejection:?}"))? else {
        return Err(anyhow!("{patch:?} changes nothing"));
    };
    let swap = store.swap(Some(operation.version()), &next, Durability::Immediate).await?;
    ensure!(swap == Swap::Stored, "nobody else writes: {swap:?}");
    Ok(next)
}

/// Bytes for each operation.
#[expect(clippy::cast_precision_loss, reason = "a figure is read to three digits")]
async fn measure(records: usize, ended: bool, labels: usize) -> Result<f64> {
    let store = Arc::new(Embedded::open(|| Ok(Nothing), Arc::new(SystemClock::default()), true).await?);
    let tracker = Tracker::builder().open_store(Arc::clone(&store) as Arc<dyn Store>).await?;
    let resident = || space::resident().context("no /proc");
    let before = resident()?;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (tracker, store) = (tracker.clone(), Arc::clone(&store));
        callers.spawn(async move {
            for number in (caller..records).step_by(CALLERS) {
                let new = (0..labels).fold(NewOperation::new("export"), |new, label| {
                    new.label(format!("label{label}"), format!("{number}-{label}"))
                });
                let created = tracker.create(new).await?;
                if ended {
                    let running = change(&*store, &created, &Patch::claim("worker")).await?;
                    change(&*store, &running, &Patch::complete(None)).await?;
                }
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(end) = callers.join_next().await {
        end??;
    }
    Ok(resident()?.saturating_sub(before) as f64 / records as f64)
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let records = words.first().map_or(Ok(1_000_000), |word| word.parse())?;
    if let [_, ended, labels] = &*words {
        println!("{:.1}", measure(records, ended.parse()?, labels.parse()?).await?);
        return Ok(());
    }
    println!("| {records} operations | labels | bytes each |\n|---|--:|--:|");
    for (ended, labels) in CASES {
        let mut child = Command::new(std::env::current_exe()?);
        let output = child.args([records.to_string(), ended.to_string(), labels.to_string()]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let state = if ended { "Completed" } else { "NotStarted" };
        println!("| {state} | {labels} | {} |", String::from_utf8_lossy(&output.stdout).trim());
    }
    Ok(())
}

//! The process that writes, until it is killed or its disk fails.
//!
//! It says on standard output what it begins and what was acknowledged, each line in one `write`: what reached the
//! pipe outlives it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longrun::calls::EndError;
use longrun::clock::SystemClock;
use longrun::store::SledStore;
use longrun::{Failure, NewOperation, OperationId, Run, Tracker};

use crate::plan::{Mix, Name, Step};
use crate::{Outcome, reopen};

/// Where and what a child writes.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    pub(crate) writers: u32,
    /// Lives of each writer; then the store is closed and the child ends. 0: until it is killed.
    pub(crate) lives: u32,
    pub(crate) sync_flag: bool,
    pub(crate) mix: Mix,
}

impl Orders {
    /// Opens the store and closes it.
    pub(crate) fn only_opens(self) -> Self {
        Self { writers: 0, ..self }
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        vec![
            "child".into(),
            self.folder.display().to_string(),
            self.seed.to_string(),
            self.writers.to_string(),
            self.lives.to_string(),
            self.sync_flag.to_string(),
            self.mix.word().into(),
        ]
    }

    pub(crate) fn parse(arguments: &[String]) -> Outcome<Self> {
        let [folder, seed, writers, lives, sync_flag, mix] = arguments else {
            return Err("child FOLDER SEED WRITERS LIVES FLAG MIX".into());
        };
        Ok(Self {
            folder: folder.into(),
            seed: seed.parse()?,
            writers: writers.parse()?,
            lives: lives.parse()?,
            sync_flag: sync_flag.parse()?,
            mix: Mix::of(mix).ok_or("no such mix")?,
        })
    }
}

/// Runs a child's life in this process.
pub(crate) fn run(orders: &Orders) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    runtime.block_on(live(orders))
}

async fn live(orders: &Orders) -> Outcome<()> {
    let options = reopen::options(&orders.folder).sync_flag(orders.sync_flag);
    let store = SledStore::open_folder(options, Arc::new(SystemClock::default())).await?;
    let tracker = Tracker::builder().open_store(Arc::new(store)).await?;
    say(&format!("o {}\n", tracker.recovery().len()))?;
    let mut writers = tokio::task::JoinSet::new();
    let failed = Arc::new(AtomicU64::new(0));
    for writer in 0..orders.writers {
        let (tracker, orders, failed) = (tracker.clone(), orders.clone(), Arc::clone(&failed));
        writers.spawn(async move {
            let mut held = Vec::new();
            for number in 0.. {
                if orders.lives > 0 && number >= orders.lives {
                    break;
                }
                let name = Name { seed: orders.seed, writer, number };
                if live_one(&tracker, name, orders.mix, &mut held, &say).await.is_err() {
                    failed.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
            // A run that is dropped would be ended by this process.
            held
        });
    }
    let mut held = Vec::new();
    while let Some(ended) = writers.join_next().await {
        held.extend(ended?);
    }
    let closed = tracker.close(Duration::ZERO).await;
    drop(held);
    closed?;
    if failed.load(Ordering::Relaxed) > 0 { Err("a write failed".into()) } else { Ok(()) }
}

/// Who hears what is begun (`b`), acknowledged (`a`) and refused without effect (`r`).
pub(crate) type Hearer<'a> = &'a (dyn Fn(&str) -> io::Result<()> + Sync);

/// One operation's life, up to the first error.
pub(crate) async fn live_one(
    tracker: &Tracker,
    name: Name,
    mix: Mix,
    held: &mut Vec<Run>,
    say: Hearer<'_>,
) -> Outcome<()> {
    let id: OperationId = name.text().parse()?;
    let mut run = None;
    for (at, step) in name.plan(mix).into_iter().enumerate() {
        let line = |word| say(&format!("{word} {} {} {at}\n", name.writer, name.number));
        line("b")?;
        if let Err(error) = take(tracker, &id, name, step, &mut run).await {
            if error.is_definite() {
                line("r")?;
            }
            return Err(error.into());
        }
        line("a")?;
    }
    held.extend(run);
    Ok(())
}

async fn take(
    tracker: &Tracker,
    id: &OperationId,
    name: Name,
    step: Step,
    run: &mut Option<Run>,
) -> longrun::Result<()> {
    match step {
        Step::Create => {
            let new = NewOperation::new("proof").id(id.clone()).label("writer", name.writer.to_string());
            drop(tracker.create(new).await?);
        }
        Step::Start => *run = Some(tracker.start(id).await?),
        Step::Progress(percent) => {
            if let Some(run) = run {
                run.progress(percent).await?;
            }
        }
        Step::RequestCancel | Step::Cancel => drop(tracker.cancel(id).await?),
        Step::Complete(length) => {
            if let Some(run) = run.take() {
                run.complete(name.result(length)).await.map_err(EndError::into_error)?;
            }
        }
        Step::Fail => {
            if let Some(run) = run.take() {
                run.fail(Failure::new("planned", "it was planned so")).await.map_err(EndError::into_error)?;
            }
        }
        Step::Delete => tracker.delete(id).await?,
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

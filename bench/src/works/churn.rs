//! Operations come and go while the number of live ones stays: does the folder stop growing?

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    contender::Contender,
    job::{Case, Job, Measurement},
    space,
};

/// The name of a sample of the folder's size.
pub const SAMPLE: &str = "folder bytes";

/// The name of the folder's size once the store is closed.
pub const CLOSED: &str = "folder bytes when closed";

/// create, start, complete, delete.
const CYCLE: u64 = 4;

pub(super) async fn run<C: Contender>(contender: &Arc<C>, job: &Job) -> Result<Measurement> {
    let keys = super::fill(contender, job.records).await?;
    let (done, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let sampler = tokio::spawn(sample(job.clone(), Arc::clone(&done), Arc::clone(&ended)));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for keys in super::deal(keys, job.callers) {
        let (contender, done, until) = (Arc::clone(contender), Arc::clone(&done), job.transitions);
        let mut live = VecDeque::from(keys);
        tasks.spawn(async move {
            while done.fetch_add(CYCLE, Ordering::Relaxed) < until {
                live.push_back(contender.create().await?);
                let Some(oldest) = live.pop_front() else { break };
                let Some(claim) = contender.start(&oldest).await? else {
                    bail!("an operation that nobody else knows was taken");
                };
                contender.complete(&oldest, claim).await?;
                contender.delete(&oldest).await?;
            }
            Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let seconds = began.elapsed().as_secs_f64();
    ended.store(true, Ordering::Relaxed);
    let cases = sampler.await??;
    Ok(Measurement { ops: job.transitions, acks: job.transitions, seconds, cases, ..Measurement::default() })
}

/// What the folder occupies once the store is closed.
pub(super) fn note_the_end(measured: &mut Measurement, job: &Job) -> Result<()> {
    measured.cases.push(sample_now(CLOSED, job, job.transitions)?);
    Ok(())
}

/// Notes the folder's size about a hundred times.
async fn sample(job: Job, done: Arc<AtomicU64>, ended: Arc<AtomicBool>) -> Result<Vec<Case>> {
    let step = (job.transitions / 100).max(1);
    let mut due = 0;
    let mut cases = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let at = done.load(Ordering::Relaxed);
        if at >= due {
            cases.push(sample_now(SAMPLE, &job, at)?);
            due = at + step;
        }
        sleep(Duration::from_millis(20)).await;
    }
    cases.push(sample_now(SAMPLE, &job, job.transitions)?);
    Ok(cases)
}

#[expect(clippy::cast_precision_loss, reason = "figures are read to four digits")]
fn sample_now(name: &str, job: &Job, at: u64) -> Result<Case> {
    let bytes = space::folder_bytes(&job.folder)? as f64;
    Ok(Case { name: name.into(), at: Some(at as f64), value: Some(bytes), ..Case::default() })
}

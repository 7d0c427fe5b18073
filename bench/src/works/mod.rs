//! What the contenders are made to do.

mod churn;
mod contended;
mod growth;
mod http;
mod lifecycle;
mod progress;
mod reads;
mod transition;

use std::sync::Arc;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

pub use self::{
    churn::{CLOSED as CHURN_CLOSED, SAMPLE as CHURN_SAMPLE},
    growth::figure,
};
use crate::{
    contender::Contender,
    job::{Case, Job, Measurement},
};

/// A work by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// create, start, complete, each awaited.
    Lifecycle,
    /// Moves of random ones of many records.
    Transition,
    /// Percentages of random ones of many running records.
    Progress,
    /// All callers start the same operation.
    Contended,
    /// get, a page by status, counts.
    Reads,
    /// PATCH and GET over sockets beside the library's own calls.
    Http,
    /// Costs as the store grows.
    Growth,
    /// The folder while operations come and go.
    Churn,
}

impl Work {
    /// All works.
    pub const ALL: [Self; 8] = [
        Self::Lifecycle,
        Self::Transition,
        Self::Progress,
        Self::Contended,
        Self::Reads,
        Self::Http,
        Self::Growth,
        Self::Churn,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Transition => "transition",
            Self::Progress => "progress",
            Self::Contended => "contended",
            Self::Reads => "reads",
            Self::Http => "http",
            Self::Growth => "growth",
            Self::Churn => "churn",
        }
    }

    /// How many call at once, unless the command line says.
    #[must_use]
    pub fn usual_callers(self) -> &'static [usize] {
        match self {
            Self::Lifecycle | Self::Transition | Self::Progress => &[1, 8, 64, 512],
            Self::Contended | Self::Http | Self::Growth | Self::Churn => &[64],
            Self::Reads => &[1],
        }
    }

    /// How many records there are, unless the command line says.
    #[must_use]
    pub fn usual_records(self) -> &'static [usize] {
        match self {
            Self::Lifecycle | Self::Contended => &[1],
            Self::Progress => &[10_000],
            Self::Transition | Self::Http | Self::Churn => &[100_000],
            Self::Reads => &[10_000, 100_000, 1_000_000],
            Self::Growth => &[10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000],
        }
    }
}

/// Opens the contender, lets it do the work, and closes it.
///
/// # Errors
/// Whatever the contender reports.
pub async fn run<C: Contender>(job: &Job) -> Result<Measurement> {
    if job.work == Work::Growth {
        return growth::run::<C>(job).await;
    }
    let contender = Arc::new(C::open(&job.folder, job).await?);
    let durability = contender.durability();
    let mut measured = match job.work {
        Work::Lifecycle => lifecycle::run(&contender, job).await?,
        Work::Progress => progress::run(&contender, job).await?,
        Work::Contended => contended::run(&contender, job).await?,
        Work::Reads => reads::run(&contender, job).await?,
        Work::Http => http::run(&contender, job).await?,
        Work::Churn => churn::run(&contender, job).await?,
        Work::Transition | Work::Growth => transition::run(&contender, job).await?,
    };
    close(contender).await?;
    if job.work == Work::Churn {
        churn::note_the_end(&mut measured, job)?;
    }
    Ok(Measurement { durability, ..measured })
}

/// A figure of a work that has several rates.
fn case(name: &str, measured: &Measurement) -> Case {
    Case {
        name: name.into(),
        ops_per_s: Some(measured.rate()),
        p50_us: Some(measured.p50_us),
        p99_us: Some(measured.p99_us),
        ..Case::default()
    }
}

async fn close<C: Contender>(contender: Arc<C>) -> Result<()> {
    let contender = Arc::into_inner(contender).ok_or_else(|| anyhow!("a caller still holds the contender"))?;
    contender.close().await
}

/// Makes this many operations with many callers at once, untimed.
async fn fill<C: Contender>(contender: &Arc<C>, records: usize) -> Result<Vec<C::Key>> {
    fill_keeping(contender, records, 512, 1).await
}

/// The same, with so many callers, returning every so many-th name: all of millions would be counted as the store's
/// memory.
async fn fill_keeping<C: Contender>(
    contender: &Arc<C>,
    records: usize,
    callers: usize,
    every: usize,
) -> Result<Vec<C::Key>> {
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let share = records / callers + usize::from(caller < records % callers);
        let contender = Arc::clone(contender);
        tasks.spawn(async move {
            let mut keys = Vec::with_capacity(share / every + 1);
            for number in 0..share {
                let key = contender.create().await?;
                if number % every == 0 {
                    keys.push(key);
                }
            }
            anyhow::Ok(keys)
        });
    }
    let mut keys = Vec::with_capacity(records / every + callers);
    while let Some(made) = tasks.join_next().await {
        keys.append(&mut made??);
    }
    Ok(keys)
}

/// Deals shuffled names to the callers.
fn deal<K: Clone>(mut keys: Vec<K>, callers: usize) -> Vec<Vec<K>> {
    fastrand::shuffle(&mut keys);
    (0..callers).map(|caller| keys.iter().skip(caller).step_by(callers).cloned().collect()).collect()
}

/// Runs one task for each item, untimed.
async fn for_each<T, F, Fut>(items: Vec<T>, each: F) -> Result<()>
where
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for item in items {
        tasks.spawn(each(item));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_dealt_once() {
        let mut dealt: Vec<u32> = deal((0..10).collect(), 4).concat();
        dealt.sort_unstable();
        assert_eq!(dealt, (0..10).collect::<Vec<_>>());
    }
}

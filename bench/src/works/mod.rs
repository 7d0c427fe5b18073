//! What the contenders are made to do.

mod lifecycle;
mod transition;

use std::sync::Arc;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    contender::Contender,
    job::{Job, Measurement},
};

/// A work by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// create, start, complete, each awaited.
    Lifecycle,
    /// Moves of random ones of many records.
    Transition,
}

impl Work {
    /// All works.
    pub const ALL: [Self; 2] = [Self::Lifecycle, Self::Transition];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Transition => "transition",
        }
    }
}

/// Opens the contender, lets it do the work, and closes it.
///
/// # Errors
/// Whatever the contender reports.
pub async fn run<C: Contender>(job: &Job) -> Result<Measurement> {
    let contender = Arc::new(C::open(&job.folder, job).await?);
    let durability = contender.durability();
    let measured = match job.work {
        Work::Lifecycle => lifecycle::run(&contender, job).await?,
        Work::Transition => transition::run(&contender, job).await?,
    };
    let contender = Arc::into_inner(contender).ok_or_else(|| anyhow!("a caller still holds the contender"))?;
    contender.close().await?;
    Ok(Measurement { durability, ..measured })
}

/// Makes this many operations with many callers at once, untimed.
async fn fill<C: Contender>(contender: &Arc<C>, records: usize) -> Result<Vec<C::Key>> {
    const CALLERS: usize = 512;
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let share = records / CALLERS + usize::from(caller < records % CALLERS);
        let contender = Arc::clone(contender);
        tasks.spawn(async move {
            let mut keys = Vec::with_capacity(share);
            for _ in 0..share {
                keys.push(contender.create().await?);
            }
            anyhow::Ok(keys)
        });
    }
    let mut keys = Vec::with_capacity(records);
    while let Some(made) = tasks.join_next().await {
        keys.append(&mut made??);
    }
    Ok(keys)
}

//! Moves of random ones of many records.
//!
//! Every record makes two moves and is then at its end, so the window closes early when a caller has none left. Each
//! caller draws from a share of its own: a race would measure refusals (that is `contended`).

use std::sync::Arc;

use anyhow::Result;

use crate::{
    callers,
    contender::Contender,
    job::{Job, Measurement},
    record::Status,
};

pub(super) async fn run<C: Contender>(contender: &Arc<C>, job: &Job) -> Result<Measurement> {
    let keys = super::fill(contender, job.records).await?;
    of(contender, job, keys).await
}

/// Moves these fresh operations.
pub(super) async fn of<C: Contender>(contender: &Arc<C>, job: &Job, keys: Vec<C::Key>) -> Result<Measurement> {
    let mut shares = super::deal(keys, job.callers);
    callers::run(job, |_, mut tally| {
        let contender = Arc::clone(contender);
        let keys = shares.pop().unwrap_or_default();
        async move {
            let mut left: Vec<(C::Key, Status)> = keys.into_iter().map(|key| (key, Status::Running)).collect();
            while tally.goes_on() {
                if left.is_empty() {
                    tally.window().exhaust();
                    break;
                }
                let at = fastrand::usize(..left.len());
                let Some((key, to)) = left.get_mut(at) else { break };
                tally.time(contender.transition(key, *to)).await?;
                tally.count();
                if *to == Status::Running {
                    *to = Status::Completed;
                } else {
                    left.swap_remove(at);
                }
            }
            Ok(tally)
        }
    })
    .await
}

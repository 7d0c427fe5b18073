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
    let mut keys = super::fill(contender, job.records).await?;
    fastrand::shuffle(&mut keys);
    let shares: Vec<Vec<C::Key>> =
        (0..job.callers).map(|caller| keys.iter().skip(caller).step_by(job.callers).cloned().collect()).collect();
    drop(keys);
    callers::run(job, |caller, mut tally| {
        let contender = Arc::clone(contender);
        let keys = shares.get(caller).cloned().unwrap_or_default();
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

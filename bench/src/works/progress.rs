//! Percentages of random ones of many running operations: the one write that may be answered before it is durable.

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
    super::for_each(super::deal(keys.clone(), 512), |keys| {
        let contender = Arc::clone(contender);
        async move {
            for key in keys {
                contender.transition(&key, Status::Running).await?;
            }
            Ok(())
        }
    })
    .await?;
    let mut shares = super::deal(keys, job.callers);
    callers::run(job, |_, mut tally| {
        let contender = Arc::clone(contender);
        let mut left: Vec<(C::Key, u8)> =
            shares.pop().unwrap_or_default().into_iter().map(|key| (key, 1)).collect();
        async move {
            while tally.goes_on() {
                if left.is_empty() {
                    tally.window().exhaust();
                    break;
                }
                let at = fastrand::usize(..left.len());
                let Some((key, percent)) = left.get_mut(at) else { break };
                tally.time(contender.progress(key, *percent)).await?;
                tally.count();
                if *percent < 100 {
                    *percent += 1;
                } else {
                    left.swap_remove(at);
                }
                // An answer that needs no disk never yields by itself.
                tokio::task::coop::consume_budget().await;
            }
            Ok(tally)
        }
    })
    .await
}

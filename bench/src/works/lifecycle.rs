//! create, start, complete, each awaited: three durable writes to an operation that nobody else knows.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::{
    callers,
    contender::Contender,
    job::{Job, Measurement},
};

pub(super) async fn run<C: Contender>(contender: &Arc<C>, job: &Job) -> Result<Measurement> {
    callers::run(job, |_, mut tally| {
        let contender = Arc::clone(contender);
        async move {
            while tally.goes_on() {
                let key = tally.time(contender.create()).await?;
                let Some(claim) = tally.time(contender.start(&key)).await? else {
                    bail!("an operation that nobody else knows was taken");
                };
                tally.time(contender.complete(&key, claim)).await?;
                tally.count();
            }
            Ok(tally)
        }
    })
    .await
}

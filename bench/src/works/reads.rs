//! Reads of a store that holds so many operations, a tenth of them running: one by its name, a page of 100 of the
//! running ones, and the counts.

use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::{
    callers,
    contender::Contender,
    job::{Case, Job, Measurement},
    record::Status,
};

const PAGE: usize = 100;

pub(super) async fn run<C: Contender>(contender: &Arc<C>, job: &Job) -> Result<Measurement> {
    let keys = super::fill(contender, job.records).await?;
    let running: Vec<C::Key> = keys.iter().step_by(10).cloned().collect();
    let held = running.len();
    super::for_each(super::deal(running, 512), |keys| {
        let contender = Arc::clone(contender);
        async move {
            for key in keys {
                contender.transition(&key, Status::Running).await?;
            }
            Ok(())
        }
    })
    .await?;
    let mut cases = Vec::new();

    cases.push(case("get", job, &gets(contender, job, keys).await?));

    if contender.page(Status::Running, 1).await.is_ok() {
        let page = callers::run(job, |_, mut tally| {
            let contender = Arc::clone(contender);
            async move {
                while tally.goes_on() {
                    let read = tally.time(contender.page(Status::Running, PAGE)).await?;
                    ensure!(read == held.min(PAGE), "a page of {read}");
                    tally.count();
                    tokio::task::coop::consume_budget().await;
                }
                Ok(tally)
            }
        });
        cases.push(case("page of 100", job, &page.await?));
    }

    let counts = callers::run(job, |_, mut tally| {
        let contender = Arc::clone(contender);
        async move {
            while tally.goes_on() {
                let counts = tally.time(contender.counts()).await?;
                ensure!(counts.get(1) == Some(&(held as u64)), "counts {counts:?}");
                tally.count();
                tokio::task::coop::consume_budget().await;
            }
            Ok(tally)
        }
    });
    cases.push(case("counts", job, &counts.await?));
    Ok(Measurement { cases, ..Measurement::default() })
}

fn case(read: &str, job: &Job, measured: &Measurement) -> Case {
    super::case(&format!("{read} at {}", job.records), measured)
}

/// Gets random ones of these.
pub(super) async fn gets<C: Contender>(contender: &Arc<C>, job: &Job, keys: Vec<C::Key>) -> Result<Measurement> {
    let keys = Arc::new(keys);
    callers::run(job, |_, mut tally| {
        let (contender, keys) = (Arc::clone(contender), Arc::clone(&keys));
        async move {
            while tally.goes_on() {
                let Some(key) = fastrand::choice(keys.iter()) else { break };
                ensure!(tally.time(contender.get(key)).await?.is_some(), "an operation is missing");
                tally.count();
                tokio::task::coop::consume_budget().await;
            }
            Ok(tally)
        }
    })
    .await
}

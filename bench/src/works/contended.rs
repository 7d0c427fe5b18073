//! All callers start the same operation; the winner completes it and makes the next one. What is counted is decided
//! operations; that exactly one wins each is checked.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Result, ensure};
use tokio::sync::watch;

use crate::{
    callers,
    contender::Contender,
    job::{Job, Measurement},
};

pub(super) async fn run<C: Contender>(contender: &Arc<C>, job: &Job) -> Result<Measurement> {
    let (current, _) = watch::channel((0, contender.create().await?));
    let current = Arc::new(current);
    let decided = Arc::new(AtomicU64::new(0));
    callers::run(job, |_, mut tally| {
        let (contender, current, decided) = (Arc::clone(contender), Arc::clone(&current), Arc::clone(&decided));
        async move {
            let mut seen = current.subscribe();
            while tally.goes_on() {
                let (turn, key) = seen.borrow_and_update().clone();
                if let Some(claim) = tally.time(contender.start(&key)).await? {
                    let first = decided.compare_exchange(turn, turn + 1, Ordering::SeqCst, Ordering::SeqCst);
                    ensure!(first.is_ok(), "operation {turn} was won twice");
                    tally.time(contender.complete(&key, claim)).await?;
                    current.send_replace((turn + 1, tally.time(contender.create()).await?));
                    tally.count();
                } else {
                    // The winner makes the next one before it looks at the time, so nobody waits in vain.
                    seen.wait_for(|(now, _)| *now > turn).await?;
                }
            }
            Ok(tally)
        }
    })
    .await
}

//! The orderly end: wait for what runs, end what does not, give the folder back.

use std::time::Duration;

use super::future::{Boxed, all, first};
use super::held::{Claim, Closing};
use super::{STEP, Tracker};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Failure, Patch, Status};

impl Tracker {
    /// Closes the tracker, for all its clones.
    ///
    /// Refuses new claims; waits up to `bound` for what this process holds, whose ends are still accepted;
    /// tells the rest to stop and ends it as Failed/`interrupted`; settles what was dropped; closes the
    /// store. When it answers the folder can be opened again. A second close waits for the first; dropped
    /// half-way, another may finish it.
    ///
    /// ```
    /// # use longrun::{ErrorKind, Tracker};
    /// # use std::time::Duration;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// tracker.close(Duration::from_secs(5)).await?;
    /// assert_eq!(tracker.counts().await.unwrap_err().kind(), ErrorKind::Closed);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn close(&self, bound: Duration) -> Result<()> {
        let held = self.held();
        if *held.closing.borrow() < Closing::Stopping {
            held.advance(Closing::Draining);
            first(vec![
                Box::pin(held.none_alive()),
                self.clock().sleep(bound),
                // Another close has come further.
                Box::pin(held.closing_is(Closing::Stopping)),
            ])
            .await;
        }
        held.advance(Closing::Stopping);
        for step in held.all_alive().chunks(STEP) {
            let ends =
                step.iter().map(|(number, claim)| -> Boxed<'_, _> { Box::pin(self.interrupt(*number, claim)) });
            all(ends.collect()).await;
        }
        self.settle().await;
        self.store().close().await?;
        held.advance(Closing::Done);
        Ok(())
    }

    async fn interrupt(&self, number: u64, claim: &Claim) {
        let failure = Failure::new(Failure::INTERRUPTED, "the tracker was closed while it ran");
        let patch = Patch::fail(failure).held_by(claim.holder.clone());
        let mut ended = self.update(&claim.id, None, |_| Ok(&patch)).await;
        let waits = |error: &Error| error.current().is_some_and(|now| now.status() == Status::NotStarted);
        if ended.as_ref().is_err_and(waits) && self.held().is_sent(number) {
            // Its claim is on its way to the disk. Said again it is waited for, and made if it was not.
            let claiming = Patch::claim(claim.holder.clone());
            ended = match self.update(&claim.id, None, |_| Ok(&claiming)).await {
                Ok(_) => self.update(&claim.id, None, |_| Ok(&patch)).await,
                refused => refused,
            };
        }
        match ended {
            Ok(operation) => self.held().interrupted(number, operation),
            Err(error) => match error.kind() {
                ErrorKind::Terminal | ErrorKind::NotFound | ErrorKind::IllegalTransition | ErrorKind::Closed => {}
                // The next open ends it as orphaned.
                _ => tracing::warn!(operation.id = %claim.id, %error, "a run could not be ended at close"),
            },
        }
    }
}

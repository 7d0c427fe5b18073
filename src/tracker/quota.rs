//! How many operations may be kept: what the store counts, and what this process is creating meanwhile.

use tokio::sync::watch;

use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

/// The most operations that may be kept.
#[derive(Debug)]
pub(super) struct Quota {
    max: Option<u64>,
    creates: watch::Sender<Creates>,
}

/// Creates of this process.
#[derive(Clone, Copy, Debug, Default)]
struct Creates {
    under_way: u64,
    /// Those that have been answered.
    answered: u64,
}

/// Room for one operation, until its create is answered: from then on the store counts it.
#[derive(Debug)]
pub(super) struct Room<'a>(&'a watch::Sender<Creates>);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|creates| {
            creates.under_way = creates.under_way.saturating_sub(1);
            creates.answered = creates.answered.saturating_add(1);
        });
    }
}

impl Quota {
    pub(super) fn new(max: Option<u64>) -> Self {
        Self { max, creates: watch::Sender::default() }
    }

    /// Room for one more operation, or that there is none. Waits only for creates that are under way, which
    /// may take the last of it.
    pub(super) async fn room(&self, store: &dyn Store) -> Result<Option<Room<'_>>> {
        let Some(max) = self.max else { return Ok(None) };
        let mut creates = self.creates.subscribe();
        loop {
            let answered = creates.borrow_and_update().answered;
            let total = store.counts().await?.total();
            if total >= max {
                let message =
                    format!("at most {max} operations are kept, there are {total}: delete some that have ended");
                return Err(Error::new(ErrorKind::QuotaExceeded, "operationLimitReached", message));
            }
            let mut fits = false;
            // Nobody is told: only an answer makes a difference to those who wait.
            self.creates.send_if_modified(|now| {
                // What was answered since the store was asked need not be in what it said.
                let uncounted = now.under_way.saturating_add(now.answered.saturating_sub(answered));
                fits = total.saturating_add(uncounted) < max;
                now.under_way = now.under_way.saturating_add(u64::from(fits));
                false
            });
            if fits {
                return Ok(Some(Room(&self.creates)));
            }
            // The sender is here: it does not end.
            drop(creates.changed().await);
        }
    }
}

//! What this process holds: claims alive, claims dropped unfinished, and whether it is closing. In memory
//! alone; no I/O.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::model::{Operation, OperationId};

/// A claim of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) id: OperationId,
    pub(super) holder: Arc<str>,
}

/// A claim whose `Run` is alive.
#[derive(Debug)]
struct Alive {
    claim: Claim,
    /// Whether the claim was sent to the store.
    sent: bool,
    /// What `close` made of it.
    interrupted: Option<Operation>,
}

/// How far `close` has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closing {
    /// Open.
    No,
    /// No new claims.
    Draining,
    /// What still runs is told to stop.
    Stopping,
    /// Closed.
    Done,
}

#[derive(Debug)]
pub(super) struct Held {
    next: AtomicU64,
    alive: Mutex<HashMap<u64, Alive>>,
    /// The last claim alive was let go; waited for by `close`.
    emptied: Notify,
    /// Claims dropped and not settled yet.
    dropped: Mutex<BTreeMap<u64, Claim>>,
    /// Rises with every dropped claim; watched by maintain.
    pub(super) drops: watch::Sender<u64>,
    pub(super) closing: watch::Sender<Closing>,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            next: AtomicU64::new(1),
            alive: Mutex::default(),
            emptied: Notify::new(),
            dropped: Mutex::default(),
            drops: watch::Sender::new(0),
            closing: watch::Sender::new(Closing::No),
        }
    }
}

impl Held {
    fn alive(&self) -> MutexGuard<'_, HashMap<u64, Alive>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dropped(&self) -> MutexGuard<'_, BTreeMap<u64, Claim>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next claim.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn hold(&self, number: u64, claim: Claim) {
        self.alive().insert(number, Alive { claim, sent: false, interrupted: None });
    }

    /// The claim is ended, or was never made.
    pub(super) fn let_go(&self, number: u64) -> Option<Claim> {
        let mut alive = self.alive();
        let claim = alive.remove(&number);
        let emptied = alive.is_empty();
        drop(alive);
        if emptied {
            self.emptied.notify_waiters();
        }
        claim.map(|alive| alive.claim)
    }

    /// The claim's `Run` was dropped unfinished: somebody else must end it.
    pub(super) fn drop_claim(&self, number: u64) {
        let claim = self.let_go(number);
        if let Some(claim) = claim {
            self.dropped().insert(number, claim);
            self.drops.send_modify(|drops| *drops = drops.wrapping_add(1));
        }
    }

    /// What waits to be settled.
    pub(super) fn to_settle(&self) -> Vec<(u64, Claim)> {
        self.dropped().iter().map(|(number, claim)| (*number, claim.clone())).collect()
    }

    pub(super) fn settled(&self, number: u64) {
        self.dropped().remove(&number);
    }

    pub(super) fn all_alive(&self) -> Vec<(u64, Claim)> {
        self.alive().iter().map(|(number, alive)| (*number, alive.claim.clone())).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.alive().len()
    }

    /// The claim goes to the store.
    pub(super) fn sent(&self, number: u64) {
        if let Some(alive) = self.alive().get_mut(&number) {
            alive.sent = true;
        }
    }

    pub(super) fn is_sent(&self, number: u64) -> bool {
        self.alive().get(&number).is_some_and(|alive| alive.sent)
    }

    /// `close` has ended this claim's operation.
    pub(super) fn interrupted(&self, number: u64, operation: Operation) {
        if let Some(alive) = self.alive().get_mut(&number) {
            alive.interrupted = Some(operation);
        }
    }

    /// The operation as `close` ended it: the store may be closed when its run looks.
    pub(super) fn as_interrupted(&self, number: u64) -> Option<Operation> {
        self.alive().get(&number)?.interrupted.clone()
    }

    /// Ends when nothing is held.
    pub(super) async fn none_alive(&self) {
        loop {
            let mut emptied = pin!(self.emptied.notified());
            // Counted from here: what is let go after the look is not missed.
            emptied.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Ends when closing has come this far.
    pub(super) async fn closing_is(&self, stage: Closing) {
        let mut closing = self.closing.subscribe();
        drop(closing.wait_for(|now| *now >= stage).await);
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow() > Closing::No
    }

    pub(super) fn advance(&self, stage: Closing) {
        self.closing.send_if_modified(|now| {
            let later = *now < stage;
            *now = (*now).max(stage);
            later
        });
    }
}

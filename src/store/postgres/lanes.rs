//! Writes wait here for one of a few lanes. A lane that is free takes all that wait and sends them as one
//! statement: alone when few write, in groups when many do, and nobody waits for company.
//!
//! Lanes belong to the store, so that a caller's dropped future tears nothing.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use tokio::sync::{Notify, oneshot, watch};

use super::Shared;
use super::failure::Failed;
use super::flow::Flow;
use super::group;
use super::row::decode_live;
use super::sql::Patience;
use super::write::{Write, Written, alone};
use crate::model::OperationId;
use crate::store::{StoreError, Swap};

/// Writes in one statement at most.
const GROUP: usize = 256;
/// Times that a write is sent again after an answer was lost.
const RETRIES: u8 = 2;
/// How long an idle lane keeps its connection.
const HOLD: Duration = Duration::from_millis(100);

/// A write on its way.
struct Pending {
    write: Write,
    /// Its place among all, and when it set out.
    number: u64,
    since: Duration,
    /// An earlier attempt may have made it.
    unsure: bool,
    retries: u8,
    answer: oneshot::Sender<Result<Swap, StoreError>>,
}

#[derive(Default)]
struct Waiting {
    list: Mutex<VecDeque<Pending>>,
    more: Notify,
}

/// Writes without an answer, and whether more are let in: both under one lock, so that a write either is
/// waited for by a close or comes too late.
#[derive(Default)]
struct Open {
    writes: usize,
    over: bool,
    /// Nobody takes any more.
    abandoned: bool,
}

/// All writes on their way.
#[derive(Default)]
pub(super) struct Lanes {
    together: Waiting,
    /// Writes that a group left out, that failed one, or that may.
    alone: Waiting,
    open: watch::Sender<Open>,
    flow: Flow,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("open", &self.open.borrow().writes).finish_non_exhaustive()
    }
}

impl Waiting {
    fn push(&self, pending: Pending) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push_back(pending);
        self.more.notify_one();
    }

    /// Waits for writes of one kind on different ids, at most `limit`, and takes them, sorted by id.
    async fn take(&self, limit: usize) -> Vec<Pending> {
        loop {
            let (taken, rest) = {
                let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
                (take(&mut list, limit), !list.is_empty())
            };
            if rest {
                self.more.notify_one();
            }
            if !taken.is_empty() {
                return taken;
            }
            self.more.notified().await;
            // Who is about to write comes first, and along: the runtime runs a task that was woken before others
            // that are ready. Where nobody else is, this costs nothing.
            tokio::task::yield_now().await;
        }
    }
}

fn take(list: &mut VecDeque<Pending>, limit: usize) -> Vec<Pending> {
    let kind = |pending: &Pending| (pending.write.expected.is_none(), pending.write.row.is_tombstone());
    let Some(first) = list.front().map(kind) else { return Vec::new() };
    if list.len() == 1 {
        return list.drain(..).collect();
    }
    let mut ids: HashSet<OperationId> = HashSet::new();
    let (mut taken, mut left) = (Vec::new(), VecDeque::new());
    for pending in list.drain(..) {
        if taken.len() < limit && kind(&pending) == first && ids.insert(pending.write.row.id.clone()) {
            taken.push(pending);
        } else {
            left.push_back(pending);
        }
    }
    *list = left;
    taken.sort_unstable_by(|a, b| a.write.row.id.cmp(&b.write.row.id));
    taken
}

impl Lanes {
    /// Puts a write on its way; `None`: no more are let in.
    pub(super) fn submit(
        &self,
        write: Write,
        now: Duration,
    ) -> Option<oneshot::Receiver<Result<Swap, StoreError>>> {
        let is_let_in = self.open.send_if_modified(|open| {
            open.writes = open.writes.saturating_add(usize::from(!open.over));
            !open.over
        });
        if !is_let_in {
            return None;
        }
        let (answer, outcome) = oneshot::channel();
        let number = self.flow.begin(now);
        // One whose key is taken would fail its whole group.
        let waiting =
            if write.row.unique_key.is_some() && write.expected.is_none() { &self.alone } else { &self.together };
        waiting.push(Pending { write, number, since: now, unsure: false, retries: 0, answer });
        if self.open.borrow().abandoned {
            self.abandon();
        }
        Some(outcome)
    }

    /// Lets in no more writes, and waits until every one has its answer.
    pub(super) async fn drain(&self) {
        self.open.send_modify(|open| open.over = true);
        // The sender lives in `self`.
        drop(self.open.subscribe().wait_for(|open| open.writes == 0).await);
    }

    /// Nobody takes writes any more: what waits is dropped, and no more are let in.
    fn abandon(&self) {
        self.open.send_modify(|open| *open = Open { writes: 0, over: true, abandoned: true });
        for waiting in [&self.together, &self.alone] {
            waiting.list.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// How writes get on.
    pub(super) fn flow(&self) -> &Flow {
        &self.flow
    }

    fn answer(&self, pending: Pending, outcome: Result<Swap, StoreError>) {
        self.flow.end(pending.number);
        // Nobody waits any more: the caller's future was dropped. The write stands.
        drop(pending.answer.send(outcome));
        self.open.send_modify(|open| open.writes = open.writes.saturating_sub(1));
    }

    fn fail(&self, pending: Pending, failed: &Failed) {
        let failed = if pending.unsure { failed.clone().unsure() } else { failed.clone() };
        self.answer(pending, Err(failed.into()));
    }
}

/// Ends with what takes writes: by a close, after which there are none, or with its runtime.
struct Taker(Arc<Shared>);

impl Drop for Taker {
    fn drop(&mut self) {
        self.0.lanes.abandon();
    }
}

/// Takes groups for ever.
pub(super) async fn lane(shared: Arc<Shared>) {
    let taker = Taker(shared);
    let shared = &taker.0;
    let waiting = &shared.lanes.together;
    loop {
        let mut batch = waiting.take(GROUP).await;
        let mut connection = match shared.connection().await {
            Ok(connection) => connection,
            Err(failed) => {
                for pending in batch {
                    shared.lanes.fail(pending, &failed);
                }
                continue;
            }
        };
        while send(shared, &mut connection, batch).await {
            let more = tokio::time::timeout(shared.hold(HOLD), waiting.take(GROUP));
            match more.await {
                Ok(more) => batch = more,
                Err(_) => break,
            }
        }
    }
}

/// Takes single writes for ever, each waiting for its row as long as the options allow.
pub(super) async fn straggler(shared: Arc<Shared>) {
    let taker = Taker(shared);
    let shared = &taker.0;
    loop {
        for pending in shared.lanes.alone.take(1).await {
            match shared.connection().await {
                Ok(mut connection) => {
                    send_alone(shared, &mut connection, pending, Patience::Long).await;
                }
                Err(failed) => shared.lanes.fail(pending, &failed),
            }
        }
    }
}

/// Sends a group and answers. Whether the connection is still good.
async fn send(shared: &Shared, connection: &mut PoolConnection<Postgres>, mut batch: Vec<Pending>) -> bool {
    if batch.len() == 1 {
        return match batch.pop() {
            Some(pending) => send_alone(shared, connection, pending, Patience::Short).await,
            None => true,
        };
    }
    let writes: Vec<&Write> = batch.iter().map(|pending| &pending.write).collect();
    match group::together(connection, &shared.statements, &writes, shared.options.pooler).await {
        Ok(outcomes) => {
            let stored = outcomes.iter().zip(&batch);
            let stored = stored.filter_map(|(outcome, pending)| {
                matches!(outcome, Some(Written::Stored)).then_some((&pending.write, pending.since))
            });
            shared.wrote(stored);
            for (outcome, pending) in outcomes.into_iter().zip(batch) {
                match outcome {
                    Some(written) => settle(shared, pending, written),
                    None => shared.lanes.alone.push(pending),
                }
            }
            true
        }
        Err(failed) if failed.row => {
            for pending in batch {
                shared.lanes.alone.push(pending);
            }
            true
        }
        Err(failed) => {
            let definite = failed.definite;
            for pending in batch {
                give_back(shared, &shared.lanes.together, pending, &failed);
            }
            definite
        }
    }
}

/// Sends one write and answers. Whether the connection is still good.
async fn send_alone(shared: &Shared, connection: &mut PgConnection, pending: Pending, patience: Patience) -> bool {
    match alone(connection, &shared.statements, &pending.write, patience, shared.options.pooler).await {
        Ok(written) => {
            if matches!(written, Written::Stored) {
                shared.wrote(std::iter::once((&pending.write, pending.since)));
            }
            settle(shared, pending, written);
            true
        }
        Err(failed) if failed.row && patience == Patience::Short => {
            shared.lanes.alone.push(pending);
            true
        }
        Err(failed) => {
            let definite = failed.definite;
            give_back(shared, &shared.lanes.alone, pending, &failed);
            definite
        }
    }
}

/// After a lost answer a write is sent again: it cannot happen twice, for it names the version it replaces.
fn give_back(shared: &Shared, waiting: &Waiting, mut pending: Pending, failed: &Failed) {
    if failed.definite || pending.retries >= RETRIES {
        pending.unsure |= !failed.definite;
        return shared.lanes.fail(pending, failed);
    }
    pending.unsure = true;
    pending.retries = pending.retries.saturating_add(1);
    waiting.push(pending);
}

fn settle(shared: &Shared, pending: Pending, written: Written) {
    let outcome = match written {
        Written::Stored => Ok(Swap::Stored),
        // The attempt whose answer was lost had been made after all.
        Written::Lost(Some(bytes)) if pending.unsure && bytes == pending.write.row.record => Ok(Swap::Stored),
        Written::Lost(_) | Written::Taken(..) if pending.unsure => {
            let what = "the answer to a write was lost, and the record has moved on since";
            Err(Failed::refused(what).unsure().into())
        }
        Written::Lost(None) => Ok(Swap::Lost(None)),
        Written::Lost(Some(bytes)) => {
            decode_live(&pending.write.row.id, &bytes).map(|operation| Swap::Lost(Some(operation)))
        }
        Written::Taken(id, bytes) => decode_live(&id, &bytes).map(Swap::Taken),
    };
    shared.lanes.answer(pending, outcome);
}

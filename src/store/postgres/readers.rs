//! Loads wait here for one of a few readers. A reader that is free takes all that wait and asks for them
//! by one statement, as the [lanes](super::lanes) do with writes: many callers cost the server one question,
//! a single one waits for nobody.
//!
//! A load is in the list before the statement that answers it is sent, so it sees all that was committed
//! before it was called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::Shared;
use super::failure::Failed;
use super::row::{decode_live, written};
use crate::model::{Operation, OperationId};
use crate::store::StoreError;

/// Loads in one statement at most: a record may be large, and an answer is in memory at once.
const GROUP: usize = 64;

type Loaded = Result<Option<Operation>, StoreError>;

/// A load on its way.
struct Pending {
    id: OperationId,
    answer: oneshot::Sender<Loaded>,
}

/// All loads that no reader has taken yet.
#[derive(Default)]
pub(super) struct Loads {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    list: Vec<Pending>,
    /// Nobody takes any more.
    over: bool,
}

impl std::fmt::Debug for Loads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loads").finish_non_exhaustive()
    }
}

impl Loads {
    /// Puts a load on its way; its answer is dropped where nobody reads any more.
    pub(super) fn submit(&self, id: OperationId) -> oneshot::Receiver<Loaded> {
        let (answer, loaded) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.over {
            waiting.list.push(Pending { id, answer });
            drop(waiting);
            self.more.notify_one();
        }
        loaded
    }

    /// Drops what waits and what comes: nobody will read it any more.
    fn abandon(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.over = true;
        waiting.list.clear();
    }

    /// Waits for loads and takes them, at most [`GROUP`].
    async fn take(&self) -> Vec<Pending> {
        loop {
            let (taken, rest) = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let most = waiting.list.len().min(GROUP);
                let rest = waiting.list.split_off(most);
                let more = !rest.is_empty();
                (std::mem::replace(&mut waiting.list, rest), more)
            };
            if rest {
                self.more.notify_one();
            }
            if !taken.is_empty() {
                return taken;
            }
            self.more.notified().await;
            // As in the lanes: who is about to load comes along.
            tokio::task::yield_now().await;
        }
    }
}

/// Ends with a reader: by a close, or with its runtime.
struct Taker(Arc<Shared>);

impl Drop for Taker {
    fn drop(&mut self) {
        self.0.loads.abandon();
    }
}

/// Takes loads for ever.
pub(super) async fn reader(shared: Arc<Shared>) {
    let taker = Taker(shared);
    let shared = &taker.0;
    loop {
        let mut group = shared.loads.take().await;
        // Callers may have gone.
        group.retain(|pending| !pending.answer.is_closed());
        if !group.is_empty() {
            read(shared, group).await;
        }
    }
}

/// Asks for a group, once more if the connection broke, and answers.
async fn read(shared: &Shared, group: Vec<Pending>) {
    let ids: Vec<String> = group.iter().map(|pending| pending.id.to_string()).collect();
    let query = || shared.statements.load_group.query().bind(ids.clone());
    let rows = match shared.rows(query).await {
        Ok(rows) => rows,
        Err(failed) => return fail(group, &failed),
    };
    let mut found: HashMap<&str, &[u8]> = HashMap::with_capacity(rows.len());
    for row in &rows {
        match written(row, 0).and_then(|id| Ok((id, written(row, 1)?))) {
            Ok((id, record)) => drop(found.insert(id, record)),
            Err(failed) => return fail(group, &failed),
        }
    }
    for (pending, id) in group.into_iter().zip(&ids) {
        let loaded = found.get(&**id).map(|record| decode_live(&pending.id, record)).transpose();
        // Nobody waits any more.
        drop(pending.answer.send(loaded));
    }
}

fn fail(group: Vec<Pending>, failed: &Failed) {
    for pending in group {
        drop(pending.answer.send(Err(failed.clone().of_read().into())));
    }
}

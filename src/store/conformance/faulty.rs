//! A store whose calls fail, wait and answer late as they are told to: to test what is built on stores.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_core::Stream;

use crate::model::{Operation, OperationId, Page, Query, Version};
use crate::store::{
    Changes, Counts, Durability, Hint, HintStream, Idle, Opened, Position, Report, Store, StoreError, Swap,
};

/// A call of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// [`Store::load`].
    Load,
    /// [`Store::swap`].
    Swap,
    /// [`Store::remove`].
    Remove,
    /// [`Store::page`].
    Page,
    /// [`Store::counts`].
    Counts,
    /// [`Store::idle`].
    Idle,
    /// [`Store::changes`].
    Changes,
    /// [`Store::verify`].
    Verify,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It fails, and says that nothing was written.
    Refused,
    /// It fails before anything was written, and does not know that.
    RequestLost,
    /// It is done and fails: a write has happened, and the caller does not know that.
    AnswerLost,
    /// It waits for so many turns of the scheduler before it is done.
    Before(u32),
    /// It waits for so many turns of the scheduler after it is done.
    After(u32),
    /// A load answers what was loaded last, as a replica that lags would. Other calls are not touched.
    Stale,
}

/// What happens to hints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HintFault {
    /// Nothing.
    #[default]
    None,
    /// All are lost.
    Lost,
    /// Each comes twice.
    Doubled,
    /// Each comes with the next one.
    Late,
    /// Each only says that something changed.
    Vague,
}

#[derive(Debug, Default)]
struct Plan {
    /// For the next calls of a kind, in order.
    next: HashMap<Call, VecDeque<Fault>>,
    /// The state of the generator, and how many of 1,000 calls it hits.
    random: Option<(u64, u32)>,
    /// Turns of the scheduler before and after every call without a fault.
    pace: (u32, u32),
    loaded: HashMap<OperationId, Operation>,
    hits: u64,
}

/// A store that does what another one does, with faults. Without any it keeps all promises.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Mutex<Plan>,
    hints: HintFault,
}

impl FaultyStore {
    /// Around another store; no faults yet.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, plan: Mutex::default(), hints: HintFault::None }
    }

    /// Faults of any kind but stale loads, in so many of 1,000 calls, the same for the same seed and order of calls.
    pub fn random(self, seed: u64, per_mille: u32) -> Self {
        self.plan().random = Some((seed, per_mille));
        self
    }

    /// Every call waits for so many turns of the scheduler before and after it is done: others come between
    /// a read and the write that follows it.
    pub fn paced(self, before: u32, after: u32) -> Self {
        self.plan().pace = (before, after);
        self
    }

    /// What happens to hints.
    pub fn hint_fault(mut self, fault: HintFault) -> Self {
        self.hints = fault;
        self
    }

    /// The next call of this kind that has no fault yet gets this one.
    pub fn inject(&self, call: Call, fault: Fault) {
        self.plan().next.entry(call).or_default().push_back(fault);
    }

    /// No more faults, and no pace.
    pub fn heal(&self) {
        let mut plan = self.plan();
        plan.next.clear();
        (plan.random, plan.pace) = (None, (0, 0));
    }

    /// Calls that a fault hit so far.
    pub fn hits(&self) -> u64 {
        self.plan().hits
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn faulty<T>(
        &self,
        call: Call,
        answer: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let (fault, (before, after)) = {
            let mut plan = self.plan();
            (plan.draw(call), plan.pace)
        };
        wait(before).await;
        match fault {
            Some(Fault::Refused) => return Err(StoreError::definite("refused by a fault")),
            Some(Fault::RequestLost) => return Err(StoreError::indefinite("the request was lost by a fault")),
            Some(Fault::Before(turns)) => wait(turns).await,
            _ => {}
        }
        let answer = answer.await;
        wait(after).await;
        match fault {
            Some(Fault::AnswerLost) => Err(StoreError::indefinite("the answer was lost by a fault")),
            Some(Fault::After(turns)) => {
                wait(turns).await;
                answer
            }
            _ => answer,
        }
    }
}

async fn wait(turns: u32) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

impl Plan {
    fn draw(&mut self, call: Call) -> Option<Fault> {
        let next = self.next.get_mut(&call).and_then(VecDeque::pop_front);
        let fault = next.or_else(|| {
            let (state, per_mille) = self.random.as_mut()?;
            if u64::from(*per_mille) <= draw(state) % 1_000 {
                return None;
            }
            let turns = u32::try_from(draw(state) % 4).unwrap_or_default().saturating_add(1);
            Some(match draw(state) % 5 {
                0 => Fault::Refused,
                1 => Fault::RequestLost,
                2 => Fault::AnswerLost,
                3 => Fault::Before(turns),
                _ => Fault::After(turns),
            })
        });
        self.hits = self.hits.saturating_add(u64::from(fault.is_some()));
        fault
    }
}

/// splitmix64.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[async_trait]
impl Store for FaultyStore {
    fn opened(&self) -> Opened {
        self.inner.opened()
    }

    async fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        let stale = {
            let mut plan = self.plan();
            let next = plan.next.get_mut(&Call::Load);
            let stale = next.filter(|next| next.front() == Some(&Fault::Stale)).and_then(VecDeque::pop_front);
            stale.and_then(|_| {
                plan.hits = plan.hits.saturating_add(1);
                plan.loaded.get(id).cloned()
            })
        };
        if stale.is_some() {
            return Ok(stale);
        }
        let found = self.faulty(Call::Load, self.inner.load(id)).await?;
        if let Some(operation) = &found {
            self.plan().loaded.insert(id.clone(), operation.clone());
        }
        Ok(found)
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        next: &Operation,
        durability: Durability,
    ) -> Result<Swap, StoreError> {
        self.faulty(Call::Swap, self.inner.swap(expected, next, durability)).await
    }

    async fn remove(&self, id: &OperationId, expected: Version) -> Result<Swap, StoreError> {
        self.faulty(Call::Remove, self.inner.remove(id, expected)).await
    }

    async fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.faulty(Call::Page, self.inner.page(query)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.faulty(Call::Counts, self.inner.counts()).await
    }

    async fn group_counts(&self, group: &str) -> Result<Counts, StoreError> {
        self.faulty(Call::Counts, self.inner.group_counts(group)).await
    }

    async fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: NonZeroU32,
    ) -> Result<Vec<OperationId>, StoreError> {
        self.faulty(Call::Idle, self.inner.idle(which, after, limit)).await
    }

    async fn changes(&self, after: &Position, limit: NonZeroU32) -> Result<Changes, StoreError> {
        self.faulty(Call::Changes, self.inner.changes(after, limit)).await
    }

    fn hints(&self) -> HintStream {
        Box::pin(Bent { inner: self.inner.hints(), fault: self.hints, kept: None })
    }

    fn health(&self) -> crate::store::StoreHealth {
        self.inner.health()
    }

    async fn verify(&self) -> Result<Report, StoreError> {
        self.faulty(Call::Verify, self.inner.verify()).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let (before, after) = self.plan().pace;
        wait(before).await;
        let closed = self.inner.close().await;
        wait(after).await;
        closed
    }
}

struct Bent {
    inner: HintStream,
    fault: HintFault,
    kept: Option<Hint>,
}

impl Stream for Bent {
    type Item = Hint;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Hint>> {
        if self.fault == HintFault::Doubled
            && let Some(kept) = self.kept.take()
        {
            return Poll::Ready(Some(kept));
        }
        loop {
            let Poll::Ready(hint) = self.inner.as_mut().poll_next(context) else { return Poll::Pending };
            let Some(hint) = hint else { return Poll::Ready(self.kept.take()) };
            match self.fault {
                HintFault::None => return Poll::Ready(Some(hint)),
                HintFault::Vague => return Poll::Ready(Some(None)),
                HintFault::Lost => {}
                HintFault::Doubled => {
                    self.kept = Some(hint.clone());
                    return Poll::Ready(Some(hint));
                }
                HintFault::Late => {
                    if let Some(late) = self.kept.replace(hint) {
                        return Poll::Ready(Some(late));
                    }
                }
            }
        }
    }
}

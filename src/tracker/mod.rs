//! What users hold: load → apply → swap → retry, and what grows from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, FixedOffset};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Applied, Failure, Json, Operation, OperationId, Patch, Precondition, Rejection, Rules, Timestamp, Told, holder,
};
#[cfg(feature = "http")]
pub(crate) use crate::store::Change;
#[cfg(feature = "http")]
pub(crate) use crate::store::{Changes, Counts, Position};
use crate::store::{Durability, Store, Swap};
use crate::wire;

mod ages;
mod builder;
mod close;
mod create;
mod delete;
mod events;
#[cfg(feature = "http")]
mod follow;
pub(crate) mod future;
mod group;
mod health;
mod held;
mod hub;
mod ids;
mod list;
mod maintain;
mod many;
#[cfg(feature = "metrics")]
mod meters;
mod quota;
mod read;
mod recovery;
mod run;
mod start;
mod watch;

pub use self::builder::Builder;
#[cfg(feature = "http")]
pub(crate) use self::follow::Follow;
pub use self::health::Health;
pub use self::ids::{IdSource, SystemIds};
pub use self::list::List;
pub use self::maintain::Swept;
pub use self::run::{Reporter, RunError};
pub use self::start::{EndError, Run};
pub use self::watch::{Watch, Watched};

use self::ages::Ages;
use self::held::{Closing, Held};
use self::hub::Hub;
use self::maintain::Policy;
use self::quota::Quota;

/// Lost races in a row after which a caller is told so.
const ROUNDS: u32 = 1_000;
/// Operations changed side by side, to share a sync.
const STEP: usize = 512;

/// Tracks operations: creates, changes, lists, watches and ends them.
///
/// A handle: clones share everything. Every method is one compare-and-swap or one read; a dropped future
/// has made its change or not, never half of it.
#[derive(Clone, Debug)]
pub struct Tracker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    rules: Rules,
    policy: Policy,
    quota: Quota,
    #[cfg(feature = "metrics")]
    meters: meters::Meters,
    ages: Ages,
    /// Opened to look: nothing is ended.
    inspects: bool,
    /// The date at the open, and the monotonic time then.
    opened_at: (DateTime<FixedOffset>, Duration),
    held: Held,
    hub: Arc<Hub>,
    /// Set once, before anybody else has the tracker.
    recovery: std::sync::OnceLock<Vec<OperationId>>,
    /// When maintain last ran, in milliseconds of the clock; for the one warning.
    maintained: AtomicU64,
    warned: AtomicBool,
}

/// An operation, and whether this call made it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Created {
    /// The operation.
    pub operation: Operation,
    /// `false`: it existed, as the same call had made it before.
    pub is_new: bool,
}

/// What a patch made.
#[derive(Debug)]
pub(crate) struct Patched {
    /// The operation after it.
    pub(crate) operation: Operation,
    /// The operation before it, if it changed.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only a face tells unchanged from changed"))]
    pub(crate) before: Option<Operation>,
}

impl Tracker {
    /// A tracker over a sled store in this folder, made if it is missing. What an earlier process was
    /// running when it died is ended as Failed/`orphaned`; [`recovery`](Self::recovery) lists it.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("jobs");
    /// let tracker = longrun::Tracker::open(path).await?;
    /// assert!(tracker.recovery().is_empty());
    /// # tracker.close(std::time::Duration::ZERO).await?;
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    #[cfg(feature = "sled")]
    pub async fn open(path: impl Into<std::path::PathBuf>) -> Result<Self> {
        Builder::default().open(path).await
    }

    /// What can be chosen before a tracker is opened.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(builder: Builder, store: Arc<dyn Store>) -> Self {
        let skew = i64::try_from(builder.clock_skew.as_nanos() / 100).unwrap_or(i64::MAX);
        let rules = Rules { clock_skew: skew, max_result: builder.max_result, ..Rules::new(0) };
        let opened_at = (builder.clock.now(), builder.clock.monotonic());
        let maintained = AtomicU64::new(millis(opened_at.1));
        let inner = Inner {
            store,
            clock: builder.clock,
            ids: builder.ids,
            rules,
            policy: builder.policy,
            quota: Quota::new(builder.max_operations),
            #[cfg(feature = "metrics")]
            meters: builder.meters,
            ages: Ages::default(),
            inspects: builder.inspect,
            opened_at,
            held: Held::default(),
            hub: Arc::default(),
            recovery: std::sync::OnceLock::new(),
            maintained,
            warned: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// Which open of which store this tracker writes as.
    #[cfg(feature = "postgres")]
    pub(crate) fn opened(&self) -> crate::store::Opened {
        self.store().opened()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    fn held(&self) -> &Held {
        &self.inner.held
    }

    fn set_recovery(&self, orphaned: Vec<OperationId>) {
        drop(self.inner.recovery.set(orphaned));
    }

    /// What this open found still Running of a dead process, and ended as Failed/`orphaned`.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = longrun::Tracker::builder().in_memory().await?;
    /// assert_eq!(tracker.recovery(), []);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub fn recovery(&self) -> &[OperationId] {
        self.inner.recovery.get().map_or(&[], Vec::as_slice)
    }

    fn rules(&self) -> Rules {
        Rules { instance: self.store().opened().instance, ..self.inner.rules }
    }

    fn now(&self) -> Result<Timestamp> {
        Timestamp::try_from(self.clock().now()).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "clockUnavailable", format!("the clock's date {error}"))
        })
    }

    /// Settles what was dropped, before any other call of its holder's process. Fails only when closed.
    async fn enter(&self) -> Result<()> {
        self.settle().await;
        self.inner.warn_if_forgotten();
        if *self.held().closing.borrow() == Closing::Done {
            return Err(crate::store::StoreError::Closed.into());
        }
        Ok(())
    }

    /// What a patch makes of an operation as it was read: the next record, or `None` where nothing changes.
    ///
    /// ```
    /// # use longrun::{NewOperation, Patch, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let operation = tracker.draft(&NewOperation::new("export"))?;
    /// let next = tracker.decide(&operation, &Patch::new().status(Status::Running))?;
    /// assert!(next.is_some_and(|next| next.status() == Status::Running));
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub fn decide(&self, operation: &Operation, patch: &Patch) -> Result<Option<Operation>> {
        match operation.apply(patch, &self.rules(), self.now()?) {
            Ok(Applied::Unchanged) => Ok(None),
            Ok(Applied::Changed { next, .. }) => Ok(Some(next)),
            Err(rejection) => Err(Error::rejected(&rejection, Some(operation.clone()))),
        }
    }

    /// Applies a patch: the operation as it is then. Nothing changes where it is so already.
    ///
    /// Refused as a whole, with the record that refused it in [`Error::current`].
    ///
    /// ```
    /// # use longrun::{ErrorKind, NewOperation, Patch, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let created = tracker.create(NewOperation::new("export")).await?;
    /// let start = Patch::new().status(Status::Running).if_match(&created);
    /// tracker.patch(created.id(), start.clone()).await?;
    /// let error = tracker.patch(created.id(), start).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn patch(&self, id: &OperationId, patch: Patch) -> Result<Operation> {
        self.enter().await?;
        self.update(id, Some(ROUNDS), |_| Ok(&patch)).await
    }

    /// The page's PATCH, raw: `if_match` as the header's text, `body` as the request's bytes.
    ///
    /// A stale tag wins over a body that cannot be read (RFC 9110 13.2.1).
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let created = tracker.create(NewOperation::new("export")).await?;
    /// let body = br##"{"@odata.type": "#microsoft.graph.operation", "status": "Running"}"##;
    /// let running = tracker.patch_json(created.id(), Some(&created.etag().to_string()), body).await?;
    /// assert_eq!(running.status(), Status::Running);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn patch_json(&self, id: &OperationId, if_match: Option<&str>, body: &[u8]) -> Result<Operation> {
        let if_match = if_match.map(str::parse).transpose().map_err(|error: crate::model::MalformedETag| {
            Error::new(ErrorKind::Invalid, "malformedEntityTag", format!("`If-Match` {error}")).about("If-Match")
        })?;
        let precondition = Precondition { if_match, ..Precondition::none() };
        let parsed = wire::patch(body, wire::OPERATION).map(|body| body.patch);
        Ok(self.patch_parsed(id, None, &precondition, parsed).await?.operation)
    }

    /// A patch whose body may not have been readable: its precondition is checked first, on the same record.
    /// `seen` is the record as it was a moment ago: nothing but a change of it is decided by it.
    pub(crate) async fn patch_parsed(
        &self,
        id: &OperationId,
        seen: Option<&Operation>,
        precondition: &Precondition,
        parsed: Result<Patch>,
    ) -> Result<Patched> {
        self.enter().await?;
        match parsed {
            Ok(patch) => {
                let patch = patch.precondition(precondition.clone());
                self.swap_until(id, seen, Some(ROUNDS), |_| Ok(&patch)).await
            }
            Err(error) => {
                let current = self.store().load(id).await?.ok_or_else(|| Error::not_found(id))?;
                Err(match precondition.check(Some(current.version())) {
                    Ok(()) => error,
                    Err(unmet) => Error::rejected(&Rejection::Precondition(unmet), Some(current)),
                })
            }
        }
    }

    async fn update<'p>(
        &self,
        id: &OperationId,
        rounds: Option<u32>,
        patch: impl Fn(&Operation) -> Result<&'p Patch>,
    ) -> Result<Operation> {
        Ok(self.swap_until(id, None, rounds, patch).await?.operation)
    }

    /// Load → apply → swap → retry. `patch` may look at each record before it is patched.
    async fn swap_until<'p>(
        &self,
        id: &OperationId,
        seen: Option<&Operation>,
        rounds: Option<u32>,
        patch: impl Fn(&Operation) -> Result<&'p Patch>,
    ) -> Result<Patched> {
        let load = || async { self.store().load(id).await?.ok_or_else(|| Error::not_found(id)) };
        let mut is_seen = seen.is_some();
        let mut current = match seen {
            Some(seen) => seen.clone(),
            None => load().await?,
        };
        let mut round = 0_u32;
        loop {
            let applied = current.apply(patch(&current)?, &self.rules(), self.now()?);
            let (next, durability) = match applied {
                Ok(Applied::Unchanged) | Err(_) if is_seen => {
                    (is_seen, current) = (false, load().await?);
                    continue;
                }
                Ok(Applied::Unchanged) => return Ok(Patched { operation: current, before: None }),
                Ok(Applied::Changed { next, notable: true }) => (next, Durability::Immediate),
                Ok(Applied::Changed { next, notable: false }) => (next, Durability::Eventual),
                Err(rejection) => {
                    Self::tell_refused(id, rejection.code());
                    return Err(Error::rejected(&rejection, Some(current)));
                }
            };
            match self.store().swap(Some(current.version()), &next, durability).await? {
                Swap::Stored => {
                    if next.status() != current.status() {
                        self.tell_moved(&next);
                    }
                    return Ok(Patched { operation: next, before: Some(current) });
                }
                Swap::Lost(Some(winner)) => (is_seen, current) = (false, winner),
                // Only a create is answered Taken.
                Swap::Lost(None) | Swap::Taken(_) => return Err(Error::not_found(id)),
            }
            round = round.saturating_add(1);
            if rounds.is_some_and(|rounds| round >= rounds) {
                return Err(contended(Some(current)));
            }
        }
    }

    /// Progress of a Running operation, 0 to 100 or `(done, total, unit)`; never back. Readable at once, on disk within half a second.
    ///
    /// ```
    /// # use longrun::{NewOperation, Patch, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let new = NewOperation::new("export").patch(Patch::new().status(Status::Running));
    /// let id = tracker.create(new).await?.id().clone();
    /// assert_eq!(tracker.progress(&id, 40).await?.progress().map(|done| done.percent()), Some(40));
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn progress(&self, id: &OperationId, told: impl Into<Told> + Send) -> Result<Operation> {
        self.patch(id, Patch::new().progress(told)).await
    }

    /// A sign of life: `lastActionDateTime` moves on.
    ///
    /// ```
    /// # use longrun::{NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let created = tracker.create(NewOperation::new("export")).await?;
    /// assert!(tracker.heartbeat(created.id()).await?.last_action() > created.last_action());
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn heartbeat(&self, id: &OperationId) -> Result<Operation> {
        self.patch(id, Patch::heartbeat()).await
    }

    /// Ends a Running operation well, with what came out.
    ///
    /// ```
    /// # use longrun::{NewOperation, Patch, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let new = NewOperation::new("export").patch(Patch::new().status(Status::Running));
    /// let id = tracker.create(new).await?.id().clone();
    /// assert_eq!(tracker.complete(&id, "42 rows").await?.result::<String>().unwrap(), "42 rows");
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn complete(&self, id: &OperationId, result: impl serde::Serialize + Send) -> Result<Operation> {
        let json = Json::new(&result)
            .map_err(|error| Error::from(crate::model::Unfit::new("result", error.to_string())))?;
        // `()` writes null, and no operation has a null result.
        self.patch(id, Patch::complete(Some(json).filter(|json| !json.is_null()))).await
    }

    /// Ends a Running operation badly, with the reason.
    ///
    /// ```
    /// # use longrun::{Failure, NewOperation, Patch, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let new = NewOperation::new("export").patch(Patch::new().status(Status::Running));
    /// let id = tracker.create(new).await?.id().clone();
    /// let failed = tracker.fail(&id, Failure::new("noRows", "nothing to export")).await?;
    /// assert_eq!(failed.failure().map(|failure| failure.code()), Some("noRows"));
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn fail(&self, id: &OperationId, failure: impl Into<Failure> + Send) -> Result<Operation> {
        self.patch(id, Patch::fail(failure)).await
    }

    /// Asks for the end: what is not started ends at once as Failed/`cancelled`, what runs is asked to.
    ///
    /// ```
    /// # use longrun::{NewOperation, Status, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let id = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// assert_eq!(tracker.cancel(&id).await?.status(), Status::Failed);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn cancel(&self, id: &OperationId) -> Result<Operation> {
        self.patch(id, Patch::cancel()).await
    }

    /// Claims an operation for a holder that names itself, such as a worker in another process: the first
    /// wins, the same holder again finds it unchanged.
    ///
    /// `Invalid` for a name that begins with `open:`, which is how processes name their own claims.
    ///
    /// ```
    /// # use longrun::{ErrorKind, NewOperation, Tracker};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = Tracker::builder().in_memory().await?;
    /// let id = tracker.create(NewOperation::new("export")).await?.id().clone();
    /// tracker.claim(&id, "worker-7").await?;
    /// tracker.claim(&id, "worker-7").await?;
    /// let error = tracker.claim(&id, "worker-8").await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::IllegalTransition);
    /// # longrun::Result::<()>::Ok(()) }).unwrap();
    /// ```
    pub async fn claim(&self, id: &OperationId, holder: impl Into<Arc<str>>) -> Result<Operation> {
        self.claim_parsed(id, None, &Precondition::none(), Ok(holder.into())).await
    }

    /// A claim whose body may not have been readable: its precondition is checked first.
    pub(crate) async fn claim_parsed(
        &self,
        id: &OperationId,
        seen: Option<&Operation>,
        precondition: &Precondition,
        parsed: Result<Arc<str>>,
    ) -> Result<Operation> {
        if self.held().is_closing() {
            return Err(crate::store::StoreError::Closed.into());
        }
        let patch = parsed.and_then(|holder| {
            if holder.starts_with(holder::RESERVED) {
                return Err(crate::model::Unfit::new("holder", "must not begin with `open:`").into());
            }
            Ok(Patch::claim(holder))
        });
        Ok(self.patch_parsed(id, seen, precondition, patch).await?.operation)
    }
}

fn contended(current: Option<Operation>) -> Error {
    let message = format!("lost {ROUNDS} races in a row");
    let error = Error::new(ErrorKind::Contended, "contended", message);
    match current {
        Some(current) => error.with_current(current),
        None => error,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long it is from one date to a later one; nothing, if it is an earlier one.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    let ticks = u64::try_from(to.ticks().saturating_sub(from.ticks())).unwrap_or(0);
    Duration::from_nanos(ticks.saturating_mul(100))
}

impl Inner {
    /// Maintain runs now.
    fn note_maintained(&self) {
        self.maintained.store(millis(self.clock.monotonic()), Ordering::Relaxed);
    }

    /// Warns once where this process runs operations and nobody has driven maintain for two minutes.
    fn warn_if_forgotten(&self) {
        let since = millis(self.clock.monotonic()).saturating_sub(self.maintained.load(Ordering::Relaxed));
        if since > 120_000 && self.held.len() > 0 && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("operations run and nobody drives Tracker::maintain: what stalls will not be noticed");
        }
    }
}

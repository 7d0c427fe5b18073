//! What a promise is given to try a store with: a place, records to write, words for what went wrong.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Hold, Place, Verdict};
use crate::model::{Applied, NewOperation, Operation, OperationId, Patch, Query, Rules, Status, Timestamp};
use crate::store::{Change, Durability, Position, Store, Swap};

/// Whether a promise is kept so far.
pub(super) type Outcome<T = ()> = Result<T, Stop>;

/// Why a promise is not pursued any further.
#[derive(Debug)]
pub(super) enum Stop {
    Skipped(&'static str),
    Broken(String),
}

impl From<Stop> for Verdict {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Skipped(what) => Self::Skipped(what.into()),
            Stop::Broken(how) => Self::Broken(how),
        }
    }
}

impl<E: std::error::Error + 'static> From<E> for Stop {
    fn from(error: E) -> Self {
        let mut text = format!("unexpected error: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self::Broken(text)
    }
}

/// A promise is broken unless this holds.
pub(super) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Stop::Broken(what())) }
}

/// A promise is broken unless both are the same.
pub(super) fn same<T: PartialEq + Debug>(found: &T, wanted: &T, what: &str) -> Outcome {
    ensure(found == wanted, || format!("{what}: found {found:?}, wanted {wanted:?}"))
}

/// The place of one promise.
#[derive(Debug)]
pub(super) struct Trial {
    place: Box<dyn Place>,
    births: AtomicU64,
}

impl Trial {
    pub(super) fn new(place: Box<dyn Place>) -> Self {
        Self { place, births: AtomicU64::new(1) }
    }

    pub(super) async fn open(&self) -> Outcome<Arc<dyn Store>> {
        Ok(self.place.open().await?)
    }

    /// Opens beside a store that is open.
    pub(super) fn place(&self) -> &dyn Place {
        &*self.place
    }

    /// Closes a store and opens it again.
    pub(super) async fn reopen(&self, store: Arc<dyn Store>) -> Outcome<Arc<dyn Store>> {
        store.close().await?;
        drop(store);
        self.open().await
    }

    /// Crashes and opens again.
    pub(super) async fn crash(&self, store: Arc<dyn Store>) -> Outcome<Arc<dyn Store>> {
        if !self.place.crash().await {
            return Err(Stop::Skipped("this opener cannot crash"));
        }
        drop(store);
        self.open().await
    }

    pub(super) async fn pass(&self, time: Duration) -> Outcome {
        if self.place.pass(time).await {
            Ok(())
        } else {
            Err(Stop::Skipped("this opener cannot let the store's time pass"))
        }
    }

    pub(super) fn hold(&self) -> Outcome<Box<dyn Hold>> {
        self.place.hold().ok_or(Stop::Skipped("this opener cannot hold back durability"))
    }

    pub(super) async fn spoil(&self, id: &OperationId) -> Outcome {
        if self.place.spoil(id).await { Ok(()) } else { Err(Stop::Skipped("this opener cannot spoil a record")) }
    }

    /// The first record of an operation, not written yet. `tick` orders it among those of this trial.
    pub(super) fn draft(&self, store: &dyn Store, new: &NewOperation, tick: i64) -> Outcome<Operation> {
        let birth = self.births.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = OperationId::derive("conformance", birth.to_be_bytes());
        Ok(Operation::new(new, id, birth, &rules(store), at(tick)?)?)
    }

    /// An operation that is there now.
    pub(super) async fn create(&self, store: &dyn Store, new: &NewOperation, tick: i64) -> Outcome<Operation> {
        let operation = self.draft(store, new, tick)?;
        put(store, &operation).await?;
        Ok(operation)
    }

    /// An operation of type `export` under this id.
    pub(super) async fn named(&self, store: &dyn Store, id: &str, tick: i64) -> Outcome<Operation> {
        self.create(store, &new(id)?, tick).await
    }

    /// An operation in a status.
    pub(super) async fn in_status(
        &self,
        store: &dyn Store,
        new: &NewOperation,
        status: Status,
        tick: i64,
    ) -> Outcome<Operation> {
        let mut operation = self.create(store, new, tick).await?;
        let way: &[Status] = match status {
            Status::NotStarted => &[],
            Status::Running => &[Status::Running],
            Status::Completed => &[Status::Running, Status::Completed],
            Status::Failed => &[Status::Running, Status::Failed],
        };
        for status in way {
            operation = step(store, &operation, Patch::new().status(*status), tick).await?;
        }
        Ok(operation)
    }
}

/// An operation to create, of type `export`, under this id.
pub(super) fn new(id: &str) -> Outcome<NewOperation> {
    Ok(NewOperation::new("export").id(id.parse::<OperationId>()?))
}

fn rules(store: &dyn Store) -> Rules {
    Rules { max_result: 16 * 1024 * 1024, ..Rules::new(store.opened().instance) }
}

/// An instant of the first hours of 2026, in ticks after its begin.
pub(super) fn at(tick: i64) -> Outcome<Timestamp> {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    Ok(Timestamp::new(begin.ticks().saturating_add(tick), 0)?)
}

/// What a patch makes of an operation, not written yet.
pub(super) fn next(store: &dyn Store, operation: &Operation, patch: &Patch, tick: i64) -> Outcome<Operation> {
    match operation.apply(patch, &rules(store), at(tick)?)? {
        Applied::Changed { next, .. } => Ok(next),
        Applied::Unchanged => Err(Stop::Broken("the suite's own patch changes nothing".into())),
    }
}

/// Writes what a patch makes of an operation.
pub(super) async fn step(store: &dyn Store, operation: &Operation, patch: Patch, tick: i64) -> Outcome<Operation> {
    let next = next(store, operation, &patch, tick)?;
    replace(store, operation, &next, Durability::Immediate).await?;
    Ok(next)
}

/// Creates a record that is not there.
pub(super) async fn put(store: &dyn Store, operation: &Operation) -> Outcome {
    let swap = store.swap(None, operation, Durability::Immediate).await?;
    ensure(swap == Swap::Stored, || format!("a create was not stored: {swap:?}"))
}

/// Replaces a record that nobody else writes.
pub(super) async fn replace(
    store: &dyn Store,
    operation: &Operation,
    next: &Operation,
    durability: Durability,
) -> Outcome {
    let swap = store.swap(Some(operation.version()), next, durability).await?;
    ensure(swap == Swap::Stored, || format!("a swap against the current version was not stored: {swap:?}"))
}

/// Removes a record that nobody else writes.
pub(super) async fn remove(store: &dyn Store, operation: &Operation) -> Outcome {
    let swap = store.remove(operation.id(), operation.version()).await?;
    ensure(swap == Swap::Stored, || format!("a removal of the current version was not stored: {swap:?}"))
}

/// A race that must be lost to this record.
pub(super) fn lost_to(swap: &Swap, winner: Option<&Operation>, what: &str) -> Outcome {
    match swap {
        Swap::Lost(found) => same(&found.as_ref(), &winner, what),
        Swap::Taken(holder) => Err(Stop::Broken(format!("{what}: taken by {}", holder.id()))),
        Swap::Stored => Err(Stop::Broken(format!("{what}: stored"))),
    }
}

/// What is loaded under an id must be this.
pub(super) async fn loads(store: &dyn Store, id: &OperationId, wanted: Option<&Operation>, what: &str) -> Outcome {
    let found = store.load(id).await?;
    same(&found.as_ref(), &wanted, what)
}

/// Rounds after which a list or a feed counts as endless.
const ROUNDS: usize = 10_000;

/// All pages of a list.
pub(super) async fn pages(store: &dyn Store, query: &Query) -> Outcome<Vec<Vec<Operation>>> {
    let mut query = query.clone();
    let mut pages = Vec::new();
    for _ in 0..ROUNDS {
        let page = store.page(&query).await?;
        pages.push(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(pages),
        }
    }
    Err(Stop::Broken("a list does not end".into()))
}

/// A whole list.
pub(super) async fn listed(store: &dyn Store, query: &Query) -> Outcome<Vec<Operation>> {
    Ok(pages(store, query).await?.concat())
}

/// The feed's entries from a position to its end, and where it ended.
pub(super) async fn feed(store: &dyn Store, from: Position, limit: u32) -> Outcome<(Vec<Change>, Position)> {
    let (mut changes, mut position) = (Vec::new(), from);
    for _ in 0..ROUNDS {
        let stretch = store.changes(&position, count(limit)).await?;
        ensure(stretch.items.len() <= usize::try_from(limit)?, || {
            format!("{} changes where at most {limit} were asked for", stretch.items.len())
        })?;
        changes.extend(stretch.items);
        position = stretch.next;
        if stretch.at_end {
            return Ok((changes, position));
        }
    }
    Err(Stop::Broken("the feed does not end".into()))
}

/// What a reader knows that follows the feed.
pub(super) fn fold(known: &mut BTreeMap<OperationId, Operation>, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Updated(operation) => drop(known.insert(operation.id().clone(), operation.clone())),
            Change::Deleted { id, .. } => drop(known.remove(id)),
        }
    }
}

/// A number that is not zero; 1 for zero.
pub(super) fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// A query for pages of this size.
pub(super) fn by(limit: u32) -> Query {
    Query { limit: count(limit), ..Query::default() }
}

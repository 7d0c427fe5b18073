//! For the tests of those who use this library (feature `conformance`): a tracker in memory under a clock that
//! the test moves, short questions, time that passes at once, and a store that fails when told.
//!
//! ```
//! use longrun::testing::{self, assert_status};
//! use longrun::{NewOperation, Status};
//! use std::time::Duration;
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let clock = testing::clock();
//! let tracker = testing::in_memory(&clock).await?;
//! let new = NewOperation::new("export").deadline(testing::after(&clock, Duration::from_secs(60)));
//! let id = tracker.create(new).await?.id().clone();
//! assert_status(&tracker, &id, Status::NotStarted).await;
//! let swept = testing::settle(&tracker, &clock, Duration::from_secs(120)).await?;
//! assert_eq!(swept.overdue, [id.clone()]);
//! assert_status(&tracker, &id, Status::Failed).await;
//! # longrun::Result::<()>::Ok(()) }).unwrap();
//! ```

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta};

use crate::clock::{Clock as _, ManualClock};
pub use crate::conformance::{Call, Fault, FaultyStore, HintFault};
use crate::error::Result;
use crate::model::{OperationId, Status, Timestamp};
use crate::store::MemoryStore;
use crate::tracker::{Builder, Swept, Tracker};

/// Turns that spawned work gets after each step of [`settle`].
const TURNS: usize = 64;
/// How far one step of [`settle`] lets the clock go: as often as a run writes what it is told.
const STEP: Duration = Duration::from_secs(1);
/// Steps of [`settle`] at most: a longer time goes in larger ones.
const STEPS: u32 = 1_000;

/// A clock that stands at noon of 1 May 2026, UTC, until it is moved.
pub fn clock() -> ManualClock {
    let noon = "2026-05-01T12:00:00Z".parse::<Timestamp>().map(Timestamp::to_datetime);
    ManualClock::new(noon.unwrap_or_default())
}

/// The date that a clock will show after this long; the one it shows, where that is beyond all dates.
pub fn after(clock: &ManualClock, time: Duration) -> DateTime<FixedOffset> {
    let now = clock.now();
    TimeDelta::from_std(time).ok().and_then(|time| now.checked_add_signed(time)).unwrap_or(now)
}

/// A tracker in memory under a clock.
pub async fn in_memory(clock: &ManualClock) -> Result<Tracker> {
    Tracker::builder().clock(clock.clone()).in_memory().await
}

/// A tracker in memory whose store fails when told, and that store: see [`FaultyStore::inject`].
///
/// ```
/// use longrun::testing::{self, Call, Fault};
/// use longrun::{ErrorKind, NewOperation};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let (tracker, store) = testing::faulty(longrun::Tracker::builder(), &testing::clock()).await?;
/// store.inject(Call::Swap, Fault::Refused);
/// let error = tracker.create(NewOperation::new("export")).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert!(error.is_retryable() && error.is_definite());
/// tracker.create(NewOperation::new("export")).await?;
/// # longrun::Result::<()>::Ok(()) }).unwrap();
/// ```
pub async fn faulty(builder: Builder, clock: &ManualClock) -> Result<(Tracker, Arc<FaultyStore>)> {
    let inner = MemoryStore::in_memory(Arc::new(clock.clone())).await?;
    let store = Arc::new(FaultyStore::new(Arc::new(inner)));
    let tracker = builder.clock(clock.clone()).open_store(Arc::clone(&store) as _).await?;
    Ok((tracker, store))
}

/// An operation must be in a status.
///
/// # Panics
///
/// If it is in another, showing the whole record, or cannot be read.
#[track_caller]
pub fn assert_status(
    tracker: &Tracker,
    id: &OperationId,
    wanted: Status,
) -> impl Future<Output = ()> + Send + use<> {
    let (tracker, id, caller) = (tracker.clone(), id.clone(), std::panic::Location::caller());
    async move {
        match tracker.get(&id).await {
            Ok(found) if found.status() == wanted => {}
            Ok(found) => panic!("{caller}: operation {id} is {}, not {wanted}: {found:#?}", found.status()),
            Err(error) => panic!("{caller}: operation {id} must be {wanted} and cannot be read: {error}"),
        }
    }
}

/// Lets time pass in small steps: spawned work gets its turns, and what leases, time limits, deadlines and
/// retention say is done as [`Tracker::maintain`] would do it. What was done, of all steps together.
///
/// Needs a tokio runtime. Work that waits for something other than this clock gets its turns and no more.
pub async fn settle(tracker: &Tracker, clock: &ManualClock, time: Duration) -> Result<Swept> {
    let step = STEP.max(time / STEPS);
    let mut left = time;
    let mut all = Swept::default();
    loop {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let Swept { orphaned, stalled, timed_out, overdue, deleted } = tracker.sweep().await?;
        all.orphaned.extend(orphaned);
        all.stalled.extend(stalled);
        all.timed_out.extend(timed_out);
        all.overdue.extend(overdue);
        all.deleted = all.deleted.saturating_add(deleted);
        if left.is_zero() {
            return Ok(all);
        }
        let passes = step.min(left);
        clock.advance(passes);
        left = left.saturating_sub(passes);
    }
}

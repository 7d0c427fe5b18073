//! The promises of [`Store`] as tests that anybody can run against any store.
//!
//! Implement [`Opener`] for your store, or use [`EngineOpener`] for your [`Engine`](super::embedded::Engine),
//! and write in a test file:
//!
//! ```
//! # fn main() {} // What the macro makes are tests: nothing of it runs here.
//! # use longrun::conformance::MemoryOpener;
//! longrun::conformance_tests!(MemoryOpener::default());
//! ```
//!
//! This makes one `#[test]` per promise, named `theme::promise`; the list is [`promises`]. A promise that
//! needs something the opener cannot do is skipped, and its test says so on standard error.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Store, StoreError};
use crate::model::OperationId;

mod close;
mod counts;
mod durability;
mod engine;
mod faulty;
mod feed;
mod hints;
mod idle;
mod input;
mod list;
mod page;
mod swap;
mod trial;
mod unique;
mod verify;
mod visibility;

pub use self::engine::{EngineOpener, EnginePlace, Gate, MemoryOpener};
pub use self::faulty::{Call, Fault, FaultyStore, HintFault};
use self::trial::{Outcome, Trial};

/// How long one promise may take before it counts as hung: a watchdog, not a measure.
const WATCHDOG: Duration = Duration::from_mins(2);

/// Makes fresh places for stores.
#[async_trait]
pub trait Opener: fmt::Debug + Send + Sync {
    /// A place at which no store was ever opened. Dropping it cleans up.
    async fn place(&self) -> Result<Box<dyn Place>, Box<dyn StdError + Send + Sync>>;
}

/// A place that keeps a store's records while no store is open. A guard: cleans up when dropped.
///
/// What a place cannot do it says (`false`, `None`), as the default methods do; promises that need it are
/// then skipped aloud.
#[async_trait]
pub trait Place: fmt::Debug + Send + Sync {
    /// Opens a store here: an empty one at first, then the one that was here before.
    async fn open(&self) -> Result<Arc<dyn Store>, StoreError>;

    /// Lets the time pass by which the store judges [`Idle::Quiet`](super::Idle::Quiet) and which instances
    /// are dead.
    async fn pass(&self, _time: Duration) -> bool {
        false
    }

    /// From here on it is as if the process that has this place open had been killed, or the power been cut,
    /// at this moment: the next open finds what is durable, and what stores opened before do is not seen.
    async fn crash(&self) -> bool {
        false
    }

    /// Holds back every write's durability until the hold is dropped.
    fn hold(&self) -> Option<Box<dyn Hold>> {
        None
    }

    /// Spoils what is kept of an operation, behind the back of the store that is open.
    async fn spoil(&self, _id: &OperationId) -> bool {
        false
    }
}

/// Writes are not made durable while this lives.
#[async_trait]
pub trait Hold: fmt::Debug + Send + Sync {
    /// Ends when a write waits to be made durable.
    async fn reached(&self);
}

/// What a store must keep, as one test.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Promise {
    /// What it is about.
    pub theme: &'static str,
    /// Its name within the theme.
    pub name: &'static str,
    /// What is promised.
    pub says: &'static str,
    run: fn(&Trial) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>>,
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.theme, self.name)
    }
}

/// What came of checking a [`Promise`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is kept.
    Kept,
    /// The opener lacks what it takes to tell: this.
    Skipped(String),
    /// It is broken: so.
    Broken(String),
}

impl Promise {
    /// Checks a store, in a place of its own. Needs a tokio runtime with time enabled.
    pub async fn check(&self, opener: &dyn Opener) -> Verdict {
        self.check_within(opener, WATCHDOG).await
    }

    /// [`check`](Self::check) with another time after which it counts as hung.
    pub async fn check_within(&self, opener: &dyn Opener, watchdog: Duration) -> Verdict {
        let place = match opener.place().await {
            Ok(place) => place,
            Err(error) => return Verdict::Broken(format!("no place to open a store: {error}")),
        };
        let trial = Trial::new(place);
        match tokio::time::timeout(watchdog, (self.run)(&trial)).await {
            Ok(Ok(())) => Verdict::Kept,
            Ok(Err(stop)) => stop.into(),
            Err(_) => Verdict::Broken(format!("did not end within {watchdog:?}")),
        }
    }
}

/// All promises, by theme.
pub fn promises() -> &'static [Promise] {
    list::PROMISES
}

/// Checks one promise on a runtime of its own; what [`conformance_tests`](crate::conformance_tests) calls.
///
/// # Panics
///
/// If the promise is broken, or there is none of this name.
pub fn test(theme: &str, name: &str, opener: &dyn Opener) {
    let promise = promises().iter().find(|promise| promise.theme == theme && promise.name == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let verdict = match (promise, runtime) {
        (Some(promise), Ok(runtime)) => runtime.block_on(promise.check(opener)),
        (None, _) => Verdict::Broken("there is no such promise".into()),
        (_, Err(error)) => Verdict::Broken(format!("there is no runtime: {error}")),
    };
    match verdict {
        Verdict::Kept => {}
        Verdict::Skipped(why) => eprintln!("{theme}::{name} SKIPPED on {opener:?}: {why}"),
        Verdict::Broken(how) => panic!("{theme}::{name} is broken: {how}"),
    }
}

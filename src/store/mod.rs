//! Keeps and swaps records; never decides what a record may become.
//!
//! The contract that every store keeps, ours and a user's own. `longrun::conformance` (feature) tests each
//! promise of it.

use std::error::Error as StdError;
use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::Stream;

use crate::model::{Operation, OperationId, Page, Query, Status, Timestamp, Version};

#[cfg(feature = "conformance")]
pub mod conformance;
mod counts;
pub mod embedded;
mod hints;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
pub mod record;
#[cfg(feature = "sled")]
mod sled;
mod unreadable;

pub use self::counts::Counts;
#[cfg(feature = "sled")]
pub use self::embedded::Salvaged;
pub use self::memory::{MemoryEngine, MemoryStore};
#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "sled")]
pub use self::sled::{SledEngine, SledOptions, SledStore, SyncMethod, salvage};

/// Different types of work that one store keeps at most.
pub const MAX_TYPES: usize = 1_024;

/// Keeps operations and swaps one record for the next.
///
/// To ensure correctness:
///
/// - There is no blind write. [`swap`](Self::swap) and [`remove`](Self::remove) change a record only while
///   it still has the expected version, in one atomic step; losing that race is an answer, not an error.
/// - `Stored` under [`Durability::Immediate`] means: it survives kill -9 and power loss.
/// - `Stored` under [`Durability::Eventual`] means: readable at once, on disk within 500 ms; a crash may take
///   the operation back to its last Immediate write. On top of an Immediate write that is not yet durable
///   it waits for that one.
/// - Nothing that could still vanish is shown as a state change. Whatever answers (load, page, counts, hints,
///   changes, `Lost`) shows, or waits for, durable state changes.
/// - Writes are all or nothing: a dropped future leaves the old record or the new one.
/// - Counts are exact after any crash, and O(1); a page is O(page) whatever the total.
/// - Of all operations that hold one unique key ([`Operation::held_key`]), as durable or about to be, at most
///   one is ever created: which hold it the model says, not the store.
/// - A store never looks at a status to decide whether a write may happen.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Which store this is and which open of it.
    fn opened(&self) -> Opened;

    /// The operation as it may be shown now. Cancel-safe.
    async fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError>;

    /// Replaces the record of version `expected` (`None`: no record) by `next`, which has the same id.
    ///
    /// A create whose [`held_key`](Operation::held_key) another operation holds is `Taken` by that one.
    ///
    /// Dropped, it has happened or not. An indefinite error may have happened too.
    async fn swap(
        &self,
        expected: Option<Version>,
        next: &Operation,
        durability: Durability,
    ) -> Result<Swap, StoreError>;

    /// Removes the record of version `expected`, leaving a tombstone for [`changes`](Self::changes). Immediate.
    async fn remove(&self, id: &OperationId, expected: Version) -> Result<Swap, StoreError>;

    /// One page of a list. A record that cannot be read is named in [`Page::unreadable`] and keeps no other from
    /// its place. Cancel-safe.
    async fn page(&self, query: &Query) -> Result<Page, StoreError>;

    /// How many operations there are, by type and status. Cancel-safe.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// How many operations of a group there are, by type and status: exact. Cancel-safe.
    async fn group_counts(&self, group: &str) -> Result<Counts, StoreError>;

    /// Operations that somebody else should end, by id, after a cursor. Cancel-safe.
    async fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: NonZeroU32,
    ) -> Result<Vec<OperationId>, StoreError>;

    /// The lossless feed after a position: the newest version of each operation that changed, in order.
    /// Cancel-safe.
    async fn changes(&self, after: &Position, limit: NonZeroU32) -> Result<Changes, StoreError>;

    /// Hints of change. They may be lost, doubled or late; truth is the record.
    fn hints(&self) -> HintStream;

    /// How the store does right now. Never fails, reads no record.
    fn health(&self) -> StoreHealth;

    /// Reads everything anew, shares no state with the index, and reports every difference.
    async fn verify(&self) -> Result<Report, StoreError>;

    /// Drains and ends what the store runs; afterwards it can be opened again. Idempotent.
    async fn close(&self) -> Result<(), StoreError>;
}

/// Which store this is, and which open of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The store, for ever.
    pub store: u64,
    /// This open: a number taken durably before its first write.
    pub instance: u32,
    /// Whether nobody else can have it open, which proves that earlier instances are dead.
    pub exclusive: bool,
}

impl Opened {
    /// As a store answers it.
    pub const fn new(store: u64, instance: u32, exclusive: bool) -> Self {
        Self { store, instance, exclusive }
    }
}

/// How much of a crash a write must survive before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store must treat each of them")]
pub enum Durability {
    /// Kill -9 and power loss.
    Immediate,
    /// Nothing yet: on disk within 500 ms.
    Eventual,
}

/// What became of a swap.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Swap {
    /// It is the record now.
    Stored,
    /// The record had another version: this one, or none.
    Lost(Option<Operation>),
    /// This operation holds the unique key of the one that was to be created.
    Taken(Operation),
}

/// What [`Store::idle`] looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idle {
    /// Running operations of a type that nobody has written for longer than this, by the store's own clock.
    Quiet {
        /// The type; `None` for operations without one.
        type_name: Option<String>,
        /// How long.
        longer_than: Duration,
    },
    /// Running operations held by an instance that is known to be dead.
    Orphaned,
    /// Operations that have not ended and whose deadline is at this instant or before it.
    Due {
        /// The instant.
        until: Timestamp,
    },
}

/// A place in the feed. Opaque; it names its store and is valid across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    store: u64,
    at: u64,
    since: u64,
}

impl Position {
    /// Before the first change: a feed from here is the snapshot and all that follows.
    pub const START: Self = Self { store: 0, at: 0, since: 0 };

    /// A place in a store's feed: all up to `at` is known; `since` is the feed's end when its reader began
    /// from the start.
    pub const fn new(store: u64, at: u64, since: u64) -> Self {
        Self { store, at, since }
    }

    /// The store it belongs to; 0 for [`START`](Self::START).
    pub const fn store(self) -> u64 {
        self.store
    }

    /// All up to here is known.
    pub const fn at(self) -> u64 {
        self.at
    }

    /// Where the feed ended when its reader began from the start.
    pub const fn since(self) -> u64 {
        self.since
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.store, self.at, self.since)
    }
}

/// A text that is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidPosition;

impl fmt::Display for InvalidPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no position that a feed gave")
    }
}

impl StdError for InvalidPosition {}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut parts = text.split('-').map(|part| u64::from_str_radix(part, 16));
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(store)), Some(Ok(at)), Some(Ok(since)), None) => {
                // Of no store there is the start alone.
                let given = |position: &Self| store != 0 || *position == Self::START;
                Some(Self { store, at, since }).filter(|found| given(found) && found.to_string() == text)
            }
            _ => None,
        }
        .ok_or(InvalidPosition)
    }
}

/// One entry of the feed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// The operation is so now. Another birth than before tells that the older one was deleted.
    Updated(Operation),
    /// The operation is gone.
    Deleted {
        /// Its name.
        id: OperationId,
        /// The version that was removed.
        version: Version,
    },
}

impl Change {
    /// Whose change it is.
    pub fn id(&self) -> &OperationId {
        match self {
            Self::Updated(operation) => operation.id(),
            Self::Deleted { id, .. } => id,
        }
    }
}

/// A stretch of the feed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Changes {
    /// In order; each operation once.
    pub items: Vec<Change>,
    /// Where to go on.
    pub next: Position,
    /// Whether there is nothing more for now.
    pub at_end: bool,
    /// Transactions that the store has begun and the feed still waits for, committed ones behind an open one
    /// included; 0 where a store has no such thing.
    pub behind: u64,
}

impl Changes {
    /// A stretch as a store answers it.
    pub const fn new(items: Vec<Change>, next: Position, at_end: bool) -> Self {
        Self { items, next, at_end, behind: 0 }
    }

    /// The same, behind this many transactions.
    pub fn waiting_for(self, behind: u64) -> Self {
        Self { behind, ..self }
    }
}

/// A hint: this operation may have changed; `None`: any may have.
pub type Hint = Option<OperationId>;

/// Hints as they come; ends when the store is closed.
pub type HintStream = Pin<Box<dyn Stream<Item = Hint> + Send>>;

/// How a store does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreHealth {
    /// What makes an Immediate write durable, in words: `"memory"` survives nothing.
    pub durability: &'static str,
    /// Why writes are refused; `None` while they are taken.
    pub read_only: Option<String>,
    /// Writes that are not on disk yet.
    pub unflushed: u64,
    /// How long the oldest of them has been waiting.
    pub flush_lag: Duration,
    /// Places of the feed given to writes that the feed does not show yet.
    pub feed_lag: u64,
    /// Groups of writes made durable since the store was opened; 0 where a store makes none.
    pub groups: u64,
    /// How long they took together, each from its first write until it was durable.
    pub group_time: Duration,
    /// Records that were met since the open and could not be read: [`Store::verify`] names all there are.
    pub unreadable: u64,
}

impl StoreHealth {
    /// Of a store that takes writes and has nothing to catch up with.
    pub const fn new(durability: &'static str) -> Self {
        let (flush_lag, group_time) = (Duration::ZERO, Duration::ZERO);
        Self {
            durability,
            read_only: None,
            unflushed: 0,
            flush_lag,
            feed_lag: 0,
            groups: 0,
            group_time,
            unreadable: 0,
        }
    }
}

/// What [`Store::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Every difference, in words that name the record.
    pub problems: Vec<String>,
}

/// Why a store could not answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk, the server or the connection fails. Definite: the write did not happen. Indefinite: it may
    /// have; read again.
    Unavailable {
        /// Whether a write certainly did not happen.
        definite: bool,
        /// What failed.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A record cannot be read.
    Corrupt(String),
    /// Somebody else has the store open.
    Locked(String),
    /// The store is of a newer version, or something else altogether.
    Unsupported(String),
    /// The feed no longer knows what was deleted after that position.
    PositionExpired,
    /// The store has 1,024 types already.
    TypeLimit,
    /// The store is closed.
    Closed,
}

impl StoreError {
    /// A failure after which the write certainly did not happen.
    pub fn definite(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable { definite: true, source: source.into() }
    }

    /// A failure after which the write may have happened.
    pub fn indefinite(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable { definite: false, source: source.into() }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { definite: true, .. } => {
                f.write_str("the store is unavailable; nothing was written")
            }
            Self::Unavailable { definite: false, .. } => {
                f.write_str("the store is unavailable; a write may have happened")
            }
            Self::Corrupt(what) => write!(f, "corrupt: {what}"),
            Self::Locked(who) => write!(f, "the store is open elsewhere: {who}"),
            Self::Unsupported(what) => write!(f, "not a store of this version: {what}"),
            Self::PositionExpired => f.write_str("the feed no longer reaches back to that position"),
            Self::TypeLimit => write!(f, "the store keeps at most {MAX_TYPES} different types"),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Unavailable { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

/// Where a status stands in arrays of four.
pub(crate) const fn place(status: Status) -> usize {
    match status {
        Status::NotStarted => 0,
        Status::Running => 1,
        Status::Completed => 2,
        Status::Failed => 3,
    }
}

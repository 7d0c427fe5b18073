//! What an engine must do for a store to be built on it: keep bytes under keys.

use std::error::Error as StdError;
use std::fmt::Debug;

use crate::store::StoreError;

/// What an engine's call failed with. A full disk is recognised by [`std::io::ErrorKind::StorageFull`]
/// anywhere in its chain of sources.
pub type EngineError = Box<dyn StdError + Send + Sync>;

/// What [`Engine::replay`] hands each key and value to.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError>;

/// Keeps bytes under keys. Blocking; called from any thread. Keys that begin with two zero bytes are the
/// engine's own.
///
/// To ensure correctness:
///
/// - `sync` makes durable every put and purge that returned before it began. A power cut may keep any of the
///   others, or none.
/// - One `put` or `purge` is atomic: after a crash its key has the old value or the new one.
/// - `get` answers the newest `put` that returned, synced or not.
/// - Calls on one key never overlap, except `get` with everything.
/// - Where [`SHOWS_SYNCED_ONLY`](Self::SHOWS_SYNCED_ONLY) is set, `get` answers the newest value that a `sync`
///   made durable instead.
/// - Dropping the engine frees what it held: the same place can be opened again.
pub trait Engine: Debug + Send + Sync + 'static {
    /// Whether `get` shows only what is synced; then the store need not remember what a put hides.
    const SHOWS_SYNCED_ONLY: bool = false;

    /// Hands every key and value to `visit`, in any order, and stops at its first error. Called before any
    /// write, and while nothing is written.
    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError>;

    /// The value under a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Puts a value under a key.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError>;

    /// Takes the key away.
    fn purge(&self, key: &[u8]) -> Result<(), EngineError>;

    /// What `sync` relies on, in a word or two, for people.
    fn durability(&self) -> &'static str {
        "sync"
    }

    /// Makes durable what was done before.
    fn sync(&self) -> Result<(), EngineError>;
}

/// Whether an error, or what caused it, is a full disk.
pub(super) fn is_full(error: &EngineError) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&**error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if matches!(kind, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = error.source();
    }
    false
}

//! One pass over an engine: at open, and by `verify`, which shares nothing with what open made.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;
use std::time::Duration;

use super::BLOCK;
use super::engine::Engine;
use super::index::Index;
use super::meta::{self, Meta};
use super::state::{Mode, State};
use crate::store::StoreError;
use crate::store::record::{self, RecordError};

/// Reads all records; takes a new instance and a block of feed places, durably, unless only inspecting.
///
/// `first` is the first instance of this process's open: those before it are dead where the store is
/// exclusive. It is set here once.
pub(super) fn scan<E: Engine>(
    engine: &E,
    inspect: bool,
    first: &OnceLock<u32>,
    now: Duration,
) -> Result<State, StoreError> {
    let found = engine.get(meta::KEY).map_err(StoreError::definite)?;
    let mut meta = match found {
        Some(bytes) => Meta::decode(&bytes)?,
        None => Meta { store: random(), instance: 0, reserved: 1, purged: 0, seal: None },
    };
    let next = meta.reserved;
    let seal = meta.seal.take();
    if !inspect {
        meta.instance = meta
            .instance
            .checked_add(1)
            .ok_or_else(|| StoreError::Unsupported("it was opened 2^32 times".into()))?;
        meta.reserved = meta.reserved.saturating_add(BLOCK);
    }
    // Who only looks takes no number: the last one to write is gone too.
    let first = *first.get_or_init(|| meta.instance.saturating_add(inspect.into()));
    let mut index = Index::default();
    engine.replay(&mut |key, bytes| {
        if key.first() == Some(&meta::RESERVED) {
            return Ok(());
        }
        let record = record::decode(key, bytes).map_err(|error| match error {
            RecordError::Newer(_) => StoreError::Unsupported(error.to_string()),
            error => StoreError::Corrupt(format!("record {}: {error}", name(key))),
        })?;
        index.load(&record, |instance| instance < first);
        Ok(())
    })?;
    let held = index.seal();
    if let Some(seal) = seal.filter(|seal| *seal != held) {
        let what = format!(
            "{} records up to place {} were there when the store was closed, {} up to {} are found",
            seal.records, seal.end, held.records, held.end
        );
        return Err(StoreError::Corrupt(what));
    }
    index.restart_quiet(now);
    if !inspect {
        engine.put(meta::KEY, &meta.encode()).map_err(StoreError::definite)?;
    }
    // Also makes durable what a killed process left in the page cache: it was read, so it must stay.
    engine.sync().map_err(StoreError::definite)?;
    Ok(State::new(index, meta, next, if inspect { Mode::Inspect } else { Mode::Open }))
}

/// A key in words.
pub(super) fn name(key: &[u8]) -> String {
    match key.split_first() {
        Some((1, uuid)) => {
            uuid::Uuid::from_slice(uuid).map_or_else(|_| format!("{key:?}"), |uuid| uuid.to_string())
        }
        Some((2, text)) => String::from_utf8_lossy(text).escape_debug().to_string(),
        _ => format!("{key:?}"),
    }
}

/// 64 bits that differ from store to store: std seeds its hasher from the system's randomness.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}

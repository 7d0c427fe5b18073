//! What can be kept of a store that no longer opens.

use std::collections::BTreeMap;

use super::BLOCK;
use super::engine::{Engine, EngineError};
use super::meta::{self, Meta};
use super::scan::{name, random};
use crate::store::record::{self, Record};

/// What was kept of a damaged store, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Records kept, tombstones included.
    pub kept: u64,
    /// What could not be read, in words that name the record where its key could be read.
    pub lost: Vec<String>,
}

/// The newest intact record of each key, from sources that each may be damaged.
#[derive(Debug, Default)]
pub(crate) struct Salvage {
    records: BTreeMap<Vec<u8>, (Record, Vec<u8>)>,
    damaged: BTreeMap<Vec<u8>, String>,
    meta: Option<Meta>,
    lost: Vec<String>,
}

impl Salvage {
    /// A key and value as they were found.
    pub(crate) fn take(&mut self, key: &[u8], value: &[u8]) {
        if key == meta::KEY {
            // The newest knows the most opens.
            let newer = |found: &Meta| self.meta.is_none_or(|meta| meta.instance <= found.instance);
            self.meta = Meta::decode(value).ok().filter(newer).or(self.meta);
        } else if key.first() != Some(&meta::RESERVED) {
            match record::decode(key, value) {
                Ok(record) => {
                    let known = self.records.get(key);
                    if known.is_none_or(|(known, _)| known.sequence <= record.sequence) {
                        self.records.insert(key.into(), (record, value.into()));
                    }
                }
                Err(error) => drop(self.damaged.insert(key.into(), error.to_string())),
            }
        }
    }

    /// Something that has no key any more.
    pub(crate) fn lose(&mut self, what: String) {
        self.lost.push(what);
    }

    /// Puts what is intact into an empty engine.
    pub(crate) fn fill(self, engine: &impl Engine) -> Result<Salvaged, EngineError> {
        let Self { records, damaged, meta, mut lost } = self;
        let mut kept = 0_u64;
        let mut last = 0;
        for (key, (record, value)) in &records {
            engine.put(key, value)?;
            last = last.max(record.sequence);
            kept = kept.saturating_add(1);
        }
        let instances = records.values().map(|(record, _)| record.version().instance()).max().unwrap_or(0);
        // Another store from here on: positions in the old feed may have lost their changes.
        let meta = Meta {
            store: random(),
            instance: meta.map_or(0, |meta| meta.instance).max(instances),
            reserved: meta.map_or(0, |meta| meta.reserved).max(last.saturating_add(BLOCK)),
            purged: 0,
            seal: None,
        };
        engine.put(meta::KEY, &meta.encode())?;
        engine.sync()?;
        let gone = damaged.iter().filter(|(key, _)| !records.contains_key(*key));
        lost.extend(gone.map(|(key, error)| format!("record {}: {error}", name(key))));
        Ok(Salvaged { kept, lost })
    }
}

//! What a store knows of itself, under its one reserved key: written before it is relied on.

use crate::store::StoreError;

/// The first byte of keys that are the store's or the engine's own; no id's key begins so.
pub(super) const RESERVED: u8 = 0;
/// The key of this record.
pub(super) const KEY: &[u8] = b"\0longrun";
const MAGIC: &[u8; 8] = b"longrun\0";
/// The version of the store's layout that this library writes.
const LAYOUT: u32 = 1;
const LENGTH: usize = 61;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    /// The store, for ever.
    pub(super) store: u64,
    /// The newest open.
    pub(super) instance: u32,
    /// No place in the feed at or beyond this was ever given.
    pub(super) reserved: u64,
    /// The largest place whose tombstone may have been purged.
    pub(super) purged: u64,
    /// What the store held when it was closed; gone with the first write after it.
    pub(super) seal: Option<Seal>,
}

/// How much a closed store holds: files that were cut short or replaced since hold something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Operations and tombstones.
    pub(super) records: u64,
    /// The largest place in the feed.
    pub(super) end: u64,
}

impl Meta {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&LAYOUT.to_le_bytes());
        bytes.extend_from_slice(&self.store.to_le_bytes());
        bytes.extend_from_slice(&self.instance.to_le_bytes());
        bytes.extend_from_slice(&self.reserved.to_le_bytes());
        bytes.extend_from_slice(&self.purged.to_le_bytes());
        let Seal { records, end } = self.seal.unwrap_or(Seal { records: 0, end: 0 });
        bytes.push(u8::from(self.seal.is_some()));
        bytes.extend_from_slice(&records.to_le_bytes());
        bytes.extend_from_slice(&end.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt("the store's own record cannot be read".into());
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(corrupt)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(corrupt());
        }
        let rest =
            body.strip_prefix(MAGIC).ok_or_else(|| StoreError::Unsupported("it is of something else".into()))?;
        let mut rest = Reader(rest);
        let layout = rest.u32().ok_or_else(corrupt)?;
        if layout > LAYOUT {
            return Err(StoreError::Unsupported(format!("layout {layout} is newer than {LAYOUT}")));
        }
        let read = || {
            let mut rest = rest;
            let (store, instance, reserved, purged) = (rest.u64()?, rest.u32()?, rest.u64()?, rest.u64()?);
            let (sealed, seal) = (rest.u8()?, Seal { records: rest.u64()?, end: rest.u64()? });
            Some(Self { store, instance, reserved, purged, seal: (sealed != 0).then_some(seal) })
        };
        read().ok_or_else(corrupt)
    }
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn u8(&mut self) -> Option<u8> {
        let (number, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*number)
    }

    fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }
}

//! What a store knows of itself, under its one reserved key: written before it is relied on.

use crate::store::StoreError;

/// The first byte of keys that are the store's or the engine's own; no id's key begins so.
pub(super) const RESERVED: u8 = 0;
/// The key of this record.
pub(super) const KEY: &[u8] = b"\0longrun";
const MAGIC: &[u8; 8] = b"longrun\0";
/// The version of the store's layout that this library writes.
const LAYOUT: u32 = 1;
const LENGTH: usize = 44;

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
            Some(Self { store: rest.u64()?, instance: rest.u32()?, reserved: rest.u64()?, purged: rest.u64()? })
        };
        read().ok_or_else(corrupt)
    }
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
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

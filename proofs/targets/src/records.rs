//! Bytes of a store.

use longrun::store::record::{FORMAT, decode, encode, key};

/// Bytes before the body: format, checksum, sequence.
const HEADER: usize = 13;

/// Reads the bytes as a key, after one byte of its length, and a record: as they are, and with the checksum that the
/// rest has.
///
/// # Panics
/// If what is taken does not stand under its own key, or does not come back from its bytes.
pub fn record(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (name, value) = rest.split_at(rest.len().min(usize::from(*length)));
    check(name, value);
    let Some((header, body)) = value.split_first_chunk::<HEADER>() else { return };
    let [_, _, _, _, _, place @ ..] = *header;
    let mut sum = crc32fast::Hasher::new();
    for part in [name, body, &[FORMAT], &place] {
        sum.update(part);
    }
    let right = [&[FORMAT], &sum.finalize().to_le_bytes()[..], &place, body].concat();
    check(name, &right);
}

fn check(name: &[u8], value: &[u8]) {
    if let Ok(record) = decode(name, value) {
        assert_eq!(key(record.id()), name, "{record:?}");
        let again = encode(&record).unwrap_or_default();
        assert_eq!(decode(name, &again).as_ref(), Ok(&record));
    }
}

//! The record: what goes in comes out, and anything else is refused. FAULTS 43, 44.

use longrun::model::Version;
use longrun::store::record::{Entry, FORMAT, Record, RecordError, decode, encode, key};
use proptest::prelude::*;

use crate::model::{ids, operations, stamps};

fn records() -> impl Strategy<Value = Record> {
    let tombstone = (ids(), any::<(u64, u64, u32)>(), stamps()).prop_map(|(id, (birth, n, instance), at)| {
        Entry::Tombstone { id, version: Version::new(birth, n, instance), at }
    });
    let live = operations().prop_map(Entry::Live);
    (any::<u64>(), prop_oneof![4 => live, 1 => tombstone])
        .prop_map(|(sequence, entry)| Record::new(sequence, entry))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_record_comes_back(record in records()) {
        let bytes = encode(&record).unwrap();
        prop_assert_eq!(bytes[0], FORMAT);
        prop_assert_eq!(decode(&key(record.id()), &bytes).unwrap(), record);
    }

    /// Every single bit of the value and of the key, and every length.
    #[test]
    fn no_damage_is_read(record in records()) {
        let (name, bytes) = (key(record.id()), encode(&record).unwrap());
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&name, &damaged).is_err(), "bit {}", bit);
        }
        for bit in 0..name.len() * 8 {
            let mut other = name.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&other, &bytes).is_err(), "bit {} of the key", bit);
        }
        for length in 0..bytes.len() {
            prop_assert!(decode(&name, &bytes[..length]).is_err(), "{} bytes", length);
        }
        let longer = [&*bytes, &[0]].concat();
        prop_assert!(decode(&name, &longer).is_err());
    }

    /// Any bytes at all, and bytes that carry the right checksum: refused or read, never a panic.
    #[test]
    fn arbitrary_bytes_do_not_panic(id in ids(), bytes in proptest::collection::vec(any::<u8>(), 0..200), near in records()) {
        drop(decode(&key(&id), &bytes));
        drop(decode(&bytes, &bytes));
        let mut bent = encode(&near).unwrap();
        for (at, byte) in bytes.iter().enumerate() {
            let len = bent.len();
            bent[13 + (at * 7) % (len - 13)] = *byte;
        }
        let bent = sealed(&key(near.id()), &bent);
        if let Ok(read) = decode(&key(near.id()), &bent) {
            // What is read is a record like any other.
            let again = encode(&read).unwrap();
            prop_assert_eq!(decode(&key(near.id()), &again).unwrap(), read);
        }
    }

    /// FAULTS 11: distinct ids have distinct keys; none begins another's in a way that replay could confuse.
    #[test]
    fn keys_are_the_ids(a in ids(), b in ids()) {
        prop_assert_eq!(key(&a) == key(&b), a == b);
        prop_assert!(key(&a)[0] != 0, "reserved for the store");
    }
}

/// The bytes with the checksum made right: what a record written by somebody else would look like.
fn sealed(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    let sum = crc32(&[key, &bytes[13..], &bytes[..1], &bytes[5..13]].concat());
    sealed[1..5].copy_from_slice(&sum.to_le_bytes());
    sealed
}

/// CRC-32 (IEEE), bit by bit: independent of the crate that writes it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
    })
}

/// A newer format is told from damage by name.
#[test]
fn a_newer_format_is_named() {
    let record = Record::new(5, Entry::Live(crate::support::new("a")));
    let mut bytes = encode(&record).unwrap();
    let name = key(record.id());
    assert_eq!(sealed(&name, &bytes), bytes, "the checksum is CRC-32 over key, body, format and place");
    for (format, expected) in [(FORMAT + 1, RecordError::Newer(FORMAT + 1)), (255, RecordError::Newer(255))] {
        bytes[0] = format;
        assert_eq!(decode(&name, &sealed(&name, &bytes)), Err(expected));
    }
    bytes[0] = 0;
    assert!(matches!(decode(&name, &sealed(&name, &bytes)), Err(RecordError::Corrupt(_))));
}

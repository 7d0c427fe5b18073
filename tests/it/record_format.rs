//! Every record format ever released must still be read: `tests/fixtures/record-1.hex` holds format 1.
//!
//! The fixture is never made anew. A new format gets a fixture of its own beside it.

use longrun::model::{Failure, Json, NewOperation, Operation, Patch, Status, Version};
use longrun::store::record::{Entry, Record, decode, encode, key};

use crate::support::{after, date, first, id, stamp};

/// What the fixture holds, line by line.
fn written() -> Vec<Record> {
    let new = || {
        NewOperation::new("export")
            .label("order", "1742")
            .label("tenant", "Ünal")
            .retry_of(id("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"))
    };
    let made = |name: &str| first(&new(), name, 0x0123_4567_89ab_cdef, "2017-01-01T00:00:00.0000001+03:00");
    let running = |name: &str| {
        let patch = Patch::claim("open:3:9").progress(40).detail("half").resource_location("/files/1?a=b#c");
        after(&made(name), &patch.last_action(date("2017-01-01T00:01:23.8467386+03:00")))
    };
    let cancelled = |operation: &Operation| after(operation, &Patch::cancel());
    let result = Json::new(&serde_json::json!({"rows": 3, "names": ["a", null]})).unwrap();
    let failure = Failure::new("diskFull", "no room\nleft").target("/var").details(Json::new(&[1, 2]).unwrap());
    let ends = [Patch::complete(result), Patch::new().status(Status::Completed), Patch::fail(failure)];
    let [done, bare, failed] = ends.map(|end| after(&running("ended~2"), &end));
    let mut operations = vec![made("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c"), running("run_1.A")];
    operations.extend([cancelled(&running("run")), done, bare, failed]);
    operations.push(after(
        &after(
            &first(&NewOperation::untyped(), "x", 1, "0001-01-01T00:00:00Z"),
            &Patch::new().status(Status::Running),
        ),
        &Patch::new().status(Status::Failed),
    ));
    let live = operations.into_iter().map(|operation| Entry::Live(Box::new(operation)));
    let gone = Entry::Tombstone {
        id: id("gone"),
        version: Version::new(u64::MAX, 300, 7),
        at: stamp("9999-12-31T23:59:59.9999999-14:00".replace("-14:00", "Z").as_str()),
    };
    live.chain([gone]).zip(1_u64 << 32..).map(|(entry, place)| Record::new(place, entry)).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn format_1_is_read_and_written() {
    let kept = include_str!("../fixtures/record-1.hex");
    let lines: Vec<_> = kept.lines().filter(|line| !line.starts_with('#')).collect();
    let written = written();
    assert_eq!(lines.len(), written.len());
    for (line, record) in lines.iter().zip(&written) {
        let (name, bytes) = line.split_once(' ').unwrap();
        assert_eq!(unhex(name), key(record.id()));
        assert_eq!(decode(&unhex(name), &unhex(bytes)).unwrap(), *record);
        assert_eq!(hex(&encode(record).unwrap()), bytes, "format 1 is what is written today");
    }
}

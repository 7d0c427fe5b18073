//! Every record format ever released must still be read: `tests/fixtures/record-1.hex` holds format 1,
//! `record-2.hex` format 2.
//!
//! The fixture is never made anew. A new format gets a fixture of its own beside it.

use longrun::model::{Failure, Json, NewOperation, Operation, Patch, Status, Version};
use longrun::store::record::{Entry, Record, decode, encode, key};

use crate::support::{after, date, first, id, stamp};

/// What the fixture of format 1 holds, line by line.
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
    let live = operations.into_iter().map(Entry::Live);
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

/// What the fixture of format 2 holds, line by line: each member that follows the body, alone and all at once.
fn written_2() -> Vec<Record> {
    let new = || NewOperation::new("export").label("order", "1742");
    let made = |new: &NewOperation| first(new, "a", 0x0123_4567_89ab_cdef, "2017-01-01T00:00:00.0000001+03:00");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let alone = [
        new(),
        new().deadline(date("2031-01-01T00:00:00.0000001-05:30")),
        new().group("book é"),
        new().unique("nightly"),
        new().trace_parent(trace),
    ];
    let mut operations: Vec<_> = alone.iter().map(made).collect();
    let told =
        Patch::claim("me").progress((3, 1 << 52, "rows")).last_action(date("2017-01-01T00:01:23.8467386+03:00"));
    operations.push(after(&made(&new()), &told));
    operations.push(after(&made(&new()), &Patch::new().detail("queued")));
    let all = new().deadline(date("2031-01-01T00:00:00Z")).group("g").unique("k").trace_parent(trace);
    let running = after(&made(&all), &told.detail("one"));
    let further = after(&running, &Patch::new().detail("two\n").progress((4, 5, "")));
    operations.push(after(&further, &Patch::complete(None)));
    operations.push(after(&running, &Patch::fail(Failure::new("noRoom", "no room")).detail("three")));
    let live = operations.into_iter().map(Entry::Live);
    let gone = Entry::Tombstone {
        id: id("gone"),
        version: Version::new(u64::MAX, 300, 7),
        at: stamp("2026-05-04T12:00:00Z"),
    };
    live.chain([gone]).zip(1_u64 << 32..).map(|(entry, place)| Record::new(place, entry)).collect()
}

fn lines(kept: &str) -> impl Iterator<Item = (Vec<u8>, &str)> {
    let lines = kept.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').map(|(name, bytes)| (unhex(name), bytes)).unwrap())
}

#[test]
fn format_1_is_read() {
    let kept = include_str!("../fixtures/record-1.hex");
    let written = written();
    assert_eq!(lines(kept).count(), written.len());
    for ((name, bytes), mut record) in lines(kept).zip(written) {
        assert_eq!(name, key(record.id()));
        // It knew no log: a detail is what is left of what was said.
        let read = decode(&name, &unhex(bytes)).unwrap();
        if let (Entry::Live(read), Entry::Live(operation)) = (&read.entry, &mut record.entry) {
            assert_eq!(read.log().len(), 0);
            assert_eq!(read.detail(), operation.detail());
        }
        let of = |record: &Record| match &record.entry {
            Entry::Live(operation) => longrun::wire::to_json(&longrun::wire::Entity::new(operation)),
            tombstone @ Entry::Tombstone { .. } => format!("{tombstone:?}"),
        };
        let without_log = |text: String| match text.split_once(",\"log\":[") {
            Some((head, tail)) => format!("{head}{}", tail.split_once(']').map_or("", |(_, rest)| rest)),
            None => text,
        };
        assert_eq!(of(&read), without_log(of(&record)));
        assert_eq!((read.sequence, read.version()), (record.sequence, record.version()));
    }
}

#[test]
fn format_2_is_read_and_written() {
    let kept = include_str!("../fixtures/record-2.hex");
    let written = written_2();
    let made: Vec<_> = written
        .iter()
        .map(|record| format!("{} {}", hex(&key(record.id())), hex(&encode(record).unwrap())))
        .collect();
    assert_eq!(lines(kept).count(), written.len(), "{}", made.join("\n"));
    for ((name, bytes), record) in lines(kept).zip(&written) {
        assert_eq!(name, key(record.id()));
        assert_eq!(decode(&name, &unhex(bytes)).unwrap(), *record);
        assert_eq!(hex(&encode(record).unwrap()), bytes, "format 2 is what is written today");
    }
}

/// Who has none of the members that follow the body pays nothing for them.
#[test]
fn members_cost_those_who_have_them() {
    let plain = first(&NewOperation::new("export"), "a", 7, "2026-05-04T12:00:00Z");
    let grouped = first(&NewOperation::new("export").group("book"), "a", 7, "2026-05-04T12:00:00Z");
    let bytes = |operation| encode(&Record::new(1, Entry::Live(operation))).unwrap().len();
    // The member's number, the length, the four letters.
    assert_eq!(bytes(grouped), bytes(plain) + 6);
}

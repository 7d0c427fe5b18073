//! What is read and printed: timestamps, ids, JSON, tokens, positions.

use chrono::{DateTime, FixedOffset};
use longrun::model::{Json, OperationId, Page, PageToken, Query, Status, Timestamp, TimestampError};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::support::{id, stamp};

/// PROTOCOL 9, 43-48, 120, b-17: what is read, and how it is printed.
#[test]
fn rules_43_to_48_and_120_timestamps() {
    let cases = [
        ("2017-01-01T00:01:23.8467386+03:00", "2017-01-01T00:01:23.8467386+03:00"),
        ("2017-01-01T00:02:24.618735+03:00", "2017-01-01T00:02:24.618735+03:00"),
        ("2012-09-03T13:52Z", "2012-09-03T13:52:00Z"),
        ("2012-09-03t13:52:01z", "2012-09-03T13:52:01Z"),
        ("2012-09-03T13:52:01.500+00:00", "2012-09-03T13:52:01.5Z"),
        ("2012-09-03T13:52:01-00:00", "2012-09-03T13:52:01Z"),
        ("2012-09-03T13:52:01.00000019Z", "2012-09-03T13:52:01.0000001Z"),
        ("2012-09-03T13:52:01.123456789Z", "2012-09-03T13:52:01.1234567Z"),
        ("2012-12-31T23:59:60Z", "2013-01-01T00:00:00Z"),
        ("2012-12-31T23:59:60.25-14:00", "2013-01-01T00:00:00.25-14:00"),
        ("2012-02-29T00:00:00+14:00", "2012-02-29T00:00:00+14:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00-14:00", "0001-01-01T00:00:00-14:00"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"),
        ("9999-12-31T23:59:59.9999999+14:00", "9999-12-31T23:59:59.9999999+14:00"),
    ];
    for (text, printed) in cases {
        assert_eq!(stamp(text).to_string(), printed, "{text}");
        assert_eq!(stamp(printed), stamp(text), "{text}");
    }
    let malformed = [
        "",
        "2012-09-03",
        "2012-09-03 13:52:00Z",
        "2012-09-03T13:52:00",
        "2012-09-03T13Z",
        "2012-09-03T13:52:00+0300",
        "2012-09-03T13:52:00.Z",
        "2012-09-03T13:52:00.1234567890Z",
        "2012-09-03T13:52.5Z",
        "+2012-09-03T13:52:00Z",
        "12012-09-03T13:52:00Z",
        "-001-09-03T13:52:00Z",
        "2012-9-03T13:52:00Z",
        " 2012-09-03T13:52:00Z",
        "2012-09-03T13:52:00Z ",
        "2012-09-03T13:52:00+03",
        "2012-09-03T13:52:00,5Z",
        "２012-09-03T13:52:00Z",
        "2012-09-03T13:52:00\u{2212}03:00",
        "1346680320",
    ];
    for text in malformed {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError::Malformed), "{text}");
    }
    // FAULTS 12 among them.
    let out_of_range = [
        "2012-02-30T00:00:00Z",
        "2013-02-29T00:00:00Z",
        "2012-13-01T00:00:00Z",
        "2012-00-01T00:00:00Z",
        "2012-09-03T24:00:00Z",
        "2012-09-03T13:60:00Z",
        "2012-09-03T13:52:61Z",
        "2012-09-03T13:52:00+14:01",
        "2012-09-03T13:52:00-15:00",
        "2012-09-03T13:52:00+13:60",
        "9999-12-31T23:59:59-23:59",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "0000-01-01T00:00:00+14:00",
        "0000-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+00:01",
    ];
    for text in out_of_range {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError::OutOfRange), "{text}");
    }
}

/// Into chrono and back; what chrono can say beyond us is refused or cut.
#[test]
fn timestamps_and_chrono() {
    for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999+14:00", "2017-01-01T00:01:23.8467386+03:00"] {
        let date: DateTime<FixedOffset> = stamp(text).into();
        assert_eq!(Timestamp::try_from(date), Ok(stamp(text)));
        assert_eq!(DateTime::parse_from_rfc3339(text).unwrap(), date);
        assert_eq!(i32::from(stamp(text).offset_minutes()) * 60, date.offset().local_minus_utc());
    }
    let chrono = |text: &str| DateTime::parse_from_rfc3339(text).unwrap();
    assert_eq!(
        Timestamp::try_from(chrono("2020-01-01T00:00:00.123456789Z")),
        Ok(stamp("2020-01-01T00:00:00.1234567Z"))
    );
    assert_eq!(Timestamp::try_from(chrono("2016-12-31T23:59:60.5Z")), Ok(stamp("2017-01-01T00:00:00.5Z")));
    for edge in ["9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+14:00"] {
        assert_eq!(Timestamp::try_from(chrono(edge)), Err(TimestampError::OutOfRange), "{edge}");
    }
    let odd = FixedOffset::east_opt(30).unwrap();
    assert!(Timestamp::try_from(chrono("2020-01-01T00:00:00Z").with_timezone(&odd)).is_err());
    for far in [DateTime::<chrono::Utc>::MAX_UTC, DateTime::<chrono::Utc>::MIN_UTC] {
        assert_eq!(Timestamp::try_from(far.fixed_offset()), Err(TimestampError::OutOfRange));
    }
    for (ticks, offset) in [(-1, 0), (i64::MAX, 0), (0, -1), (0, 841), (0, -841), (i64::MIN, i16::MIN)] {
        assert!(Timestamp::new(ticks, offset).is_err(), "{ticks} {offset}");
    }
}

/// FAULTS 9, 10, and attempts.
#[test]
fn ids() {
    let nfd = "e\u{301}";
    let bad = [
        "",
        ".",
        "..",
        "a b",
        "a/b",
        "../etc/passwd",
        "%2e%2e",
        "é",
        nfd,
        "\u{202e}a",
        "a\u{200b}",
        "a\0",
        "a\n",
        "a:b",
        "a\\b",
        &"x".repeat(129),
    ];
    for text in bad {
        assert!(text.parse::<OperationId>().is_err(), "{text:?}");
    }
    for text in ["a", "...", "A", "a.b_c~d-9", &"x".repeat(128)] {
        assert_eq!(id(text).to_string(), text);
    }
    assert_ne!(id("a"), id("A"));
    // A UUID is one only as it is printed; other spellings are names of their own.
    let uuid = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
    assert!(id(uuid).as_uuid().is_some());
    assert_eq!(id(uuid).to_string(), uuid);
    for other in [uuid.to_uppercase(), uuid.replace('-', "")] {
        assert_eq!((id(&other).as_uuid(), id(&other).to_string()), (None, other.clone()));
        assert_ne!(id(&other), id(uuid));
    }
    // Ordered as text, whatever the form.
    let mut all = [
        uuid,
        "0",
        "0190a1b2",
        "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c",
        "z",
        "A",
        "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b~2",
    ];
    all.sort_unstable();
    let mut ids = all.map(id);
    ids.reverse();
    ids.sort();
    assert_eq!(ids.map(|id| id.to_string()), all);
    // derive: stable for ever (RFC 9562 version 5, the second of two steps).
    assert_eq!(OperationId::derive("a", "b"), OperationId::derive("a", b"b"));
    assert_ne!(OperationId::derive("a", "b"), OperationId::derive("b", "a"));
    assert_eq!(OperationId::derive("orders", "1742").as_uuid().unwrap().get_version_num(), 5);

    let attempts = [
        ("job", "job", 1),
        ("job~2", "job", 2),
        ("job~10", "job", 10),
        ("job~1", "job~1", 1),
        ("job~02", "job~02", 1),
        ("job~0", "job~0", 1),
        ("job~", "job~", 1),
        ("job~x", "job~x", 1),
        ("~2", "~2", 1),
        (".~2", ".~2", 1),
        ("..~3", "..~3", 1),
        ("job~2~3", "job~2", 3),
        ("job~4294967295", "job", u32::MAX),
        ("job~4294967296", "job~4294967296", 1),
    ];
    for (text, base, number) in attempts {
        assert_eq!((id(text).base().to_string(), id(text).attempt_number()), (base.into(), number), "{text}");
    }
    assert_eq!(id("job~7").attempt(3).unwrap(), id("job~3"));
    assert_eq!(id("job~7").attempt(1).unwrap(), id("job"));
    assert!(id("job").attempt(0).is_err());
    assert!(id(&"x".repeat(127)).attempt(2).is_err());
    assert_eq!(id(&"x".repeat(126)).attempt(2).unwrap().to_string().len(), 128);
    let retry = id(uuid).attempt(2).unwrap();
    assert_eq!((retry.as_uuid(), retry.base()), (None, id(uuid)));
    // A base that is spelled like a number of its own is cut once only, so attempts lead back.
    assert_eq!(id("a").attempt(2).unwrap().base(), id("a"));
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

/// A value that writes itself nested this deep, by a loop of its own making.
struct Deep(usize);

impl Serialize for Deep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.checked_sub(1) {
            None => serializer.serialize_i32(1),
            Some(rest) => {
                let mut seq = serializer.serialize_seq(Some(1))?;
                seq.serialize_element(&Deep(rest))?;
                seq.end()
            }
        }
    }
}

struct Twice;

impl Serialize for Twice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("a", &1)?;
        map.serialize_entry("a", &2)?;
        map.end()
    }
}

/// FAULTS 2, 3, 5, 8 for free JSON, on a stack of 2 MiB.
#[test]
fn json_is_bounded() {
    let test = || {
        for (depth, fits) in
            [(31, true), (32, true), (33, false), (127, false), (128, false), (129, false), (100_000, false)]
        {
            assert_eq!(nested(depth).parse::<Json>().is_ok(), fits, "text, {depth} levels");
            assert_eq!(Json::new(&Deep(depth)).is_ok(), fits, "value, {depth} levels");
            let objects = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
            assert_eq!(objects.parse::<Json>().is_ok(), fits, "objects, {depth} levels");
        }
        // A value that was built by hand: Json copies its text and never walks it again.
        let mut value = serde_json::Value::Null;
        for _ in 0..1_000_000 {
            value = serde_json::Value::Array(vec![value]);
        }
        assert!(Json::new(&value).is_err());
        // serde_json's own drop recurses: take it apart.
        while let serde_json::Value::Array(mut inner) = value {
            value = inner.pop().unwrap();
        }
        drop(Json::new(&Deep(32)).unwrap());
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(test).unwrap().join().unwrap();

    let object =
        |keys: usize| format!("{{{}}}", (0..keys).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
    assert!(object(256).parse::<Json>().is_ok());
    assert!(object(257).parse::<Json>().is_err());
    for twice in [r#"{"a":1,"a":2}"#, r#"{"status":1,"\u0073tatus":2}"#, r#"[{"b":{"a":1,"\u0061":1}}]"#] {
        assert!(twice.parse::<Json>().is_err(), "{twice}");
    }
    assert!(Json::new(&Twice).is_err());
    assert!(r#"{"a":{"a":1},"b":{"a":1}}"#.parse::<Json>().is_ok());
    for nul in [r#""\u0000""#, r#"{"\u0000":1}"#, r#"["a\u0000b"]"#] {
        assert!(nul.parse::<Json>().is_err(), "{nul}");
    }
    assert!(Json::new("a\0").is_err());
    for bad in ["", "1 2", "{", "[1,]", "nul", "1e400", "-1e400", "NaN", "'a'", "\u{feff}1", "01", "\"\n\"", "1."] {
        assert!(bad.parse::<Json>().is_err(), "{bad:?}");
    }
    let kept = r#"{ "z" : [ 1, 2.5, -0.0, true, null, "é\u0001\"" ], "a" : {} }"#.parse::<Json>().unwrap();
    assert_eq!(kept.as_str(), r#"{"z":[1,2.5,-0.0,true,null,"é\u0001\""],"a":{}}"#);
    assert_eq!(Json::new(&kept).unwrap(), kept);
    assert_eq!(serde_json::to_string(&[&kept]).unwrap(), format!("[{}]", kept.as_str()));
    assert!(Json::new(&f64::NAN).unwrap().is_null() && Json::new(&()).unwrap().is_null());
}

/// Tokens: what was printed is read, and nothing else is.
#[test]
fn tokens() {
    let mut query = Query::default();
    let token = query.token(stamp("2020-01-01T00:00:00Z").ticks(), id("a-b~2"));
    assert_eq!(token.to_string().parse::<PageToken>().unwrap(), token);
    let text = token.to_string();
    let bad = [
        String::new(),
        "1-".into(),
        text.replacen('1', "2", 1),
        format!("{text}/"),
        text.to_uppercase(),
        format!(" {text}"),
        "1-0-0-".into(),
        "1-0-0-..".into(),
        "1-+0-0-a".into(),
        "1-00-0-a".into(),
        "1-1ffffffff-0-a".into(),
        "1-0-ffffffffffffffff-a".into(),
        "1-0--1-a".into(),
    ];
    for bad in bad {
        assert!(bad.parse::<PageToken>().is_err(), "{bad:?}");
    }
    // A token is of its list; the limit may change on the way.
    query.after = Some(token.clone());
    assert_eq!(query.check(), Ok(()));
    query.limit = 7.try_into().unwrap();
    assert_eq!(query.check(), Ok(()));
    let mut others = vec![query.clone(); 6];
    others[0].descending = true;
    others[1].type_name = Some("a".into());
    others[2].label = Some(("a".into(), "b".into()));
    others[3].statuses = vec![Status::Running];
    others[4].from = Some(stamp("2020-01-01T00:00:00Z"));
    others[5].until = Some(stamp("2020-01-01T00:00:00Z"));
    for other in others {
        assert_eq!(other.check().unwrap_err().field, "skiptoken", "{other:?}");
    }
    query.after = None;
    query.limit = 1_001.try_into().unwrap();
    assert_eq!(query.check().unwrap_err().field, "limit");
    assert!(Page::new(Vec::new(), None).items.is_empty());
}

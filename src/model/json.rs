//! Free-form JSON that is safe to keep: bounded in depth and keys, without duplicate members or U+0000.
//!
//! It is kept as compact text. Text keeps the order of members, costs one allocation, and dropping it
//! does not recurse, however deep the value was that somebody built.

use std::fmt;
use std::io;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};
use serde_json::value::RawValue;

/// Levels of arrays and objects a value may nest.
pub const MAX_DEPTH: usize = 32;
/// Members an object may have.
pub const MAX_KEYS: usize = 256;

/// A checked JSON value as compact text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Box<str>);

/// Why a value cannot be kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

impl Json {
    /// Serialises a value; fails where it is deeper than 32 levels, has more than 256 members in an
    /// object, a member twice, or U+0000 in a text.
    pub fn new(value: &(impl Serialize + ?Sized)) -> Result<Self, JsonError> {
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, Bounded::default());
        value.serialize(&mut serializer).map_err(|error| JsonError(error.to_string()))?;
        // A `Serialize` of somebody's own may write a member twice.
        String::from_utf8(text).map_err(|_| JsonError("must be UTF-8".into()))?.parse()
    }

    /// A text that was checked before it was written, and read back under a checksum.
    pub(crate) fn from_checked(text: &str) -> Self {
        Self(text.into())
    }

    /// The compact text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// Reads the value as a type.
    pub fn to<T: de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Json {
    type Err = JsonError;

    fn from_str(text: &str) -> Result<Self, JsonError> {
        serde_json::from_str(text).map_err(|error: serde_json::Error| JsonError(error.to_string()))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::new();
        Compact { text: &mut text, depth: 0 }.deserialize(deserializer)?;
        Ok(Self(text.into()))
    }
}

impl Serialize for Json {
    /// Writes the value itself, not its text; only into JSON.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Refuses while writing, so that a value too deep is never walked to its end.
#[derive(Default)]
struct Bounded {
    depth: usize,
}

impl Bounded {
    fn enter(&mut self) -> io::Result<()> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH { Err(io::Error::other(TOO_DEEP)) } else { Ok(()) }
    }
}

const TOO_DEEP: &str = "must nest at most 32 levels";
const TOO_WIDE: &str = "must have at most 256 members in an object";
const NUL: &str = "must not contain U+0000";

impl Formatter for Bounded {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        CompactFormatter.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        CompactFormatter.end_array(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        CompactFormatter.end_object(writer)
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(0) => Err(io::Error::other(NUL)),
            other => CompactFormatter.write_char_escape(writer, other),
        }
    }
}

/// Copies any value into compact text, checking as it goes.
struct Compact<'a> {
    text: &'a mut String,
    depth: usize,
}

impl Compact<'_> {
    fn deeper<E: de::Error>(&self) -> Result<usize, E> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH { Err(E::custom(TOO_DEEP)) } else { Ok(depth) }
    }

    fn scalar<E: de::Error>(self, value: impl Serialize) -> Result<(), E> {
        self.text.push_str(&serde_json::to_string(&value).map_err(E::custom)?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Compact<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Compact<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        if value.contains('\0') {
            return Err(E::custom(NUL));
        }
        self.scalar(value)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.scalar(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        self.text.push('[');
        let mut first = true;
        loop {
            let mark = self.text.len();
            if !first {
                self.text.push(',');
            }
            if seq.next_element_seed(Compact { text: self.text, depth })?.is_none() {
                self.text.truncate(mark);
                break;
            }
            first = false;
        }
        self.text.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let mut keys = std::collections::HashSet::new();
        self.text.push('{');
        while let Some(key) = map.next_key::<String>()? {
            if keys.len() >= MAX_KEYS {
                return Err(de::Error::custom(TOO_WIDE));
            }
            if !keys.is_empty() {
                self.text.push(',');
            }
            Compact { text: self.text, depth }.visit_str(&key)?;
            self.text.push(':');
            map.next_value_seed(Compact { text: self.text, depth })?;
            if let Some(twice) = keys.replace(key) {
                return Err(de::Error::custom(format!("must not name member `{}` twice", twice.escape_debug())));
            }
        }
        self.text.push('}');
        Ok(())
    }
}

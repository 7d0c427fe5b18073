//! The name of an operation.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Characters an id may have at most.
const MAX_CHARS: usize = 128;

/// The name of an operation: 1 to 128 of `A-Z a-z 0-9 . _ ~ -` (RFC 3986 *unreserved*), not `.` or `..`.
///
/// Compared byte by byte, never case-folded; ordered as text. A lower-case hyphenated UUID takes 16
/// bytes in memory.
#[derive(Clone)]
pub struct OperationId(Repr);

#[derive(Clone)]
enum Repr {
    Uuid(Uuid),
    Text(Box<str>),
}

/// Why a text is no [`OperationId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be 1 to 128 of A-Z a-z 0-9 . _ ~ - and not . or ..")
    }
}

impl std::error::Error for InvalidId {}

impl OperationId {
    /// The id that this text always gives in this namespace: a version 5 UUID (RFC 9562), stable for ever.
    pub fn derive(namespace: &str, name: impl AsRef<[u8]>) -> Self {
        let space = Uuid::new_v5(&Uuid::NAMESPACE_OID, namespace.as_bytes());
        Self(Repr::Uuid(Uuid::new_v5(&space, name.as_ref())))
    }

    /// This id without one trailing `~` and number of 2 or more: the first attempt.
    pub fn base(&self) -> Self {
        match &self.0 {
            Repr::Text(text) => match text.rsplit_once('~') {
                Some((base, number)) if is_attempt(number) => base.parse().unwrap_or_else(|_| self.clone()),
                _ => self.clone(),
            },
            Repr::Uuid(_) => self.clone(),
        }
    }

    /// The `n`th attempt at the same work: [`base`](Self::base) for 1, `base~n` after it.
    ///
    /// `InvalidId` for 0, or beyond 128 characters.
    pub fn attempt(&self, n: u32) -> Result<Self, InvalidId> {
        match n {
            0 => Err(InvalidId),
            1 => Ok(self.base()),
            _ => format!("{}~{n}", self.base()).parse(),
        }
    }

    /// Which attempt this is: 1 without a trailing `~n`.
    pub fn attempt_number(&self) -> u32 {
        match &self.0 {
            Repr::Text(text) => match text.rsplit_once('~') {
                Some((base, number)) if is_attempt(number) && base.parse::<Self>().is_ok() => {
                    number.parse().unwrap_or(1)
                }
                _ => 1,
            },
            Repr::Uuid(_) => 1,
        }
    }

    /// The id as a UUID, when it is one.
    pub fn as_uuid(&self) -> Option<Uuid> {
        match self.0 {
            Repr::Uuid(uuid) => Some(uuid),
            Repr::Text(_) => None,
        }
    }

    fn with_text<R>(&self, read: impl FnOnce(&str) -> R) -> R {
        match &self.0 {
            Repr::Uuid(uuid) => read(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Repr::Text(text) => read(text),
        }
    }
}

fn is_attempt(number: &str) -> bool {
    !number.starts_with('0')
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && number.parse::<u32>().is_ok_and(|n| n >= 2)
}

impl FromStr for OperationId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
        if text.is_empty() || text.len() > MAX_CHARS || !text.bytes().all(allowed) || text == "." || text == ".." {
            return Err(InvalidId);
        }
        match Uuid::try_parse(text) {
            // Only the spelling that this type prints: other spellings are other ids.
            Ok(uuid) if *uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *text => {
                Ok(Self(Repr::Uuid(uuid)))
            }
            _ => Ok(Self(Repr::Text(text.into()))),
        }
    }
}

impl From<Uuid> for OperationId {
    fn from(uuid: Uuid) -> Self {
        Self(Repr::Uuid(uuid))
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.pad(text))
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// One text has one representation, so comparing representations compares texts.
impl PartialEq for OperationId {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Uuid(a), Repr::Uuid(b)) => a == b,
            (Repr::Text(a), Repr::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for OperationId {}

impl Hash for OperationId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Uuid(uuid) => uuid.hash(state),
            Repr::Text(text) => text.hash(state),
        }
    }
}

impl Ord for OperationId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // Lower-case hexadecimal with hyphens in fixed places sorts as its bytes do.
            (Repr::Uuid(a), Repr::Uuid(b)) => a.cmp(b),
            _ => self.with_text(|a| other.with_text(|b| a.cmp(b))),
        }
    }
}

impl PartialOrd for OperationId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for OperationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

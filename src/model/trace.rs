//! Where an operation came from, as W3C's Trace Context spells it.

use std::fmt;
use std::str::FromStr;

use super::text::Unfit;

/// A `traceparent` of W3C's Trace Context: `00-<32 hex>-<16 hex>-<2 hex>`, kept as it was given.
///
/// Of a version after 00 what follows the four parts is kept too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent(Box<str>);

/// Characters of the four parts.
const LENGTH: usize = 55;
/// Characters of a later version's text at most.
const MAX: usize = 256;

impl TraceParent {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace: 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }

    /// The span in it: 16 lower-case hexadecimal digits.
    pub fn parent_id(&self) -> &str {
        self.0.get(36..52).unwrap_or_default()
    }

    /// The flags.
    pub fn flags(&self) -> u8 {
        self.0.get(53..55).and_then(|flags| u8::from_str_radix(flags, 16).ok()).unwrap_or(0)
    }

    /// Whether the caller may have recorded its part.
    pub fn is_sampled(&self) -> bool {
        self.flags() & 1 == 1
    }
}

impl FromStr for TraceParent {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        if is_trace_parent(text) {
            return Ok(Self(text.into()));
        }
        Err(Unfit::new("traceParent", "must be a traceparent of W3C's Trace Context, 00-<32 hex>-<16 hex>-<2 hex>"))
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn is_trace_parent(text: &str) -> bool {
    let (Some(parts), rest) = (text.get(..LENGTH), text.get(LENGTH..).unwrap_or_default()) else { return false };
    let mut split = parts.split('-');
    let mut part = |length: usize| {
        split.next().filter(|part| {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            part.len() == length && part.bytes().all(hex)
        })
    };
    let (Some(version), Some(trace), Some(parent), Some(_)) = (part(2), part(32), part(16), part(2)) else {
        return false;
    };
    let something = |part: &str| part.bytes().any(|byte| byte != b'0');
    let fits = match version {
        "ff" => false,
        "00" => rest.is_empty(),
        _ => {
            rest.is_empty()
                || (rest.starts_with('-') && text.len() <= MAX && rest.bytes().all(|b| b.is_ascii_graphic()))
        }
    };
    fits && something(trace) && something(parent)
}

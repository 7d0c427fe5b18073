//! `If-Match` and `If-None-Match` on one snapshot: RFC 9110 13.1 with OData's weak comparison (PROTOCOL 74-84, 118).
//!
//! | `If-Match` | `If-None-Match` | passes when |
//! |---|---|---|
//! | absent | absent | always |
//! | `*` | | the operation exists |
//! | list | | one tag of the list is the current one |
//! | | `*` | the operation does not exist |
//! | | list | no tag of the list is the current one |
//!
//! Both are checked where both are given.

use std::fmt;
use std::str::FromStr;

use super::operation::{Operation, Version};

/// An entity tag: `W/"opaque"` or `"opaque"` (RFC 9110 8.8.3). Compared weakly: the `W/` does not count.
#[derive(Clone, Debug)]
pub struct ETag {
    weak: bool,
    opaque: Box<str>,
}

/// A header that is no list of entity tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedETag;

impl fmt::Display for MalformedETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be * or a list of entity tags (RFC 9110 8.8.3)")
    }
}

impl std::error::Error for MalformedETag {}

impl PartialEq for ETag {
    fn eq(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

impl Eq for ETag {}

impl From<Version> for ETag {
    fn from(version: Version) -> Self {
        Self { weak: true, opaque: version.to_string().into() }
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.opaque)
    }
}

impl FromStr for ETag {
    type Err = MalformedETag;

    fn from_str(text: &str) -> Result<Self, MalformedETag> {
        match tag(text.trim_matches(OWS))? {
            (tag, "") => Ok(tag),
            _ => Err(MalformedETag),
        }
    }
}

/// Optional white space of header lists.
const OWS: [char; 2] = [' ', '\t'];
/// What empty list elements are made of.
const EMPTY: [char; 3] = [' ', '\t', ','];

/// One tag at the front of `text`, and what follows it.
fn tag(text: &str) -> Result<(ETag, &str), MalformedETag> {
    let (weak, rest) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
    let rest = rest.strip_prefix('"').ok_or(MalformedETag)?;
    let (opaque, rest) = rest.split_once('"').ok_or(MalformedETag)?;
    let allowed = |c: char| c == '!' || ('#'..='~').contains(&c) || c >= '\u{80}';
    if opaque.chars().all(allowed) { Ok((ETag { weak, opaque: opaque.into() }, rest)) } else { Err(MalformedETag) }
}

/// What a conditional header names: `*`, or a list of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tags {
    /// `*`: any current representation.
    Any,
    /// These.
    List(Vec<ETag>),
}

impl FromStr for Tags {
    type Err = MalformedETag;

    fn from_str(text: &str) -> Result<Self, MalformedETag> {
        let mut rest = text.trim_matches(OWS);
        if rest == "*" {
            return Ok(Self::Any);
        }
        let mut list = Vec::new();
        // RFC 9110 5.6.1: empty list elements are read over.
        rest = rest.trim_start_matches(EMPTY);
        loop {
            let (tag, after) = tag(rest)?;
            list.push(tag);
            let after = after.trim_start_matches(OWS);
            if after.is_empty() {
                return Ok(Self::List(list));
            }
            let after = after.strip_prefix(',').ok_or(MalformedETag)?;
            rest = after.trim_start_matches(EMPTY);
            if rest.is_empty() {
                return Ok(Self::List(list));
            }
        }
    }
}

impl From<ETag> for Tags {
    fn from(tag: ETag) -> Self {
        Self::List(vec![tag])
    }
}

impl From<Version> for Tags {
    fn from(version: Version) -> Self {
        ETag::from(version).into()
    }
}

impl From<&Operation> for Tags {
    fn from(operation: &Operation) -> Self {
        operation.version().into()
    }
}

impl Tags {
    fn name(&self, current: Option<Version>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::List(list), Some(current)) => list.contains(&current.into()),
        }
    }
}

/// The conditions of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Precondition {
    /// `If-Match`.
    pub if_match: Option<Tags>,
    /// `If-None-Match`.
    pub if_none_match: Option<Tags>,
}

/// Which condition failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmet {
    /// `If-Match` names no current tag.
    DoesNotMatch,
    /// `If-None-Match` names the current tag.
    Matches,
}

impl Precondition {
    /// No condition.
    pub fn none() -> Self {
        Self::default()
    }

    /// Checks the table above on the current version; `None` where there is no operation.
    pub fn check(&self, current: Option<Version>) -> Result<(), Unmet> {
        if self.if_match.as_ref().is_some_and(|tags| !tags.name(current)) {
            return Err(Unmet::DoesNotMatch);
        }
        if self.if_none_match.as_ref().is_some_and(|tags| tags.name(current)) {
            return Err(Unmet::Matches);
        }
        Ok(())
    }
}

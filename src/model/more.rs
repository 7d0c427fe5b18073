//! What few operations have: kept in a box of its own, so that all others pay for a pointer.

use super::timestamp::Timestamp;

/// Members that most operations are without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct More {
    /// When it must have ended.
    pub(crate) deadline: Option<Timestamp>,
    /// What it belongs to, with others.
    pub(crate) group: Option<Box<str>>,
    /// What it alone may be doing.
    pub(crate) unique_key: Option<Box<str>>,
}

impl More {
    /// Nothing, where there is nothing in it: two records of the same members are equal.
    pub(crate) fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

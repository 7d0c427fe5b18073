//! What few operations have: kept apart, so that all others pay for a pointer, and shared by the versions of
//! an operation.

use std::sync::Arc;

use super::log::Line;
use super::timestamp::Timestamp;
use super::trace::TraceParent;

/// Members that most operations are without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct More {
    /// When it must have ended.
    pub(crate) deadline: Option<Timestamp>,
    /// What it belongs to, with others.
    pub(crate) group: Option<Box<str>>,
    /// What it alone may be doing.
    pub(crate) unique_key: Option<Box<str>>,
    /// Where it came from.
    pub(crate) trace_parent: Option<TraceParent>,
    /// What it said last.
    pub(crate) log: Vec<Line>,
}

impl More {
    /// Nothing, where there is nothing in it: two records of the same members are equal.
    pub(crate) fn shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}

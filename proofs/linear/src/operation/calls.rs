//! What is asked of an operation and what is answered, as plain data.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A text that is compared and never looked into: a version, a holder, a code.
pub type Text = Arc<str>;

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Created.
    NotStarted,
    /// Begun.
    Running,
    /// Ended well, for ever.
    Completed,
    /// Ended badly, for ever.
    Failed,
}

impl Status {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a caller asks.
///
/// Whatever ends an operation for another (a rescuer, a timeout, a lease that ran out) is a `Fail` that
/// names the holder it took the work from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// To make it.
    Create {
        /// Type, labels and what else a second create must repeat to be taken for the first, as one
        /// text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<Text>,
        /// To make it Running at once.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        running: bool,
    },
    /// To see it.
    Get,
    /// To change it.
    Patch(Patch),
    /// To claim it: Running, for this holder.
    Start {
        /// Who claims.
        holder: Text,
        /// Only if this is its version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_match: Option<Text>,
    },
    /// To end it well.
    Complete {
        /// The outcome.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Text>,
        /// Only if it is held by this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<Text>,
    },
    /// To end it badly.
    Fail {
        /// Why.
        code: Text,
        /// Only if it is held by this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<Text>,
    },
    /// To end it before it starts, or to ask whoever runs it to end.
    Cancel {
        /// Only if this is its version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_match: Option<Text>,
    },
    /// To forget it, if it has ended.
    Delete {
        /// Only if this is its version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_match: Option<Text>,
    },
}

/// A change of some members; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The status it shall have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The percentage it shall have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// The text for people that it shall have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Text>,
    /// The error's code (with Failed) or the result (with Completed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Text>,
    /// A sign of life: always a change while the operation has not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heartbeat: bool,
    /// Only if this is its version; `*` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<Text>,
    /// Only if it is held by this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Text>,
}

/// A record as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its version.
    pub version: Text,
    /// Its status.
    pub status: Status,
    /// The rest, if it was recorded; then it must be right to the last member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Detail>,
}

/// The members of a record beside version and status.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detail {
    /// The percentage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// The text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Text>,
    /// Who holds the claim, or held it at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Text>,
    /// The error's code or the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Text>,
    /// Whether a cancel was asked of whoever runs it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelling: bool,
}

/// What is answered. Where a record is optional it is the one that decided, as the answer shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is so; this is the record now.
    Done(Seen),
    /// It is gone.
    Deleted,
    /// There is none.
    NotFound,
    /// It has another version than the one asked for.
    Conflict(Option<Seen>),
    /// Another was quicker: it has another version or holder than the one asked for, or is gone.
    Lost(Option<Seen>),
    /// It has ended, and this would change it.
    Terminal(Option<Seen>),
    /// Its state does not allow this: a transition that there is not, a progress that goes back,
    /// another's claim, a create that differs, a delete of what has not ended.
    Refused(Option<Seen>),
    /// Nothing was changed, for a reason that does not lie in the operation.
    NotApplied,
    /// Nobody knows: it may have taken effect, may still do so, or may never.
    Unknown,
}

//! What an operation can be: four variants that own their data, so that no illegal record can be written down.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::amount::Amount;
use super::json::Json;
use super::text::{self, Unfit};
use super::timestamp::Timestamp;

/// The four words of the machine, as the page `update-operation.md` declares them.
///
/// Exhaustive: the enum is closed on the wire (PROTOCOL b-14); cancelled, orphaned and the like are
/// `Failed` with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "the wire's enum is closed: a fifth member would break every client")]
pub enum Status {
    /// Created; nobody works on it.
    NotStarted,
    /// Somebody works on it.
    Running,
    /// It ended well. Terminal.
    Completed,
    /// It ended badly. Terminal.
    Failed,
}

impl Status {
    /// All four, in the machine's order.
    pub const ALL: [Self; 4] = [Self::NotStarted, Self::Running, Self::Completed, Self::Failed];

    /// Whether nothing can follow.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }

    /// What may follow.
    pub const fn allowed(self) -> &'static [Self] {
        match self {
            Self::NotStarted => &[Self::Running],
            Self::Running => &[Self::Completed, Self::Failed],
            Self::Completed | Self::Failed => &[],
        }
    }

    /// The word of the wire: `PascalCase`, exactly as declared.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = Unfit;

    /// In any case (PROTOCOL 29).
    fn from_str(word: &str) -> Result<Self, Unfit> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| Unfit::new("status", "must be one of NotStarted, Running, Completed, Failed"))
    }
}

/// How much is done, in whole percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Progress(u8);

impl Progress {
    /// None of it.
    pub(crate) const NONE: Self = Self(0);
    /// All of it.
    pub const DONE: Self = Self(100);

    /// Whole percent, 0 to 100.
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Progress {
    type Error = Unfit;

    fn try_from(percent: i64) -> Result<Self, Unfit> {
        match u8::try_from(percent) {
            Ok(percent) if percent <= 100 => Ok(Self(percent)),
            _ => Err(Unfit::new("percentageComplete", "must be a whole number from 0 to 100")),
        }
    }
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: Box<str>,
    message: Box<str>,
    target: Option<Box<str>>,
    details: Option<Json>,
}

impl Failure {
    /// Bytes of compact JSON that a failure may take.
    pub const MAX_BYTES: usize = 8 * 1024;
    /// Characters a code may have.
    const MAX_CODE: usize = 128;

    /// The work returned an error.
    pub const FAILED: &'static str = "failed";
    /// Somebody asked for the end.
    pub const CANCELLED: &'static str = "cancelled";
    /// The process that ran it is gone.
    pub const ORPHANED: &'static str = "orphaned";
    /// It was not written for longer than its lease.
    pub const STALLED: &'static str = "stalled";
    /// Its `Run` was dropped unfinished.
    pub const ABANDONED: &'static str = "abandoned";
    /// The tracker was closed while it ran.
    pub const INTERRUPTED: &'static str = "interrupted";
    /// The work panicked.
    pub const PANICKED: &'static str = "panicked";
    /// It ran longer than its type may.
    pub const TIMEOUT: &'static str = "timeout";
    /// Its deadline passed before it ended.
    pub const DEADLINE_EXCEEDED: &'static str = "deadlineExceeded";
    /// The work succeeded with a result over its bound.
    pub const RESULT_TOO_LARGE: &'static str = "resultTooLarge";

    /// A failure with a code for programs and a message for people.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into().into(), message: message.into().into(), target: None, details: None }
    }

    /// What the failure is about.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into().into());
        self
    }

    /// More about it, as JSON.
    pub fn details(mut self, details: Json) -> Self {
        self.details = Some(details);
        self
    }

    /// The code for programs.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the failure is about, if said.
    pub fn about(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// More about it, if said.
    pub fn more(&self) -> Option<&Json> {
        self.details.as_ref()
    }

    /// Bytes of compact JSON that this takes, members' names included.
    fn bytes(&self) -> usize {
        let quoted = |text: &str| serde_json::to_string(text).map_or(usize::MAX, |json| json.len());
        // Two quotes, a colon, and a comma or the closing brace; the opening brace is counted below.
        let member = |name: usize, value: usize| name.saturating_add(4).saturating_add(value);
        let target = self.target.as_deref().map_or(0, |text| member("target".len(), quoted(text)));
        let details = self.details.as_ref().map_or(0, |json| member("details".len(), json.as_str().len()));
        member("code".len(), quoted(&self.code))
            .saturating_add(1)
            .saturating_add(member("message".len(), quoted(&self.message)))
            .saturating_add(target)
            .saturating_add(details)
    }

    pub(crate) fn check(&self) -> Result<(), Unfit> {
        text::name("error/code", &self.code, Self::MAX_CODE)?;
        text::free("error/message", &self.message, usize::MAX)?;
        if let Some(target) = &self.target {
            text::free("error/target", target, usize::MAX)?;
        }
        let bytes = self.bytes();
        if bytes > Self::MAX_BYTES {
            return Err(Unfit::new(
                "error",
                format!("must have at most {} bytes of JSON, has {bytes}", Self::MAX_BYTES),
            ));
        }
        Ok(())
    }

    /// This failure cut to what can be recorded: an end must never be lost to its own length.
    /// `details` goes first, then the target, then the message is cut.
    pub(crate) fn fitted(mut self) -> Self {
        let clean = |text: &str| text.replace('\0', "\u{fffd}").into_boxed_str();
        // No character takes less than a byte as JSON, so nothing beyond the bound can stay.
        let end = self.message.floor_char_boundary(Self::MAX_BYTES);
        self.message = clean(self.message.get(..end).unwrap_or_default());
        self.target = self.target.as_deref().map(clean);
        if text::name("error/code", &self.code, Self::MAX_CODE).is_err() {
            self.code = Self::FAILED.into();
        }
        if self.bytes() > Self::MAX_BYTES {
            self.details = None;
        }
        if self.bytes() > Self::MAX_BYTES {
            self.target = None;
        }
        while self.bytes() > Self::MAX_BYTES {
            let over = self.bytes().saturating_sub(Self::MAX_BYTES).max(8);
            // A character takes up to 6 bytes as JSON (`\u001f`), so cutting a sixth never cuts too much.
            let keep = self.message.floor_char_boundary(self.message.len().saturating_sub(over.div_ceil(6)));
            self.message = self.message.get(..keep).unwrap_or_default().into();
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

/// What every operation has that was ever started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// The `lastActionDateTime` that the move to Running wrote.
    pub started: Timestamp,
    /// Who claimed it.
    pub holder: Option<Arc<str>>,
    /// The last progress told.
    pub progress: Option<Progress>,
    /// The same in a unit that people know, if it was told so.
    pub amount: Option<Box<Amount>>,
    /// When somebody asked a running one to end.
    pub cancellation_requested: Option<Timestamp>,
}

impl Work {
    pub(crate) fn new(started: Timestamp) -> Self {
        Self { started, holder: None, progress: None, amount: None, cancellation_requested: None }
    }
}

/// The state of an operation.
///
/// Exhaustive: its variants are the words of [`Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "as closed as Status")]
pub enum State {
    /// Created; nobody works on it.
    NotStarted,
    /// Somebody works on it.
    Running(Work),
    /// It ended well.
    Completed {
        /// How it ran.
        work: Work,
        /// What came out.
        result: Option<Json>,
    },
    /// It ended badly.
    Failed {
        /// How it ran.
        work: Work,
        /// Why, if said.
        failure: Option<Failure>,
    },
}

impl State {
    /// The label of this state.
    pub const fn status(&self) -> Status {
        match self {
            Self::NotStarted => Status::NotStarted,
            Self::Running(_) => Status::Running,
            Self::Completed { .. } => Status::Completed,
            Self::Failed { .. } => Status::Failed,
        }
    }

    pub(crate) fn work_mut(&mut self) -> Option<&mut Work> {
        match self {
            Self::NotStarted => None,
            Self::Running(work) | Self::Completed { work, .. } | Self::Failed { work, .. } => Some(work),
        }
    }

    /// How it ran, if it was ever started.
    pub const fn work(&self) -> Option<&Work> {
        match self {
            Self::NotStarted => None,
            Self::Running(work) | Self::Completed { work, .. } | Self::Failed { work, .. } => Some(work),
        }
    }
}

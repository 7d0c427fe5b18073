//! The record of one operation and its version.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use serde::de::DeserializeOwned;

use super::amount::Amount;
use super::id::OperationId;
use super::json::Json;
use super::log::Line;
use super::more::More;
use super::precondition::ETag;
use super::state::{Failure, Progress, State, Status};
use super::timestamp::Timestamp;
use super::trace::TraceParent;

/// Which write of which life of an operation this is; compared for equality only.
///
/// `birth` tells a re-created id from the old one, `instance` tells a write that replaced one taken
/// back by a power cut (PROTOCOL b-16). Its text is the opaque part of the ETag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    pub(crate) birth: u64,
    pub(crate) n: u64,
    pub(crate) instance: u32,
}

impl Version {
    /// From its three parts, as an own record format keeps them.
    pub const fn new(birth: u64, n: u64, instance: u32) -> Self {
        Self { birth, n, instance }
    }

    /// 64 random bits drawn when the operation was created.
    pub const fn birth(self) -> u64 {
        self.birth
    }

    /// How many writes made this record: 1 for the first.
    pub const fn n(self) -> u64 {
        self.n
    }

    /// The open of the store that wrote it.
    pub const fn instance(self) -> u32 {
        self.instance
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base36(f, self.birth)?;
        f.write_str(".")?;
        base36(f, self.n)?;
        f.write_str(".")?;
        base36(f, self.instance.into())
    }
}

fn base36(f: &mut fmt::Formatter<'_>, mut value: u64) -> fmt::Result {
    let mut digits = Vec::with_capacity(13);
    loop {
        let digit = u32::try_from(value % 36).ok().and_then(|digit| char::from_digit(digit, 36)).unwrap_or('0');
        digits.push(digit);
        value /= 36;
        if value == 0 {
            return digits.iter().rev().try_for_each(|digit| fmt::Write::write_char(f, *digit));
        }
    }
}

/// One long-running operation as it was at one version. Immutable: [`apply`](Self::apply) makes the next one. A handle:
/// clones share the record.
#[derive(Clone, PartialEq, Eq)]
pub struct Operation(pub(crate) Arc<Parts>);

/// What an operation is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) id: OperationId,
    pub(crate) version: Version,
    /// Shared, as the holder is: a change copies the record.
    pub(crate) type_name: Option<Arc<str>>,
    /// Sorted by key.
    pub(crate) labels: Box<[(Box<str>, Box<str>)]>,
    pub(crate) retry_of: Option<OperationId>,
    pub(crate) created: Timestamp,
    pub(crate) last_action: Timestamp,
    pub(crate) detail: Option<Box<str>>,
    pub(crate) resource_location: Option<Box<str>>,
    pub(crate) more: Option<Arc<More>>,
    pub(crate) state: State,
}

/// A result that is absent or of another type.
#[derive(Debug)]
#[non_exhaustive]
pub struct ResultError {
    id: OperationId,
    wanted: &'static str,
    source: Option<serde_json::Error>,
}

impl fmt::Display for ResultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Some(_) => write!(f, "the result of operation {} is no {}", self.id, self.wanted),
            None => write!(f, "operation {} has no result", self.id),
        }
    }
}

impl std::error::Error for ResultError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Parts> for Operation {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Operation {
    /// Its name.
    pub fn id(&self) -> &OperationId {
        &self.0.id
    }

    /// Which write this is.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// The version as an entity tag.
    pub fn etag(&self) -> ETag {
        self.0.version.into()
    }

    /// The kind of work, if it was given.
    pub fn type_name(&self) -> Option<&str> {
        self.0.type_name.as_deref()
    }

    /// What people look for, sorted by key.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.labels.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The value of one label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The operation that this one tries again.
    pub fn retry_of(&self) -> Option<&OperationId> {
        self.0.retry_of.as_ref()
    }

    /// The state with what belongs to it.
    pub fn state(&self) -> &State {
        &self.0.state
    }

    /// The label of the state.
    pub fn status(&self) -> Status {
        self.0.state.status()
    }

    /// Whether it has ended.
    pub fn is_terminal(&self) -> bool {
        self.status().is_terminal()
    }

    /// When it was created.
    pub fn created(&self) -> DateTime<FixedOffset> {
        self.0.created.into()
    }

    /// When it last moved or gave a sign of life; the end, once it has ended.
    pub fn last_action(&self) -> DateTime<FixedOffset> {
        self.0.last_action.into()
    }

    /// When it moved to Running.
    pub fn started(&self) -> Option<DateTime<FixedOffset>> {
        self.0.state.work().map(|work| work.started.into())
    }

    /// When somebody asked it to end while it ran.
    pub fn cancellation_requested(&self) -> Option<DateTime<FixedOffset>> {
        self.0.state.work()?.cancellation_requested.map(Into::into)
    }

    /// The operations that it belongs with.
    pub fn group(&self) -> Option<&str> {
        self.0.more.as_ref()?.group.as_deref()
    }

    /// What it alone may be doing until it has ended.
    pub fn unique_key(&self) -> Option<&str> {
        self.0.more.as_ref()?.unique_key.as_deref()
    }

    /// The unique key, while it keeps others from being created.
    pub fn held_key(&self) -> Option<&str> {
        self.unique_key().filter(|_| !self.is_terminal())
    }

    /// When it must have ended.
    pub fn deadline(&self) -> Option<DateTime<FixedOffset>> {
        self.stamps().deadline.map(Into::into)
    }

    /// Whether it should have ended by now and has not.
    pub fn is_due(&self, now: Timestamp) -> bool {
        !self.is_terminal() && self.stamps().deadline.is_some_and(|deadline| deadline.ticks() <= now.ticks())
    }

    /// Who holds or held the claim.
    pub fn holder(&self) -> Option<&str> {
        self.0.state.work()?.holder.as_deref()
    }

    /// How much is done; all of it once Completed.
    pub fn progress(&self) -> Option<Progress> {
        match &self.0.state {
            State::NotStarted => None,
            State::Running(work) | State::Failed { work, .. } => work.progress,
            State::Completed { .. } => Some(Progress::DONE),
        }
    }

    /// How much is done in a unit that people know, as it was told last.
    pub fn amount(&self) -> Option<&Amount> {
        self.0.state.work()?.amount.as_deref()
    }

    /// The last details with their times, oldest first: at most 20, of 8 KiB in all.
    pub fn log(&self) -> impl ExactSizeIterator<Item = (DateTime<FixedOffset>, &str)> {
        self.lines().iter().map(|line| (line.at.into(), &*line.text))
    }

    pub(crate) fn lines(&self) -> &[Line] {
        self.0.more.as_ref().map_or(&[], |more| &more.log)
    }

    /// Where it came from.
    pub fn trace_parent(&self) -> Option<&TraceParent> {
        self.0.more.as_ref()?.trace_parent.as_ref()
    }

    /// Free text for people.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Where the outcome is.
    pub fn resource_location(&self) -> Option<&str> {
        self.0.resource_location.as_deref()
    }

    /// Why it failed, if it did and a reason was given.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.0.state {
            State::Failed { failure, .. } => failure.as_ref(),
            _ => None,
        }
    }

    /// What came out, as JSON.
    pub fn result_json(&self) -> Option<&Json> {
        match &self.0.state {
            State::Completed { result, .. } => result.as_ref(),
            _ => None,
        }
    }

    /// What came out, as a type.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T, ResultError> {
        let error = |source| ResultError { id: self.0.id.clone(), wanted: std::any::type_name::<T>(), source };
        let json = self.result_json().ok_or_else(|| error(None))?;
        json.to().map_err(|source| error(Some(source)))
    }

    /// The same instants in ticks, for what orders and indexes operations.
    pub fn stamps(&self) -> Stamps {
        Stamps {
            created: self.0.created,
            last_action: self.0.last_action,
            started: self.0.state.work().map(|work| work.started),
            cancellation_requested: self.0.state.work().and_then(|work| work.cancellation_requested),
            deadline: self.0.more.as_ref().and_then(|more| more.deadline),
        }
    }

    /// A record as it was decoded. Only [`crate::store::record`] makes one so; everybody else goes
    /// through [`Operation::new`](Self::new) and [`apply`](Self::apply).
    pub(crate) fn from_parts(parts: Parts) -> Result<Self, &'static str> {
        let Parts { created, last_action, version, state, labels, .. } = &parts;
        if version.n == 0 {
            return Err("version 0");
        }
        if last_action.ticks() < created.ticks() {
            return Err("last action before creation");
        }
        if let Some(work) = state.work()
            && (work.started.ticks() < created.ticks() || work.started.ticks() > last_action.ticks())
        {
            return Err("start outside the operation's life");
        }
        if !labels.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err("labels out of order");
        }
        Ok(parts.into())
    }
}

/// The instants of an operation at full precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamps {
    /// When it was created.
    pub created: Timestamp,
    /// When it last moved or gave a sign of life.
    pub last_action: Timestamp,
    /// When it moved to Running.
    pub started: Option<Timestamp>,
    /// When somebody asked it to end while it ran.
    pub cancellation_requested: Option<Timestamp>,
    /// When it must have ended.
    pub deadline: Option<Timestamp>,
}

//! What a caller says to create an operation, and the first record made of it.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset};

use super::id::{InvalidId, OperationId};
use super::more::More;
use super::operation::{Operation, Parts, Version};
use super::patch::{Applied, Intent, Patch};
use super::rejection::Rejection;
use super::rules::Rules;
use super::state::{State, Status};
use super::text::{self, Unfit};
use super::timestamp::Timestamp;

/// An operation to create.
///
/// With an id it is idempotent: creating it again with the same type, labels, group, unique key and `retryOf`
/// answers the existing operation (PROTOCOL 96).
#[derive(Clone, Debug, Default)]
pub struct NewOperation {
    pub(crate) id: Option<OperationId>,
    pub(crate) type_name: Option<Arc<str>>,
    pub(crate) labels: Vec<(Box<str>, Box<str>)>,
    pub(crate) retry_of: Option<OperationId>,
    pub(crate) more: More,
    pub(crate) patch: Patch,
    unfit: Option<Unfit>,
}

impl NewOperation {
    /// Labels an operation may have.
    pub const MAX_LABELS: usize = 16;
    /// Characters of a type's name.
    pub const MAX_TYPE: usize = 128;
    /// Characters of a label's value.
    pub const MAX_LABEL: usize = 256;
    /// Characters of a group's name.
    pub const MAX_GROUP: usize = 128;
    /// Characters of a unique key.
    pub const MAX_UNIQUE_KEY: usize = 256;

    /// An operation of a kind of work: 1 to 128 characters.
    pub fn new(type_name: impl Into<String>) -> Self {
        Self { type_name: Some(type_name.into().into()), ..Self::default() }
    }

    /// An operation of no named kind.
    pub fn untyped() -> Self {
        Self::default()
    }

    /// Its name; without one the tracker draws a UUIDv7.
    pub fn id(mut self, id: impl Into<OperationId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What people look for: at most 16, key `[A-Za-z0-9._-]{1,64}`, value 1 to 256 characters. A key
    /// given again replaces its value.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into().into_boxed_str(), value.into().into_boxed_str());
        match self.labels.binary_search_by(|(name, _)| name.cmp(&key)) {
            Ok(at) => {
                if let Some(slot) = self.labels.get_mut(at) {
                    slot.1 = value;
                }
            }
            Err(at) => self.labels.insert(at, (key, value)),
        }
        self
    }

    /// The operation that this one tries again.
    pub fn retry_of(mut self, id: impl Into<OperationId>) -> Self {
        self.retry_of = Some(id.into());
        self
    }

    /// The operations that it belongs with, such as those of one batch: 1 to 128 characters. They are counted,
    /// listed, waited for and cancelled together.
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.more.group = Some(name.into().into());
        self
    }

    /// One at a time: while an operation with this key (1 to 256 characters) has not ended, creating another
    /// makes nothing and answers that one. Types share their keys: put the type into the key to keep them
    /// apart.
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.more.unique_key = Some(key.into().into());
        self
    }

    /// Where it came from: a `traceparent` of W3C's Trace Context. Its run's span tells it.
    pub fn trace_parent(mut self, text: impl AsRef<str>) -> Self {
        match text.as_ref().parse() {
            Ok(parent) => self.more.trace_parent = Some(parent),
            Err(unfit) => self.unfit = Some(unfit),
        }
        self
    }

    /// When it must have ended: past it [`Tracker::maintain`](crate::Tracker::maintain) ends it as
    /// Failed/`deadlineExceeded`, started or not, and nobody can start it.
    pub fn deadline(mut self, time: DateTime<FixedOffset>) -> Self {
        match Timestamp::try_from(time) {
            Ok(time) => self.more.deadline = Some(time),
            Err(error) => self.unfit = Some(Unfit::new("deadlineDateTime", error.to_string())),
        }
        self
    }

    /// The rest of the first record, applied like a PATCH in the same commit (PROTOCOL b-12).
    pub fn patch(mut self, patch: Patch) -> Self {
        self.patch = patch;
        self
    }

    /// Whether an existing operation is what this would have created (PROTOCOL 96).
    pub fn describes(&self, existing: &Operation) -> bool {
        self.type_name == existing.0.type_name
            && *self.labels == *existing.0.labels
            && self.retry_of == existing.0.retry_of
            && self.more.group.as_deref() == existing.group()
            && self.more.unique_key.as_deref() == existing.unique_key()
    }

    fn check(&self) -> Result<(), Unfit> {
        if let Some(unfit) = &self.unfit {
            return Err(unfit.clone());
        }
        if let Some(name) = &self.type_name {
            text::name("type", name, Self::MAX_TYPE)?;
        }
        if let Some(group) = &self.more.group {
            text::name("group", group, Self::MAX_GROUP)?;
        }
        if let Some(key) = &self.more.unique_key {
            text::name("uniqueKey", key, Self::MAX_UNIQUE_KEY)?;
        }
        if self.labels.len() > Self::MAX_LABELS {
            return Err(Unfit::new("labels", format!("must be at most 16, are {}", self.labels.len())));
        }
        for (key, value) in &self.labels {
            text::label_key(key)?;
            text::name(&format!("labels/{key}"), value, Self::MAX_LABEL)?;
        }
        Ok(())
    }
}

impl Operation {
    /// What tries this operation again: the next attempt, with the same type, labels, group, unique key
    /// and trace.
    ///
    /// `Active` while it has not ended, `Unfit` where the next attempt's id would be too long.
    pub fn next_attempt(&self) -> Result<NewOperation, Rejection> {
        if !self.is_terminal() {
            return Err(Rejection::Active { current: self.status() });
        }
        let next =
            self.0.id.attempt_number().checked_add(1).ok_or(InvalidId).and_then(|next| self.0.id.attempt(next));
        let next = next.map_err(|invalid| Unfit::new("id", invalid.to_string()))?;
        let group = self.group().map(Into::into);
        let unique_key = self.unique_key().map(Into::into);
        let trace_parent = self.trace_parent().cloned();
        Ok(NewOperation {
            id: Some(next),
            type_name: self.0.type_name.clone(),
            labels: self.0.labels.to_vec(),
            retry_of: Some(self.0.id.clone()),
            more: More { group, unique_key, trace_parent, ..More::default() },
            ..NewOperation::default()
        })
    }

    /// The first record of an operation: NotStarted or, by the patch, Running; n = 1 and one stamp.
    ///
    /// `id` is used where `new` names none; `birth` is 64 random bits.
    pub fn new(
        new: &NewOperation,
        id: OperationId,
        birth: u64,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Self, Rejection> {
        new.check()?;
        // A cancel would walk it to its end, and so would a deadline.
        let walks = matches!(new.patch.intent, Intent::Cancel | Intent::Expire);
        if new.patch.status.is_some_and(Status::is_terminal) || walks {
            return Err(Rejection::InitialStatus);
        }
        let first = Parts {
            id: new.id.clone().unwrap_or(id),
            version: Version::new(birth, 1, rules.instance),
            type_name: new.type_name.clone(),
            labels: new.labels.clone().into(),
            retry_of: new.retry_of.clone(),
            created: now,
            last_action: now,
            detail: None,
            resource_location: None,
            more: new.more.clone().shared(),
            state: State::NotStarted,
        };
        let first = Self::from(first);
        let applied = first.apply(&new.patch.as_part_of_create(), rules, now)?;
        match applied {
            Applied::Unchanged => Ok(first),
            Applied::Changed { mut next, .. } => {
                let parts = Arc::make_mut(&mut next.0);
                parts.version = first.0.version;
                // One commit, one stamp: a time that is not later than now was only a sign of life.
                if new.patch.time.is_none_or(|time| time.ticks() <= now.ticks()) {
                    parts.last_action = now;
                    let first_line = parts.more.as_mut().and_then(|more| Arc::make_mut(more).log.last_mut());
                    if let Some(line) = first_line {
                        line.at = now;
                    }
                }
                Ok(next)
            }
        }
    }
}

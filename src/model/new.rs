//! What a caller says to create an operation, and the first record made of it.

use std::sync::Arc;

use super::id::OperationId;
use super::operation::{Operation, Version};
use super::patch::{Applied, Intent, Patch};
use super::rejection::Rejection;
use super::rules::Rules;
use super::state::{State, Status};
use super::text::{self, Unfit};
use super::timestamp::Timestamp;

/// An operation to create.
///
/// With an id it is idempotent: creating it again with the same type, labels and `retryOf` answers the
/// existing operation (PROTOCOL 96).
#[derive(Clone, Debug, Default)]
pub struct NewOperation {
    pub(crate) id: Option<OperationId>,
    pub(crate) type_name: Option<Arc<str>>,
    pub(crate) labels: Vec<(Box<str>, Box<str>)>,
    pub(crate) retry_of: Option<OperationId>,
    pub(crate) patch: Patch,
}

impl NewOperation {
    /// Labels an operation may have.
    pub const MAX_LABELS: usize = 16;
    /// Characters of a type's name.
    pub const MAX_TYPE: usize = 128;
    /// Characters of a label's value.
    pub const MAX_LABEL: usize = 256;

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

    /// The rest of the first record, applied like a PATCH in the same commit (PROTOCOL b-12).
    pub fn patch(mut self, patch: Patch) -> Self {
        self.patch = patch;
        self
    }

    /// Whether an existing operation is what this would have created (PROTOCOL 96).
    pub fn describes(&self, existing: &Operation) -> bool {
        self.type_name == existing.type_name
            && *self.labels == *existing.labels
            && self.retry_of == existing.retry_of
    }

    fn check(&self) -> Result<(), Unfit> {
        if let Some(name) = &self.type_name {
            text::name("type", name, Self::MAX_TYPE)?;
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
        // A cancel would walk it to its end.
        if new.patch.status.is_some_and(Status::is_terminal) || new.patch.intent == Intent::Cancel {
            return Err(Rejection::InitialStatus);
        }
        let first = Self {
            id: new.id.clone().unwrap_or(id),
            version: Version::new(birth, 1, rules.instance),
            type_name: new.type_name.clone(),
            labels: new.labels.clone().into(),
            retry_of: new.retry_of.clone(),
            created: now,
            last_action: now,
            detail: None,
            resource_location: None,
            state: State::NotStarted,
        };
        let applied = first.apply(&new.patch.as_part_of_create(), rules, now)?;
        match applied {
            Applied::Unchanged => Ok(first),
            Applied::Changed { mut next, .. } => {
                next.version = first.version;
                // One commit, one stamp: a time that is not later than now was only a sign of life.
                if new.patch.time.is_none_or(|time| time.ticks() <= now.ticks()) {
                    next.last_action = now;
                }
                Ok(next)
            }
        }
    }
}

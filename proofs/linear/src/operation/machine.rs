//! What each question does to a record: the specification, written anew and not taken from the code
//! that is judged.

use super::calls::{Detail, Patch, Status, Text, Verb};

/// The version of a record, as far as the history tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// An answer has shown it.
    Known(Text),
    /// Drawn by a write whose answer nobody saw: some version that was not shown before.
    Unseen,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// Its version.
    pub version: Version,
    /// Its status.
    pub status: Status,
    /// Its other members.
    pub rest: Detail,
    /// What a second create must repeat.
    pub identity: Option<Text>,
}

/// What a question does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it is so already.
    Nothing,
    /// This is the record from now on, under a new version.
    Write {
        /// The record; its version is yet to be shown.
        record: Record,
        /// Whether it survives a crash. Progress, detail and signs of life alone may not.
        durable: bool,
    },
    /// There is none from now on.
    Remove,
    /// It is refused.
    Refuse(Refusal),
}

/// Why a question is refused; where several hold, the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such operation.
    NotFound,
    /// It has another version.
    Version,
    /// It has another holder.
    Holder,
    /// It has ended.
    Terminal,
    /// Its state does not allow it.
    State,
}

/// The code of what was cancelled.
const CANCELLED: &str = "cancelled";

impl Verb {
    /// The version it asks for, unless any will do.
    #[must_use]
    pub fn if_match(&self) -> Option<&Text> {
        let wanted = match self {
            Self::Patch(Patch { if_match, .. })
            | Self::Start { if_match, .. }
            | Self::Cancel { if_match }
            | Self::Delete { if_match } => if_match.as_ref(),
            Self::Create { .. } | Self::Get | Self::Complete { .. } | Self::Fail { .. } => None,
        };
        wanted.filter(|wanted| &***wanted != "*")
    }

    /// The holder it asks for.
    #[must_use]
    pub const fn holder(&self) -> Option<&Text> {
        match self {
            Self::Patch(Patch { holder, .. }) | Self::Complete { holder, .. } | Self::Fail { holder, .. } => {
                holder.as_ref()
            }
            Self::Create { .. } | Self::Get | Self::Start { .. } | Self::Cancel { .. } | Self::Delete { .. } => {
                None
            }
        }
    }

    /// What it does to a record, or to none. `matches` says whether the record has the version that
    /// it asks for.
    #[must_use]
    pub fn effect(&self, record: Option<&Record>, matches: bool) -> Effect {
        let Some(record) = record else {
            return match self {
                Self::Create { identity, running } => created(identity.clone(), *running),
                _ => Effect::Refuse(Refusal::NotFound),
            };
        };
        if !matches {
            return Effect::Refuse(Refusal::Version);
        }
        if self.holder().is_some_and(|holder| record.rest.holder.as_ref() != Some(holder)) {
            return Effect::Refuse(Refusal::Holder);
        }
        match self {
            Self::Create { identity, .. } if *identity == record.identity => Effect::Nothing,
            Self::Get => Effect::Nothing,
            Self::Patch(patch) => patched(record, patch),
            Self::Start { holder, .. } => started(record, holder),
            Self::Complete { result, .. } => patched(record, &end(Status::Completed, result.clone())),
            Self::Fail { code, .. } => patched(record, &end(Status::Failed, Some(code.clone()))),
            Self::Cancel { .. } => cancelled(record),
            Self::Delete { .. } if record.status.is_terminal() => Effect::Remove,
            Self::Create { .. } | Self::Delete { .. } => Effect::Refuse(Refusal::State),
        }
    }
}

fn created(identity: Option<Text>, running: bool) -> Effect {
    let status = if running { Status::Running } else { Status::NotStarted };
    let record = Record { version: Version::Unseen, status, rest: Detail::default(), identity };
    Effect::Write { record, durable: true }
}

fn end(status: Status, outcome: Option<Text>) -> Patch {
    Patch { status: Some(status), outcome, ..Patch::default() }
}

fn started(record: &Record, holder: &Text) -> Effect {
    match record.status {
        Status::NotStarted => write(record, true, |next| {
            next.status = Status::Running;
            next.rest.holder = Some(holder.clone());
        }),
        Status::Running if record.rest.holder.as_ref() == Some(holder) => Effect::Nothing,
        Status::Running => Effect::Refuse(Refusal::State),
        Status::Completed | Status::Failed => Effect::Refuse(Refusal::Terminal),
    }
}

fn cancelled(record: &Record) -> Effect {
    match record.status {
        Status::NotStarted => write(record, true, |next| {
            next.status = Status::Failed;
            next.rest.outcome = Some(CANCELLED.into());
        }),
        Status::Running if record.rest.cancelling => Effect::Nothing,
        Status::Running => write(record, true, |next| next.rest.cancelling = true),
        Status::Failed if record.rest.outcome.as_deref() == Some(CANCELLED) => Effect::Nothing,
        Status::Completed | Status::Failed => Effect::Refuse(Refusal::Terminal),
    }
}

fn patched(record: &Record, patch: &Patch) -> Effect {
    let Record { status, rest, .. } = record;
    let target = patch.status.unwrap_or(*status);
    if status.is_terminal() {
        let differs = target != *status
            || patch.outcome.is_some() && patch.outcome != rest.outcome
            || patch.detail.is_some() && patch.detail != rest.detail
            || patch.heartbeat;
        return if differs { Effect::Refuse(Refusal::Terminal) } else { Effect::Nothing };
    }
    match (*status, target) {
        (Status::Running, Status::Completed | Status::Failed) => write(record, true, |next| {
            next.status = target;
            next.rest.outcome.clone_from(&patch.outcome);
            if target == Status::Completed {
                next.rest.progress = Some(100);
            }
            set(&mut next.rest.detail, patch.detail.as_ref());
        }),
        (Status::NotStarted, Status::Completed | Status::Failed) | (Status::Running, Status::NotStarted) => {
            Effect::Refuse(Refusal::State)
        }
        _ => {
            let back = patch.progress.is_some() && patch.progress < rest.progress;
            let early = patch.progress.is_some() && target == Status::NotStarted;
            if back || early || patch.outcome.is_some() {
                return Effect::Refuse(Refusal::State);
            }
            let moved = target != *status;
            let effect = write(record, moved, |next| {
                next.status = target;
                set(&mut next.rest.progress, patch.progress.as_ref());
                set(&mut next.rest.detail, patch.detail.as_ref());
            });
            let same = matches!(&effect, Effect::Write { record: next, .. }
                if next.status == *status && next.rest == *rest);
            if same && !patch.heartbeat { Effect::Nothing } else { effect }
        }
    }
}

fn set<T: Clone>(member: &mut Option<T>, value: Option<&T>) {
    if let Some(value) = value {
        *member = Some(value.clone());
    }
}

fn write(record: &Record, durable: bool, change: impl FnOnce(&mut Record)) -> Effect {
    let mut record = Record { version: Version::Unseen, ..record.clone() };
    change(&mut record);
    Effect::Write { record, durable }
}

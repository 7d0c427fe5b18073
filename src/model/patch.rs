//! THE transition table and the merge rules: the one pure function that decides everything.
//!
//! | from \ to | NotStarted | Running | Completed | Failed |
//! |---|---|---|---|---|
//! | **NotStarted** | unchanged | moves | refused | refused (a cancel, or a deadline, walks through Running) |
//! | **Running** | refused | unchanged | moves | moves |
//! | **Completed** | refused | refused | unchanged | refused |
//! | **Failed** | refused | refused | refused | unchanged |
//!
//! Members are judged against the resulting state; what is refused applies none of its parts
//! (RFC 5789 2). The rules are PROTOCOL (a) B-E, (b) 1-9 and (e).

use std::sync::Arc;

use chrono::{DateTime, FixedOffset};

use super::amount::{Amount, Told};
use super::json::Json;
use super::log::{self, Line};
use super::operation::{Operation, Parts, Version};
use super::precondition::{Precondition, Tags};
use super::rejection::Rejection;
use super::rules::Rules;
use super::state::{Failure, Progress, State, Status, Work};
use super::text::{self, Unfit};
use super::timestamp::Timestamp;

/// Bytes of `statusDetail`.
const MAX_DETAIL: usize = 1024;
/// Bytes of `resourceLocation`.
const MAX_LOCATION: usize = 2 * 1024;
/// Characters of `holder`.
const MAX_HOLDER: usize = 128;

/// A partial update: what is absent stays as it is.
///
/// Building never fails; [`Operation::apply`] checks every member and names the one that does not fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    pub(crate) precondition: Precondition,
    pub(crate) status: Option<Status>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) progress: Option<i64>,
    pub(crate) amount: Option<Amount>,
    pub(crate) detail: Edit,
    pub(crate) location: Edit,
    pub(crate) result: Option<Json>,
    pub(crate) failure: Option<Failure>,
    pub(crate) intent: Intent,
    /// Only while this holder has the claim.
    pub(crate) held_by: Option<Arc<str>>,
    /// A tag that came in the body: checked after the members, not before them (PROTOCOL 83, b).
    pub(crate) body_match: Option<Tags>,
    unfit: Option<Unfit>,
}

/// What becomes of a text that can be set and taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Edit {
    #[default]
    Keep,
    Clear,
    Set(Box<str>),
}

impl Edit {
    fn apply(&self, text: &mut Option<Box<str>>) {
        match self {
            Self::Keep => {}
            Self::Clear => *text = None,
            Self::Set(new) => *text = Some(new.clone()),
        }
    }
}

impl From<Option<String>> for Edit {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Clear, |text| Self::Set(text.into()))
    }
}

/// What a patch is, beside its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Its members are all.
    #[default]
    Update,
    /// A sign of life: always writes a later time.
    Heartbeat,
    /// Running for this holder and nobody else.
    Claim(Arc<str>),
    /// A wish that it ends.
    Cancel,
    /// Its end, if its deadline has passed.
    Expire,
}

impl Patch {
    /// A patch that changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Claims the operation: Running for this holder (1 to 128 characters) and nobody else. Another status
    /// is refused: who has the claim ends the operation with [`held_by`](Self::held_by).
    pub fn claim(holder: impl Into<Arc<str>>) -> Self {
        let intent = Intent::Claim(holder.into());
        Self { status: Some(Status::Running), intent, ..Self::default() }
    }

    /// A sign of life: `lastActionDateTime` moves on, whatever the clock says.
    pub fn heartbeat() -> Self {
        Self { intent: Intent::Heartbeat, ..Self::default() }
    }

    /// Asks for the end: a NotStarted operation ends as Failed/`cancelled` at once, of a Running one the
    /// request is recorded. Conditions may be added, members may not.
    pub fn cancel() -> Self {
        Self { intent: Intent::Cancel, ..Self::default() }
    }

    /// Ends an operation whose deadline has passed as Failed/`deadlineExceeded`, also one that was never
    /// started; of any other that has not ended it changes nothing. Conditions may be added, members may not.
    pub fn expire() -> Self {
        Self { intent: Intent::Expire, ..Self::default() }
    }

    /// Completed, with what came out.
    pub fn complete(result: impl Into<Option<Json>>) -> Self {
        Self { status: Some(Status::Completed), result: result.into(), ..Self::default() }
    }

    /// Failed, with the reason.
    pub fn fail(failure: impl Into<Failure>) -> Self {
        Self { status: Some(Status::Failed), failure: Some(failure.into()), ..Self::default() }
    }

    /// Moves the operation, or names the status that it should have already.
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// When the client acted. See PROTOCOL b-7 for what becomes of it.
    pub fn last_action(mut self, time: DateTime<FixedOffset>) -> Self {
        match Timestamp::try_from(time) {
            Ok(time) => self.time = Some(time),
            Err(error) => self.unfit = Some(Unfit::new("lastActionDateTime", error.to_string())),
        }
        self
    }

    /// How much is done: 0 to 100 percent, or `(done, total, unit)`, which tells the percentage too.
    pub fn progress(mut self, told: impl Into<Told>) -> Self {
        match told.into() {
            Told::Percent(percent) => self.progress = Some(percent.into()),
            Told::Amount(amount) => self.amount = Some(amount),
        }
        self
    }

    /// Free text for people, at most 1 KiB.
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = Edit::Set(text.into().into());
        self
    }

    /// Takes the free text away.
    pub fn clear_detail(mut self) -> Self {
        self.detail = Edit::Clear;
        self
    }

    /// Where the outcome is: a URI reference of at most 2 KiB.
    pub fn resource_location(mut self, location: impl Into<String>) -> Self {
        self.location = Edit::Set(location.into().into());
        self
    }

    /// Takes the location away.
    pub fn clear_resource_location(mut self) -> Self {
        self.location = Edit::Clear;
        self
    }

    /// What came out; goes with Completed only.
    pub fn result(mut self, result: Json) -> Self {
        self.result = Some(result);
        self
    }

    /// Why it failed; goes with Failed only.
    pub fn failure(mut self, failure: impl Into<Failure>) -> Self {
        self.failure = Some(failure.into());
        self
    }

    /// Only if the operation is still this version: a tag, a version, or an operation as it was read.
    pub fn if_match(mut self, tags: impl Into<Tags>) -> Self {
        self.precondition.if_match = Some(tags.into());
        self
    }

    /// Only if the operation is none of these versions.
    pub fn if_none_match(mut self, tags: impl Into<Tags>) -> Self {
        self.precondition.if_none_match = Some(tags.into());
        self
    }

    /// Replaces the conditions.
    pub fn precondition(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// Only while this holder has, or had at the end, the claim.
    pub fn held_by(mut self, holder: impl Into<Arc<str>>) -> Self {
        self.held_by = Some(holder.into());
        self
    }

    /// The same without what a first record has no use for.
    pub(crate) fn as_part_of_create(&self) -> Self {
        Self { precondition: Precondition::none(), ..self.clone() }
    }

    /// What every rule but the state's says about the members themselves.
    fn check(&self, rules: &Rules) -> Result<(), Unfit> {
        if let Some(unfit) = &self.unfit {
            return Err(unfit.clone());
        }
        self.check_intent()?;
        if let Some(percent) = self.progress {
            Progress::try_from(percent)?;
        }
        if let Some(amount) = &self.amount {
            amount.check()?;
        }
        if let Edit::Set(detail) = &self.detail {
            text::free("statusDetail", detail, MAX_DETAIL)?;
        }
        if let Edit::Set(location) = &self.location {
            text::uri_reference("resourceLocation", location, MAX_LOCATION)?;
        }
        if let Some(result) = &self.result
            && result.as_str().len() > rules.max_result
        {
            let (max, is) = (rules.max_result, result.as_str().len());
            return Err(Unfit::new("result", format!("must have at most {max} bytes of JSON, has {is}")));
        }
        if let Some(failure) = &self.failure {
            failure.check()?;
        }
        if let Intent::Claim(holder) = &self.intent {
            text::name("holder", holder, MAX_HOLDER)?;
        }
        Ok(())
    }

    /// A cancel and an expiry are all that they say, and a claim is Running: what else is given would be
    /// passed over in silence.
    fn check_intent(&self) -> Result<(), Unfit> {
        let members = match &self.intent {
            Intent::Update | Intent::Heartbeat => return Ok(()),
            Intent::Claim(_) if self.status == Some(Status::Running) => return Ok(()),
            Intent::Claim(_) => return Err(Unfit::new("status", "must be Running in a claim")),
            Intent::Cancel | Intent::Expire => [
                ("status", self.status.is_some()),
                ("lastActionDateTime", self.time.is_some()),
                ("percentageComplete", self.progress.is_some()),
                ("progress", self.amount.is_some()),
                ("statusDetail", self.detail != Edit::Keep),
                ("resourceLocation", self.location != Edit::Keep),
                ("result", self.result.is_some()),
                ("error", self.failure.is_some()),
            ],
        };
        match members.into_iter().find(|(_, is_given)| *is_given) {
            Some((member, _)) => Err(Unfit::new(member, "must not be given with a request to end")),
            None => Ok(()),
        }
    }
}

/// What a patch makes of an operation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Applied {
    /// It is so already.
    Unchanged,
    /// The next record.
    Changed {
        /// The operation after the patch.
        next: Operation,
        /// Whether more changed than progress, detail and the time: such a change must be durable
        /// before it is acknowledged.
        notable: bool,
    },
}

/// What a time in a patch means for this operation (PROTOCOL b-7).
enum Time {
    /// None was given, or it says nothing new.
    Absent,
    /// A sign of life that the server stamps.
    Beat,
    /// Later: kept as it is.
    Given(Timestamp),
}

impl Operation {
    /// Applies a patch: the next record, or why not. Pure: `now` and the rules are all it knows beside
    /// the operation.
    pub fn apply(&self, patch: &Patch, rules: &Rules, now: Timestamp) -> Result<Applied, Rejection> {
        patch.precondition.check(Some(self.version())).map_err(Rejection::Precondition)?;
        patch.check(rules)?;
        if let Some(tags) = &patch.body_match {
            let in_body = Precondition { if_match: Some(tags.clone()), ..Precondition::none() };
            in_body.check(Some(self.version())).map_err(Rejection::Precondition)?;
        }
        if let Some(holder) = &patch.held_by
            && self.holder() != Some(holder)
        {
            return Err(Rejection::Held { holder: self.holder().map(Into::into) });
        }
        if patch.intent == Intent::Cancel {
            return self.cancelled(rules, now);
        }
        if patch.intent == Intent::Expire {
            return self.expired(rules, now);
        }
        let target = patch.status.unwrap_or(self.status());
        let moves = self.moves_to(target)?;
        if moves && target == Status::Running && self.is_due(now) {
            return Err(Rejection::DeadlinePassed);
        }
        let time = self.judge_time(patch, rules, now)?;
        let mut next = Parts::clone(&self.0);
        next.state = self.next_state(patch, target, self.move_time(&time, now))?;
        patch.detail.apply(&mut next.detail);
        self.merge_location(patch, target, &mut next)?;
        let beats = patch.intent == Intent::Heartbeat || !matches!(time, Time::Absent);
        if self.is_terminal() {
            return if next == *self.0 && !beats { Ok(Applied::Unchanged) } else { Err(self.terminal()) };
        }
        if next == *self.0 && !beats {
            return Ok(Applied::Unchanged);
        }
        next.last_action = match time {
            Time::Given(given) => given,
            _ if moves || !beats => self.move_time(&time, now),
            _ => now.max(self.0.last_action.next_tick()),
        };
        if next.detail != self.0.detail
            && let Some(text) = next.detail.clone()
        {
            let more = Arc::make_mut(next.more.get_or_insert_default());
            log::push(&mut more.log, Line { at: next.last_action, text });
        }
        let notable =
            !next.state.is_but_for_progress(&self.0.state) || next.resource_location != self.0.resource_location;
        Ok(Applied::Changed { next: next.numbered(rules).into(), notable })
    }

    /// Whether this may be deleted (PROTOCOL 99, 100).
    pub fn check_delete(&self, precondition: &Precondition) -> Result<(), Rejection> {
        precondition.check(Some(self.version())).map_err(Rejection::Precondition)?;
        if self.is_terminal() { Ok(()) } else { Err(Rejection::Active { current: self.status() }) }
    }

    fn terminal(&self) -> Rejection {
        Rejection::Terminal { current: self.status() }
    }

    fn moves_to(&self, target: Status) -> Result<bool, Rejection> {
        let current = self.status();
        if target == current {
            return Ok(false);
        }
        if current.is_terminal() {
            return Err(self.terminal());
        }
        if current.allowed().contains(&target) {
            Ok(true)
        } else {
            Err(Rejection::Transition { current, wanted: target })
        }
    }

    fn judge_time(&self, patch: &Patch, rules: &Rules, now: Timestamp) -> Result<Time, Rejection> {
        let Some(given) = patch.time else { return Ok(Time::Absent) };
        let (stored, terminal) = (self.0.last_action.ticks(), self.is_terminal());
        let earlier = stored.saturating_sub(given.ticks());
        if self.0.last_action.is_echoed_by(given) || (earlier >= 0 && (patch.status.is_some() || terminal)) {
            Ok(Time::Absent)
        } else if earlier > rules.clock_skew {
            Err(Rejection::TimeRegressed)
        } else if earlier > 0 {
            Ok(Time::Beat)
        } else if terminal {
            Err(self.terminal())
        } else if given.ticks().saturating_sub(now.ticks()) > rules.clock_skew {
            Err(Rejection::TimeInFuture)
        } else {
            Ok(Time::Given(given))
        }
    }

    /// The one time that a move takes.
    fn move_time(&self, time: &Time, now: Timestamp) -> Timestamp {
        match time {
            Time::Given(given) => *given,
            Time::Absent | Time::Beat => now.max(self.0.last_action),
        }
    }

    fn next_state(&self, patch: &Patch, target: Status, at: Timestamp) -> Result<State, Rejection> {
        if patch.failure.is_some() && target != Status::Failed {
            return Err(Rejection::ErrorNotSettable);
        }
        if patch.result.is_some() && target != Status::Completed {
            return Err(Rejection::ResultNotSettable { field: "result" });
        }
        Ok(match (&self.0.state, target) {
            (State::NotStarted, Status::Running) => {
                let holder = match &patch.intent {
                    Intent::Claim(holder) => Some(holder.clone()),
                    _ => None,
                };
                let work = Work { holder, ..Work::new(at) };
                let (progress, amount) = patch.told_on(&work)?;
                State::Running(Work { progress, amount, ..work })
            }
            (State::NotStarted, _) if patch.progress.is_some() || patch.amount.is_some() => {
                return Err(Rejection::ProgressNotSettable);
            }
            (State::Running(work), Status::Running) => {
                if let Intent::Claim(holder) = &patch.intent
                    && work.holder.as_ref() != Some(holder)
                {
                    return Err(Rejection::Held { holder: self.holder().map(Into::into) });
                }
                let (progress, amount) = patch.told_on(work)?;
                State::Running(Work { progress, amount, ..work.clone() })
            }
            (State::Running(work), Status::Completed) => {
                let mut work = work.clone();
                // What was told last, where it is no step back; the percentage is 100 whatever was told.
                if let Some(last) = patch.amount.as_ref().filter(|last| !last.regresses(work.amount.as_deref())) {
                    work.amount = Some(Box::new(last.clone()));
                }
                State::Completed { work, result: patch.result.clone() }
            }
            (State::Running(work), Status::Failed) => {
                State::Failed { work: work.clone(), failure: patch.failure.clone() }
            }
            // Terminal: what is said again must be what is there; `apply` refuses the difference.
            (State::Completed { work, result }, _) => {
                State::Completed { work: work.clone(), result: patch.result.clone().or_else(|| result.clone()) }
            }
            (State::Failed { work, failure }, _) => {
                State::Failed { work: work.clone(), failure: patch.failure.clone().or_else(|| failure.clone()) }
            }
            (state, _) => state.clone(),
        })
    }

    fn merge_location(&self, patch: &Patch, target: Status, next: &mut Parts) -> Result<(), Rejection> {
        let sets_another =
            matches!(&patch.location, Edit::Set(location) if self.0.resource_location.as_ref() != Some(location));
        if target == Status::Failed && sets_another {
            return Err(Rejection::ResultNotSettable { field: "resourceLocation" });
        }
        // With the end null takes nothing away, nor after it: the replay of an end is no change.
        if patch.location != Edit::Clear || !target.is_terminal() {
            patch.location.apply(&mut next.resource_location);
        }
        Ok(())
    }

    fn cancelled(&self, rules: &Rules, now: Timestamp) -> Result<Applied, Rejection> {
        let at = now.max(self.0.last_action);
        let mut next = Parts::clone(&self.0);
        match &mut next.state {
            State::NotStarted => {
                next.state = never_ran(at, Failure::new(Failure::CANCELLED, "cancelled before it was started"));
                next.last_action = at;
            }
            State::Running(Work { cancellation_requested: Some(_), .. }) => return Ok(Applied::Unchanged),
            State::Running(work) => work.cancellation_requested = Some(at),
            State::Failed { failure: Some(failure), .. } if failure.code() == Failure::CANCELLED => {
                return Ok(Applied::Unchanged);
            }
            State::Completed { .. } | State::Failed { .. } => return Err(self.terminal()),
        }
        Ok(Applied::Changed { next: next.numbered(rules).into(), notable: true })
    }

    fn expired(&self, rules: &Rules, now: Timestamp) -> Result<Applied, Rejection> {
        let at = now.max(self.0.last_action);
        let failure = |message: &str| Failure::new(Failure::DEADLINE_EXCEEDED, message);
        let state = match &self.0.state {
            State::Failed { failure: Some(failure), .. } if failure.code() == Failure::DEADLINE_EXCEEDED => {
                return Ok(Applied::Unchanged);
            }
            State::Completed { .. } | State::Failed { .. } => return Err(self.terminal()),
            _ if !self.is_due(now) => return Ok(Applied::Unchanged),
            State::NotStarted => never_ran(at, failure("its deadline passed before it was started")),
            State::Running(work) => {
                State::Failed { work: work.clone(), failure: Some(failure("its deadline passed while it ran")) }
            }
        };
        let next = Parts { state, last_action: at, ..Parts::clone(&self.0) };
        Ok(Applied::Changed { next: next.numbered(rules).into(), notable: true })
    }
}

impl Parts {
    fn numbered(mut self, rules: &Rules) -> Self {
        // 2^64 writes of one operation are out of reach.
        self.version = Version { n: self.version.n.saturating_add(1), instance: rules.instance, ..self.version };
        self
    }
}

/// The one two-step: through Running to Failed in one commit.
fn never_ran(at: Timestamp, failure: Failure) -> State {
    State::Failed { work: Work::new(at), failure: Some(failure) }
}

impl Patch {
    fn percent(&self) -> Option<Progress> {
        self.progress.and_then(|percent| Progress::try_from(percent).ok())
    }

    /// Percentage and amount after what is told; neither goes back.
    fn told_on(&self, work: &Work) -> Result<(Option<Progress>, Option<Box<Amount>>), Rejection> {
        let told = self.percent();
        if told.is_some() && told < work.progress {
            return Err(Rejection::ProgressRegressed);
        }
        let Some(amount) = &self.amount else { return Ok((told.or(work.progress), work.amount.clone())) };
        if amount.regresses(work.amount.as_deref()) {
            return Err(Rejection::AmountRegressed);
        }
        Ok((Some(amount.progress()).max(told).max(work.progress), Some(Box::new(amount.clone()))))
    }
}

impl State {
    /// Whether this is the other state, whatever progress each tells.
    fn is_but_for_progress(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Running(this), Self::Running(that)) => {
                let Work { started, holder, progress: _, amount: _, cancellation_requested } = this;
                (started, holder, cancellation_requested)
                    == (&that.started, &that.holder, &that.cancellation_requested)
            }
            (this, that) => this == that,
        }
    }
}

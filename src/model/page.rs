//! Lists: what to ask, where a page ended, what came back.
//!
//! Pages are keyset: a token names the last operation seen, not a count, so that nothing is skipped or
//! shown twice while others write.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::id::OperationId;
use super::operation::Operation;
use super::state::Status;
use super::text::Unfit;
use super::timestamp::Timestamp;

/// Which instant a list is ordered by; ties are ordered by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderBy {
    /// `createdDateTime`.
    #[default]
    Created,
    /// `lastActionDateTime`; only with exactly one terminal status, where it no longer changes.
    LastAction,
}

/// What a list asks for. Conditions are joined by *and*.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// One of these; all if empty.
    pub statuses: Vec<Status>,
    /// This type.
    pub type_name: Option<String>,
    /// This label.
    pub label: Option<(String, String)>,
    /// This group.
    pub group: Option<String>,
    /// The attempts at the same work: this id, and those that are it and `~n`.
    pub base: Option<OperationId>,
    /// The order, and the instant that `from` and `until` bound.
    pub order: OrderBy,
    /// Newest first.
    pub descending: bool,
    /// At this instant or later.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// Operations on a page: 1 to 1,000.
    pub limit: NonZeroU32,
    /// Where the page before ended.
    pub after: Option<PageToken>,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            statuses: Vec::new(),
            type_name: None,
            label: None,
            group: None,
            base: None,
            order: OrderBy::Created,
            descending: false,
            from: None,
            until: None,
            limit: Self::DEFAULT_LIMIT,
            after: None,
        }
    }
}

impl Query {
    /// Operations on a page at most.
    pub const MAX_LIMIT: u32 = 1_000;
    /// Candidates a page looks at before it answers short, with a token.
    pub const MAX_CANDIDATES: usize = 10_000;
    const DEFAULT_LIMIT: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

    /// Checks what no store can serve in O(page).
    pub fn check(&self) -> Result<(), Unfit> {
        if self.limit.get() > Self::MAX_LIMIT {
            return Err(Unfit::new("limit", "must be 1 to 1000"));
        }
        let one_terminal = matches!(&*self.statuses, [status] if status.is_terminal());
        if self.order == OrderBy::LastAction && !one_terminal {
            return Err(Unfit::new("order", "by lastActionDateTime needs exactly one terminal status"));
        }
        match &self.after {
            Some(token) if token.query != self.fingerprint() => Err(Unfit::new("skiptoken", "is of another list")),
            _ => Ok(()),
        }
    }

    /// Whether an operation is what this asks for, its place in the order aside.
    pub fn admits(&self, operation: &Operation) -> bool {
        let stamp = self.stamp(operation).ticks();
        (self.statuses.is_empty() || self.statuses.contains(&operation.status()))
            && self.type_name.as_deref().is_none_or(|name| operation.type_name() == Some(name))
            && self.label.as_ref().is_none_or(|(key, value)| operation.label(key) == Some(value))
            && self.group.as_deref().is_none_or(|group| operation.group() == Some(group))
            && self.base.as_ref().is_none_or(|base| operation.id().base() == *base)
            && self.from.is_none_or(|from| stamp >= from.ticks())
            && self.until.is_none_or(|until| stamp < until.ticks())
    }

    /// The instant that this list orders an operation by.
    pub fn stamp(&self, operation: &Operation) -> Timestamp {
        match self.order {
            OrderBy::Created => operation.stamps().created,
            OrderBy::LastAction => operation.stamps().last_action,
        }
    }

    /// The token of a page that ended after this place in the order.
    pub fn token(&self, ticks: i64, id: OperationId) -> PageToken {
        PageToken { query: self.fingerprint(), ticks, id }
    }

    /// Tells lists apart, so that a token is not used on another one. The limit may change on the way.
    fn fingerprint(&self) -> u32 {
        let mut statuses = self.statuses.clone();
        statuses.sort_unstable();
        statuses.dedup();
        let ticks = |stamp: Option<Timestamp>| stamp.map(Timestamp::ticks);
        let parts = (ticks(self.from), ticks(self.until), self.descending);
        let mut text = format!("{statuses:?}{:?}{:?}{:?}{parts:?}", self.type_name, self.label, self.order);
        // Tokens of lists without these conditions stay what they were.
        if self.group.is_some() || self.base.is_some() {
            text = format!("{text}{:?}{:?}", self.group, self.base);
        }
        // FNV-1a: a mix, not a secret.
        text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }
}

/// Where a page ended. Opaque and versioned; valid for the list that gave it, across restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken {
    query: u32,
    ticks: i64,
    id: OperationId,
}

impl PageToken {
    /// The instant of the last operation seen, in ticks.
    pub fn ticks(&self) -> i64 {
        self.ticks
    }

    /// The last operation seen.
    pub fn id(&self) -> &OperationId {
        &self.id
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1-{:x}-{:x}-{}", self.query, self.ticks, self.id)
    }
}

impl FromStr for PageToken {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        let read = || {
            let (query, rest) = text.strip_prefix("1-")?.split_once('-')?;
            let (ticks, id) = rest.split_once('-')?;
            let query = u32::from_str_radix(query, 16).ok()?;
            let ticks = i64::from_str_radix(ticks, 16).ok()?;
            Some(Self { query, ticks, id: id.parse().ok()? }).filter(|token| token.to_string() == text)
        };
        read().ok_or_else(|| Unfit::new("skiptoken", "is no token that this server gave"))
    }
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The operations, in the order asked for.
    pub items: Vec<Operation>,
    /// Where to go on; absent on the last page.
    pub next: Option<PageToken>,
    /// What has its place on this page and cannot be read.
    pub unreadable: Vec<OperationId>,
}

impl Page {
    /// A page as a store answers it.
    pub fn new(items: Vec<Operation>, next: Option<PageToken>) -> Self {
        Self { items, next, unreadable: Vec::new() }
    }

    /// The same, without these, which could not be read.
    pub fn without(self, unreadable: Vec<OperationId>) -> Self {
        Self { unreadable, ..self }
    }
}

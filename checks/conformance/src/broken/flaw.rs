//! A store that does what the store within does, but for what one flaw says.

use std::collections::{HashMap, VecDeque};
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use async_trait::async_trait;
use longrun::conformance::{Hold, MemoryOpener, Opener, Place};
use longrun::model::{Operation, OperationId, Page, PageToken, Query, Version};
use longrun::store::{
    Changes, Counts, Durability, HintStream, Idle, Opened, Position, Report, Store, StoreError, Swap,
};
use tokio::task::JoinHandle;

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

type IdleFn = for<'a> fn(&'a Cx, &'a Idle, Option<&'a OperationId>, NonZeroU32) -> Ids<'a>;
type Ids<'a> = Answer<'a, Vec<OperationId>>;

/// What is wrong with a store: some of its calls.
#[derive(Clone, Copy)]
pub struct Flaw {
    /// The promise that it breaks, `theme::name`.
    pub breaks: &'static str,
    /// How.
    pub says: &'static str,
    pub open: for<'a> fn(&'a Notes, &'a dyn Place) -> Answer<'a, Arc<dyn Store>>,
    pub opened: fn(&Cx) -> Opened,
    pub load: for<'a> fn(&'a Cx, &'a OperationId) -> Answer<'a, Option<Operation>>,
    pub swap: for<'a> fn(&'a Cx, Option<Version>, &'a Operation, Durability) -> Answer<'a, Swap>,
    pub remove: for<'a> fn(&'a Cx, &'a OperationId, Version) -> Answer<'a, Swap>,
    pub page: for<'a> fn(&'a Cx, &'a Query) -> Answer<'a, Page>,
    pub counts: for<'a> fn(&'a Cx) -> Answer<'a, Counts>,
    pub group_counts: for<'a> fn(&'a Cx, &'a str) -> Answer<'a, Counts>,
    pub idle: IdleFn,
    pub changes: for<'a> fn(&'a Cx, &'a Position, NonZeroU32) -> Answer<'a, Changes>,
    pub hints: fn(&Cx) -> HintStream,
    pub verify: for<'a> fn(&'a Cx) -> Answer<'a, Report>,
    pub close: for<'a> fn(&'a Cx) -> Answer<'a, ()>,
}

/// Nothing is wrong.
pub const WHOLE: Flaw = Flaw {
    breaks: "",
    says: "",
    open: |_, place| place.open(),
    opened: |cx| cx.inner.opened(),
    load: |cx, id| cx.inner.load(id),
    swap: |cx, expected, next, durability| cx.inner.swap(expected, next, durability),
    remove: |cx, id, expected| cx.inner.remove(id, expected),
    page: |cx, query| cx.inner.page(query),
    counts: |cx| cx.inner.counts(),
    group_counts: |cx, group| cx.inner.group_counts(group),
    idle: |cx, which, after, limit| cx.inner.idle(which, after, limit),
    changes: |cx, after, limit| cx.inner.changes(after, limit),
    hints: |cx| cx.inner.hints(),
    verify: |cx| cx.inner.verify(),
    close: |cx| cx.inner.close(),
};

impl fmt::Debug for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.breaks, self.says)
    }
}

/// A write that was acknowledged.
#[derive(Clone, Debug)]
pub struct Write {
    pub operation: Operation,
    pub durability: Durability,
    pub removes: bool,
}

/// A write under way.
#[derive(Clone, Debug)]
pub struct Pending {
    pub number: u64,
    pub expected: Option<Version>,
    pub next: Operation,
}

/// What is known of one place: by it a flaw tells when it shows.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that may have happened")]
pub struct Noted {
    pub opens: u32,
    pub crashed: bool,
    pub closing: bool,
    /// The last store was closed to the end.
    pub closed: bool,
    pub closes: u32,
    pub half_closed: bool,
    pub held: bool,
    pub passed: Duration,
    /// Writes asked for, and reads.
    pub attempts: u64,
    pub reads: u64,
    pub log: Vec<Write>,
    pub lost: Vec<Operation>,
    pub pending: Vec<Pending>,
    /// Writes that were acknowledged before their time.
    pub early: Vec<JoinHandle<Result<Swap, StoreError>>>,
    pub early_hints: VecDeque<OperationId>,
    /// Half writes left behind by dropped calls.
    pub halves: Vec<(Version, Operation)>,
    pub tokens: Vec<(u32, PageToken)>,
    pub paged: usize,
    pub feed_at_end: bool,
    pub instance: u32,
    /// Gone with the store that was opened last.
    pub last: Weak<()>,
    pub hinted: usize,
}

pub type Notes = Mutex<Noted>;

pub fn lock(notes: &Notes) -> MutexGuard<'_, Noted> {
    notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Noted {
    /// What is acknowledged under an id.
    pub fn acked(&self, id: &OperationId) -> Option<&Operation> {
        let last = self.log.iter().rev().find(|write| write.operation.id() == id)?;
        (!last.removes).then_some(&last.operation)
    }

    /// All that is acknowledged and not removed.
    pub fn all(&self) -> Vec<Operation> {
        let mut all: HashMap<&OperationId, &Write> = HashMap::new();
        for write in &self.log {
            all.insert(write.operation.id(), write);
        }
        all.into_values().filter(|write| !write.removes).map(|write| write.operation.clone()).collect()
    }

    pub fn last_write(&self) -> Option<&Write> {
        self.log.last()
    }

    /// The record of an id before its last write.
    pub fn before_last(&self, id: &OperationId) -> Option<Operation> {
        self.log.iter().rev().filter(|write| write.operation.id() == id).nth(1).map(|write| write.operation.clone())
    }

    /// Whether the last write was an Eventual one.
    pub fn ends_eventual(&self) -> bool {
        self.last_write().is_some_and(|last| last.durability == Durability::Eventual)
    }

    pub fn eventuals(&self) -> usize {
        self.log.iter().filter(|write| write.durability == Durability::Eventual).count()
    }

    pub fn removed(&self, id: &OperationId) -> Option<Operation> {
        self.log.iter().rev().find(|write| write.operation.id() == id && write.removes).map(|w| w.operation.clone())
    }

    pub fn lives(&self, id: &OperationId) -> usize {
        self.log
            .iter()
            .filter(|write| write.operation.id() == id && write.operation.version().n() == 1 && !write.removes)
            .count()
    }
}

/// What a flaw works with.
#[derive(Debug)]
pub struct Cx {
    pub inner: Arc<dyn Store>,
    pub notes: Arc<Notes>,
}

impl Cx {
    pub fn noted(&self) -> MutexGuard<'_, Noted> {
        lock(&self.notes)
    }
}

pub struct Flawed {
    cx: Cx,
    flaw: &'static Flaw,
    /// Gone with the store.
    _alive: Arc<()>,
}

impl fmt::Debug for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flawed").field(&self.flaw).finish()
    }
}

/// Takes a write off the list of those under way when its future is done or dropped.
struct UnderWay<'a>(&'a Cx, u64);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.noted().pending.retain(|pending| pending.number != self.1);
    }
}

impl Flawed {
    async fn early_ones(&self) {
        if !self.cx.noted().held {
            let early = std::mem::take(&mut self.cx.noted().early);
            for write in early {
                drop(write.await);
            }
        }
        let halves = std::mem::take(&mut self.cx.noted().halves);
        for (expected, half) in halves {
            drop(self.cx.inner.swap(Some(expected), &half, Durability::Immediate).await);
        }
    }

    async fn read(&self) {
        self.early_ones().await;
    }

    fn has_read<T>(&self, answer: T) -> T {
        self.cx.noted().reads += 1;
        answer
    }
}

#[async_trait]
impl Store for Flawed {
    fn opened(&self) -> Opened {
        (self.flaw.opened)(&self.cx)
    }

    async fn load(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        self.read().await;
        self.has_read((self.flaw.load)(&self.cx, id).await)
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        next: &Operation,
        durability: Durability,
    ) -> Result<Swap, StoreError> {
        self.early_ones().await;
        let number = {
            let mut noted = self.cx.noted();
            noted.attempts += 1;
            let number = noted.attempts;
            noted.pending.push(Pending { number, expected, next: next.clone() });
            number
        };
        let under_way = UnderWay(&self.cx, number);
        let answer = (self.flaw.swap)(&self.cx, expected, next, durability).await;
        drop(under_way);
        match &answer {
            Ok(Swap::Stored) => {
                self.cx.noted().log.push(Write { operation: next.clone(), durability, removes: false });
            }
            Ok(_) => self.cx.noted().lost.push(next.clone()),
            Err(_) => {}
        }
        answer
    }

    async fn remove(&self, id: &OperationId, expected: Version) -> Result<Swap, StoreError> {
        self.early_ones().await;
        self.cx.noted().attempts += 1;
        let answer = (self.flaw.remove)(&self.cx, id, expected).await;
        if let Ok(Swap::Stored) = answer {
            let mut noted = self.cx.noted();
            if let Some(operation) = noted.acked(id).cloned() {
                noted.log.push(Write { operation, durability: Durability::Immediate, removes: true });
            }
        }
        answer
    }

    async fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.read().await;
        self.has_read((self.flaw.page)(&self.cx, query).await)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.read().await;
        self.has_read((self.flaw.counts)(&self.cx).await)
    }

    async fn group_counts(&self, group: &str) -> Result<Counts, StoreError> {
        self.read().await;
        self.has_read((self.flaw.group_counts)(&self.cx, group).await)
    }

    async fn idle(
        &self,
        which: &Idle,
        after: Option<&OperationId>,
        limit: NonZeroU32,
    ) -> Result<Vec<OperationId>, StoreError> {
        self.read().await;
        self.has_read((self.flaw.idle)(&self.cx, which, after, limit).await)
    }

    async fn changes(&self, after: &Position, limit: NonZeroU32) -> Result<Changes, StoreError> {
        self.read().await;
        let answer = self.has_read((self.flaw.changes)(&self.cx, after, limit).await);
        if let Ok(changes) = &answer {
            self.cx.noted().feed_at_end = changes.at_end;
        }
        answer
    }

    fn hints(&self) -> HintStream {
        (self.flaw.hints)(&self.cx)
    }

    fn health(&self) -> longrun::store::StoreHealth {
        longrun::store::StoreHealth::new("flawed")
    }

    async fn verify(&self) -> Result<Report, StoreError> {
        self.read().await;
        (self.flaw.verify)(&self.cx).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.early_ones().await;
        self.cx.noted().closing = true;
        let answer = (self.flaw.close)(&self.cx).await;
        let mut noted = self.cx.noted();
        noted.closed = true;
        noted.closes += 1;
        answer
    }
}

/// Opens flawed stores in memory.
pub struct FlawedOpener(pub &'static Flaw);

impl fmt::Debug for FlawedOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl Opener for FlawedOpener {
    async fn place(&self) -> Result<Box<dyn Place>, Box<dyn StdError + Send + Sync>> {
        let inner = MemoryOpener::default().place().await?;
        Ok(Box::new(FlawedPlace { inner, flaw: self.0, notes: Arc::default() }))
    }
}

struct FlawedPlace {
    inner: Box<dyn Place>,
    flaw: &'static Flaw,
    notes: Arc<Notes>,
}

impl fmt::Debug for FlawedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FlawedPlace").field(&self.flaw).finish()
    }
}

#[async_trait]
impl Place for FlawedPlace {
    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let inner = (self.flaw.open)(&self.notes, &*self.inner).await?;
        let alive = Arc::new(());
        let mut noted = lock(&self.notes);
        noted.opens += 1;
        noted.attempts = 0;
        noted.reads = 0;
        noted.last = Arc::downgrade(&alive);
        (noted.closing, noted.closes) = (false, 0);
        if noted.opens == 1 {
            noted.instance = inner.opened().instance;
        }
        drop(noted);
        let cx = Cx { inner, notes: Arc::clone(&self.notes) };
        Ok(Arc::new(Flawed { cx, flaw: self.flaw, _alive: alive }))
    }

    async fn pass(&self, time: Duration) -> bool {
        lock(&self.notes).passed += time;
        self.inner.pass(time).await
    }

    async fn crash(&self) -> bool {
        lock(&self.notes).crashed = true;
        self.inner.crash().await
    }

    fn hold(&self) -> Option<Box<dyn Hold>> {
        lock(&self.notes).held = true;
        let inner = self.inner.hold()?;
        Some(Box::new(Held { inner, notes: Arc::clone(&self.notes) }))
    }

    async fn spoil(&self, id: &OperationId) -> bool {
        self.inner.spoil(id).await
    }
}

#[derive(Debug)]
struct Held {
    inner: Box<dyn Hold>,
    notes: Arc<Notes>,
}

#[async_trait]
impl Hold for Held {
    async fn reached(&self) {
        self.inner.reached().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.notes).held = false;
    }
}

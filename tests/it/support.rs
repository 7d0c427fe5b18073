//! What the tests of stores share: an engine whose syncs can be held and failed, a clock, short verbs.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::future::Future;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use longrun::clock::{Clock, ManualClock};
use longrun::model::{Applied, NewOperation, Operation, OperationId, Patch, Rules, Timestamp};
use longrun::store::embedded::{Embedded, Engine, EngineError, Visit};
use longrun::store::{Durability, MemoryEngine, Store, StoreError, Swap};

/// How long a test waits for what must come before it calls it a hang.
pub(crate) const HANG: Duration = Duration::from_secs(20);

pub(crate) fn date(text: &str) -> DateTime<FixedOffset> {
    stamp(text).to_datetime()
}

pub(crate) fn stamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(date("2026-05-04T12:00:00Z")))
}

/// Fails the test instead of hanging it.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(HANG, future).await.unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// What an engine is told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Sync(io::ErrorKind),
    Put(io::ErrorKind),
    PanicInSync,
}

#[derive(Debug, Default)]
struct Told {
    shut: bool,
    waiting: u64,
    syncs: u64,
    fault: Option<Fault>,
    open: u64,
    fail_open: bool,
}

/// The test's hand on a [`Probe`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Control {
    told: Arc<(Mutex<Told>, Condvar)>,
    pub(crate) bytes: MemoryEngine,
}

impl Control {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn tell<R>(&self, change: impl FnOnce(&mut Told) -> R) -> R {
        let result = change(&mut self.told.0.lock().unwrap());
        self.told.1.notify_all();
        result
    }

    fn until(&self, what: &str, holds: impl Fn(&Told) -> bool) {
        let told = self.told.0.lock().unwrap();
        let (told, waited) = self.told.1.wait_timeout_while(told, HANG, |told| !holds(told)).unwrap();
        drop(told);
        assert!(!waited.timed_out(), "hangs: {what}");
    }

    /// From now on a sync blocks.
    pub(crate) fn shut(&self) {
        self.tell(|told| told.shut = true);
    }

    pub(crate) fn open_gate(&self) {
        self.tell(|told| told.shut = false);
    }

    /// Blocks until a sync stands at the gate.
    pub(crate) fn wait_at_gate(&self) {
        self.until("a sync at the gate", |told| told.waiting > 0);
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.tell(|told| told.syncs)
    }

    /// Blocks until there were so many syncs.
    pub(crate) fn wait_syncs(&self, syncs: u64) {
        self.until("a sync", |told| told.syncs >= syncs);
    }

    pub(crate) fn fault(&self, fault: Option<Fault>) {
        self.tell(|told| told.fault = fault);
    }

    pub(crate) fn fail_open(&self, fail: bool) {
        self.tell(|told| told.fail_open = fail);
    }

    /// Blocks until every engine is dropped.
    pub(crate) fn wait_dropped(&self) {
        self.until("the engine to be dropped", |told| told.open == 0);
    }

    pub(crate) fn engine(&self) -> Result<Probe, StoreError> {
        if self.tell(|told| told.fail_open) {
            return Err(StoreError::definite(io::Error::from(io::ErrorKind::StorageFull)));
        }
        self.tell(|told| told.open += 1);
        Ok(Probe { control: self.clone() })
    }

    pub(crate) async fn open(&self, clock: Arc<dyn Clock>) -> Result<Embedded<Probe>, StoreError> {
        let control = self.clone();
        Embedded::open(move || control.engine(), clock, true).await
    }

    /// Every key and value, the store's own among them.
    pub(crate) fn contents(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        let visit = &mut |key: &[u8], value: &[u8]| {
            all.push((key.to_vec(), value.to_vec()));
            Ok(())
        };
        self.bytes.replay(visit).unwrap();
        all
    }
}

/// An engine in memory that does what its [`Control`] says.
#[derive(Debug)]
pub(crate) struct Probe {
    control: Control,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.control.tell(|told| told.open -= 1);
    }
}

impl Engine for Probe {
    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        self.control.bytes.replay(visit)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.control.bytes.get(key)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        match self.control.tell(|told| told.fault) {
            Some(Fault::Put(kind)) => Err(io::Error::from(kind).into()),
            _ => self.control.bytes.put(key, value),
        }
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.control.bytes.purge(key)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.control.tell(|told| told.waiting += 1);
        let told = self.control.told.0.lock().unwrap();
        let (mut told, waited) = self.control.told.1.wait_timeout_while(told, HANG, |told| told.shut).unwrap();
        told.waiting -= 1;
        told.syncs += 1;
        let fault = told.fault;
        drop(told);
        self.control.told.1.notify_all();
        assert!(!waited.timed_out(), "the gate was never opened");
        match fault {
            Some(Fault::Sync(kind)) => Err(io::Error::from(kind).into()),
            Some(Fault::PanicInSync) => panic!("the engine broke"),
            _ => Ok(()),
        }
    }
}

pub(crate) fn id(text: &str) -> OperationId {
    text.parse().unwrap()
}

pub(crate) fn rules() -> Rules {
    Rules::new(1)
}

/// The first record of an operation, born under a number made of its name.
pub(crate) fn first(new: &NewOperation, name: &str, birth: u64, at: &str) -> Operation {
    Operation::new(new, id(name), birth, &rules(), stamp(at)).unwrap()
}

pub(crate) fn new(name: &str) -> Operation {
    first(&NewOperation::untyped(), name, 7, "2026-05-04T12:00:00Z")
}

/// The record after a patch that changes something.
pub(crate) fn after(operation: &Operation, patch: &Patch) -> Operation {
    match operation.apply(patch, &rules(), stamp("2026-05-04T12:00:01Z")) {
        Ok(Applied::Changed { next, .. }) => next,
        other => panic!("{operation:?} {patch:?}: {other:?}"),
    }
}

pub(crate) async fn put(store: &impl Store, expected: Option<&Operation>, next: &Operation) {
    let swap = soon("swap", store.swap(expected.map(Operation::version), next, Durability::Immediate)).await;
    assert_eq!(swap.unwrap(), Swap::Stored);
}

pub(crate) async fn put_eventual(store: &impl Store, expected: Option<&Operation>, next: &Operation) {
    let swap = soon("swap", store.swap(expected.map(Operation::version), next, Durability::Eventual)).await;
    assert_eq!(swap.unwrap(), Swap::Stored);
}

pub(crate) async fn remove(store: &impl Store, operation: &Operation) {
    assert_eq!(soon("remove", store.remove(operation.id(), operation.version())).await.unwrap(), Swap::Stored);
}

/// What a future answers now, if it does.
pub(crate) fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    match std::pin::Pin::new(&mut future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

//! Who waits for which operation, fed by the store's hints without a task of its own: the hub is the waker
//! of the hint stream, so that whoever makes a change runs the stream dry and wakes those who wait for it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};

use crate::model::OperationId;
use crate::store::{HintStream, Store};

/// Rounds in which a stream may wake its reader without giving anything.
const PATIENCE: usize = 16;

#[derive(Default)]
pub(super) struct Hub {
    waiting: Mutex<Waiting>,
    stream: Mutex<Option<HintStream>>,
    /// The stream has something to say.
    ready: AtomicBool,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Waiting {
    subjects: HashMap<Subject, Subscribers>,
    next: u64,
}

/// What somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// A change of this operation.
    One(OperationId),
    /// Any change.
    Any,
}

#[derive(Default)]
struct Subscribers {
    /// Rises with every hint.
    hints: u64,
    /// One per subscription; a waker while it waits.
    wakers: HashMap<u64, Option<Waker>>,
}

impl Subscribers {
    fn hint(&mut self, woken: &mut Vec<Waker>) {
        self.hints = self.hints.wrapping_add(1);
        woken.extend(self.wakers.values_mut().filter_map(Option::take));
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on no hint about the subject is missed: read the record after this.
    pub(super) fn subscribe(self: &Arc<Self>, subject: Subject, store: &dyn Store) -> Subscription {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next = number.wrapping_add(1);
        let subscribers = waiting.subjects.entry(subject.clone()).or_default();
        subscribers.wakers.insert(number, None);
        let seen = subscribers.hints;
        drop(waiting);
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.is_none() {
            *stream = Some(store.hints());
        }
        drop(stream);
        self.run();
        Subscription { hub: Arc::clone(self), subject, number, seen }
    }

    /// Reads the stream dry and wakes whom it names.
    fn run(self: &Arc<Self>) {
        self.ready.store(true, Ordering::Release);
        let waker = Waker::from(Arc::clone(self));
        let mut idle = 0_usize;
        while self.ready.load(Ordering::Acquire) {
            let mut stream = match self.stream.try_lock() {
                Ok(stream) => stream,
                // Whoever holds it sees `ready` before it leaves.
                Err(TryLockError::WouldBlock) => return,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            };
            self.ready.store(false, Ordering::Release);
            let mut woken = Vec::new();
            let drained = self.drain(&mut stream, &waker, &mut woken);
            idle = if drained == Drained::Nothing { idle.saturating_add(1) } else { 0 };
            if drained == Drained::Ended || idle > PATIENCE {
                // Nothing more will be told, or the stream asks to be polled for nothing: all read for themselves.
                self.lock().subjects.values_mut().for_each(|subscribers| subscribers.hint(&mut woken));
                self.ready.store(false, Ordering::Release);
            }
            drop(stream);
            woken.into_iter().for_each(Waker::wake);
        }
    }

    fn drain(&self, place: &mut Option<HintStream>, waker: &Waker, woken: &mut Vec<Waker>) -> Drained {
        let mut drained = Drained::Nothing;
        let mut context = Context::from_waker(waker);
        loop {
            let Some(stream) = place else { return drained };
            let hint = stream.as_mut().poll_next(&mut context);
            if hint.is_ready() {
                drained = Drained::Hints;
            }
            match hint {
                Poll::Ready(Some(Some(id))) => {
                    let mut waiting = self.lock();
                    for subject in [Subject::One(id), Subject::Any] {
                        if let Some(subscribers) = waiting.subjects.get_mut(&subject) {
                            subscribers.hint(woken);
                        }
                    }
                }
                Poll::Ready(Some(None)) => {
                    self.lock().subjects.values_mut().for_each(|subscribers| subscribers.hint(woken));
                }
                Poll::Ready(None) => {
                    *place = None;
                    return Drained::Ended;
                }
                Poll::Pending => return drained,
            }
        }
    }

    /// Tells those who wait for this operation, as if the store had hinted.
    pub(super) fn hint(&self, id: &OperationId) {
        let mut woken = Vec::new();
        let mut waiting = self.lock();
        for subject in [Subject::One(id.clone()), Subject::Any] {
            if let Some(subscribers) = waiting.subjects.get_mut(&subject) {
                subscribers.hint(&mut woken);
            }
        }
        drop(waiting);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Subscriptions alive.
    pub(super) fn subscriptions(&self) -> usize {
        self.lock().subjects.values().map(|subscribers| subscribers.wakers.len()).sum()
    }
}

/// What came of reading the stream dry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drained {
    Nothing,
    Hints,
    Ended,
}

impl Wake for Hub {
    fn wake(self: Arc<Self>) {
        self.run();
    }
}

/// A place in the hub, freed on drop.
#[derive(Debug)]
pub(super) struct Subscription {
    hub: Arc<Hub>,
    subject: Subject,
    number: u64,
    seen: u64,
}

impl Subscription {
    /// Ends at the first hint since the last time this ended, or since the subscription.
    pub(super) async fn hinted(&mut self) {
        poll_fn(|context| Pin::new(&mut *self).poll_hint(context)).await;
    }

    pub(super) fn poll_hint(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let hub = Arc::clone(&self.hub);
        let mut waiting = hub.lock();
        let Some(subscribers) = waiting.subjects.get_mut(&self.subject) else { return Poll::Pending };
        if subscribers.hints != self.seen {
            self.seen = subscribers.hints;
            return Poll::Ready(());
        }
        let before = subscribers.wakers.insert(self.number, Some(context.waker().clone()));
        drop(waiting);
        // The last waker of a task may drop its future, and that another subscription: no lock is held here.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut waiting = self.hub.lock();
        let mut waker = None;
        if let Some(subscribers) = waiting.subjects.get_mut(&self.subject) {
            waker = subscribers.wakers.remove(&self.number);
            if subscribers.wakers.is_empty() {
                waiting.subjects.remove(&self.subject);
            }
        }
        let last = waiting.subjects.is_empty();
        drop(waiting);
        // As in `poll_hint`.
        drop(waker);
        // Without listeners the store does not gather hints. A busy stream is dropped by a later one.
        if last
            && let Ok(mut stream) = self.hub.stream.try_lock()
            && self.hub.lock().subjects.is_empty()
        {
            *stream = None;
        }
    }
}

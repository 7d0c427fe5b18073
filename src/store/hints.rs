//! Hints of change to whoever listens: bounded, never waited for.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::model::OperationId;
use crate::store::{Hint, HintStream};

/// Hints that a listener may be behind before it is told "any".
const BACKLOG: usize = 4_096;

/// Everybody who listens.
#[derive(Debug)]
pub(super) struct Listeners {
    /// `None` once the store is closed.
    list: Mutex<Option<Vec<Arc<Mutex<Queue>>>>>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { list: Mutex::new(Some(Vec::new())) }
    }
}

#[derive(Debug, Default)]
struct Queue {
    ids: VecDeque<OperationId>,
    /// More was told than fits.
    missed: bool,
    closed: bool,
    waker: Option<Waker>,
}

impl Listeners {
    pub(super) fn listen(&self) -> HintStream {
        let mut list = lock(&self.list);
        let queue = Arc::new(Mutex::new(Queue { closed: list.is_none(), ..Queue::default() }));
        if let Some(list) = &mut *list {
            // Those who left are let go before the list grows.
            if list.len() == list.capacity() {
                list.retain(|queue| Arc::strong_count(queue) > 1);
            }
            list.push(Arc::clone(&queue));
        }
        Box::pin(Hints { queue })
    }

    pub(super) fn is_empty(&self) -> bool {
        // Streams that are gone do not listen.
        lock(&self.list).as_ref().is_none_or(|list| list.iter().all(|queue| Arc::strong_count(queue) == 1))
    }

    pub(super) fn tell<I>(&self, ids: &I)
    where
        I: Iterator<Item = OperationId> + Clone,
    {
        let mut woken = Vec::new();
        if let Some(list) = &mut *lock(&self.list) {
            list.retain(|queue| {
                // The stream is gone.
                if Arc::strong_count(queue) == 1 {
                    return false;
                }
                let mut queue = lock(queue);
                if !queue.missed {
                    queue.ids.extend(ids.clone());
                    if queue.ids.len() > BACKLOG {
                        queue.ids.clear();
                        queue.missed = true;
                    }
                }
                woken.extend(queue.waker.take());
                true
            });
        }
        // A waker may read the stream at once: no lock is held here.
        woken.into_iter().for_each(Waker::wake);
    }

    /// Any operation may have changed.
    #[cfg(feature = "postgres")]
    pub(super) fn tell_any(&self) {
        let mut woken = Vec::new();
        for queue in lock(&self.list).iter().flatten() {
            let mut queue = lock(queue);
            queue.ids.clear();
            queue.missed = true;
            woken.extend(queue.waker.take());
        }
        woken.into_iter().for_each(Waker::wake);
    }

    pub(super) fn close(&self) {
        let list = lock(&self.list).take();
        for queue in list.into_iter().flatten() {
            let mut queue = lock(&queue);
            queue.closed = true;
            let waker = queue.waker.take();
            drop(queue);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Hints {
    queue: Arc<Mutex<Queue>>,
}

impl Stream for Hints {
    type Item = Hint;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Hint>> {
        let mut queue = lock(&self.queue);
        if std::mem::take(&mut queue.missed) {
            return Poll::Ready(Some(None));
        }
        if let Some(id) = queue.ids.pop_front() {
            return Poll::Ready(Some(Some(id)));
        }
        if queue.closed {
            return Poll::Ready(None);
        }
        queue.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

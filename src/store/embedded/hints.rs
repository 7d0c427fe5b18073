//! Hints of change to whoever listens: bounded, never waited for.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;

use crate::model::OperationId;
use crate::store::{Hint, HintStream};

/// Groups that a listener may be behind before it is told "any".
const BACKLOG: usize = 256;

/// Everybody who listens. Closed by dropping the list.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    list: Mutex<Vec<Listener>>,
}

#[derive(Debug)]
struct Listener {
    groups: mpsc::Sender<Arc<[OperationId]>>,
    missed: Arc<AtomicBool>,
}

impl Listeners {
    pub(super) fn listen(&self) -> HintStream {
        let (sender, groups) = mpsc::channel(BACKLOG);
        let missed = Arc::new(AtomicBool::new(false));
        let listener = Listener { groups: sender, missed: Arc::clone(&missed) };
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
        Box::pin(Hints { groups, missed, rest: VecDeque::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn tell(&self, ids: Arc<[OperationId]>) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).retain(|listener| {
            match listener.groups.try_send(Arc::clone(&ids)) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    listener.missed.store(true, Ordering::Release);
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            }
        });
    }

    pub(super) fn close(&self) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

struct Hints {
    groups: mpsc::Receiver<Arc<[OperationId]>>,
    missed: Arc<AtomicBool>,
    rest: VecDeque<OperationId>,
}

impl Stream for Hints {
    type Item = Hint;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Hint>> {
        loop {
            if self.missed.swap(false, Ordering::AcqRel) {
                // "Any" covers what is queued too.
                self.rest.clear();
                while self.groups.try_recv().is_ok() {}
                return Poll::Ready(Some(None));
            }
            if let Some(id) = self.rest.pop_front() {
                return Poll::Ready(Some(Some(id)));
            }
            match self.groups.poll_recv(context) {
                Poll::Ready(Some(ids)) => self.rest.extend(ids.iter().cloned()),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

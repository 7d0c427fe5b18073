//! What becomes of a group, told to all who wait for it: one allocation and one lock for the whole group.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::state::Outcome;

/// The end that tells. Dropped, it tells that nobody will know.
#[derive(Debug, Default)]
pub(super) struct Fate(Arc<Mutex<Told>>);

#[derive(Debug)]
enum Told {
    /// Not yet; who is to be woken then.
    Open(Vec<Option<Waker>>),
    /// How the group ended; `None` if the worker ended before it.
    Known(Option<Outcome>),
}

impl Default for Told {
    fn default() -> Self {
        Self::Open(Vec::new())
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fate {
    /// Tells all who wait. What was told first stands.
    pub(super) fn tell(&self, outcome: Option<Outcome>) {
        let mut told = lock(&self.0);
        let Told::Open(wakers) = &mut *told else { return };
        let wakers = std::mem::take(wakers);
        *told = Told::Known(outcome);
        // Who is woken may come here at once.
        drop(told);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// One more who waits.
    pub(super) fn waiter(&self) -> Waiter {
        Waiter { told: Arc::clone(&self.0), seat: None }
    }
}

impl Drop for Fate {
    fn drop(&mut self) {
        self.tell(None);
    }
}

/// Ends with the group's outcome, or with `None` if nobody will ever know.
#[derive(Debug)]
pub(super) struct Waiter {
    told: Arc<Mutex<Told>>,
    /// Where its waker is, once it has been polled.
    seat: Option<usize>,
}

impl Future for Waiter {
    type Output = Option<Outcome>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let shared = Arc::clone(&self.told);
        let mut told = lock(&shared);
        let wakers = match &mut *told {
            Told::Known(outcome) => return Poll::Ready(outcome.clone()),
            Told::Open(wakers) => wakers,
        };
        let waker = Some(context.waker().clone());
        let before = if let Some(seat) = self.seat.and_then(|seat| wakers.get_mut(seat)) {
            std::mem::replace(seat, waker)
        } else {
            self.seat = Some(wakers.len());
            wakers.push(waker);
            None
        };
        drop(told);
        // A waker's drop may run anything: no lock is held here.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some(seat) = self.seat else { return };
        let waker = match &mut *lock(&self.told) {
            Told::Open(wakers) => wakers.get_mut(seat).and_then(Option::take),
            Told::Known(_) => None,
        };
        // As in `poll`.
        drop(waker);
    }
}

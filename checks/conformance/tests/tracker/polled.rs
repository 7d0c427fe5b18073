//! Polls a future step by step, from outside any runtime: each poll after the first follows a wake.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A future under somebody's control.
pub(crate) struct Polled<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken {
    is: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        *self.is.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// A wake that does not come within this time never comes: a watchdog, not a measure.
const WATCHDOG: Duration = Duration::from_mins(1);

impl<'a, T> Polled<'a, T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self { future: Box::pin(future), woken: Arc::default() }
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        *self.woken.is.lock().unwrap() = false;
        let waker = Waker::from(Arc::clone(&self.woken));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Waits until there is a reason to poll.
    pub(crate) fn await_wake(&self) {
        let woken = self.woken.is.lock().unwrap();
        let (woken, _) = self.woken.changed.wait_timeout_while(woken, WATCHDOG, |woken| !*woken).unwrap();
        assert!(*woken, "no wake within {WATCHDOG:?}: it hangs");
    }

    /// To the end.
    pub(crate) fn finish(mut self) -> T {
        loop {
            match self.poll() {
                Poll::Ready(value) => return value,
                Poll::Pending => self.await_wake(),
            }
        }
    }

    /// Up to so many polls; `None` if that was not enough.
    pub(crate) fn polls(&mut self, polls: usize) -> Option<T> {
        for number in 0..polls {
            if number > 0 {
                self.await_wake();
            }
            if let Poll::Ready(value) = self.poll() {
                return Some(value);
            }
        }
        None
    }
}

/// Runs a future to its end.
pub(crate) fn finish<T>(future: impl Future<Output = T> + Send) -> T {
    Polled::new(future).finish()
}

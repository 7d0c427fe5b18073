//! Time, injected: what the tracker and the stores know of it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, Utc};
use tokio::sync::watch;

/// A wait that ends by itself.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What time it is, how much has passed, and waiting.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The date, in the offset that server times shall carry.
    fn now(&self) -> DateTime<FixedOffset>;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// Ends when [`monotonic`](Self::monotonic) has moved on by this much.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The machine's clocks; dates in UTC. Its sleep needs a tokio runtime with time enabled.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of the wall clock")]
    fn now(&self) -> DateTime<FixedOffset> {
        Utc::now().fixed_offset()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that moves only when told, for tests.
#[derive(Clone, Debug)]
pub struct ManualClock {
    date: Arc<Mutex<DateTime<FixedOffset>>>,
    passed: Arc<watch::Sender<Duration>>,
}

impl ManualClock {
    /// A clock that shows this date.
    pub fn new(date: DateTime<FixedOffset>) -> Self {
        Self { date: Arc::new(Mutex::new(date)), passed: Arc::new(watch::Sender::new(Duration::ZERO)) }
    }

    /// Sets the date alone, forwards or back; no time passes.
    pub fn set(&self, date: DateTime<FixedOffset>) {
        *self.date.lock().unwrap_or_else(PoisonError::into_inner) = date;
    }

    /// Lets time pass: the date moves on, sleeps that are due end.
    pub fn advance(&self, by: Duration) {
        let mut date = self.date.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(later) = chrono::TimeDelta::from_std(by).ok().and_then(|by| date.checked_add_signed(by)) {
            *date = later;
        }
        drop(date);
        self.passed.send_modify(|passed| *passed = passed.saturating_add(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<FixedOffset> {
        *self.date.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn monotonic(&self) -> Duration {
        *self.passed.borrow()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut passed = self.passed.subscribe();
        let due = passed.borrow().saturating_add(duration);
        Box::pin(async move {
            // The clock lives in the future's own receiver's sender; when it is gone, time stands still.
            if passed.wait_for(|now| *now >= due).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

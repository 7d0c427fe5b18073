//! Keeps calls into sled from hanging.
//!
//! After an I/O error in one of sled's own threads, whoever waits in `flush`, or for a page to be written, may
//! wait for ever: the error is kept, but nobody is woken. A later `flush` sees the error, wakes all who wait
//! and fails at once. So a thread looks for the error while calls are in sled, and then makes that flush.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sled::{Config, Db};

/// How soon an error in a thread of sled's is noticed.
const TICK: Duration = Duration::from_millis(50);

/// sled, watched.
#[derive(Debug)]
pub(super) struct Watched {
    /// Taken when this is dropped.
    db: Option<Db>,
    shared: Arc<Shared>,
    watcher: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Calls that are in sled.
    calls: AtomicUsize,
    /// Whether the watcher looks; else it sleeps until it is woken.
    awake: AtomicBool,
    ending: AtomicBool,
}

impl Watched {
    /// `config` is what `db` was opened with: both know the same error.
    pub(super) fn new(config: Config, db: Db) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let watcher = thread::Builder::new().name("longrun-sled".into()).spawn({
            let (shared, db) = (Arc::clone(&shared), db.clone());
            move || shared.watch(&config, &db)
        })?;
        Ok(Self { db: Some(db), shared, watcher: Some(watcher) })
    }

    /// A call into sled, which panics at some damage where it could fail.
    pub(super) fn call<T>(&self, call: impl FnOnce(&Db) -> sled::Result<T>) -> sled::Result<T> {
        let Some(db) = &self.db else { return Err(sled::Error::Unsupported("sled is closed".into())) };
        let _in_sled = self.enter();
        catch_unwind(AssertUnwindSafe(|| call(db)))
            .unwrap_or_else(|_| Err(sled::Error::ReportableBug("sled panicked".into())))
    }

    fn enter(&self) -> InSled<'_> {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        if !self.shared.awake.load(Ordering::SeqCst) && !self.shared.awake.swap(true, Ordering::SeqCst) {
            self.wake();
        }
        InSled(&self.shared)
    }

    fn wake(&self) {
        if let Some(watcher) = &self.watcher {
            watcher.thread().unpark();
        }
    }
}

impl Drop for Watched {
    /// Flushes while it is watched. After an error, or with nothing left to flush, dropping sled waits for
    /// nobody; what it may still do is panic, for it unwraps the result of its last sync.
    fn drop(&mut self) {
        if let Err(error) = self.call(|db| db.flush()) {
            tracing::warn!(%error, "sled could not be flushed before it was closed");
        }
        self.shared.ending.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(watcher) = self.watcher.take() {
            // It has nothing to tell.
            drop(watcher.join());
        }
        let db = self.db.take();
        if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
            tracing::warn!("sled panicked when it was closed; what was acknowledged is durable");
        }
    }
}

/// A call that is in sled, until this is dropped.
struct InSled<'a>(&'a Shared);

impl Drop for InSled<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn watch(&self, config: &Config, db: &Db) {
        while !self.ending.load(Ordering::SeqCst) {
            if !self.awake.load(Ordering::SeqCst) {
                thread::park();
                continue;
            }
            thread::park_timeout(TICK);
            if self.calls.load(Ordering::SeqCst) == 0 {
                // Who enters now sees that this sleeps, or is seen here.
                self.awake.store(false, Ordering::SeqCst);
                if self.calls.load(Ordering::SeqCst) > 0 {
                    self.awake.store(true, Ordering::SeqCst);
                }
            } else if config.global_error().is_err() {
                // Fails at once, having woken all who wait.
                drop(db.flush());
            }
        }
    }
}

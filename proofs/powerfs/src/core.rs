//! Where every call passes: counted, failed, frozen, or kept waiting.

use crate::{
    Calls, Fault, Frozen, Hold, Options,
    calls::Call,
    fault::{Strike, strike},
    volume::{Settle, Volume},
};
use fuser::Errno;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{any::Any, time::Instant};

/// A reply of any kind.
pub(crate) trait Answer: Send + 'static {
    fn fail(self, errno: Errno);
}

/// The reply to a call that waits for the disk.
type Pending = Box<dyn FnOnce(Result<(), Errno>) + Send>;

pub(crate) struct Waiting {
    pub(crate) settle: Settle,
    pub(crate) since: Instant,
    pub(crate) answer: Pending,
}

pub(crate) struct Core {
    pub(crate) volume: Volume,
    pub(crate) calls: Calls,
    pub(crate) faults: Vec<Fault>,
    pub(crate) waiting: Vec<Waiting>,
    /// Calls in flight when the power went.
    pub(crate) caught: usize,
    pub(crate) freeze_at: Option<u64>,
    pub(crate) frozen: bool,
    pub(crate) ending: bool,
    /// Replies that never come: dropping one would send an error.
    withheld: Vec<Box<dyn Any + Send>>,
    when_frozen: Frozen,
}

pub(crate) struct Shared {
    core: Mutex<Core>,
    pub(crate) changed: Condvar,
    hold: Option<Hold>,
}

impl Shared {
    pub(crate) fn new(volume: Volume, options: &Options) -> Self {
        let core = Core {
            volume,
            calls: Calls::default(),
            faults: Vec::new(),
            waiting: Vec::new(),
            caught: 0,
            freeze_at: options.freeze_at,
            frozen: false,
            ending: false,
            withheld: Vec::new(),
            when_frozen: options.frozen,
        };
        Self { core: Mutex::new(core), changed: Condvar::new(), hold: options.hold }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock()
    }

    pub(crate) fn serve<R: Answer, T: Send + 'static>(
        &self,
        call: Call,
        reply: R,
        run: impl FnOnce(&mut Volume) -> Result<T, Errno>,
        done: impl FnOnce(R, T) + Send + 'static,
    ) {
        self.serve_durably(call, reply, |volume| Ok((run(volume)?, None)), done);
    }

    /// As `serve`, for what is answered only when it is durable.
    pub(crate) fn serve_durably<R: Answer, T: Send + 'static>(
        &self,
        call: Call,
        reply: R,
        run: impl FnOnce(&mut Volume) -> Result<(T, Option<Settle>), Errno>,
        done: impl FnOnce(R, T) + Send + 'static,
    ) {
        let mut core = self.lock();
        if core.frozen {
            return core.refuse(reply);
        }
        core.calls.count(call);
        let strike = strike(&mut core.faults, call);
        let last = call.mutates() && core.freeze_at == Some(core.calls.mutating());
        let outcome = core.perform(call, strike, run);
        if last {
            core.caught += usize::from(matches!(outcome, Ok((_, Some(_)))));
            core.freeze();
            core.refuse(reply);
            self.changed.notify_all();
            return;
        }
        match outcome {
            Err(errno) => {
                drop(core);
                reply.fail(errno);
            }
            Ok((value, Some(settle))) if self.hold.is_some() => {
                let answer: Pending = Box::new(move |result| match result {
                    Ok(()) => done(reply, value),
                    Err(errno) => reply.fail(errno),
                });
                core.waiting.push(Waiting { settle, since: Instant::now(), answer });
                self.changed.notify_all();
            }
            Ok((value, settle)) => {
                if let Some(settle) = settle {
                    core.volume.settle(settle);
                }
                drop(core);
                done(reply, value);
            }
        }
    }
}

impl Core {
    /// The power goes: nothing becomes durable from here on, and nobody is told that anything did.
    pub(crate) fn freeze(&mut self) {
        if self.frozen {
            return;
        }
        self.frozen = true;
        self.caught += self.waiting.len();
        for Waiting { answer, .. } in std::mem::take(&mut self.waiting) {
            match self.when_frozen {
                Frozen::Fail => answer(Err(Errno::EIO)),
                Frozen::Block => self.withheld.push(Box::new(answer)),
            }
        }
    }

    fn refuse(&mut self, reply: impl Answer) {
        match self.when_frozen {
            Frozen::Fail => reply.fail(Errno::EIO),
            Frozen::Block => self.withheld.push(Box::new(reply)),
        }
    }

    fn perform<T>(
        &mut self,
        call: Call,
        strike: Option<Strike>,
        run: impl FnOnce(&mut Volume) -> Result<(T, Option<Settle>), Errno>,
    ) -> Result<(T, Option<Settle>), Errno> {
        match strike {
            None => run(&mut self.volume),
            Some(Strike { errno, lands }) => {
                if (lands || call.is_sync())
                    && let (_, Some(settle)) = run(&mut self.volume)?
                {
                    self.volume.strand(settle);
                }
                Err(errno)
            }
        }
    }
}

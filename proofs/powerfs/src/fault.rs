use crate::Call;
use fuser::Errno;

/// What a failing call answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// `EIO`.
    Io,
    /// `ENOSPC`.
    NoSpace,
    /// `EROFS`.
    ReadOnly,
}

impl Failure {
    pub(crate) fn errno(self) -> Errno {
        match self {
            Self::Io => Errno::EIO,
            Self::NoSpace => Errno::ENOSPC,
            Self::ReadOnly => Errno::EROFS,
        }
    }
}

/// One planned failure: the nth call of a kind, counted from [`Mounted::inject`](crate::Mounted::inject).
///
/// A failed `fsync` behaves as on Linux: what it should have written counts as clean from then on, so that a second
/// `fsync` succeeds without making it durable.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    call: Option<Call>,
    nth: u64,
    failure: Failure,
    for_good: bool,
    lands: bool,
    seen: u64,
}

impl Fault {
    /// The nth call of this kind fails, the first being 1.
    #[must_use]
    pub fn on(call: Call, nth: u64, failure: Failure) -> Self {
        Self { call: Some(call), nth, failure, for_good: false, lands: false, seen: 0 }
    }

    /// The nth call that mutates fails, whatever its kind, the first being 1.
    #[must_use]
    pub fn any(nth: u64, failure: Failure) -> Self {
        Self { call: None, ..Self::on(Call::Write, nth, failure) }
    }

    /// Every later call of the kind fails too.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self { for_good: true, ..self }
    }

    /// The call takes effect before it fails: whoever retries it must cope.
    #[must_use]
    pub fn after_effect(self) -> Self {
        Self { lands: true, ..self }
    }

    fn strikes(&mut self, call: Call) -> bool {
        if !self.call.map_or(call.mutates(), |planned| planned == call) {
            return false;
        }
        self.seen += 1;
        self.seen == self.nth || (self.for_good && self.seen > self.nth)
    }
}

/// A failure that this call is to meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    pub(crate) errno: Errno,
    pub(crate) lands: bool,
}

/// Every fault that was injected counts this call; the first that strikes decides.
pub(crate) fn strike(faults: &mut [Fault], call: Call) -> Option<Strike> {
    let mut found = None;
    for fault in faults {
        if fault.strikes(call) && found.is_none() {
            found = Some(Strike { errno: fault.failure.errno(), lands: fault.lands });
        }
    }
    found
}

use crate::Image;
use std::{path::PathBuf, time::Duration};

/// What the file system holds when it is mounted; all of it durable.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Backing {
    /// Nothing.
    Memory,
    /// A copy of this folder; the folder itself is only read.
    Folder(PathBuf),
    /// What an earlier cut left: the way to cut a recovery.
    Image(Image),
}

/// What becomes of the inode's sync flag (`chattr +S`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum SyncFlag {
    /// A write to a flagged file is durable when answered; what is made in a flagged folder inherits the flag.
    #[default]
    Honoured,
    /// The flag is kept, shown and inherited, and means nothing: a disk that lies.
    Ignored,
    /// The ioctl answers `ENOTTY`, as on tmpfs.
    Refused,
}

/// What calls get after the power cut.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Frozen {
    /// `EIO`.
    #[default]
    Fail,
    /// No answer until the file system is unmounted. Not even `kill -9` ends a process that waits so.
    Block,
}

/// Keeps synchronous writes and syncs waiting, so that a cut finds several in flight.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// One of the waiting, at random, is answered whenever this many wait.
    pub width: usize,
    /// The one that waited longest is answered after this time, however few wait.
    pub longest: Duration,
}

/// Syncs that are answered and make nothing durable, as if the caller had left them out: whoever depends on one
/// must be seen to lose.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Forgotten {
    /// Of every file that has this name.
    File(String),
    /// Of every folder.
    Folders,
}

/// How a file system behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) sync_flag: SyncFlag,
    pub(crate) frozen: Frozen,
    pub(crate) hold: Option<Hold>,
    pub(crate) capacity: Option<u64>,
    pub(crate) freeze_at: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) forgotten: Vec<Forgotten>,
}

impl Options {
    /// What becomes of the inode's sync flag; honoured by default.
    #[must_use]
    pub fn sync_flag(self, sync_flag: SyncFlag) -> Self {
        Self { sync_flag, ..self }
    }

    /// What calls get after the power cut; `EIO` by default.
    #[must_use]
    pub fn frozen(self, frozen: Frozen) -> Self {
        Self { frozen, ..self }
    }

    /// Keeps synchronous writes and syncs waiting; by default each is answered at once.
    #[must_use]
    pub fn hold(self, hold: Hold) -> Self {
        Self { hold: Some(hold), ..self }
    }

    /// The sum of all files' lengths at which the disk is full; by default it never is.
    #[must_use]
    pub fn capacity(self, bytes: u64) -> Self {
        Self { capacity: Some(bytes), ..self }
    }

    /// Cuts the power in the nth call that [mutates](crate::Call::mutates), the first being 1: it has begun and is
    /// never answered, so nothing of it is durable and anything of it may survive.
    #[must_use]
    pub fn freeze_at(self, nth: u64) -> Self {
        Self { freeze_at: Some(nth), ..self }
    }

    /// Forgets these syncs too.
    #[must_use]
    pub fn forget(mut self, syncs: Forgotten) -> Self {
        self.forgotten.push(syncs);
        self
    }

    /// Decides which of several waiting calls [`Hold`] answers.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

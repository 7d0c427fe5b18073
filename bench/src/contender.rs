//! What every contender can be asked, so that all do the same work.

use std::{
    future::{Future, Ready, ready},
    path::Path,
};

use anyhow::{Result, anyhow};

use crate::{job::Job, record::Status};

/// A tracker of operations, ours or a rival's.
///
/// An answer means that the write survives a power cut as far as the contender can promise it; what that rests on is
/// its [`durability`](Contender::durability). `progress` alone may be acknowledged before it is durable.
///
/// A contender that lacks a verb keeps the default, which says so: its row is left out of the works that need it.
pub trait Contender: Sized + Send + Sync + 'static {
    /// Names an operation.
    type Key: Clone + Send + Sync + 'static;
    /// What `start` hands to its winner.
    type Claim: Send + 'static;

    /// Opens, or reopens, the store in `folder`.
    fn open(folder: &Path, job: &Job) -> impl Future<Output = Result<Self>> + Send;

    /// What makes an acknowledgement durable.
    fn durability(&self) -> String;

    /// Makes an operation under a fresh name.
    fn create(&self) -> impl Future<Output = Result<Self::Key>> + Send;

    /// `NotStarted` to `Running`; `None` if another caller was first.
    fn start(&self, _key: &Self::Key) -> impl Future<Output = Result<Option<Self::Claim>>> + Send {
        lacks("start")
    }

    /// `Running` to `Completed`, by the holder of the claim.
    fn complete(&self, _key: &Self::Key, _claim: Self::Claim) -> impl Future<Output = Result<()>> + Send {
        lacks("complete")
    }

    /// One conditional move of an operation whose claim nobody holds.
    fn transition(&self, _key: &Self::Key, _to: Status) -> impl Future<Output = Result<()>> + Send {
        lacks("transition")
    }

    /// Reports a percentage.
    fn progress(&self, _key: &Self::Key, _percent: u8) -> impl Future<Output = Result<()>> + Send {
        lacks("progress")
    }

    /// The status of one operation.
    fn get(&self, _key: &Self::Key) -> impl Future<Output = Result<Option<Status>>> + Send {
        lacks("get")
    }

    /// How many of the first `limit` operations of a status there are, each one read.
    fn page(&self, _status: Status, _limit: usize) -> impl Future<Output = Result<usize>> + Send {
        lacks("page")
    }

    /// How many operations each status has.
    fn counts(&self) -> impl Future<Output = Result<[u64; 4]>> + Send {
        lacks("counts")
    }

    /// Removes a finished operation.
    fn delete(&self, _key: &Self::Key) -> impl Future<Output = Result<()>> + Send {
        lacks("delete")
    }

    /// Gives everything back; the folder can be opened again.
    fn close(self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// The answer of a verb that a contender has not.
fn lacks<T>(verb: &str) -> Ready<Result<T>> {
    ready(Err(anyhow!("this contender has no {verb}")))
}

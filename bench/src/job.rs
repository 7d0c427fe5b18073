//! What the parent asks of one child process, and what the child answers: each one line of JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::works::Work;

/// One measurement to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The contender's name.
    pub contender: String,
    /// What it is to do.
    pub work: Work,
    /// How many tasks call it at once.
    pub callers: usize,
    /// How long the measured window is.
    pub seconds: f64,
    /// How many records it holds before the window opens (the works that need some).
    pub records: usize,
    /// How many of them an earlier process made in the same folder (`growth`).
    pub held: usize,
    /// How many transitions a work that counts them (`churn`) makes in all.
    pub transitions: u64,
    /// The folder that this measurement has to itself.
    pub folder: PathBuf,
    /// Leave the store open and wait to be killed.
    pub linger: bool,
}

/// What one measurement found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measurement {
    /// Operations (what the work counts: lifecycles, transitions, reads) in the window.
    pub ops: u64,
    /// Durable writes acknowledged in the window.
    pub acks: u64,
    /// The window's length in seconds.
    pub seconds: f64,
    /// Median latency of one awaited call, in microseconds.
    pub p50_us: f64,
    /// 99th percentile of the same.
    pub p99_us: f64,
    /// When the window opened and closed, seconds of the wall clock: what a system call trace is cut by.
    pub window: (f64, f64),
    /// What makes an acknowledgement durable, in the contender's words.
    pub durability: String,
    /// Further figures of works that have more than one.
    pub cases: Vec<Case>,
}

/// One figure of a work that has several (a read at a size, a step of growth, a sample of churn).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Case {
    /// What was measured.
    pub name: String,
    /// Operations a second, where the case is a rate.
    pub ops_per_s: Option<f64>,
    /// Median latency in microseconds, where the case has one.
    pub p50_us: Option<f64>,
    /// 99th percentile of the same.
    pub p99_us: Option<f64>,
    /// Where the sample was taken (churn: after how many transitions).
    pub at: Option<f64>,
    /// Any other figure, in the unit that the name says.
    pub value: Option<f64>,
}

impl Measurement {
    /// Operations a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate is read to four digits")]
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.ops as f64 / self.seconds } else { 0.0 }
    }
}

//! What the host may choose about how patches are judged.

use super::timestamp::TICKS_PER_SECOND;

/// The clock skew, the bounds, and who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// How far a client's clock may differ from ours, in 100 ns ticks.
    pub clock_skew: i64,
    /// Bytes of compact JSON that a result may take.
    pub max_result: usize,
    /// The open of the store that writes; part of every version.
    pub instance: u32,
}

impl Rules {
    /// Bytes of compact JSON that a result may take at most, whatever the host chooses.
    pub const MAX_RESULT: usize = 64 * 1024;

    /// 5 minutes of skew, results of 64 KiB.
    pub const fn new(instance: u32) -> Self {
        Self { clock_skew: 5 * 60 * TICKS_PER_SECOND, max_result: Self::MAX_RESULT, instance }
    }
}

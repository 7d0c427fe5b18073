//! What `longrun` costs beside the rivals that a good engineer would write or choose instead.
//!
//! Every measurement (one contender, one work, one number of callers) is a process of its own over a fresh folder, so
//! that memory is its own, no idle neighbour takes time, and a contender whose libraries cannot be linked with
//! another's is a binary of its own. The parent interleaves the contenders for as many rounds as asked and compares
//! them round by round.

pub mod args;
pub mod callers;
pub mod child;
pub mod contender;
pub mod contenders;
#[cfg(feature = "rivals")]
pub mod group;
pub mod job;
pub mod parent;
pub mod record;
pub mod report;
pub mod space;
pub mod strace;
pub mod sync_flag;
pub mod works;

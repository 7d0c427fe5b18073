//! Judges what readers of the feed saw against what writers were told.
//!
//! A history is the output of one or more processes over one store, line after line, with `kill` where one
//! was killed; [`Line`] says what a line is. [`judge`] answers every violation of:
//!
//! - nothing missed: a feed that has reached its end shows every Immediate write that was acknowledged before
//!   it was asked, and at last equals the records;
//! - nothing invented: what it shows was acknowledged, or was on its way when its writer was killed;
//! - in order per operation: a status never goes back, a number only with a kill, nothing follows a deletion.

mod judge;
mod line;

pub use judge::{Judged, judge};
pub use line::{Line, Seen};

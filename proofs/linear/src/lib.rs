//! Judges recorded histories: is there one order of the calls, each between the instants at which it
//! was made and answered, that explains every answer?
//!
//! **It is** Wing and Gong's search with Lowe's memory, for any [`Model`], and one model in full:
//! [`operation`], one tracked operation as callers see it. Calls whose answer never came stay
//! open-ended. **It is not** a part of what it judges: it shares no code with it and reads recorded
//! lines, so a mistake there cannot excuse itself here.
//!
//! ```
//! use linear::{Call, Model, check, whole};
//!
//! struct Register;
//! enum Ask { Write(u8), Read }
//!
//! impl Model for Register {
//!     type State = u8;
//!     type Input = Ask;
//!     type Output = u8;
//!     fn init(&self) -> u8 { 0 }
//!     fn step(&self, state: &u8, input: &Ask, output: Option<&u8>) -> Option<u8> {
//!         match input {
//!             Ask::Write(value) => Some(*value),
//!             Ask::Read => output.is_none_or(|read| read == state).then_some(*state),
//!         }
//!     }
//!     fn partition(&self, calls: &[Call<Ask, u8>]) -> Vec<Vec<usize>> { whole(calls) }
//! }
//!
//! let fresh = [Call::answered(0, 9, Ask::Write(5), 0), Call::answered(3, 4, Ask::Read, 5)];
//! assert!(check(&Register, &fresh)?.is_linearizable());
//! let stale = [Call::answered(0, 2, Ask::Write(5), 0), Call::answered(3, 4, Ask::Read, 0)];
//! assert!(!check(&Register, &stale)?.is_linearizable());
//! # Ok::<(), linear::Backwards>(())
//! ```

#![expect(clippy::exhaustive_enums, reason = "unpublished: whoever matches on these is in this workspace")]

mod check;
mod history;
mod list;
mod model;
pub mod operation;
pub mod vectors;

pub use check::{Evidence, Verdict, check, check_within};
pub use history::{Backwards, Call, End};
pub use model::{Model, by_key, whole};

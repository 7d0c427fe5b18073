//! One tracked operation as its callers see it: a compare-and-swap register with a machine in it.
//!
//! `NotStarted → Running → Completed | Failed`, terminal for ever; the same value again changes
//! nothing; every effective write draws a version that was never seen before; a delete takes terminal
//! operations only. [`calls`] says what can be asked and answered, [`machine`] what each question does
//! to a record, [`model`] which answers that allows, [`lines`] how a history is written down,
//! [`worth`] what it can show at all.

pub mod calls;
pub mod lines;
pub mod machine;
pub mod model;
pub mod worth;

pub use calls::{Answer, Detail, Patch, Seen, Status, Text, Verb};
pub use lines::{Line, Recording, read};
pub use model::{Ask, Operations, judge};
pub use worth::Worth;

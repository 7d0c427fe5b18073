//! Heavy proofs of the library, one binary, a file per proof.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test a panic is the failure, outside the test functions too"
)]
#![expect(clippy::disallowed_methods, reason = "races are made of tasks")]
#![expect(clippy::print_stdout, reason = "a proof says how much it looked at")]

#[path = "../../../tests/it/support.rs"]
mod support;

mod folders;
mod model;
mod records;
mod schedules;
mod store;

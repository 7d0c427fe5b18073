//! Heavy proofs of the library, one binary, a file per proof.

#[path = "../../../tests/it/support.rs"]
mod support;

mod model;
mod records;
mod schedules;
mod store;

//! Tests of the judge.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that goes wrong shall stop; clippy's own exemption misses what tests share"
)]

mod lines;
mod operations;
mod oracle;
mod programs;
mod properties;
mod search;
mod simulator;
mod tape;

//! Behaviour of the PostgreSQL store on a private server.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "in a test a panic is the failure, outside the test functions too"
)]

mod support;
mod unique;

mod basics;
mod closing;
mod conformance;
mod crossing;
mod faults;
mod feed;
mod groups;
mod health;
mod keeping;
mod leases;
mod linear;
mod lists;
mod loads;
mod moving;
mod opening;
mod orphans;
mod plans;
mod pooled;
mod races;
mod signals;
mod zombie;

//! Behaviour of the PostgreSQL store on a private server.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "in a test a panic is the failure, outside the test functions too; races are made of tasks"
)]

mod support;

mod basics;
mod conformance;
mod crossing;
mod faults;
mod feed;
mod groups;
mod leases;
mod lists;
mod opening;
mod pooled;
mod races;

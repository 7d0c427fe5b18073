//! One test for each numbered rule of the protocol, over a real socket: body, headers and the record after.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "in a test a panic is the failure, outside the test functions too; races are made of tasks"
)]

mod access;
mod actions;
mod bodies;
mod collection;
mod conditions;
mod create;
mod events;
mod faults;
mod keeping;
mod machine;
mod metadata;
mod pages;
mod patch;
mod preferences;
mod projections;
mod representation;
mod same;
mod support;
mod times;
mod waiting;
mod watchers;

//! One test for each numbered rule of the protocol, over a real socket: body, headers and the record after.

mod access;
mod actions;
mod bodies;
mod collection;
mod conditions;
mod create;
mod events;
mod faults;
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

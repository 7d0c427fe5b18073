//! Behaviour of the PostgreSQL store on a private server.

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

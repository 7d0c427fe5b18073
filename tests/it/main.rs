//! The tests of the public library; one binary, a file per behaviour.

mod support;

mod store_faults;
mod store_feed;
mod store_worker;
mod transitions;

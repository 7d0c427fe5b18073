//! The tests of the public library; one binary, a file per behaviour.

mod faulty;
mod support;

mod claims;
mod closing;
mod maintaining;
mod page_replay;
mod running;
mod store_faults;
mod store_feed;
mod store_worker;
mod transitions;
mod watching;

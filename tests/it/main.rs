//! The tests of the public library; one binary, a file per behaviour.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure, outside the test functions too")]
#![expect(clippy::disallowed_methods, reason = "races are made of tasks")]

mod faulty;
mod record_format;
mod sled_folder;
mod support;

mod asked;
mod bounds;
mod claims;
mod closing;
mod deadlines;
mod due;
mod groups;
mod intents;
mod labels;
mod maintaining;
mod many;
mod page_replay;
mod quota;
mod running;
mod seeing;
mod shown;
mod sorted;
mod store_faults;
mod store_feed;
mod store_worker;
mod telling;
mod texts;
mod transfer;
mod transitions;
mod watching;
mod zombie;

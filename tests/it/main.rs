//! The tests of the public library; one binary, a file per behaviour.

mod record_format;
mod sled_folder;
mod support;

mod store_faults;
mod store_feed;
mod store_worker;
mod texts;
mod transitions;

//! The examples' own tests: the dashboard, and `ctl` against a `serve` in another process.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure, outside the test functions too")]
#![expect(clippy::disallowed_methods, reason = "a test is the host: it spawns what the library does not")]

mod ctl;
mod dashboard;
mod process;

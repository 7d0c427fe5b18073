//! The tracker over a store under cancellation, shutdown, a blocked worker and every schedule.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "what fails here fails a test"
)]

mod blocked;
mod cancellation;
mod faults;
mod polled;
mod schedules;
mod shutdown;
mod threads;
mod world;

//! The tracker over a store under cancellation, shutdown, a blocked worker and every schedule.

mod blocked;
mod cancellation;
mod faults;
mod polled;
mod schedules;
mod shutdown;
mod threads;
mod world;

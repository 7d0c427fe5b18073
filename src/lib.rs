//! Background job-state tracker.

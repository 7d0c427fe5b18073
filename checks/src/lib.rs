//! Heavy proofs of longrun: properties, schedules, faults. See `tests/`.

//! Nothing but tests: the conformance suite on our stores, on broken ones that it must catch, and what is
//! built on stores under cancellation, shutdown and every schedule.

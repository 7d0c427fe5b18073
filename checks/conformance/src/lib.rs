//! Stores that are broken on purpose, for tests and proofs that must catch them. The tests run the conformance suite
//! on our stores, and what is built on stores under cancellation, shutdown and every schedule.
#![expect(missing_docs, reason = "unpublished: a flaw's calls have the names of the store's")]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

pub mod broken;

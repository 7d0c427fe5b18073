//! The conformance suite on our stores.

mod memory;
mod sled;

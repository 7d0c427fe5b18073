//! The conformance suite on our stores and on the engine of `docs/stores.md`.

mod file;
mod file_engine;
mod memory;
mod sled;

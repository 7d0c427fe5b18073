//! Holds an example; see `examples/`.

//! Examples that need more than the library: see `examples/`.

//! Proofs that anyone can run.

fn main() {}

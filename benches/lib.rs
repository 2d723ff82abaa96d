//! Criterion benches of the protocol crates, one file a crate.

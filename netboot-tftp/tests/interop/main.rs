//! Programs that we did not write, in network namespaces that the tests make and that go with them.
//!
//! `cargo test -p netboot-tftp --test interop -- --ignored`, as root.
#![cfg(all(feature = "tokio", target_os = "linux"))]

mod clients;
mod mtu;
mod namespace;
mod servers;

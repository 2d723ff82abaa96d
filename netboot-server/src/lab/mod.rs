//! A lab on this machine: network namespaces and virtual machines with real firmware.
//!
//! `netboot demo --vm` and the end-to-end tests boot machines here. Nothing outlives the process:
//! a [`Namespace`] has no name in the file system and ends with its value, even after `kill -9`,
//! and so do the programs started in it.

mod machine;
mod namespace;

pub use machine::{Code, Console, Firmware, Part, VirtualMachine};
pub use namespace::Namespace;

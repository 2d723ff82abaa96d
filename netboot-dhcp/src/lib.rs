#![no_std]
#![doc = include_str!("../README.md")]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
mod hardware;
#[cfg(feature = "serde")]
mod hex;
pub mod server;
mod time;
pub mod value;
pub mod wire;

pub use hardware::{HardwareAddr, MacAddr, ParseHardwareAddrError, ParseMacError};
pub use time::{Seconds, Timestamp};

#![cfg_attr(not(feature = "tokio"), no_std)]
#![doc = include_str!("../README.md")]

extern crate alloc;
#[cfg(all(test, not(feature = "tokio")))]
extern crate std;

pub mod client;
#[cfg(all(feature = "tokio", target_os = "linux"))]
pub mod driver;
mod hardware;
mod hex;
pub mod server;
mod time;
pub mod value;
pub mod wire;

pub use bytes::Bytes;
pub use hardware::{HardwareAddr, MacAddr, ParseHardwareAddrError, ParseMacError};
pub use time::{Seconds, Timestamp};

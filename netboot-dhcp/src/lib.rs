// The README's second example needs the driver.
#![cfg_attr(
    all(feature = "tokio", target_os = "linux"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "tokio", target_os = "linux")),
    doc = "DHCPv4 for network boot, without I/O: messages in [`wire`], typed options in [`value`], \
           and the logic of a [`server::Server`] and of a [`client::Client`]."
)]
#![cfg_attr(not(feature = "tokio"), no_std)]

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

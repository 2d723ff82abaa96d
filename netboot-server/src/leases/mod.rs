//! Leases: where they are kept, and the clock that they are counted by.

pub mod clock;
mod dnsmasq;
mod embedded;
mod file;
mod kept_clock;
mod listed;
pub mod offline;
mod storage;
mod store;
mod table;

pub(crate) use embedded::EmbeddedLeases;
pub(crate) use file::{Beginning, LeaseFile};
pub use listed::{Listed, state};
pub(crate) use store::AnyStore;
pub(crate) use table::LeaseTable;

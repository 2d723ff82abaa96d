//! Leases: where they are kept, and the clock that they are counted by.

pub mod clock;
mod content;
mod dnsmasq;
mod embedded;
mod file;
mod folder;
mod frame;
mod journal;
mod kept_clock;
mod listed;
pub mod offline;
mod reading;
mod redb_import;
mod store;
mod table;

pub(crate) use embedded::EmbeddedLeases;
pub(crate) use file::{Beginning, LeaseFile};
pub use listed::{Listed, state};
pub(crate) use store::AnyStore;
pub(crate) use table::LeaseTable;

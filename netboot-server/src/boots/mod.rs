//! Boots as records: what each machine did from its first message until it was up, gave up or began
//! again, kept on disk.
//!
//! `boot` makes a [`Boot`] of its events, `store` keeps boots with their events in the state folder,
//! and `recorder` brings them there, behind the traffic: it reads the event stream as any reader
//! does, so that a store that is slow or full costs records and never a boot.

mod boot;
mod recorder;
mod stages;
mod store;

pub use boot::{Boot, EVENTS, Headline, Outcome, Record};
pub(crate) use recorder::{Recorder, Settled};
pub use stages::{Stage, stages};
pub use store::{ALL_EVENTS, BOOTS, BootStore, DAYS, StoreError};

/// How many of the newest boots one is compared with.
pub const OTHERS: usize = 200;

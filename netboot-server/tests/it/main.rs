//! The library, and the server that runs: what is configured, what machines get over its sockets,
//! what it keeps, and what it says of that.

mod agreement;
mod api;
mod clock;
mod configuration;
mod dhcp;
mod embedded;
mod flush;
mod https;
mod leases;
mod log;
mod metrics;
mod policy;
mod reload;
mod restart;
mod service;
#[path = "../support/mod.rs"]
mod support;
mod systemd;

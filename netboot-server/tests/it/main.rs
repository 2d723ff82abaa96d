//! The library, the command, and the server that runs: what is configured, what machines get over
//! its sockets, what it keeps, and what it says of that; and the NixOS module.

mod agreement;
mod api;
mod browser;
mod clock;
mod command;
mod configuration;
mod dhcp;
mod embedded;
mod flush;
mod https;
mod leases;
mod log;
mod metrics;
mod nixos;
mod page;
mod policy;
mod reload;
mod restart;
mod service;
mod support;
mod systemd;
mod why;

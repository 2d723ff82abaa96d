#![doc = include_str!("../README.md")]

pub mod admin;
mod boot_files;
mod boot_http;
pub mod boots;
pub mod capture;
pub mod config;
mod dhcp;
pub mod diagnosis;
mod failure;
mod files;
mod http;
mod identity;
#[cfg(feature = "lab")]
pub mod lab;
pub mod leases;
mod netlink;
pub mod paths;
pub mod policy;
pub mod script;
mod service;
pub mod state_dir;
pub mod telemetry;
mod tftp;
pub mod world;

pub use boot_http::route;
pub use failure::{Chain, Failure};
pub use service::{Health, Inherited, Service, ServiceBuilder, Unwell, control_socket};

// Crates whose types are in what is public here.
pub use {bytes, jiff, serde_json, uuid};

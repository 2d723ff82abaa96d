#![doc = include_str!("../README.md")]

pub mod admin;
pub mod config;
mod dhcp;
mod failure;
mod http;
mod identity;
#[cfg(feature = "lab")]
pub mod lab;
pub mod leases;
pub mod policy;
pub mod script;
mod service;
pub mod telemetry;
mod tftp;
pub mod world;

pub use failure::{Chain, Failure};
pub use service::{Inherited, Service, control_socket};

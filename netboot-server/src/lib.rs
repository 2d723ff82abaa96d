#![doc = include_str!("../README.md")]

mod api;
mod asking;
mod cmdline;
pub mod command;
pub mod config;
mod demo;
mod dhcp;
pub mod events;
pub mod explain;
mod failure;
mod handed_out;
mod http;
pub mod install;
pub mod lab;
mod leases;
pub mod log;
mod malformed;
mod menu_file;
mod neighbour;
mod nix;
mod no_router;
pub mod platform;
pub mod policy;
mod process;
pub mod programs;
pub mod script;
mod scripts;
mod service;
mod sightings;
mod simulated;
mod tftp;
pub mod world;

pub use failure::Failure;
pub use service::{Inherited, Service};

//! What a store promises, tried on a real file system.

#![cfg(all(unix, feature = "store"))]

mod common;
mod crash;
mod defects;
mod faults;
mod generations;
mod import;
mod kinds;
mod planted;
mod publish;
mod read;
mod refused;
mod shared;
mod signatures;
mod verify;
mod writers;

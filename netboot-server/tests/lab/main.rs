//! The server in network namespaces: booted by real firmware, and asked by clients that others
//! wrote. All of it needs root, and so is ignored unless asked for with `--ignored`.

mod dhcp;
mod disc;
mod firmware;
mod generated;
mod guide;
mod interop;
mod lan;
mod probe;
mod program;
mod pxelinux;
mod relay;
mod running;
mod secure_boot;
mod server;
mod uboot;
mod unified;
#[path = "../it/support/nix.rs"]
mod use_nix;

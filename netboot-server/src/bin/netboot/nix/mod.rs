//! Running Nix: what `netboot image generate` builds, how far it is, and the roots that keep what
//! was built.
//!
//! All three of nixpkgs' netboot outputs are built in one call, so that kernel, initial RAM disk
//! and script are of one evaluation. Nothing is linked against Nix: its programs are found on
//! `PATH`.

mod build;
mod error;
mod progress;
mod roots;

pub(crate) use build::{Order, build};
pub(crate) use error::NixError;
pub(crate) use progress::Stage;
pub(crate) use roots::{Root, Roots, let_go};

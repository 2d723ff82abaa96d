//! `SHA256SUMS` against the real `sha256sum`, both ways, and against lines written by hand from its
//! manual.

mod lines;
mod properties;
#[cfg(unix)]
mod sha256sum;

//! `manifest.json` and `SHA256SUMS`: what is read, what is written and what is refused.

mod manifest;
mod sums;

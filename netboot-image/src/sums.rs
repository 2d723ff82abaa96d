//! `SHA256SUMS` as GNU coreutils reads and writes it.
use crate::Digest;

/// placeholder until the grammar is in
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sha256Sums(Vec<(Digest, Vec<u8>)>);

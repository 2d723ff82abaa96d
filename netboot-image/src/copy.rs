//! Hashing what passes by: piece by piece, and while it is copied.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use sha2::Digest as _;

use crate::Digest;

/// Bytes read at a time: large enough that system calls cost nothing beside hashing, small enough
/// for the cache.
const CHUNK: usize = 128 * 1024;

/// Takes bytes piece by piece and tells their [`Digest`].
///
/// It is a [`Write`] that never fails, so it can stand wherever bytes go by.
///
/// ```
/// use netboot_image::{Digest, Hasher};
///
/// let mut hasher = Hasher::new();
/// hasher.update(b"a");
/// hasher.update(b"bc");
/// assert_eq!(hasher.len(), 3);
/// assert_eq!(hasher.digest(), Digest::of(b"abc"));
/// ```
#[derive(Clone, Default)]
pub struct Hasher {
    state: sha2::Sha256,
    len: u64,
}

impl Hasher {
    /// A hasher that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.len = self
            .len
            .saturating_add(bytes.len().try_into().unwrap_or(u64::MAX));
    }

    /// How many bytes it has seen.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has seen none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digest of all that it has seen; more may follow.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(self.state.clone().finalize().into())
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Why [`copy`] stopped: whose fault it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The source failed.
    #[error("reading failed after {at} bytes")]
    Read {
        /// Bytes that had been copied by then.
        at: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// The destination failed, as when the disk is full.
    #[error("writing failed after {at} bytes")]
    Write {
        /// Bytes that had been copied by then.
        at: u64,
        /// What the writer said.
        source: io::Error,
    },
    /// The progress callback asked for it.
    #[error("cancelled after {at} bytes")]
    Cancelled {
        /// Bytes that had been copied by then.
        at: u64,
    },
}

/// Copies a reader into a writer and hashes what passes, in one pass; gives the digest and the
/// number of bytes.
///
/// `progress` is told the bytes copied so far after each piece, at most 128 KiB of it, and stops
/// the copy by [`ControlFlow::Break`]. The writer is not flushed.
///
/// ```
/// use std::ops::ControlFlow;
/// use netboot_image::{Digest, copy};
///
/// let mut out = Vec::new();
/// let mut seen = 0;
/// let (digest, len) = copy(&b"abc"[..], &mut out, |bytes| { seen = bytes; ControlFlow::Continue(()) })?;
/// assert_eq!((out.as_slice(), len, seen), (&b"abc"[..], 3, 3));
/// assert_eq!(digest, Digest::of(b"abc"));
/// # Ok::<(), netboot_image::CopyError>(())
/// ```
///
/// # Errors
/// What the reader or the writer failed with, or that it was cancelled.
pub fn copy(
    mut reader: impl Read,
    mut writer: impl Write,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<(Digest, u64), CopyError> {
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let at = hasher.len();
        let read =
            read_some(&mut reader, &mut chunk).map_err(|source| CopyError::Read { at, source })?;
        let Some(bytes) = read else {
            return Ok((hasher.digest(), at));
        };
        writer
            .write_all(bytes)
            .map_err(|source| CopyError::Write { at, source })?;
        hasher.update(bytes);
        if progress(hasher.len()).is_break() {
            return Err(CopyError::Cancelled { at: hasher.len() });
        }
    }
}

/// A hasher that has seen all that a reader gives.
pub(crate) fn hashed(mut reader: impl Read) -> io::Result<Hasher> {
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; CHUNK];
    while let Some(bytes) = read_some(&mut reader, &mut chunk)? {
        hasher.update(bytes);
    }
    Ok(hasher)
}

/// The next bytes of a reader, or `None` at its end; an interrupted call is made again.
pub(crate) fn read_some<'a>(
    reader: &mut impl Read,
    chunk: &'a mut [u8],
) -> io::Result<Option<&'a [u8]>> {
    loop {
        match reader.read(chunk) {
            Ok(0) => return Ok(None),
            Ok(len) => {
                return chunk.get(..len).map(Some).ok_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        "reader claims more bytes than there was room for",
                    )
                });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copying_tells_whose_fault_it_was() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let go_on = |_| ControlFlow::Continue(());
        assert!(matches!(
            copy(&b"abc"[..], Full, go_on),
            Err(CopyError::Write { at: 0, .. })
        ));
        assert!(matches!(
            copy((&b"abc"[..]).chain(Broken), io::sink(), go_on),
            Err(CopyError::Read { at: 3, .. })
        ));
        let stop = |_| ControlFlow::Break(());
        assert!(matches!(
            copy(&b"abc"[..], io::sink(), stop),
            Err(CopyError::Cancelled { at: 3 })
        ));
    }

    #[test]
    fn a_reader_that_lies_about_its_length_is_an_error() {
        struct Liar;
        impl Read for Liar {
            fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
                Ok(chunk.len() + 1)
            }
        }
        assert!(Digest::of_reader(Liar).is_err());
    }
}

//! The file below the lease database: records that are appended, one flush for each batch.
//!
//! It grows by zeros that are written. A file that is merely made longer has holes; to fill one, a
//! file system changes its own records, and a flush then waits for its journal, which with ext4 is
//! half of the time that a flush takes. That the disk is full is seen where the file grows, too,
//! and not by a record between two others.
//!
//! Where it is to be made anew (it has grown, it was damaged, it could not be written), all of its
//! records are written to a new file, which then takes its place.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::folder::Folder;
use super::frame::{self, Tail};

/// Bytes that it grows by.
const PIECE: u64 = 1 << 20;
/// Below this length it is not made anew.
const SMALL: u64 = 4 << 20;
/// How much longer it may get than it was when it was made, before it is made anew.
const GROWTH: u64 = 3;

/// The file, open to be written, and locked: no other process has it.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Where the next record is written.
    end: u64,
    /// The number of the next record.
    next: u64,
    /// The length of the file.
    length: u64,
    /// The length at which it is to be made anew.
    limit: u64,
}

/// A file that is there, locked, and all its bytes.
#[derive(Debug)]
pub(super) struct Locked {
    file: File,
    pub(super) bytes: Vec<u8>,
}

impl Locked {
    /// Opens and locks a file; `None` where there is none. [`io::ErrorKind::WouldBlock`] is that
    /// another process has it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn open(folder: &Folder, name: &OsStr) -> io::Result<Option<Self>> {
        loop {
            let Some(file) = folder.file(name, true)? else {
                return Ok(None);
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Another process may have put a new one in its place, and be gone.
            let Some(now) = folder.file(name, false)? else {
                continue;
            };
            if now.metadata()?.ino() == file.metadata()?.ino() {
                let bytes = read(&file)?;
                return Ok(Some(Self { file, bytes }));
            }
        }
    }
}

/// The longest file that is read: millions of leases.
const LONGEST: u64 = 4 << 30;

/// All bytes of a file.
///
/// # Errors
///
/// Those of the system, and where it is longer than any lease database or than memory.
pub(super) fn read(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > LONGEST {
        return Err(io::Error::other("it is longer than 4 GiB"));
    }
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length)?;
    bytes.resize(length, 0);
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

impl Journal {
    /// Goes on with a file in which nothing is damaged, behind what was read of it. What was torn
    /// at its end is cleared.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn go_on(locked: Locked, tail: &Tail) -> io::Result<Self> {
        let file = locked.file;
        let torn = &tail.torn;
        if !torn.is_empty() {
            file.write_all_at(&vec![0; torn.len()], torn.start as u64)?;
            file.sync_data()?;
        }
        let end = tail.end as u64;
        Ok(Self {
            end,
            next: tail.next,
            length: file.metadata()?.len(),
            limit: SMALL.max(end),
            file,
        })
    }

    /// Writes a new file with these records, which is to take a place yet.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn write<'r>(
        folder: &Folder,
        name: &OsStr,
        records: impl Iterator<Item = &'r str>,
    ) -> io::Result<Self> {
        let mut bytes = frame::header();
        let next = framed(&mut bytes, 1, records)?;
        let end = bytes.len() as u64;
        let length = with_zeros(end);
        bytes.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        let file = folder.create(name)?;
        file.lock()?;
        let written = file.write_all_at(&bytes, 0).and_then(|()| file.sync_all());
        written.inspect_err(|_| folder.remove(name))?;
        Ok(Self {
            file,
            end,
            next,
            length,
            limit: SMALL.max(end * GROWTH),
        })
    }

    /// Appends these records; they are on the disk when this returns.
    ///
    /// # Errors
    ///
    /// Those of the system. Then it is not known what is in the file, which is to be made anew.
    pub(super) fn append<'r>(&mut self, records: impl Iterator<Item = &'r str>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let next = framed(&mut bytes, self.next, records)?;
        let end = self.end + bytes.len() as u64;
        if end >= self.length {
            // Before the records, so that there are zeros behind the last one at each moment.
            let length = with_zeros(end);
            let zeros = usize::try_from(length - self.length).map_err(io::Error::other)?;
            self.file.write_all_at(&vec![0; zeros], self.length)?;
            self.length = length;
        }
        self.file.write_all_at(&bytes, self.end)?;
        self.file.sync_data()?;
        (self.end, self.next) = (end, next);
        Ok(())
    }

    /// Whether it has grown so much that it is to be made anew.
    pub(super) fn has_grown(&self) -> bool {
        self.end > self.limit
    }

    /// Has it grow further, where it cannot be made anew.
    pub(super) fn put_off(&mut self) {
        self.limit = self.end * GROWTH;
    }
}

/// Appends records, numbered from this one on; gives the number of the next.
fn framed<'r>(
    bytes: &mut Vec<u8>,
    first: u64,
    records: impl Iterator<Item = &'r str>,
) -> io::Result<u64> {
    let mut next = first;
    for record in records {
        frame::append(bytes, next, record)
            .ok_or_else(|| io::Error::other("a record is longer than 65535 bytes"))?;
        next += 1;
    }
    Ok(next)
}

/// The length of a file whose records end here.
fn with_zeros(end: u64) -> u64 {
    (end + PIECE).next_multiple_of(PIECE)
}

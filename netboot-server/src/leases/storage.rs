//! The file below the lease database: one whose blocks are all there.
//!
//! A file that is merely made longer has holes. To fill one, a file system changes its own records,
//! and a flush then waits for its journal; with ext4 that is half of the time that a flush takes.
//! So the file grows by zeros that are written, and each flush behind that is of data only. That
//! the disk is full is then also seen where the file grows, and not by a claim between two others.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// Bytes that are written at a time where the file grows.
const PIECE: usize = 1 << 20;

/// A database file without holes.
#[derive(Debug)]
pub(super) struct Storage(FileBackend);

impl Storage {
    /// Opens a file that is there and not empty: on an empty one redb would begin anew.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn open(path: &Path) -> Result<Self, redb::DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() == 0 {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it is empty");
            return Err(redb::DatabaseError::Storage(error.into()));
        }
        Self::on(file)
    }

    /// Makes a file that is not there yet.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn create(path: &Path) -> Result<Self, redb::DatabaseError> {
        Self::on(File::create_new(path)?)
    }

    fn on(file: File) -> Result<Self, redb::DatabaseError> {
        FileBackend::new(file).map(Self)
    }

    fn fill(&self, mut from: u64, to: u64) -> io::Result<()> {
        let zeros = vec![0; PIECE];
        while from < to {
            let left = usize::try_from(to - from).unwrap_or(PIECE);
            let piece = zeros.get(..left).unwrap_or(&zeros);
            self.0.write(from, piece)?;
            from += piece.len() as u64;
        }
        Ok(())
    }
}

impl StorageBackend for Storage {
    fn set_len(&self, length: u64) -> io::Result<()> {
        let before = self.0.len()?;
        if length <= before {
            return self.0.set_len(length);
        }
        self.fill(before, length).inspect_err(|_| {
            // What could be written of it is of no use; where it stays, it is in nobody's way.
            let _ = self.0.set_len(before);
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use redb::{Database, TableDefinition};

    use super::*;

    #[test]
    fn a_database_that_grows_has_no_holes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("leases");
        let storage = Storage::create(&path).expect("a new file");
        let database = Database::builder().create_with_backend(storage);
        let database = database.expect("a new database");
        let begun = std::fs::metadata(&path).expect("the file").len();
        let table = TableDefinition::<u32, &[u8]>::new("table");
        for round in 0..8 {
            let transaction = database.begin_write().expect("one writer");
            {
                let mut table = transaction.open_table(table).expect("a table");
                for key in 0..256 {
                    let value = [7; 4096];
                    let inserted = table.insert(round * 256 + key, value.as_slice());
                    assert!(inserted.expect("room").is_none());
                }
            }
            transaction.commit().expect("room");
        }
        let file = std::fs::metadata(&path).expect("the file");
        assert!(file.len() > begun, "it has grown");
        // In units of 512 bytes.
        assert!(file.blocks() * 512 >= file.len(), "{file:?}");
    }
}

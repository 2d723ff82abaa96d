//! The lease database: one redb file, one flush for each batch of claims.
//!
//! A claim replaces a stored lease only where its version is the expected one, so that what the
//! DHCP logic holds in memory can be behind but never wins over what is stored.
//!
//! A database that is damaged is set aside under another name and a new one is begun. What the new
//! one does not know is learned from clients that ask for what they had; it remembers when it was
//! begun, so that this ends when every older lease has. One that a later version wrote in a format
//! of its own is not damaged, and is left as it is.

use std::fs::File;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Claim, ClaimResult, Lease};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::storage::Storage;
use super::{clock, kept_clock};
use crate::failure::{Chain, Failure};
use crate::leases::clock::Clock;

/// Network number and address, to the lease as JSON.
const LEASES: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("leases");
/// What the database says about itself.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// When it was begun, in milliseconds since the Unix epoch.
const BEGUN: &str = "begun";
/// The format of all of it. A database without it was written before there was one, and is of the
/// first.
const FORMAT: &str = "format";
/// The format that is written, and the last that is read.
const THIS_FORMAT: u64 = 1;

/// Bytes of the database that are kept in memory; the DHCP logic has all leases there anyway.
const CACHE: usize = 4 << 20;

/// The lease database, open. No other process can open it meanwhile.
#[derive(Debug)]
pub(crate) struct LeaseFile {
    path: PathBuf,
    begun: Timestamp,
    /// `None` behind a failed write, until it is opened again.
    database: Mutex<Option<Arc<Database>>>,
}

/// What a start began from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The leases of the runs before.
    Known,
    /// Nothing: there was no database yet.
    New,
    /// Nothing: the database was damaged.
    Damaged {
        /// Where it was put.
        aside: PathBuf,
        /// What was wrong with it.
        why: String,
    },
}

enum OpenError {
    Damaged(String),
    Failed(Failure),
}

impl LeaseFile {
    /// Opens the database with every lease in it, or begins one.
    ///
    /// # Errors
    ///
    /// Where another process has it open, or the folder cannot be written. Damage is none.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Lease>, Beginning), Failure> {
        let (whole, beginning) = match open_whole(path) {
            Ok(Some(whole)) => (whole, Beginning::Known),
            Ok(None) => (begin(path)?, Beginning::New),
            Err(OpenError::Failed(failure)) => return Err(failure),
            Err(OpenError::Damaged(why)) => {
                let aside = set_aside(path)?;
                (begin(path)?, Beginning::Damaged { aside, why })
            }
        };
        let file = Self {
            path: path.to_owned(),
            begun: whole.begun,
            database: Mutex::new(Some(Arc::new(whole.database))),
        };
        Ok((file, whole.leases, beginning))
    }

    /// When this database was begun: leases from before that are not in it.
    pub(crate) fn begun(&self) -> Timestamp {
        self.begun
    }

    /// The clock that these leases of it are counted by: that of the runs before since the host was
    /// started, else one that begins now.
    pub(crate) fn clock(&self, leases: &[Lease]) -> Clock {
        let newest = leases.iter().map(|lease| lease.updated).max();
        let newest = newest.unwrap_or_default();
        let kept = self
            .database()
            .and_then(|database| kept_clock::of(&database, newest).map_err(|why| shown(&why)));
        kept.unwrap_or_else(|why| {
            self.lock().take();
            tracing::warn!("{}", self.failed("keeping the clock of", why));
            Clock::begin(newest)
        })
    }

    /// Every lease that is stored.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read, or holds what is no lease.
    pub(crate) fn load(&self) -> Result<Vec<Lease>, Failure> {
        let leases = self.database().and_then(|database| read_leases(&database));
        leases.map_err(|why| self.failed("reading", why))
    }

    /// Stores claims in order, whole, and on the disk when this returns. Every claim is answered.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// Where nothing can be written; then nothing was. The next call tries anew.
    pub(crate) fn claim<'c>(
        &self,
        claims: impl Iterator<Item = &'c Claim>,
    ) -> Result<Vec<ClaimResult>, Failure> {
        let stored = self
            .database()
            .and_then(|database| store(&database, claims).map_err(|why| shown(&why)));
        stored.map_err(|why| {
            // After a failed write redb wants to be opened anew.
            self.lock().take();
            self.failed("writing", why)
        })
    }

    fn database(&self) -> Result<Arc<Database>, String> {
        let mut database = self.lock();
        if let Some(database) = &*database {
            return Ok(Arc::clone(database));
        }
        let opened = Storage::open(&self.path)
            .and_then(database_on)
            .map_err(|why| shown(&why))?;
        Ok(Arc::clone(database.insert(Arc::new(opened))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Database>>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &str, why: String) -> Failure {
        Failure::new(
            format!("{doing} the lease database {}", self.path.display()),
            why,
            "see that the disk is neither full nor failing; until it can be written, nobody gets a \
             new address",
        )
    }
}

struct Whole {
    database: Database,
    leases: Vec<Lease>,
    begun: Timestamp,
}

fn database_on(storage: Storage) -> Result<Database, redb::DatabaseError> {
    Database::builder()
        .set_cache_size(CACHE)
        .create_with_backend(storage)
}

/// Opens what is there and reads all of it; `None` where there is nothing.
fn open_whole(path: &Path) -> Result<Option<Whole>, OpenError> {
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => return Err(OpenError::Failed(not_opened(path, &error))),
    }
    // Bytes that make no sense may make redb panic.
    let read = std::panic::catch_unwind(AssertUnwindSafe(|| -> Result<Whole, OpenError> {
        let mut database = Storage::open(path)
            .and_then(database_on)
            .map_err(|error| judge(path, &error))?;
        let damaged = |error: &dyn std::error::Error| OpenError::Damaged(shown(error));
        let sound = database
            .check_integrity()
            .map_err(|error| damaged(&error))?;
        if !sound {
            tracing::warn!("the lease database {} was repaired", path.display());
        }
        let about = |key| read_about(&database, key).map_err(|error| damaged(&error));
        let format = about(FORMAT)?.unwrap_or(1);
        if format > THIS_FORMAT {
            return Err(OpenError::Failed(Failure::new(
                format!("opening the lease database {}", path.display()),
                format!(
                    "a later version wrote it, in format {format}; this one reads {THIS_FORMAT}"
                ),
                "run that version, or name another folder with --state-dir",
            )));
        }
        let begun = Timestamp(about(BEGUN)?.unwrap_or_default());
        let leases = read_leases(&database).map_err(OpenError::Damaged)?;
        Ok(Whole {
            database,
            leases,
            begun,
        })
    }));
    read.unwrap_or_else(|_| Err(OpenError::Damaged("its pages make no sense".into())))
        .map(Some)
}

fn judge(path: &Path, error: &redb::DatabaseError) -> OpenError {
    use redb::DatabaseError::{DatabaseAlreadyOpen, Storage};
    let tried = || format!("opening the lease database {}", path.display());
    OpenError::Failed(match error {
        DatabaseAlreadyOpen => Failure::new(
            tried(),
            "another netboot runs on this state folder",
            "stop it, or name another folder with --state-dir",
        ),
        Storage(redb::StorageError::Io(error))
            if !matches!(
                error.kind(),
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof
            ) =>
        {
            Failure::new(
                tried(),
                error,
                "let this user read and write it, or name another folder with --state-dir",
            )
        }
        _ => return OpenError::Damaged(shown(error)),
    })
}

/// Makes a new database that appears whole.
fn begin(path: &Path) -> Result<Whole, Failure> {
    let unfinished = path.with_extension("new");
    let make = || -> Result<Whole, String> {
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.to_string()),
            _ => {}
        }
        let database = Storage::create(&unfinished)
            .and_then(database_on)
            .map_err(|why| shown(&why))?;
        let begun = clock::wall();
        let write = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            // A table that was never written cannot be read.
            transaction.open_table(LEASES)?;
            let mut about = transaction.open_table(ABOUT)?;
            about.insert(BEGUN, begun.0)?;
            about.insert(FORMAT, THIS_FORMAT)?;
            drop(about);
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|why| shown(&why))?;
        let appear = || {
            std::fs::rename(&unfinished, path)?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        appear().map_err(|error| error.to_string())?;
        Ok(Whole {
            database,
            leases: Vec::new(),
            begun,
        })
    };
    make().map_err(|why| {
        Failure::new(
            format!("beginning the lease database {}", path.display()),
            why,
            "let this user write there and see that the disk is not full, or name another folder \
             with --state-dir",
        )
    })
}

fn set_aside(path: &Path) -> Result<PathBuf, Failure> {
    let date = crate::telemetry::host_time().strftime("%Y%m%dT%H%M%SZ");
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{date}"));
    let aside = PathBuf::from(name);
    std::fs::rename(path, &aside).map_err(|error| not_opened(path, &error))?;
    Ok(aside)
}

fn not_opened(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("opening the lease database {}", path.display()),
        error,
        "let this user write there, or name another folder with --state-dir",
    )
}

fn shown(error: &dyn std::error::Error) -> String {
    Chain(error).to_string()
}

fn read_leases(database: &Database) -> Result<Vec<Lease>, String> {
    let read = || -> Result<Vec<Result<Lease, String>>, redb::Error> {
        let table = database.begin_read()?.open_table(LEASES)?;
        let entries = table.iter()?.map(|entry| {
            let (key, value) = entry?;
            let (network, address) = key.value();
            let lease = serde_json::from_slice::<Lease>(value.value());
            let of = || format!("the lease of {}", Ipv4Addr::from_bits(address));
            Ok(match lease {
                Ok(lease) if lease.network.0 == network && lease.address.to_bits() == address => {
                    Ok(lease)
                }
                Ok(_) => Err(format!("{} is another's", of())),
                Err(error) => Err(format!("{}: {error}", of())),
            })
        });
        entries.collect()
    };
    read().map_err(|error| shown(&error))?.into_iter().collect()
}

fn read_about(database: &Database, key: &str) -> Result<Option<u64>, redb::Error> {
    match database.begin_read()?.open_table(ABOUT) {
        Ok(table) => Ok(table.get(key)?.map(|value| value.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn store<'c>(
    database: &Database,
    claims: impl Iterator<Item = &'c Claim>,
) -> Result<Vec<ClaimResult>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut results = Vec::new();
    {
        let mut table = transaction.open_table(LEASES)?;
        for claim in claims {
            let lease = &claim.lease;
            let key = (lease.network.0, lease.address.to_bits());
            let stored = table.get(key)?;
            let stored = stored.map(|value| serde_json::from_slice::<Lease>(value.value()));
            // One that cannot be read is somebody's all the same.
            let Ok(stored) = stored.transpose() else {
                results.push(ClaimResult::Down);
                continue;
            };
            if stored.as_ref().map_or(0, |stored| stored.version) != claim.expected_version {
                results.push(ClaimResult::Lost { current: stored });
                continue;
            }
            let Ok(value) = serde_json::to_vec(lease) else {
                results.push(ClaimResult::Down);
                continue;
            };
            table.insert(key, value.as_slice())?;
            results.push(ClaimResult::Stored);
        }
    }
    transaction.commit()?;
    Ok(results)
}

#[cfg(test)]
mod tests {
    use netboot_dhcp::MacAddr;
    use netboot_dhcp::server::{ClientKey, NetworkId};
    use redb::backends::InMemoryBackend;

    use super::*;

    #[test]
    fn a_stored_lease_that_cannot_be_read_is_not_replaced() {
        let memory = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = memory.expect("memory");
        let address = Ipv4Addr::new(10, 0, 0, 100);
        let key = (1, address.to_bits());
        let later = br#"{"format":2}"#;
        let write = database.begin_write().expect("a transaction");
        let insert = |mut table: redb::Table<'_, (u32, u32), &[u8]>| {
            table.insert(key, &later[..]).expect("room");
        };
        insert(write.open_table(LEASES).expect("a table"));
        write.commit().expect("memory");
        let client = ClientKey::Hardware(MacAddr([2, 0, 0, 0, 0, 1]).into());
        let (now, expires) = (Timestamp(1_000), Timestamp(2_000));
        let claim = Claim::new(Lease::new(now, NetworkId(1), address, client, expires));
        let results = store(&database, std::iter::once(&claim)).expect("memory");
        assert_eq!(results, [ClaimResult::Down]);
        let read = database.begin_read().expect("a transaction");
        let table = read.open_table(LEASES).expect("a table");
        let kept = table.get(key).expect("memory").expect("an entry");
        assert_eq!(kept.value(), later);
    }
}

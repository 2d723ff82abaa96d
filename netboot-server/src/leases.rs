//! Leases on disk: one redb database, one flush for each batch of claims.
//!
//! A claim replaces a stored lease only where its version is the expected one, so that what the
//! DHCP logic holds in memory can be behind but never wins over what is stored.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netboot_dhcp::server::{Effect, EffectResult, Lease};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::failure::{Chain, Failure};

/// Network number and address, to the lease as JSON.
const LEASES: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("leases");

/// The lease database, open. No other process can open it meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct LeaseStore {
    database: Arc<Database>,
    path: PathBuf,
}

impl LeaseStore {
    /// Opens the database, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// Where another process has it open, it is damaged, or the folder cannot be written.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let database = Database::create(path).map_err(|error| {
            let cure = match &error {
                redb::DatabaseError::DatabaseAlreadyOpen => {
                    "another netboot runs on this state folder: stop it, or name another folder with --state-dir"
                }
                redb::DatabaseError::Storage(redb::StorageError::Io(error))
                    if error.kind() != std::io::ErrorKind::InvalidData =>
                {
                    "let this user write there, or name another folder with --state-dir"
                }
                _ => {
                    "move the file away; machines then keep their addresses as they ask for them again"
                }
            };
            Failure::new(
                format!("opening the lease database {}", path.display()),
                Chain(&error),
                cure,
            )
        })?;
        let store = Self {
            database: Arc::new(database),
            path: path.to_owned(),
        };
        // A table that was never written cannot be read.
        let write = || -> Result<(), redb::Error> {
            let transaction = store.database.begin_write()?;
            transaction.open_table(LEASES)?;
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|error| store.failed("writing", &error))?;
        Ok(store)
    }

    /// Every lease that is stored.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read, or holds what is no lease.
    pub(crate) fn load(&self) -> Result<Vec<Lease>, Failure> {
        type Stored = (u32, Result<Lease, serde_json::Error>);
        let read = || -> Result<Vec<Stored>, redb::Error> {
            let table = self.database.begin_read()?.open_table(LEASES)?;
            let mut leases = Vec::new();
            for entry in table.iter()? {
                let (key, value) = entry?;
                let (_, address) = key.value();
                leases.push((address, serde_json::from_slice(value.value())));
            }
            Ok(leases)
        };
        let leases = read().map_err(|error| self.failed("reading", &error))?;
        let leases = leases.into_iter().map(|(address, lease)| {
            lease.map_err(|error| {
                Failure::new(
                    format!(
                        "reading the lease of {} in {}",
                        Ipv4Addr::from_bits(address),
                        self.path.display()
                    ),
                    error,
                    "run the version that wrote it, or move the file away; machines then keep their addresses as they ask for them again",
                )
            })
        });
        leases.collect()
    }

    /// Stores the claims of a batch in order, whole, and on the disk when this returns. Every claim
    /// is answered; an effect that is no claim is [`EffectResult::Down`]. Blocks.
    #[must_use]
    pub(crate) fn claim(&self, claims: &[Effect]) -> Vec<EffectResult> {
        match self.try_claim(claims) {
            Ok(results) => results,
            Err(error) => {
                tracing::error!("{}", self.failed("writing", &error));
                claims.iter().map(|_| EffectResult::Down).collect()
            }
        }
    }

    fn try_claim(&self, claims: &[Effect]) -> Result<Vec<EffectResult>, redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut results = Vec::with_capacity(claims.len());
        {
            let mut table = transaction.open_table(LEASES)?;
            for claim in claims {
                let Effect::Claim {
                    expected_version,
                    lease,
                } = claim
                else {
                    results.push(EffectResult::Down);
                    continue;
                };
                let key = (lease.network.0, lease.address.to_bits());
                let stored: Option<Lease> = table
                    .get(key)?
                    .and_then(|value| serde_json::from_slice(value.value()).ok());
                if stored.as_ref().map_or(0, |stored| stored.version) != *expected_version {
                    results.push(EffectResult::Lost { current: stored });
                    continue;
                }
                let Ok(value) = serde_json::to_vec(lease) else {
                    results.push(EffectResult::Down);
                    continue;
                };
                table.insert(key, value.as_slice())?;
                results.push(EffectResult::Claimed);
            }
        }
        transaction.commit()?;
        Ok(results)
    }

    fn failed(&self, doing: &str, error: &dyn std::error::Error) -> Failure {
        Failure::new(
            format!("{doing} the lease database {}", self.path.display()),
            Chain(error),
            "see that the disk is neither full nor failing; until it can be written, nobody gets a new address",
        )
    }
}

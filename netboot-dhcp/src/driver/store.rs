//! Where leases are kept.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::server::{Claim, ClaimResult, Lease, NetworkId};

/// Keeps leases: one for each address of a network.
///
/// Several servers may share one store. What makes that safe is that a claim names the version that
/// it replaces, and that no ACK leaves before its claim is stored.
pub trait LeaseStore: Send + Sync + 'static {
    /// Stores each lease whose expected version is the stored one, in their order, and says how
    /// each went once it would survive a crash. Results that are missing count as
    /// [`ClaimResult::Down`].
    ///
    /// Several batches may be under way at a time, and come in any order. One that takes longer
    /// than thirty seconds, or panics, counts as down: its clients ask again. Where an interface
    /// stops being served, the future is dropped; what was claimed may then be stored or not. What
    /// blocks belongs on a thread of its own (`tokio::task::spawn_blocking`).
    fn claim(&self, claims: Vec<Claim>) -> impl Future<Output = Vec<ClaimResult>> + Send;

    /// Every lease that is stored, for a server that begins.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    fn load(&self) -> impl Future<Output = io::Result<Vec<Lease>>> + Send;

    /// Whether leases can be stored now, for those who watch over the server: it says so, unless a
    /// store knows better.
    ///
    /// # Errors
    ///
    /// Where they cannot.
    fn check(&self) -> impl Future<Output = io::Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

impl<S: LeaseStore> LeaseStore for Arc<S> {
    fn claim(&self, claims: Vec<Claim>) -> impl Future<Output = Vec<ClaimResult>> + Send {
        S::claim(self, claims)
    }

    fn load(&self) -> impl Future<Output = io::Result<Vec<Lease>>> + Send {
        S::load(self)
    }

    fn check(&self) -> impl Future<Output = io::Result<()>> + Send {
        S::check(self)
    }
}

/// Leases in memory, gone when the process ends: for tests, and where every machine may get another
/// address after a restart. Its clones are the same store.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use netboot_dhcp::driver::{LeaseStore, MemoryStore};
///
/// let store = MemoryStore::default();
/// assert_eq!(store.claim(Vec::new()).await, []);
/// assert_eq!(store.load().await?, []);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<(NetworkId, Ipv4Addr), Lease>>>);

impl LeaseStore for MemoryStore {
    async fn claim(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let store = |claim: Claim| {
            let key = (claim.lease.network, claim.lease.address);
            let current = leases.get(&key);
            if current.map_or(0, |current| current.version) != claim.expected_version {
                let current = current.cloned();
                return ClaimResult::Lost { current };
            }
            leases.insert(key, claim.lease);
            ClaimResult::Stored
        };
        claims.into_iter().map(store).collect()
    }

    async fn load(&self) -> io::Result<Vec<Lease>> {
        let leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(leases.values().cloned().collect())
    }
}

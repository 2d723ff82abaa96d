//! The store of leases, whichever it is: the embedded one, or an embedder's.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use netboot_dhcp::Timestamp;
use netboot_dhcp::driver::LeaseStore;
use netboot_dhcp::server::{Claim, ClaimResult, Lease};
use tokio::runtime::Handle;

use crate::failure::Failure;

/// A store of leases of any type. Its clones are the same store.
#[derive(Clone)]
pub(crate) struct AnyStore {
    store: Arc<dyn Erased>,
    begun: Timestamp,
}

type Later<'s, T> = Pin<Box<dyn Future<Output = T> + Send + 's>>;

trait Erased: Send + Sync {
    fn claim(&self, claims: Vec<Claim>) -> Later<'_, Vec<ClaimResult>>;
    fn load(&self) -> Later<'_, io::Result<Vec<Lease>>>;
    fn check(&self) -> Later<'_, io::Result<()>>;
}

impl<S: LeaseStore> Erased for S {
    fn claim(&self, claims: Vec<Claim>) -> Later<'_, Vec<ClaimResult>> {
        Box::pin(LeaseStore::claim(self, claims))
    }

    fn load(&self) -> Later<'_, io::Result<Vec<Lease>>> {
        Box::pin(LeaseStore::load(self))
    }

    fn check(&self) -> Later<'_, io::Result<()>> {
        Box::pin(LeaseStore::check(self))
    }
}

impl AnyStore {
    /// A store that has every lease there was since this time; leases from before are not in it.
    pub(crate) fn new(store: impl LeaseStore, begun: Timestamp) -> Self {
        let store = Arc::new(store);
        Self { store, begun }
    }

    /// When it was begun.
    pub(crate) fn begun(&self) -> Timestamp {
        self.begun
    }

    /// Every lease that is stored.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub(crate) async fn read(&self) -> Result<Vec<Lease>, Failure> {
        let read = LeaseStore::load(self).await;
        read.map_err(|error| {
            error.downcast().unwrap_or_else(|error| {
                Failure::new("reading the leases", error, "see to the store of leases")
            })
        })
    }

    /// As [`Self::read`]. Blocks; to be called on a thread that may.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub(crate) fn read_now(&self) -> Result<Vec<Lease>, Failure> {
        Handle::current().block_on(self.read())
    }

    /// Stores claims, and says of every one how it went. Blocks; to be called on a thread that may.
    pub(crate) fn claim_now(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let all = claims.len();
        let mut results = Handle::current().block_on(LeaseStore::claim(self, claims));
        results.resize(all, ClaimResult::Down);
        results
    }
}

impl LeaseStore for AnyStore {
    fn claim(&self, claims: Vec<Claim>) -> impl Future<Output = Vec<ClaimResult>> + Send {
        self.store.claim(claims)
    }

    fn load(&self) -> impl Future<Output = io::Result<Vec<Lease>>> + Send {
        self.store.load()
    }

    fn check(&self) -> impl Future<Output = io::Result<()>> + Send {
        self.store.check()
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyStore")
    }
}

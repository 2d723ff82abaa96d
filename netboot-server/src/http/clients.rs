//! How many connections each address has.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections each address has, up to a cap.
#[derive(Debug)]
pub(super) struct Clients {
    most: usize,
    of: Mutex<BTreeMap<IpAddr, usize>>,
}

impl Clients {
    /// Nobody has one; each may have so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            of: Mutex::default(),
        }
    }

    /// Counts one more until it is dropped; `None` where there are too many.
    pub(super) fn count(self: &Arc<Self>, client: IpAddr) -> Option<Counted> {
        let mut all = self.lock();
        let of_client = all.entry(client).or_default();
        if *of_client >= self.most {
            return None;
        }
        *of_client += 1;
        Some(Counted {
            clients: Arc::clone(self),
            client,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that counts.
#[derive(Debug)]
pub(super) struct Counted {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.clients.lock();
        if let Some(of_client) = all.get_mut(&self.client) {
            *of_client = of_client.saturating_sub(1);
            if *of_client == 0 {
                all.remove(&self.client);
            }
        }
    }
}

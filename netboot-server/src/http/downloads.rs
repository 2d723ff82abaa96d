//! Downloads under way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use netboot_dhcp::MacAddr;

/// The files that are going out now; no more than there are connections.
#[derive(Debug, Default)]
pub(crate) struct Downloads(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    last: u64,
    under_way: BTreeMap<u64, Arc<Download>>,
}

/// A file that is going out.
#[derive(Debug)]
pub(crate) struct Download {
    /// Who asked.
    pub(crate) client: IpAddr,
    /// The machine, where it is known.
    pub(crate) machine: Option<MacAddr>,
    /// The path.
    pub(crate) path: String,
    /// How many bytes were asked for.
    pub(crate) length: u64,
    /// When it was asked for.
    pub(crate) began: Instant,
    sent: AtomicU64,
}

impl Download {
    pub(crate) fn new(
        client: IpAddr,
        machine: Option<MacAddr>,
        path: String,
        length: u64,
        began: Instant,
    ) -> Self {
        Self {
            client,
            machine,
            path,
            length,
            began,
            sent: AtomicU64::new(0),
        }
    }

    /// Says that so many bytes more were handed to the connection.
    pub(crate) fn add(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many bytes were handed to the connection.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How long it has taken so far.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Downloads {
    /// Every one, the oldest first.
    pub(crate) fn under_way(&self) -> Vec<Arc<Download>> {
        self.lock().under_way.values().cloned().collect()
    }

    /// Shows a download until what is given back is dropped.
    pub(crate) fn show(self: &Arc<Self>, download: Download) -> Shown {
        let download = Arc::new(download);
        let mut all = self.lock();
        all.last += 1;
        let number = all.last;
        all.under_way.insert(number, Arc::clone(&download));
        Shown {
            downloads: Arc::clone(self),
            number,
            download,
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A download that is shown.
#[derive(Debug)]
pub(crate) struct Shown {
    downloads: Arc<Downloads>,
    number: u64,
    pub(crate) download: Arc<Download>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.downloads.lock().under_way.remove(&self.number);
    }
}

//! The world that DHCP decides in: it waits for no disk but that of its leases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use netboot_dhcp::Timestamp;

use crate::world::{World, Worlds};

/// Milliseconds from one look at the world on behalf of DHCP to the next.
const LOOK_MS: u64 = 50;

/// The world as it was last looked at; it is looked at again behind that.
#[derive(Debug)]
pub(super) struct LastWorld {
    worlds: Arc<Worlds>,
    /// Whether somebody looks right now.
    looking: Arc<AtomicBool>,
    /// When that was begun last, in milliseconds.
    looked: AtomicU64,
}

impl LastWorld {
    pub(super) fn new(worlds: Arc<Worlds>) -> Self {
        Self {
            worlds,
            looking: Arc::default(),
            looked: AtomicU64::new(0),
        }
    }

    /// The world as it was last looked at. At most every [`LOOK_MS`] it is looked at again in the
    /// background, so that a later message finds what has changed. Needs a runtime.
    pub(super) fn get(&self, now: Timestamp) -> Arc<World> {
        let looked = self.looked.load(Ordering::Relaxed);
        if now.0.saturating_sub(looked) >= LOOK_MS && !self.looking.swap(true, Ordering::AcqRel) {
            self.looked.store(now.0, Ordering::Relaxed);
            let (worlds, looking) = (Arc::clone(&self.worlds), Arc::clone(&self.looking));
            tokio::task::spawn_blocking(move || {
                let _ = worlds.current();
                looking.store(false, Ordering::Release);
            });
        }
        self.worlds.last()
    }
}

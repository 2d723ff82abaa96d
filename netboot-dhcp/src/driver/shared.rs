//! The server and its leases, as several interfaces and others share them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::{Clock, SystemClock};
use crate::Timestamp;
use crate::server::Server;

/// The logic, which holds the leases, with the clock that they are counted by. Its clones are of
/// the same one.
#[derive(Clone)]
pub struct SharedServer(Arc<Inner>);

struct Inner {
    server: Mutex<Server>,
    clock: Box<dyn Clock>,
}

impl SharedServer {
    /// A server whose leases are counted by the system's clock.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self::with_clock(server, SystemClock)
    }

    /// A server whose leases are counted by this clock.
    pub fn with_clock(server: Server, clock: impl Clock) -> Self {
        Self(Arc::new(Inner {
            server: Mutex::new(server),
            clock: Box::new(clock),
        }))
    }

    /// The logic. Hold it for one message's work, never across a wait: every interface needs it.
    pub fn lock(&self) -> MutexGuard<'_, Server> {
        self.0.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, by the leases' clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

impl fmt::Debug for SharedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedServer")
            .field("server", &self.0.server)
            .finish_non_exhaustive()
    }
}

//! The threads that endpoints are served by: DHCP and TFTP have their own, so that a packet waits
//! for no response of HTTP, which may be megabytes for each of many machines.

use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::endpoint::Endpoint;
use crate::failure::Failure;

/// The runtime that DHCP and TFTP have, and the one that the service was started on.
#[derive(Debug)]
pub(super) struct Threads {
    packets: Handle,
    streams: Handle,
}

impl Threads {
    /// Starts those of DHCP and TFTP. They end when `stop` is cancelled and all `tasks` have ended.
    /// Needs a runtime.
    ///
    /// # Errors
    ///
    /// Where the system gives no more threads.
    pub(super) fn start(stop: CancellationToken, tasks: TaskTracker) -> Result<Self, Failure> {
        let failed = |error| Failure::new("starting threads", error, "raise the process limits");
        let runtime = Builder::new_multi_thread()
            .thread_name("dhcp-tftp")
            .enable_all()
            // What becomes ready at once fits a worker's own queue.
            .max_io_events_per_tick(128)
            .build()
            .map_err(failed)?;
        let packets = runtime.handle().clone();
        // A runtime cannot be ended by a task of another one.
        let keep = move || {
            runtime.block_on(async {
                stop.cancelled().await;
                tasks.close();
                tasks.wait().await;
            });
        };
        let keeper = thread::Builder::new().name("dhcp-tftp".into());
        keeper.spawn(keep).map_err(failed)?;
        Ok(Self {
            packets,
            streams: Handle::current(),
        })
    }

    /// The runtime on which an endpoint is bound and served.
    pub(super) fn of(&self, endpoint: &Endpoint) -> &Handle {
        match endpoint {
            Endpoint::Dhcp { .. } | Endpoint::Tftp(_) => &self.packets,
            Endpoint::Http(_) | Endpoint::Https(_) | Endpoint::Admin(_) | Endpoint::Control(_) => {
                &self.streams
            }
        }
    }
}

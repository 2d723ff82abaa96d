//! DHCP: the boot policy, the leases and the event stream as parameters of `netboot-dhcp`'s driver.

mod boot;
mod ipxe;
mod pools;
mod report;
mod settings;
mod unlisted;
mod world;

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use netboot_dhcp::driver::{Driver, Listener, Ports};
use netboot_dhcp::server::Lease;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::leases::{AnyStore, LeaseTable};
use crate::telemetry::Telemetry;
use crate::world::Worlds;
use boot::Policy;
use report::Reporter;
use unlisted::UnlistedRelays;
use world::LastWorld;

pub(crate) use settings::{Interfaces, new_server};

/// The DHCP of every interface. Its clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Dhcp {
    driver: Driver<Policy, AnyStore>,
    leases: LeaseTable,
    store: AnyStore,
    interfaces: Arc<Interfaces>,
}

impl Dhcp {
    /// `leases` were made for the interfaces as they are numbered in `interfaces`.
    pub(crate) fn new(
        leases: LeaseTable,
        store: AnyStore,
        worlds: Arc<Worlds>,
        identity: Identity,
        telemetry: Telemetry,
        interfaces: Arc<Interfaces>,
    ) -> Self {
        let unlisted = UnlistedRelays::default();
        let policy = Policy {
            worlds: LastWorld::new(Arc::clone(&worlds)),
            leases: leases.clone(),
            identity: identity.clone(),
            telemetry: telemetry.clone(),
            interfaces: Arc::clone(&interfaces),
            unlisted: unlisted.clone(),
        };
        let reporter = Reporter::new(leases.clone(), worlds, identity, telemetry, unlisted);
        let driver = Driver::new(leases.shared().clone(), policy, store.clone())
            .announce_no_ipv6_router(true)
            .observe(move |interface, event| reporter.report(interface, event));
        Self {
            driver,
            leases,
            store,
            interfaces,
        }
    }

    /// Opens the sockets of an interface, the servers' at a port that a reload may bring, but for
    /// one that was passed for it.
    ///
    /// # Errors
    ///
    /// Those of [`Driver::bind`].
    pub(crate) fn bind(
        &self,
        interface: &str,
        port: u16,
        passed: Option<UdpSocket>,
    ) -> io::Result<Listener> {
        let mut ports = Ports::of(self.leases.lock().settings());
        ports.server = port;
        let number = self.interfaces.number(interface);
        self.driver.bind_with(interface, number, ports, passed)
    }

    /// Every lease that is stored. Blocks.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub(crate) fn stored(&self) -> Result<Vec<Lease>, Failure> {
        self.store.read_now()
    }

    /// Serves an interface until told to stop, or until it is gone.
    pub(crate) async fn serve(&self, listener: Listener, stop: CancellationToken) {
        self.driver.serve(listener, stop.cancelled_owned()).await;
    }

    /// The DHCP logic with its leases.
    pub(crate) fn leases(&self) -> &LeaseTable {
        &self.leases
    }

    /// Where leases are stored.
    pub(crate) fn store(&self) -> &AnyStore {
        &self.store
    }

    /// Changes to another configuration. Leases stay; those of networks that were not served before
    /// are taken from what is stored.
    ///
    /// # Errors
    ///
    /// Where the settings are not accepted; then nothing has changed.
    pub(crate) fn reconfigure(&self, config: &Config, stored: Vec<Lease>) -> Result<(), Failure> {
        let begun = self.store.begun();
        settings::reconfigure(&self.leases, begun, stored, &self.interfaces, config)
    }
}

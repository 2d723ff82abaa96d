//! DHCP: its logic on the networks of the configuration, one driver an interface.

mod boot;
mod driver;
mod frame;
mod ipxe;
pub(crate) mod links;
mod listener;
mod pools;
mod probe;
mod report;
mod rogue;
pub(crate) mod router_advert;
mod settings;
mod socket;
mod world;

use std::sync::Arc;

use crate::config::Config;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::leases::{LeaseStore, LeaseTable};
use crate::telemetry::Telemetry;
use crate::world::{World, Worlds};
use pools::Pools;
use world::LastWorld;

pub(crate) use driver::serve;
pub(crate) use listener::Listener;
pub(crate) use settings::{Interfaces, new_server};

/// What the DHCP of every interface works with. Its clones work with the same.
#[derive(Debug, Clone)]
pub(crate) struct Dhcp(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    leases: LeaseTable,
    store: Arc<LeaseStore>,
    worlds: LastWorld,
    identity: Identity,
    telemetry: Telemetry,
    interfaces: Arc<Interfaces>,
    pools: Pools,
}

impl Dhcp {
    /// `leases` were made for the interfaces as they are numbered in `interfaces`.
    pub(crate) fn new(
        leases: LeaseTable,
        store: Arc<LeaseStore>,
        worlds: Arc<Worlds>,
        identity: Identity,
        telemetry: Telemetry,
        interfaces: Arc<Interfaces>,
    ) -> Self {
        Self(Arc::new(Parts {
            leases,
            store,
            worlds: LastWorld::new(worlds),
            identity,
            telemetry,
            interfaces,
            pools: Pools::default(),
        }))
    }

    /// The world as it was last looked at. Needs a runtime.
    fn world(&self) -> Arc<World> {
        self.0.worlds.get(self.0.leases.now())
    }

    /// The DHCP logic's number of an interface.
    pub(crate) fn interface(&self, name: &str) -> u32 {
        self.0.interfaces.number(name)
    }

    /// The DHCP logic with its leases.
    pub(crate) fn leases(&self) -> &LeaseTable {
        &self.0.leases
    }

    /// Changes to another configuration. Leases stay; those of networks that were not served before
    /// are taken from the store.
    ///
    /// # Errors
    ///
    /// Where the leases cannot be read, or the settings are not accepted; then nothing has changed.
    pub(crate) fn reconfigure(&self, config: &Config) -> Result<(), Failure> {
        let parts = &self.0;
        settings::reconfigure(&parts.leases, &parts.store, &parts.interfaces, config)
    }
}

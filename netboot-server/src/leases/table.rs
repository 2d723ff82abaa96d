//! The leases as DHCP has them in memory, and who holds an address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::MutexGuard;

use netboot_dhcp::driver::SharedServer;
use netboot_dhcp::server::{ClientKey, NetworkId, Server};
use netboot_dhcp::{HardwareAddr, MacAddr, Timestamp};

use super::clock::Clock;

/// The DHCP logic, which holds the leases, with the clock that they are counted by. Its clones are
/// of the same one.
#[derive(Debug, Clone)]
pub(crate) struct LeaseTable {
    server: SharedServer,
    clock: Clock,
}

impl LeaseTable {
    pub(crate) fn new(server: Server, clock: Clock) -> Self {
        let server = SharedServer::with_clock(server, clock);
        Self { server, clock }
    }

    /// The DHCP logic as its driver shares it.
    pub(crate) fn shared(&self) -> &SharedServer {
        &self.server
    }

    /// The DHCP logic; held for one message, never across a wait.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock()
    }

    /// The clock that leases are counted by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Now, by that clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The machine that holds the lease of an address now.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<MacAddr> {
        let server = self.lock();
        let lease = server.lease(ipv4(address)?)?;
        match &lease.client {
            ClientKey::Hardware(hardware) if lease.is_active(self.now()) => hardware.mac(),
            _ => None,
        }
    }

    /// As whom a machine has its address in a network, where it only said that it is that one.
    pub(crate) fn claimed_identity(
        &self,
        network: NetworkId,
        machine: HardwareAddr,
    ) -> Option<String> {
        let server = self.lock();
        let lease = server.lease_of(network, &ClientKey::Hardware(machine))?;
        let lease = Some(lease).filter(|lease| lease.is_active(self.now()))?;
        lease.claimed_identity.clone()
    }

    /// Whether a machine holds a lease now.
    pub(crate) fn has_address(&self, machine: MacAddr) -> bool {
        let client = ClientKey::Hardware(machine.into());
        let now = self.now();
        self.lock()
            .leases_of(&client)
            .any(|lease| lease.is_active(now))
    }
}

fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

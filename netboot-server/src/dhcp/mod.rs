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

use std::net::Ipv4Addr;

use netboot_dhcp::server::{ClientKey, Server};
use netboot_dhcp::{MacAddr, Timestamp};

pub(crate) use driver::serve;
pub(crate) use listener::Listener;
pub(crate) use pools::Pools;
pub(crate) use settings::{Interfaces, new_server, reconfigure};

/// The machine that holds an address's lease at `now`.
pub(crate) fn holder(server: &Server, address: Ipv4Addr, now: Timestamp) -> Option<MacAddr> {
    let lease = server.lease(address)?;
    match &lease.client {
        ClientKey::Hardware(hardware) if lease.is_active(now) => hardware.mac(),
        _ => None,
    }
}

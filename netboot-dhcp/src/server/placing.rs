//! Which network a client is in.

use super::request::Request;
use super::{Incoming, Link, Mode, Network, Server, SilenceReason};
use crate::Timestamp;
use crate::value::MessageType;
use core::net::Ipv4Addr;

impl Server {
    /// The network that the client is in, or why there is none for it: of the link that its relay
    /// agent names (RFC 3527), else of the subnet that is asked for (RFC 3011) where the agent may
    /// bring clients there, else of the agent's address, else of the interface. A client with an
    /// address whose message came by unicast may be behind a router. Where an interface has several
    /// networks, a client is in the one of the subnet that it asks for, stays in the one that it
    /// wants an address of or is known in, and else comes to the first with an address for it.
    pub(super) fn network_of(
        &self,
        now: Timestamp,
        request: &Request,
        incoming: &Incoming<'_>,
    ) -> Result<usize, SilenceReason> {
        let networks = &self.settings.networks;
        let holds = |address: Ipv4Addr| {
            networks
                .iter()
                .position(|network| network.subnet.contains(address))
        };
        let path = &request.path;
        if !path.giaddr.is_unspecified() {
            let is_open = |at: &usize| {
                let network = networks.get(*at);
                network.is_some_and(|network| is_open(network, path.giaddr, incoming.interface))
            };
            // What is selected in vain is as an option that the server does not know.
            let selected = request.subnet.and_then(holds).filter(is_open);
            let at = match (request.link, selected) {
                (None, Some(selected)) => selected,
                (link, _) => {
                    let client = link.unwrap_or(path.giaddr);
                    holds(client).ok_or(SilenceReason::NoNetwork)?
                }
            };
            return Some(at).filter(is_open).ok_or(SilenceReason::UnlistedRelay);
        }
        let link = Link::Interface(incoming.interface);
        let here = networks
            .iter()
            .enumerate()
            .filter(|(_, network)| network.link == link);
        // Its answer goes to the address that it says it has, which has to be one of ours.
        if request.kind == MessageType::INFORM {
            let informed = holds(request.ciaddr).filter(|at| {
                let network = networks.get(*at);
                network.is_some_and(|network| network.link == link || network.link == Link::Relay)
            });
            return informed.ok_or(SilenceReason::NoNetwork);
        }
        let own = [request.ciaddr, *incoming.source.ip()];
        if let Some(own) = own.into_iter().find(|address| !address.is_unspecified()) {
            let local = here
                .clone()
                .find(|(_, network)| network.subnet.contains(own));
            let is_server = |to| networks.iter().any(|network| network.server == to);
            let by_unicast = incoming.destination.is_none_or(is_server);
            let known = local.map(|(at, _)| at);
            let known = known.or_else(|| if by_unicast { holds(own) } else { None });
            if let Some(known) = known {
                return Ok(known);
            }
        }
        let is_selected = |network: &Network| {
            let subnet = request.subnet;
            subnet.is_some_and(|subnet| network.subnet.contains(subnet))
        };
        if let Some((at, _)) = here.clone().find(|(_, network)| is_selected(network)) {
            return Ok(at);
        }
        let wants = |network: &Network| {
            let wanted = request
                .wanted
                .is_some_and(|one| network.subnet.contains(one));
            wanted || request.reservation(network).is_some()
        };
        let first = here.clone().next().ok_or(SilenceReason::NoNetwork)?.0;
        if here.clone().nth(1).is_none() {
            return Ok(first);
        }
        let knows = |at: usize| {
            let pool = self.pools.get(at);
            pool.is_some_and(|pool| pool.address_of(&request.client).is_some())
        };
        let open = here.filter(|(at, network)| self.has_room(*at, network, now, request));
        let asked = open.clone().find(|(_, network)| wants(network));
        let known = || open.clone().find(|(at, _)| knows(*at));
        let any = || open.clone().next();
        let chosen = asked.or_else(known).or_else(any);
        Ok(chosen.map_or(first, |(at, _)| at))
    }

    /// Whether a client that looks for an address can have one in this network.
    fn has_room(&self, at: usize, network: &Network, now: Timestamp, request: &Request) -> bool {
        if request.kind != MessageType::DISCOVER || network.mode == Mode::Proxy {
            return true;
        }
        let reserved = request.reservation(network).and_then(|one| one.address);
        let pool = self.pools.get(at);
        let proposed =
            pool.and_then(|pool| pool.propose(&request.client, reserved, request.wanted, now));
        proposed.is_some() && request.is_allowed(network)
    }
}

/// Whether a relay agent may bring clients into a network: one that is trusted there, or that is in
/// it itself, and not at another interface than the network's own. So a client on one network takes
/// no address of another by writing a `giaddr`.
fn is_open(network: &Network, giaddr: Ipv4Addr, interface: u32) -> bool {
    let is_beside = match network.link {
        Link::Interface(own) => own == interface,
        Link::Relay => true,
    };
    network.trusts_relay(giaddr) || (is_beside && network.subnet.contains(giaddr))
}

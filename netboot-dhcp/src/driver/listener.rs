//! What one interface's DHCP listens on and sends with.

use std::ffi::c_uint;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use super::event::{Event, Trouble};
use super::frame::{Frames, Senders};
use super::port::Port;
use super::probe::Probes;
use super::rogue::Sniffer;
use super::router_advert::NoRouter;
use super::{Observer, SharedServer, links};
use crate::server::{Destination, Link, Mode, Network, Reply, Server, Settings};

/// The ports that are listened at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Ports {
    /// The servers'.
    pub server: u16,
    /// The clients', where other servers' answers are heard.
    pub client: u16,
    /// The boot servers'.
    pub boot_server: u16,
}

impl Ports {
    /// Those of a server's settings.
    #[must_use]
    pub const fn of(settings: &Settings) -> Self {
        Self {
            server: settings.server_port,
            client: settings.client_port,
            boot_server: settings.boot_server_port,
        }
    }
}

/// The sockets of one interface, bound.
#[derive(Debug)]
pub struct Listener {
    pub(super) interface: String,
    /// Its number in the settings.
    pub(super) number: u32,
    /// The system's number; an interface that is made anew under the same name has another, and
    /// these sockets hear nothing from it.
    index: c_uint,
    pub(super) servers: Port,
    /// Where PXE clients ask a boot server, and its number.
    pub(super) boot_servers: Option<(u16, Port)>,
    /// These need `CAP_NET_RAW`.
    frames: Option<Frames>,
    pub(super) no_router: Option<NoRouter>,
    pub(super) sniffer: Option<Sniffer>,
    pub(super) senders: Option<Senders>,
    pub(super) probes: Option<Probes>,
}

impl Listener {
    /// As [`Driver::bind_with`](super::Driver::bind_with).
    pub(super) fn bind(
        interface: &str,
        number: u32,
        ports: Ports,
        passed: Option<UdpSocket>,
        shared: &SharedServer,
        announces_no_router: bool,
        observer: &Observer,
    ) -> io::Result<Self> {
        let index = if_nametoindex(interface)?;
        let server = shared.lock();
        let network = network(&server, number).map(|network| (network.server, network.mode));
        drop(server);
        if network.is_some_and(|(own, _)| !links::have(own)) {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        let trouble = |what, error: &io::Error| {
            observer(interface, &Event::Trouble { what, error });
        };
        let servers = match passed {
            Some(socket) => Port::on(socket.into(), interface)?,
            None => Port::bind(interface, ports.server)?,
        };
        let boot_servers = match Port::bind(interface, ports.boot_server) {
            Ok(bound) => Some((ports.boot_server, bound)),
            Err(error) if network.is_some_and(|(_, mode)| mode == Mode::Proxy) => {
                return Err(error);
            }
            Err(error) => {
                trouble(Trouble::BootServerPort(ports.boot_server), &error);
                None
            }
        };
        let without = |what| move |error| trouble(what, &error);
        let frames = Frames::open(interface).map_err(without(Trouble::Frames));
        let sniffer =
            Sniffer::open(interface, ports.client).map_err(without(Trouble::OtherServers));
        let senders = Senders::open(interface, ports.server).map_err(without(Trouble::Senders));
        let probes = Probes::open(interface).map_err(without(Trouble::Probes));
        let without_router = without(Trouble::RouterAdvertisements);
        let no_router = match announces_no_router {
            true => NoRouter::open(interface).map_err(without_router).ok(),
            false => None,
        };
        Ok(Self {
            frames: frames.ok().flatten(),
            no_router,
            sniffer: sniffer.ok(),
            senders: senders.ok().flatten(),
            probes: probes.ok(),
            interface: interface.to_owned(),
            number,
            index,
            servers,
            boot_servers,
        })
    }

    /// The name of its interface.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Whether the interface is still the one that was bound, and the host has the server's
    /// address.
    pub(super) fn is_there(&self, shared: &SharedServer) -> bool {
        let same = if_nametoindex(self.interface.as_str()) == Ok(self.index);
        let own = self.network(&shared.lock()).map(|network| network.server);
        same && own.is_none_or(links::have)
    }

    /// The network on this interface.
    pub(super) fn network<'d>(&self, server: &'d Server) -> Option<&'d Network> {
        network(server, self.number)
    }

    /// Sends replies, and gives each that could not be sent with the reason.
    pub(super) async fn send(
        &self,
        replies: &[&Reply],
        observer: &Observer,
    ) -> Vec<(usize, io::Error)> {
        let mut failed = Vec::new();
        let mut rest: Vec<(usize, &Reply)> = replies
            .iter()
            .enumerate()
            .filter_map(|(at, reply)| (!self.send_frame(reply, observer)).then_some((at, *reply)))
            .collect();
        while let Some((_, first)) = rest.first() {
            let way = |reply: &Reply| (reply.source_port, reply.source);
            let (port, source) = way(first);
            let same: Vec<_> = rest
                .extract_if(.., |(_, reply)| way(reply) == (port, source))
                .collect();
            let replies: Vec<&Reply> = same.iter().map(|(_, reply)| *reply).collect();
            let errors = self.port(port).send(source, &replies).await;
            let errors = errors.into_iter();
            failed.extend(errors.filter_map(|(at, error)| Some((same.get(at)?.0, error))));
        }
        failed
    }

    /// Whether it was sent to a client that has no address yet, and is done with.
    fn send_frame(&self, reply: &Reply, observer: &Observer) -> bool {
        let Destination::Unbound { address, hardware } = reply.destination else {
            return false;
        };
        let (Some(frames), Some(machine)) = (&self.frames, hardware.mac()) else {
            return false;
        };
        let from = SocketAddrV4::new(reply.source, reply.source_port);
        match frames.send(from, address, machine, &reply.bytes) {
            Ok(()) => true,
            Err(error) => {
                let (what, error) = (Trouble::Frame(machine), &error);
                observer(&self.interface, &Event::Trouble { what, error });
                false
            }
        }
    }

    fn port(&self, number: u16) -> &Port {
        match &self.boot_servers {
            Some((port, boot_servers)) if *port == number => boot_servers,
            _ => &self.servers,
        }
    }
}

fn network(server: &Server, number: u32) -> Option<&Network> {
    let mut networks = server.settings().networks.iter();
    networks.find(|network| network.link == Link::Interface(number))
}

/// Whether an address is one by which this server is known.
pub(super) fn is_own(server: &Server, address: Ipv4Addr) -> bool {
    let mut networks = server.settings().networks.iter();
    networks.any(|network| network.server == address)
}

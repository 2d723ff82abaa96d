//! What one interface's DHCP listens on and sends with.

use std::ffi::c_uint;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use netboot_dhcp::server::{Destination, Link, Mode, Network, Reply, Server};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use super::frame::Frames;
use super::probe::Probes;
use super::rogue::Sniffer;
use super::socket::Port;
use crate::dhcp::links;
use crate::dhcp::router_advert::NoRouter;

/// The sockets of one interface.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) interface: String,
    /// Its number in the DHCP logic's terms.
    pub(super) number: u32,
    /// The system's number; an interface that is made anew under the same name has another, and
    /// these sockets hear nothing from it.
    index: c_uint,
    pub(super) servers: Port,
    /// Where PXE clients ask a boot server, and its number.
    pub(super) boot_servers: Option<(u16, Port)>,
    /// These need `CAP_NET_RAW`. Without it replies are broadcast, addresses are not probed, other
    /// servers not heard, and iPXE waits for an IPv6 router as it does elsewhere.
    frames: Option<Frames>,
    pub(super) no_router: Option<NoRouter>,
    pub(super) sniffer: Option<Sniffer>,
    pub(super) probes: Option<Probes>,
}

impl Listener {
    /// Takes the socket that was passed for the servers' port, else binds it, and binds the boot
    /// servers' port.
    ///
    /// # Errors
    ///
    /// `ENODEV` where there is no such interface, `EADDRNOTAVAIL` where none has the server's address, and those of the socket calls. That the boot servers' port is taken is one in proxy
    /// mode only.
    pub(crate) fn bind(
        interface: &str,
        number: u32,
        port: u16,
        passed: Option<UdpSocket>,
        dhcp: &Server,
    ) -> io::Result<Self> {
        let index = if_nametoindex(interface)?;
        let network = network(dhcp, number);
        if network.is_some_and(|network| !links::have(network.server)) {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        let settings = dhcp.settings();
        let servers = match passed {
            Some(socket) => Port::on(socket.into(), interface)?,
            None => Port::bind(interface, port)?,
        };
        let boot_servers = match Port::bind(interface, settings.boot_server_port) {
            Ok(bound) => Some((settings.boot_server_port, bound)),
            Err(error) if network.is_some_and(|network| network.mode == Mode::Proxy) => {
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(
                    "DHCP on {interface}: port {} is not served: {error}; boot ROMs that ask there get no answer",
                    settings.boot_server_port
                );
                None
            }
        };
        let frames = Frames::open(interface);
        if let Err(error) = &frames {
            tracing::warn!("DHCP on {interface}: raw sockets cannot be opened: {error}");
        }
        Ok(Self {
            frames: frames.ok().flatten(),
            no_router: NoRouter::open(interface).ok(),
            sniffer: Sniffer::open(interface, settings.client_port).ok(),
            probes: Probes::open(interface).ok(),
            interface: interface.to_owned(),
            number,
            index,
            servers,
            boot_servers,
        })
    }

    /// Whether the interface is still the one that was bound, and the host has the server's address.
    pub(super) fn is_there(&self, dhcp: &Server) -> bool {
        let same = if_nametoindex(self.interface.as_str()) == Ok(self.index);
        let addressed = self
            .network(dhcp)
            .is_none_or(|network| links::have(network.server));
        same && addressed
    }

    /// The network on this interface.
    pub(super) fn network<'d>(&self, dhcp: &'d Server) -> Option<&'d Network> {
        network(dhcp, self.number)
    }

    /// Sends replies, and gives each that could not be sent with the reason.
    pub(super) async fn send(&self, replies: &[&Reply]) -> Vec<(usize, io::Error)> {
        let mut failed = Vec::new();
        let mut rest: Vec<(usize, &Reply)> = replies
            .iter()
            .enumerate()
            .filter_map(|(at, reply)| (!self.send_frame(reply)).then_some((at, *reply)))
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
    fn send_frame(&self, reply: &Reply) -> bool {
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
                tracing::debug!("{machine} is answered by broadcast: {error}");
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

fn network(dhcp: &Server, number: u32) -> Option<&Network> {
    let mut networks = dhcp.settings().networks.iter();
    networks.find(|network| network.link == Link::Interface(number))
}

/// Whether an address is one by which this server is known.
pub(super) fn is_own(dhcp: &Server, address: Ipv4Addr) -> bool {
    let mut networks = dhcp.settings().networks.iter();
    networks.any(|network| network.server == address)
}

//! How a simulated machine is joined to a network, and its DHCP over that.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use netboot_dhcp::Timestamp;
use netboot_dhcp::client::{Bound, Client, Output, Profile, Transmit};
use netboot_dhcp::wire::{Message, MessageView};
use nix::ifaddrs::getifaddrs;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::report::{Report, now};
use netboot_server::{Chain, Failure};

/// Where a simulated machine is.
#[derive(Debug, Clone)]
pub(crate) enum Link {
    /// On this interface, where it asks by broadcast. Needs root.
    Interface(String),
    /// Behind a relay agent at the second address, which asks this server. Needs root.
    Relay(Ipv4Addr, Ipv4Addr),
    /// On the loopback interface, where there is no broadcast: it asks this server directly.
    Loopback(Ipv4Addr),
    /// Nowhere: this host inquires of a server what the machine would get.
    Inquiry(Inquiry),
}

/// A question of this host to a server, which takes no address: an offer ends it.
///
/// A server on this host is asked as a client on its interface that wants its answer by broadcast,
/// which this host hears, too. One elsewhere is asked as by a relay agent at this host's address,
/// since that is answered by unicast, through routers, too (RFC 2131 section 4.1).
#[derive(Debug, Clone)]
pub(crate) struct Inquiry {
    pub(super) server: Ipv4Addr,
    /// This host's address towards it.
    pub(super) own: Ipv4Addr,
    /// The interface that has it.
    interface: String,
}

impl Inquiry {
    fn of(server: Ipv4Addr, ports: Ports) -> io::Result<Self> {
        let towards = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        towards.connect((server, ports.dhcp))?;
        let SocketAddr::V4(own) = towards.local_addr()? else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let own = *own.ip();
        let interface = interface_of(own).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            server,
            own,
            interface,
        })
    }

    /// Whether the server is on this host.
    pub(super) fn is_here(&self) -> bool {
        self.own == self.server
    }
}

/// The ports that differ where tests and demos run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) dhcp: u16,
    pub(crate) dhcp_client: u16,
    pub(crate) tftp: u16,
}

impl Link {
    /// The one by which this host inquires of a server.
    pub(crate) fn inquiry(server: Ipv4Addr, ports: Ports) -> Result<Self, Failure> {
        let inquiry = Inquiry::of(server, ports).map_err(|error| {
            Failure::new(
                format!("looking for a way to {server}"),
                error,
                "`ip route get` says which way this host takes",
            )
        })?;
        Ok(Self::Inquiry(inquiry))
    }

    /// What cannot be known this way, to be said.
    pub(super) fn unknown(&self) -> Option<String> {
        let Self::Inquiry(inquiry) = self else {
            return None;
        };
        Some(format!(
            "{} asks and takes no lease: whether the address is given in the end, and who else \
             answers on the machine's network, is not known from here",
            inquiry.own
        ))
    }

    /// DISCOVER to ACK, as this kind of client asks; to the OFFER where no lease is taken.
    pub(super) async fn dhcp(
        &self,
        who: &str,
        mut profile: Profile,
        ports: Ports,
        report: &mut Report,
    ) -> Result<Bound, Failure> {
        let began = now();
        let failed = |error: &dyn std::error::Error| {
            Failure::new(format!("DHCP as {who} {self}"), Chain(error), self.cure())
        };
        profile.server_port = ports.dhcp;
        profile.client_port = ports.dhcp_client;
        // This host does not hear what is sent to the machine's hardware address.
        profile.broadcast |= matches!(self, Self::Interface(_) | Self::Inquiry(_));
        if let Self::Inquiry(inquiry) = self {
            profile.takes_lease = false;
            profile.address = Some(inquiry.own);
            // Nobody else was asked.
            profile.collect_ms = 0;
        }
        profile.tries = profile.tries.min(tries(profile.timeout_ms));
        let socket = self.bind(ports).map_err(|error| self.unbound(&error))?;
        let virtual_now = || {
            let elapsed = began.elapsed().as_millis();
            Timestamp(u64::try_from(elapsed).unwrap_or(u64::MAX))
        };
        let xid = RandomState::new().hash_one(who) & u64::from(u32::MAX);
        let mut client = Client::new(virtual_now(), profile, u32::try_from(xid).unwrap_or(1));
        let mut buffer = vec![0; 2048];
        let mut exchanged = 0;
        let bound = loop {
            match client
                .poll_output(virtual_now())
                .map_err(|error| failed(&error))?
            {
                Output::Transmit(transmit) => {
                    let (bytes, to) = self.envelope(&transmit).map_err(|error| failed(&error))?;
                    exchanged += socket
                        .send_to(&bytes, to)
                        .await
                        .map_err(|error| failed(&error))?;
                }
                Output::Wait(until) => {
                    let wait = Duration::from_millis(until.millis_since(virtual_now()));
                    let received = tokio::time::timeout(wait, socket.recv_from(&mut buffer)).await;
                    match received {
                        Ok(Ok((length, SocketAddr::V4(from)))) => {
                            exchanged += length;
                            let bytes = buffer.get(..length).unwrap_or_default();
                            if let Ok(message) = MessageView::decode(bytes) {
                                client.handle_input(virtual_now(), from, &message);
                            }
                        }
                        // Nobody listens there yet: what is said of it is that nobody answered.
                        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                        Ok(Err(error)) => return Err(failed(&error)),
                        Ok(Ok(_)) | Err(_) => {}
                    }
                }
                Output::Done(bound) => break bound,
                Output::Failed(failure) => return Err(failed(&failure)),
            }
        };
        report.moved(
            "DHCP",
            format_args!(
                "{who}: {}, boots {}",
                self.given(&bound),
                bound.file.as_deref().unwrap_or("nothing")
            ),
            exchanged as u64,
            began,
        )?;
        Ok(bound)
    }

    /// The address, and whose it is.
    fn given(&self, bound: &Bound) -> String {
        let (address, server) = (bound.address, bound.server);
        match self {
            Self::Inquiry(_) if server.is_unspecified() => {
                let proxy = bound.boot_server;
                format!("no address from {proxy}, which leaves that to another server")
            }
            Self::Inquiry(_) => format!("{address} offered by {server}"),
            _ => format!("{address} from {server}"),
        }
    }

    /// The address that files are asked for from: the lease where this host has it, as it does on
    /// the loopback interface; else its own.
    pub(super) fn local(&self, lease: Ipv4Addr) -> Result<Ipv4Addr, Failure> {
        if std::net::UdpSocket::bind((lease, 0)).is_ok() {
            return Ok(lease);
        }
        match self {
            Self::Relay(_, agent) => Ok(*agent),
            Self::Loopback(_) => Ok(Ipv4Addr::UNSPECIFIED),
            Self::Inquiry(inquiry) => Ok(inquiry.own),
            Self::Interface(name) => address_of(name).ok_or_else(|| {
                Failure::new(
                    format!("asking for files on {name}"),
                    "it has no IPv4 address",
                    "give it one of the network that is probed",
                )
            }),
        }
    }

    /// The interface that nothing may leave by another one than.
    pub(super) fn device(&self) -> Option<&str> {
        match self {
            Self::Interface(name) => Some(name),
            Self::Relay(..) | Self::Loopback(_) | Self::Inquiry(_) => None,
        }
    }

    /// The servers that files may be asked from.
    pub(super) fn servers(&self, bound: &Bound) -> Vec<Ipv4Addr> {
        let named = [bound.server, bound.boot_server];
        match self {
            Self::Interface(_) => named.into_iter().chain(bound.next_server).collect(),
            Self::Relay(server, _) | Self::Loopback(server) => vec![*server],
            // Nobody else was asked; it may have another address on the machine's network.
            Self::Inquiry(inquiry) => [inquiry.server].into_iter().chain(named).collect(),
        }
    }

    fn bind(&self, ports: Ports) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, ports.dhcp_client);
        let (device, local) = match self {
            Self::Interface(name) => (Some(name), any),
            Self::Loopback(_) => (None, any),
            Self::Inquiry(inquiry) if inquiry.is_here() => (Some(&inquiry.interface), any),
            // Servers answer a relay agent on their own port (RFC 2131 section 4.1).
            Self::Relay(_, agent) => (None, SocketAddrV4::new(*agent, ports.dhcp)),
            Self::Inquiry(Inquiry { own, interface, .. }) => {
                // A server on another interface of this host keeps the port there.
                (Some(interface), SocketAddrV4::new(*own, ports.dhcp))
            }
        };
        if let Some(device) = device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if *local.ip() == Ipv4Addr::UNSPECIFIED && device.is_some() {
            socket.set_broadcast(true)?;
            // The host's own DHCP client has the port too.
            socket.set_reuse_address(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&local.into())?;
        UdpSocket::from_std(socket.into())
    }

    fn unbound(&self, error: &io::Error) -> Failure {
        let cure = match (self, error.kind()) {
            (_, io::ErrorKind::PermissionDenied) => "run it as root",
            (Self::Interface(_), _) => "`ip address` lists the interfaces",
            (Self::Inquiry(_), io::ErrorKind::AddrInUse) => {
                "this host has a DHCP server or relay agent of its own there: run it on another \
                 host, or with --interface"
            }
            _ => "give it another port, or an address of this host",
        };
        Failure::new(format!("opening a DHCP client's port {self}"), error, cure)
    }

    const fn cure(&self) -> &'static str {
        match self {
            Self::Inquiry(_) => {
                "run it on the server, or on a host in a network that it serves, since servers \
                 answer no others; else look at the server's log for what it made of it, and at \
                 the firewall between"
            }
            _ => "look at the server's log for what it made of it, and at the firewall between",
        }
    }

    /// A message and where it goes.
    fn envelope(&self, transmit: &Transmit) -> Result<(Vec<u8>, SocketAddrV4), WireError> {
        let plain = transmit.bytes.to_vec();
        let (server, agent) = match self {
            Self::Interface(_) => return Ok((plain, transmit.destination)),
            Self::Relay(server, agent) => (*server, Some(*agent)),
            Self::Loopback(server) => (*server, None),
            Self::Inquiry(inquiry) => {
                let agent = (!inquiry.is_here()).then_some(inquiry.own);
                (inquiry.server, agent)
            }
        };
        let to = SocketAddrV4::new(server, transmit.destination.port());
        // A boot server is asked by the machine itself.
        let relayed = agent.filter(|_| transmit.destination.ip().is_broadcast());
        let Some(agent) = relayed else {
            return Ok((plain, to));
        };
        let mut message = Message::decode(&plain)?;
        message.giaddr = agent;
        message.hops = 1;
        Ok((message.to_bytes()?.to_vec(), to))
    }
}

/// Tries whose waits, doubled each time, come to half of a boot ROM's minute: 28 s from 4 s on, 15 s
/// from iPXE's 1 s on.
const fn tries(timeout_ms: u64) -> u8 {
    if timeout_ms < 4_000 { 4 } else { 3 }
}

/// A message of ours that could not be sent through a relay agent.
#[derive(Debug, thiserror::Error)]
enum WireError {
    #[error("reading our own message: {0}")]
    Decode(#[from] netboot_dhcp::wire::DecodeError),
    #[error("writing our own message: {0}")]
    Encode(#[from] netboot_dhcp::wire::EncodeError),
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "on {name}"),
            Self::Relay(server, agent) => write!(f, "from {server} through {agent}"),
            Self::Loopback(server) => write!(f, "from {server}"),
            Self::Inquiry(inquiry) if inquiry.is_here() => {
                write!(f, "from {} on {}", inquiry.server, inquiry.interface)
            }
            Self::Inquiry(Inquiry { server, own, .. }) => write!(f, "from {server} for {own}"),
        }
    }
}

/// The first IPv4 address of an interface.
fn address_of(interface: &str) -> Option<Ipv4Addr> {
    let mut all = addresses();
    all.find_map(|(name, address)| (name == interface).then_some(address))
}

/// The interface that has an address.
fn interface_of(address: Ipv4Addr) -> Option<String> {
    let mut all = addresses();
    all.find_map(|(name, one)| (one == address).then_some(name))
}

fn addresses() -> impl Iterator<Item = (String, Ipv4Addr)> {
    let all = getifaddrs().into_iter().flatten();
    all.filter_map(|one| {
        let address = one.address?.as_sockaddr_in()?.ip();
        Some((one.interface_name, address))
    })
}

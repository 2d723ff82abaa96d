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
    /// Nowhere: it asks this server directly, through a relay agent at the second address if there
    /// is one.
    Server(Ipv4Addr, Option<Ipv4Addr>),
}

/// The ports that differ where tests and demos run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) dhcp: u16,
    pub(crate) dhcp_client: u16,
    pub(crate) tftp: u16,
}

impl Link {
    /// DISCOVER to ACK, as this kind of client asks.
    pub(super) async fn dhcp(
        &self,
        who: &str,
        mut profile: Profile,
        ports: Ports,
        report: &mut Report,
    ) -> Result<Bound, Failure> {
        let began = now();
        let failed = |error: &dyn std::error::Error| {
            Failure::new(
                format!("DHCP as {who} {self}"),
                Chain(error),
                "look at the server's log for what it made of it, and at the firewall between",
            )
        };
        profile.server_port = ports.dhcp;
        profile.client_port = ports.dhcp_client;
        // This host does not hear what is sent to the machine's hardware address.
        profile.broadcast |= matches!(self, Self::Interface(_));
        profile.tries = TRIES;
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
                "{who}: {} from {}, boots {}",
                bound.address,
                bound.server,
                bound.file.as_deref().unwrap_or("nothing")
            ),
            exchanged as u64,
            began,
        )?;
        Ok(bound)
    }

    /// The address that files are asked for from: the lease where this host has it, as it does on
    /// the loopback interface; else its own.
    pub(super) fn local(&self, lease: Ipv4Addr) -> Result<Ipv4Addr, Failure> {
        if std::net::UdpSocket::bind((lease, 0)).is_ok() {
            return Ok(lease);
        }
        match self {
            Self::Server(_, relay) => Ok(relay.unwrap_or(Ipv4Addr::UNSPECIFIED)),
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
            Self::Server(..) => None,
        }
    }

    fn bind(&self, ports: Ports) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        let local = match self {
            Self::Interface(name) => {
                socket.bind_device(Some(name.as_bytes()))?;
                socket.set_broadcast(true)?;
                // The host's own DHCP client has the port too.
                socket.set_reuse_address(true)?;
                SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, ports.dhcp_client)
            }
            Self::Server(_, None) => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, ports.dhcp_client),
            // Servers answer a relay agent on their own port (RFC 2131 section 4.1).
            Self::Server(_, Some(relay)) => SocketAddrV4::new(*relay, ports.dhcp),
        };
        socket.set_nonblocking(true)?;
        socket.bind(&local.into())?;
        UdpSocket::from_std(socket.into())
    }

    fn unbound(&self, error: &io::Error) -> Failure {
        let cure = match (self, error.kind()) {
            (_, io::ErrorKind::PermissionDenied) => "run it as root",
            (Self::Interface(_), _) => "`ip address` lists the interfaces",
            (Self::Server(..), _) => "give it another port, or an address of this host",
        };
        Failure::new(format!("opening a DHCP client's port {self}"), error, cure)
    }

    /// A message and where it goes; on the loopback interface and beyond routers there is no
    /// broadcast.
    fn envelope(&self, transmit: &Transmit) -> Result<(Vec<u8>, SocketAddrV4), WireError> {
        let plain = transmit.bytes.to_vec();
        match self {
            Self::Interface(_) => Ok((plain, transmit.destination)),
            Self::Server(server, relay) => {
                let to = SocketAddrV4::new(*server, transmit.destination.port());
                let Some(relay) = relay else {
                    return Ok((plain, to));
                };
                let mut message = Message::decode(&plain)?;
                message.giaddr = *relay;
                message.hops = 1;
                Ok((message.to_bytes()?.to_vec(), to))
            }
        }
    }
}

/// With each try the wait doubles, from 4 s: 28 s in all.
const TRIES: u8 = 3;

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
            Self::Server(server, None) => write!(f, "from {server}"),
            Self::Server(server, Some(relay)) => write!(f, "from {server} through {relay}"),
        }
    }
}

/// The first IPv4 address of an interface.
fn address_of(interface: &str) -> Option<Ipv4Addr> {
    let all = getifaddrs().ok()?;
    let mut on_it = all.filter(|address| address.interface_name == interface);
    on_it.find_map(|address| Some(address.address?.as_sockaddr_in()?.ip()))
}

//! DHCP on one interface: a socket, and what the DHCP logic needs of the world.
//!
//! Datagrams are taken in batches. The leases of a batch are claimed with one flush to the disk,
//! and only then do its ACKs leave.

use std::ffi::c_uint;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use netboot_dhcp::server::{
    AddressRange, Allow, Boot, ClientKey, Effect, EffectResult, Firmware, Incoming, Link, Network,
    NetworkId, Outcome, Pending, Reply, Requester, Reservation, Server, Settings, Silence,
    Transaction,
};
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Seconds, Timestamp};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::events::{Kind, Stage};
use crate::failure::Failure;
use crate::http;
use crate::leases::LeaseStore;
use crate::no_router::NoRouter;
use crate::policy::{self, Machine, Program};
use crate::script::Asker;
use crate::service::Shared;
use crate::world::World;

/// Bytes of the largest message that is read; longer ones are cut off and then malformed.
const MAX_MESSAGE: usize = 4096;
/// Messages in one batch.
const BATCH: usize = 64;
/// Bytes of requests that the system is asked to hold while a batch is on its way to the disk.
const RECEIVE_BUFFER: usize = 4 << 20;

/// How often it is looked whether the interface is still there.
const LOOK: Duration = Duration::from_secs(1);

/// A DHCP socket on one interface.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UdpSocket,
    no_router: Option<NoRouter>,
    interface: String,
    /// The interface's number; one that is made anew under the same name has another, and this
    /// socket hears nothing from it.
    index: c_uint,
    network: usize,
}

struct Datagram {
    bytes: Vec<u8>,
    source: SocketAddrV4,
    destination: Ipv4Addr,
}

impl Socket {
    /// Binds to the port on this interface only, so that other interfaces stay free for others.
    ///
    /// # Errors
    ///
    /// Those of the socket calls.
    pub(crate) fn bind(interface: &str, network: usize, port: u16) -> io::Result<Self> {
        let index = if_nametoindex(interface)?;
        let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_broadcast(true)?;
        // The system may grant less; more than a burst is then lost and asked again.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            // Where it may not be opened, iPXE waits as it does elsewhere.
            no_router: NoRouter::open(interface).ok(),
            interface: interface.to_owned(),
            index,
            network,
        })
    }

    /// Waits until the interface is no longer the one that this socket is bound to.
    async fn gone(&self) {
        while if_nametoindex(self.interface.as_str()) == Ok(self.index) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for messages and takes all that are there, at most a batch.
    async fn receive(&self) -> io::Result<Vec<Datagram>> {
        let mut batch = Vec::new();
        loop {
            self.socket.readable().await?;
            while batch.len() < BATCH {
                match self
                    .socket
                    .try_io(Interest::READABLE, || self.receive_one())
                {
                    Ok(datagram) => batch.extend(datagram),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // An ICMP error of an earlier reply.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) if batch.is_empty() => return Err(error),
                    // What came before it is answered all the same.
                    Err(error) => {
                        tracing::warn!("DHCP on {}: {error}", self.interface);
                        break;
                    }
                }
            }
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
    }

    fn receive_one(&self) -> io::Result<Option<Datagram>> {
        let mut bytes = vec![0; MAX_MESSAGE];
        let mut control = nix::cmsg_space!(nix::libc::in_pktinfo);
        let (length, source, destination) = {
            let mut pieces = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg::<SockaddrIn>(
                self.socket.as_raw_fd(),
                &mut pieces,
                Some(&mut control),
                MsgFlags::empty(),
            )?;
            let destination = received.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()))
                }
                _ => None,
            });
            (received.bytes, received.address, destination)
        };
        let (Some(source), Some(destination)) = (source, destination) else {
            return Ok(None);
        };
        bytes.truncate(length);
        Ok(Some(Datagram {
            bytes,
            source: SocketAddrV4::from(source),
            destination,
        }))
    }

    async fn send(&self, reply: &Reply) -> io::Result<()> {
        let destination = SockaddrIn::from(reply.destination.socket_addr());
        let info = nix::libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: nix::libc::in_addr {
                s_addr: u32::from_ne_bytes(reply.source.octets()),
            },
            ipi_addr: nix::libc::in_addr { s_addr: 0 },
        };
        let send = || {
            sendmsg(
                self.socket.as_raw_fd(),
                &[IoSlice::new(&reply.bytes)],
                &[ControlMessage::Ipv4PacketInfo(&info)],
                MsgFlags::empty(),
                Some(&destination),
            )
            .map_err(io::Error::from)
        };
        self.socket.async_io(Interest::WRITABLE, send).await?;
        Ok(())
    }
}

/// Serves an interface until told to stop, or until it is gone.
pub(crate) async fn serve(socket: Socket, shared: Arc<Shared>, stop: CancellationToken) {
    let mut gone = std::pin::pin!(socket.gone());
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            () = &mut gone => return,
            received = socket.receive() => received,
        };
        match received {
            Ok(batch) => answer(&socket, &shared, batch).await,
            Err(error) => {
                tracing::warn!("DHCP on {}: {error}", socket.interface);
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// A message on its way through the logic.
struct Turn {
    boot_file: Option<String>,
    stage: Stage,
}

/// Answers a batch: what needs no store at once, the rest when its leases are on disk.
async fn answer(socket: &Socket, shared: &Arc<Shared>, batch: Vec<Datagram>) {
    let mut waiting = Vec::new();
    // Looked at once for all of them, and not while the DHCP logic is held.
    let world = shared.worlds.current();
    for datagram in batch {
        let message = match MessageView::parse(&datagram.bytes) {
            Ok(message) => message,
            Err(error) => {
                shared.malformed.count("DHCP", || error.to_string());
                continue;
            }
        };
        let incoming = Incoming {
            message,
            source: datagram.source,
            destination: datagram.destination,
            interface: u32::try_from(socket.network).unwrap_or(u32::MAX),
        };
        let mut boot_file = None;
        let mut stage = Stage::System;
        let outcome = shared.dhcp().handle(now(), &incoming, &mut |requester| {
            stage = match requester.firmware {
                Firmware::PxeClient | Firmware::HttpClient => Stage::Firmware,
                Firmware::Ipxe => Stage::Ipxe,
                _ => Stage::System,
            };
            let boot = decide(shared, &world, requester);
            boot_file.clone_from(&boot.file);
            boot
        });
        let turn = Turn { boot_file, stage };
        tell_request(shared, socket, transaction(&outcome), stage);
        waiting.extend(go_on(socket, shared, turn, outcome).await);
    }
    while !waiting.is_empty() {
        let (turns, effects): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .map(|(turn, effect, pending)| ((turn, pending), effect))
            .unzip();
        let store = shared.leases.clone();
        let results = tokio::task::spawn_blocking(move || store.claim(&effects)).await;
        let results = results.unwrap_or_default();
        let results = results
            .into_iter()
            .chain(std::iter::repeat(EffectResult::Down));
        waiting = Vec::new();
        for ((turn, pending), result) in turns.into_iter().zip(results) {
            let outcome = shared.dhcp().resume(now(), pending, result);
            waiting.extend(go_on(socket, shared, turn, outcome).await);
        }
    }
}

/// Sends or tells what has come of a message; gives back what still needs something.
async fn go_on(
    socket: &Socket,
    shared: &Shared,
    turn: Turn,
    outcome: Outcome,
) -> Option<(Turn, Effect, Pending)> {
    match outcome {
        Outcome::Needs(effect, pending) => return Some((turn, effect, pending)),
        Outcome::Reply(reply) => {
            if let Err(error) = socket.send(&reply).await {
                shared.emit(
                    reply.transaction.hardware.mac(),
                    Kind::DhcpIgnored {
                        message: reply.kind.to_string(),
                        interface: socket.interface.clone(),
                        why: format!("it cannot be sent: {error}"),
                    },
                );
                return None;
            }
            if turn.stage == Stage::Ipxe && reply.lease.is_some() {
                say_no_router(socket, &reply);
            }
            tell_reply(shared, socket, &reply, turn.boot_file);
        }
        Outcome::Silent(silence) => tell_silence(shared, socket, &silence),
    }
    None
}

fn say_no_router(socket: &Socket, reply: &Reply) {
    let machine = reply.transaction.hardware.mac();
    let direct = reply.transaction.relay.is_none();
    if let (Some(no_router), Some(machine), true) = (&socket.no_router, machine, direct)
        && let Err(error) = no_router.tell(machine)
    {
        tracing::debug!("{machine} will wait for an IPv6 router: {error}");
    }
}

fn transaction(outcome: &Outcome) -> &Transaction {
    match outcome {
        Outcome::Reply(reply) => &reply.transaction,
        Outcome::Silent(silence) => &silence.transaction,
        Outcome::Needs(_, pending) => pending.transaction(),
    }
}

fn tell_request(shared: &Shared, socket: &Socket, transaction: &Transaction, stage: Stage) {
    shared.emit(
        transaction.hardware.mac(),
        Kind::Dhcp {
            message: transaction.request.to_string(),
            interface: socket.interface.clone(),
            address: transaction.address,
            host_name: transaction.host_name.clone(),
            boot_file: None,
            refusal: None,
            stage,
        },
    );
}

fn tell_reply(shared: &Shared, socket: &Socket, reply: &Reply, boot_file: Option<String>) {
    shared.emit(
        reply.transaction.hardware.mac(),
        Kind::Dhcp {
            message: reply.kind.to_string(),
            interface: socket.interface.clone(),
            address: reply.transaction.address,
            host_name: reply.transaction.host_name.clone(),
            boot_file,
            refusal: reply.refusal.map(|refusal| refusal.to_string()),
            stage: Stage::Server,
        },
    );
}

fn tell_silence(shared: &Shared, socket: &Socket, silence: &Silence) {
    if !silence.reason.is_fault() {
        tracing::debug!("{}", silence.line(&socket.interface));
        return;
    }
    shared.emit(
        silence.transaction.hardware.mac(),
        Kind::DhcpIgnored {
            message: silence.transaction.request.to_string(),
            interface: socket.interface.clone(),
            why: silence.reason.to_string(),
        },
    );
}

/// What the boot policy says, in DHCP's terms.
fn decide(shared: &Shared, world: &World, requester: &Requester<'_>) -> Boot {
    let machine = Machine {
        mac: requester.mac(),
        arch: requester.archs().first().copied(),
    };
    let decision = policy::decide(world, &machine);
    let asker = Asker {
        mac: machine.mac,
        address: Ipv4Addr::UNSPECIFIED.into(),
        server: requester.server.into(),
        http_port: world.config().ports.http.get(),
    };
    let file = match (requester.firmware, &decision.boot, &decision.program) {
        (_, policy::Boot::Nothing, _) | (Firmware::Other, ..) => None,
        (Firmware::Ipxe, ..) => Some(asker.url(&script_path(machine.mac))),
        (Firmware::HttpClient, _, Program::File(name)) => Some(asker.url(&format!("/{name}"))),
        (_, _, Program::File(name)) => Some(name.clone()),
        (_, _, Program::Missing(_) | Program::None) => {
            let why = decision.to_string();
            shared.emit(machine.mac, Kind::NoProgram { why });
            None
        }
    };
    let name = decision
        .target
        .and_then(|index| world.config().targets.get(index))
        .map(|target| target.name.clone());
    Boot {
        file,
        host_name: name,
        ..Boot::default()
    }
}

fn script_path(mac: Option<MacAddr>) -> String {
    match mac {
        Some(mac) => format!("{}?mac={}", http::MENU, mac.dashed()),
        None => http::MENU.to_owned(),
    }
}

/// The machine that holds an address's lease now.
pub(crate) fn holder(server: &Server, address: Ipv4Addr) -> Option<MacAddr> {
    let lease = server.lease(address)?;
    match &lease.client {
        ClientKey::Hardware(hardware) if lease.is_active(now()) => hardware.mac(),
        _ => None,
    }
}

/// The host's clock, as the DHCP logic takes it.
fn now() -> Timestamp {
    let millis = jiff::Timestamp::now().as_millisecond();
    Timestamp(u64::try_from(millis).unwrap_or_default())
}

/// The DHCP logic for a configuration, with the leases that are on disk.
///
/// # Errors
///
/// Where the leases cannot be read, or the settings are not accepted.
pub(crate) fn new_server(config: &Config, store: &LeaseStore) -> Result<Server, Failure> {
    let settings = settings(config);
    let mut server = Server::new(settings).map_err(|errors| {
        Failure::new(
            "setting up DHCP",
            errors,
            "correct the networks in the configuration",
        )
    })?;
    for lease in store.load()? {
        let address = lease.address;
        if let Err(error) = server.restore(lease) {
            tracing::warn!("the lease of {address} is kept on disk but not used: {error}");
        }
    }
    Ok(server)
}

/// What the DHCP logic is told. Whatever it would refuse is refused, with its place, where the
/// configuration is read.
fn settings(config: &Config) -> Settings {
    let mut settings = Settings::default();
    settings.server_port = config.ports.dhcp.get();
    settings.client_port = config.ports.dhcp_client.get();
    for (index, network) in config.networks.iter().enumerate() {
        settings.networks.push(new_network(config, index, network));
    }
    settings
}

fn new_network(config: &Config, index: usize, from: &config::Network) -> Network {
    let link = match from.interface {
        Some(_) => Link::Interface(u32::try_from(index).unwrap_or(u32::MAX)),
        None => Link::Relay,
    };
    // Subnets do not overlap, so the network address is a number that outlives a change of order.
    let id = NetworkId(from.subnet.network().to_bits());
    let mut network = Network::new(id, link, from.subnet, from.server);
    let range = |&(start, end): &(Ipv4Addr, Ipv4Addr)| AddressRange::new(start, end);
    network.ranges = from.ranges.iter().map(range).collect();
    network.exclude = from.exclude.iter().map(|&one| range(&(one, one))).collect();
    network.gateways = from.gateway.into_iter().collect();
    network.dns.clone_from(&from.dns);
    network.domain.clone_from(&from.domain);
    network.lease_time = Seconds(u32::try_from(from.lease_time.as_secs()).unwrap_or(u32::MAX));
    network.allow = match from.allow {
        config::Allow::Any => Allow::Any,
        config::Allow::Known => Allow::Known,
    };
    network.reservations = config
        .targets
        .iter()
        .map(|target| Reservation {
            mac: target.mac,
            address: target.ip.filter(|ip| from.subnet.contains(*ip)),
            host_name: Some(target.name.clone()),
        })
        .collect();
    network
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::{Flags, Host, load_text};

    /// An address of a network of eight, or next to it.
    fn near(network: u8) -> impl Strategy<Value = String> {
        (0_u8..=8).prop_map(move |last| format!("10.0.0.{}", network + last))
    }

    fn network(at: u8) -> impl Strategy<Value = serde_json::Value> {
        let range =
            || (near(at), near(at)).prop_map(|(start, end)| json!({ "start": start, "end": end }));
        (
            proptest::option::of(proptest::sample::select(vec!["eth0", "eth1"])),
            near(at),
            proptest::option::of(near(at)),
            proptest::collection::vec(range(), 0..3),
            proptest::collection::vec(near(at), 0..3),
        )
            .prop_map(move |(interface, server, gateway, ranges, exclude)| {
                json!({
                    "name": format!("n{at}"), "subnet": format!("10.0.0.{at}/29"),
                    "interface": interface, "server": server, "gateway": gateway,
                    "ranges": ranges, "exclude": exclude,
                })
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn what_the_configuration_lets_through_the_dhcp_logic_accepts(
            first in network(0),
            second in proptest::option::of(network(8)),
            reserved in proptest::collection::vec(near(0), 0..3),
        ) {
            let targets = reserved.iter().enumerate().map(|(index, ip)| {
                json!({ "name": format!("t{index}"), "mac": format!("02:00:00:00:00:0{index}"), "ip": ip })
            });
            let document = json!({ "netboot": {
                "networks": std::iter::once(first).chain(second).collect::<Vec<_>>(),
                "targets": targets.collect::<Vec<_>>(),
            }});
            let (config, _) = load_text(
                "n.json",
                &document.to_string(),
                true,
                &Flags::default(),
                &Host::default(),
            );
            if let Some(config) = config {
                prop_assert_eq!(settings(&config).check(), Ok(()), "{}", document);
            }
        }
    }
}

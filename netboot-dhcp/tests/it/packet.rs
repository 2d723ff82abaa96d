//! Packets written by hand, and a server with one network to send them to.

use netboot_dhcp::server::{
    AddressRange, Boot, ClaimResult, Effect, EffectResult, Incoming, Lease, Link, NakReason,
    Network, NetworkId, Outcome, ProbeResult, Reply, Server, Settings, Silence, SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Timestamp};
use std::net::{Ipv4Addr, SocketAddrV4};

pub(crate) const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
pub(crate) const OTHER_MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x57]);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) const fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// A client's message, byte by byte after RFC 2131 figure 1.
#[derive(Clone)]
pub(crate) struct Packet(pub(crate) Vec<u8>);

impl Packet {
    pub(crate) fn new(kind: u8, mac: MacAddr) -> Self {
        let mut bytes = vec![0; 240];
        bytes[..4].copy_from_slice(&[1, 1, 6, 0]);
        bytes[4..8].copy_from_slice(&0xdead_beef_u32.to_be_bytes());
        bytes[28..34].copy_from_slice(&mac.0);
        bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
        Self(bytes).option(53, &[kind])
    }

    pub(crate) fn discover(mac: MacAddr) -> Self {
        Self::new(1, mac)
    }

    pub(crate) fn selecting(mac: MacAddr, address: Ipv4Addr, server: Ipv4Addr) -> Self {
        Self::new(3, mac)
            .option(50, &address.octets())
            .option(54, &server.octets())
    }

    pub(crate) fn option(mut self, code: u8, data: &[u8]) -> Self {
        self.0.push(code);
        self.0.push(u8::try_from(data.len()).unwrap());
        self.0.extend_from_slice(data);
        self
    }

    pub(crate) fn at(mut self, offset: usize, bytes: &[u8]) -> Self {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn ciaddr(self, address: Ipv4Addr) -> Self {
        self.at(12, &address.octets())
    }

    pub(crate) fn giaddr(self, address: Ipv4Addr) -> Self {
        self.at(24, &address.octets())
    }

    pub(crate) fn broadcast(self) -> Self {
        self.at(10, &[0x80, 0])
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.push(255);
        self.0
    }
}

pub(crate) fn network() -> Network {
    let subnet = "10.0.0.0/24".parse().unwrap();
    let mut network = Network::new(NetworkId(1), Link::Interface(2), subnet, SERVER);
    network.ranges = vec![AddressRange::new(ip(100), ip(102))];
    network
}

pub(crate) fn server() -> Server {
    Server::new(Settings::new(vec![network()])).unwrap()
}

/// A server that is the only one on its network.
pub(crate) fn authoritative() -> Server {
    let mut network = network();
    network.authoritative = true;
    Server::new(Settings::new(vec![network])).unwrap()
}

pub(crate) fn handle(server: &mut Server, now: Timestamp, packet: Packet) -> Outcome {
    handle_boot(server, now, packet, Boot::default())
}

pub(crate) fn handle_boot(
    server: &mut Server,
    now: Timestamp,
    packet: Packet,
    boot: Boot,
) -> Outcome {
    let own = <[u8; 4]>::try_from(&packet.0[12..16]).unwrap();
    handle_from(server, now, own.into(), packet, boot)
}

/// Handles a message that comes from another address than the client says it has.
pub(crate) fn handle_from(
    server: &mut Server,
    now: Timestamp,
    source: Ipv4Addr,
    packet: Packet,
    boot: Boot,
) -> Outcome {
    let bytes = packet.end();
    let incoming = Incoming::new(
        MessageView::decode(&bytes).unwrap(),
        SocketAddrV4::new(source, 68),
        2,
    )
    .sent_to(Ipv4Addr::BROADCAST);
    server.handle_with(now, &incoming, |_| boot.clone())
}

/// Handles a message with a store that takes every claim and addresses that nobody else uses.
pub(crate) fn settle(server: &mut Server, now: Timestamp, mut outcome: Outcome) -> Outcome {
    loop {
        let (result, pending) = match outcome {
            Outcome::Needs(Effect::Probe(_), pending) => {
                (EffectResult::Probe(ProbeResult::Free), pending)
            }
            Outcome::Needs(Effect::Claim(_), pending) => {
                (EffectResult::Claim(ClaimResult::Stored), pending)
            }
            done => return done,
        };
        outcome = server.resume(now, pending, result);
    }
}

pub(crate) fn run(server: &mut Server, now: Timestamp, packet: Packet) -> Outcome {
    let outcome = handle(server, now, packet);
    settle(server, now, outcome)
}

#[track_caller]
pub(crate) fn reply(outcome: Outcome) -> Reply {
    match outcome {
        Outcome::Reply(reply) => reply,
        other => panic!("expected a reply, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn silence(outcome: Outcome) -> SilenceReason {
    match outcome {
        Outcome::Silent(Silence { reason, .. }) => reason,
        other => panic!("expected silence, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn yiaddr(outcome: Outcome, kind: MessageType) -> Ipv4Addr {
    let reply = reply(outcome);
    assert_eq!(reply.kind, kind);
    let bytes: [u8; 4] = reply.bytes[16..20].try_into().unwrap();
    Ipv4Addr::from(bytes)
}

#[track_caller]
pub(crate) fn nak_reason(outcome: Outcome) -> NakReason {
    let nak = reply(outcome);
    assert_eq!(nak.kind, MessageType::NAK);
    assert_eq!(nak.bytes[16..24], [0; 8], "a NAK gives no address");
    nak.nak_reason.unwrap()
}

/// The address that a DISCOVER is offered.
#[track_caller]
pub(crate) fn offer(server: &mut Server, now: Timestamp, mac: MacAddr) -> Ipv4Addr {
    yiaddr(run(server, now, Packet::discover(mac)), MessageType::OFFER)
}

/// The address's way from DISCOVER to a stored lease.
#[track_caller]
pub(crate) fn bind(server: &mut Server, now: Timestamp, mac: MacAddr) -> Lease {
    let offered = offer(server, now, mac);
    let outcome = run(server, now, Packet::selecting(mac, offered, SERVER));
    let ack = reply(outcome);
    assert_eq!(ack.kind, MessageType::ACK);
    ack.lease.expect("an ACK has its lease")
}

/// The options of a message with code and bytes, read without this crate: from offset 240 to END.
pub(crate) fn options_of(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut options = Vec::new();
    let mut at = 240;
    while bytes[at] != 255 {
        if bytes[at] == 0 {
            at += 1;
            continue;
        }
        let len = usize::from(bytes[at + 1]);
        options.push((bytes[at], bytes[at + 2..at + 2 + len].to_vec()));
        at += 2 + len;
    }
    options
}

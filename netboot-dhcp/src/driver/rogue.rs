//! Other DHCP servers on the same network: what they answer, where it can be heard.
//!
//! Their broadcasts to clients are read off the interface by a raw socket with a filter of its own,
//! so that port 68 stays free for whoever needs it here.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::bpf::{
    JUMP_IF_ANY, JUMP_IF_EQUAL, LOAD_HALF, LOAD_HALF_INDEXED, LOAD_HEADER_LENGTH, RETURN,
};
use crate::MacAddr;
use crate::value::{MessageType, key};
use crate::wire::{BOOTREPLY, MessageView};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::coop::consume_budget;

/// How often one server is told of.
const PAUSE: Duration = Duration::from_secs(600);
/// Servers that are kept in mind; a network with more of them has another trouble.
const MOST: usize = 64;
const UDP_HEADER: usize = 8;

/// An answer that another server gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// The server, as it calls itself.
    pub(super) server: Ipv4Addr,
    /// OFFER or ACK.
    pub(super) kind: MessageType,
    /// The address that it gave.
    pub(super) address: Ipv4Addr,
    /// The machine that it gave it to.
    pub(super) machine: Option<MacAddr>,
}

/// Hears what others send to clients on one interface.
#[derive(Debug)]
pub(super) struct Sniffer {
    /// Of raw IPv4; tokio waits for any datagram socket alike.
    socket: UdpSocket,
}

impl Sniffer {
    /// Opens a raw socket on the interface.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_RAW`.
    pub(super) fn open(interface: &str, client_port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP))?;
        socket.attach_filter(&filter(client_port))?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
        })
    }

    /// Waits for an OFFER or ACK, those of this server included. Cancel-safe.
    pub(super) async fn hear(&self) -> Heard {
        loop {
            if self.socket.readable().await.is_err() {
                return std::future::pending().await;
            }
            let mut packet = [0; 2048];
            if let Ok(length) = self.socket.try_recv(&mut packet)
                && let Some(heard) = heard(packet.get(..length).unwrap_or_default())
            {
                return heard;
            }
            consume_budget().await;
        }
    }
}

/// First fragments with this UDP destination port, as a classic BPF program (`linux/filter.h`) over
/// a packet that begins with its IPv4 header.
fn filter(port: u16) -> [SockFilter; 7] {
    let (fragment, destination_port, all) = (6, 2, 0xffff);
    [
        SockFilter::new(LOAD_HALF, 0, 0, fragment),
        SockFilter::new(JUMP_IF_ANY, 4, 0, 0x1fff),
        SockFilter::new(LOAD_HEADER_LENGTH, 0, 0, 0),
        SockFilter::new(LOAD_HALF_INDEXED, 0, 0, destination_port),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, port.into()),
        SockFilter::new(RETURN, 0, 0, all),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

fn heard(packet: &[u8]) -> Option<Heard> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    let message = MessageView::decode(packet.get(header + UDP_HEADER..)?).ok()?;
    let kind = message.message_type()?;
    let answer = matches!(kind, MessageType::OFFER | MessageType::ACK);
    if message.op() != BOOTREPLY || !answer {
        return None;
    }
    let server = message.read(key::SERVER_ID).ok().flatten()?;
    Some(Heard {
        server,
        kind,
        address: message.yiaddr(),
        machine: message.hardware().mac(),
    })
}

/// The servers that were told of, and when.
#[derive(Debug, Default)]
pub(super) struct RogueServers(BTreeMap<Ipv4Addr, Instant>);

impl RogueServers {
    /// Whether this server is to be told of now.
    pub(super) fn is_news(&mut self, server: Ipv4Addr, now: Instant) -> bool {
        let told = self.0.get(&server);
        if told.is_some_and(|told| now.saturating_duration_since(*told) < PAUSE) {
            return false;
        }
        if told.is_none() && self.0.len() >= MOST {
            return false;
        }
        self.0.insert(server, now);
        true
    }
}

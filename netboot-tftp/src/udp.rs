//! Sockets: which address of ours was asked, answers that leave from it, and a run of blocks in one
//! call.
//!
//! quinn-udp brings the control messages for destination address, source address and segmentation.
//! Its settings go on the listening socket and on a client's; a transfer's socket is left as the
//! system makes it, since quinn-udp forbids fragmentation and a block may be larger than a link's
//! MTU by agreement. Where blocks leave from the listening socket, [`unfragmented_len`] says how
//! large they may be.

use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The most that one UDP datagram carries over IPv4, and so the most that one segmented send may
/// hold.
pub(crate) const MAX_DATAGRAM_LEN: usize = 65507;

/// Datagrams taken in one call.
const BATCH: usize = 16;

/// A datagram at the listening port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) from: SocketAddr,
    pub(crate) local: Option<IpAddr>,
}

/// Room for the datagrams of one receive call. The pages of a buffer that nothing was written to
/// cost nothing.
pub(crate) struct Batch {
    buffers: Vec<Box<[u8]>>,
    metas: [RecvMeta; BATCH],
    count: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            buffers: (0..BATCH)
                .map(|_| vec![0; 1 << 16].into_boxed_slice())
                .collect(),
            metas: [RecvMeta::default(); BATCH],
            count: 0,
        }
    }

    /// What the last receive brought; datagrams that the kernel joined are taken apart.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.buffers
            .iter()
            .zip(&self.metas)
            .take(self.count)
            .flat_map(|(buffer, meta)| {
                let from = canonical(meta.addr);
                let local = meta.dst_ip.map(|ip| ip.to_canonical());
                let bytes = buffer.get(..meta.len).unwrap_or_default();
                // An empty datagram is one datagram, and no chunk.
                let empty = bytes.is_empty().then_some(bytes);
                empty
                    .into_iter()
                    .chain(bytes.chunks(meta.stride.max(1)))
                    .map(move |bytes| Datagram { bytes, from, local })
            })
    }
}

/// A socket that knows the destination of what it receives.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: UdpSocket,
    state: UdpSocketState,
    dual_stack: bool,
    /// Whether an answer has to say which of our addresses it leaves from.
    any_address: bool,
}

impl Listener {
    pub(crate) fn bind(addr: SocketAddr, receive_buffer: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.ip().is_unspecified() && addr.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        if receive_buffer > 0 {
            // A system that grants less grants what it can.
            let _granted = socket.set_recv_buffer_size(receive_buffer);
        }
        socket.bind(&addr.into())?;
        Self::from_std(socket.into())
    }

    pub(crate) fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        let dual_stack = local.is_ipv6();
        let any_address = local.ip().is_unspecified();
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            state,
            dual_stack,
            any_address,
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for datagrams; safe to drop at any time.
    pub(crate) async fn recv(&self, batch: &mut Batch) -> io::Result<()> {
        batch.count = 0;
        loop {
            poll_fn(|cx| self.socket.poll_recv_ready(cx)).await?;
            let mut slices = batch.buffers.iter_mut().map(|b| IoSliceMut::new(b));
            let mut slices: [IoSliceMut<'_>; BATCH] =
                std::array::from_fn(|_| slices.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            let received = self.socket.try_io(Interest::READABLE, || {
                self.state.recv(
                    UdpSockRef::from(&self.socket),
                    &mut slices,
                    &mut batch.metas,
                )
            });
            match received {
                Ok(count) => {
                    batch.count = count;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a transfer's datagrams from this socket, as [`Offload::send`] does from another.
    pub(crate) async fn send(
        &self,
        offload: &Offload,
        route: Route,
        bytes: &[u8],
        segment: usize,
    ) -> io::Result<bool> {
        let to = if self.dual_stack {
            mapped(route.to)
        } else {
            route.to
        };
        let from = route.from.filter(|_| self.any_address);
        let route = Route { to, from };
        offload.send(&self.socket, route, bytes, segment).await
    }

    /// Answers from the address that was asked. An answer that cannot be sent is as good as lost.
    pub(crate) fn reply(&self, to: SocketAddr, from: Option<IpAddr>, packet: &[u8]) {
        let transmit = Transmit {
            destination: if self.dual_stack { mapped(to) } else { to },
            ecn: None,
            contents: packet,
            segment_size: None,
            src_ip: from,
        };
        let _lost = self.socket.try_io(Interest::WRITABLE, || {
            self.state
                .try_send(UdpSockRef::from(&self.socket), &transmit)
        });
    }
}

/// Where a datagram goes, and from which of our addresses where the socket has several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) to: SocketAddr,
    pub(crate) from: Option<IpAddr>,
}

/// Sends of several datagrams in one call, as long as the system takes them.
#[derive(Debug)]
pub(crate) struct Offload {
    state: UdpSocketState,
    max_segments: usize,
    /// Datagrams longer than this have been refused in a segmented send: they exceed some MTU, or
    /// the network card cannot do it at all.
    max_segment_len: AtomicUsize,
}

impl Offload {
    pub(crate) fn new() -> io::Result<Self> {
        // What the system can do is asked of a socket that is not used for anything else.
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self {
            max_segments: state.max_gso_segments(),
            state,
            max_segment_len: AtomicUsize::new(usize::MAX),
        })
    }

    /// Bytes that make a good run of datagrams of this length.
    pub(crate) fn run_len(&self, segment: usize) -> usize {
        let segments = self
            .max_segments
            .max(1)
            .min(MAX_DATAGRAM_LEN / segment.max(1))
            .max(1);
        segments * segment
    }

    /// Sends datagrams that lie one after the other in `bytes`, each of `segment` bytes but the
    /// last.
    ///
    /// Tells whether the system has refused to take them together, so that they went one by one.
    pub(crate) async fn send(
        &self,
        socket: &UdpSocket,
        route: Route,
        bytes: &[u8],
        segment: usize,
    ) -> io::Result<bool> {
        let mut rest = bytes;
        let mut refused = false;
        while !rest.is_empty() {
            let together = segment <= self.max_segment_len.load(Ordering::Relaxed);
            let len = if together {
                self.run_len(segment)
            } else {
                segment
            };
            let (head, tail) = rest.split_at(len.min(rest.len()));
            let segmented = head.len() > segment;
            let transmit = Transmit {
                destination: route.to,
                ecn: None,
                contents: head,
                segment_size: segmented.then_some(segment),
                src_ip: route.from,
            };
            let send = || {
                if segmented || route.from.is_some() {
                    return self.state.try_send(UdpSockRef::from(socket), &transmit);
                }
                // What needs no control message costs less without.
                SockRef::from(socket)
                    .send_to(head, &route.to.into())
                    .map(drop)
            };
            // The reactor does not know a new socket for writable before its next turn. Waiting for
            // that would hold a buffer for each transfer that has just begun, so it is tried first.
            let sent = match send() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.try_io(Interest::WRITABLE, send)
                }
                sent => sent,
            };
            match sent {
                Ok(()) => rest = tail,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.writable().await?
                }
                Err(error) if segmented && refuses_segments(&error) => {
                    self.max_segment_len
                        .fetch_min(segment - 1, Ordering::Relaxed);
                    refused = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    /// Up to two datagrams that wait at a transfer's socket, and whether there may be more.
    ///
    /// One is expected, and the place that stays free shows that it was all. That saves the call
    /// which would be told so.
    pub(crate) fn receive_pair<'b>(
        &self,
        socket: &UdpSocket,
        buf: &'b mut [u8],
    ) -> (impl Iterator<Item = (&'b [u8], SocketAddr)> + use<'b>, bool) {
        let (first, second) = buf.split_at_mut(buf.len() / 2);
        let places = BATCH_SIZE.min(2);
        let mut metas = [RecvMeta::default(); 2];
        let mut count = 0;
        // An error is that of an earlier send (an ICMP message): the packet counts as lost and the
        // timer sees to it.
        let more = socket.try_io(Interest::READABLE, || {
            let mut slices = [IoSliceMut::new(first), IoSliceMut::new(second)];
            count = self
                .state
                .recv(UdpSockRef::from(socket), &mut slices, &mut metas)?;
            if count < places {
                // Tells the reactor to wait for the next one.
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        });
        let datagrams = [&*first, &*second]
            .into_iter()
            .zip(metas)
            .take(count)
            .map(|(buf, meta)| (buf.get(..meta.len).unwrap_or(buf), meta.addr));
        (datagrams, more.is_ok())
    }
}

/// Whether an error says that datagrams cannot be sent together, as quinn-udp found it: EINVAL
/// where they exceed the MTU or the kernel does not know how, EIO where the network card does not,
/// EMSGSIZE where all together are too long. Anything else is about the network and says nothing of
/// the next send.
fn refuses_segments(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.kind() == io::ErrorKind::InvalidInput
        || error.raw_os_error() == Some(EIO)
        || quinn_udp::is_msg_size_err(error)
}

/// A socket for one transfer: on the address that was asked, on a port of the system's choice.
pub(crate) fn bind_transfer(peer: SocketAddr, local: Option<IpAddr>) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(local_for(peer, local))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// The most bytes of UDP payload that reach this peer from this address in one piece, as far as the
/// system knows.
#[cfg(target_os = "linux")]
pub(crate) fn unfragmented_len(peer: SocketAddr, local: Option<IpAddr>) -> Option<usize> {
    use rustix::net::sockopt::{ip_mtu, ipv6_mtu};

    // A socket that is connected has looked up its route; nothing is sent.
    let socket = std::net::UdpSocket::bind(local_for(peer, local)).ok()?;
    socket.connect(peer).ok()?;
    let (mtu, headers) = match peer {
        SocketAddr::V4(_) => (ip_mtu(&socket).ok()?, 20 + 8),
        SocketAddr::V6(_) => (ipv6_mtu(&socket).ok()?, 40 + 8),
    };
    usize::try_from(mtu).ok()?.checked_sub(headers)
}

/// Not known here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn unfragmented_len(_: SocketAddr, _: Option<IpAddr>) -> Option<usize> {
    None
}

/// The address to bind a socket to that answers this peer from this address.
fn local_for(peer: SocketAddr, local: Option<IpAddr>) -> SocketAddr {
    let any = match peer {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0_u16; 8], 0)),
    };
    match (local, peer) {
        // A link-local address means nothing without its link, which is the one the peer is on.
        (Some(IpAddr::V6(ip)), SocketAddr::V6(peer)) if ip.is_unicast_link_local() => {
            std::net::SocketAddrV6::new(ip, 0, 0, peer.scope_id()).into()
        }
        (Some(ip), _) if ip.is_ipv4() == peer.is_ipv4() => SocketAddr::new(ip, 0),
        _ => any,
    }
}

/// The next datagram that is there, if any. An error is that of an earlier send (an ICMP message):
/// the packet counts as lost and the timer sees to it.
pub(crate) fn receive<'b>(socket: &UdpSocket, buf: &'b mut [u8]) -> Option<(&'b [u8], SocketAddr)> {
    let (len, from) = socket.try_recv_from(buf).ok()?;
    Some((buf.get(..len)?, from))
}

/// Lets a socket count as read to its end, so that the reactor waits for the next datagram.
pub(crate) fn await_next(socket: &UdpSocket) {
    let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    let _what_it_was_told = socket.try_io(Interest::READABLE, nothing);
}

fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, addr.port()),
        IpAddr::V6(_) => addr,
    }
}

fn mapped(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), addr.port()),
        IpAddr::V6(_) => addr,
    }
}

//! One UDP port on one interface: batches of datagrams in, batches of replies out.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;

use crate::server::Reply;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg,
    setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Bytes of the largest message that is read; longer ones are cut off and then malformed.
const MAX_MESSAGE: usize = 4096;
/// Messages in one batch.
const BATCH: usize = 64;
/// Bytes of requests that the system is asked to hold while others are dealt with.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A UDP port on one interface.
#[derive(Debug)]
pub(super) struct Port(UdpSocket);

/// A message as it came.
pub(super) struct Datagram<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) source: SocketAddrV4,
    pub(super) destination: Ipv4Addr,
}

/// Room for a batch.
pub(super) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(super) fn new() -> Self {
        Self(vec![0; BATCH * MAX_MESSAGE].into())
    }
}

impl Port {
    /// Binds on this interface only, so that other interfaces stay free for others.
    ///
    /// # Errors
    ///
    /// Those of the socket calls.
    pub(super) fn bind(interface: &str, port: u16) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        let bound = Self::on(socket, interface)?;
        let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
        SockRef::from(&bound.0).bind(&address.into())?;
        Ok(bound)
    }

    /// Takes a socket that is bound to a port, or is about to be, for this interface only.
    ///
    /// # Errors
    ///
    /// Those of the socket calls.
    pub(super) fn on(socket: socket2::Socket, interface: &str) -> io::Result<Self> {
        let device = socket.device().ok().flatten();
        if device.as_deref() != Some(interface.as_bytes()) {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        socket.set_broadcast(true)?;
        // The system may grant less; more than a burst is then lost and asked again.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        socket.set_nonblocking(true)?;
        Ok(Self(UdpSocket::from_std(socket.into())?))
    }

    /// Waits for messages. Cancel-safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// Takes the messages that are there, at most a batch.
    pub(super) fn receive<'b>(&self, buffer: &'b mut Buffer) -> io::Result<Vec<Datagram<'b>>> {
        let received = self
            .0
            .try_io(Interest::READABLE, || receive_batch(&self.0, buffer));
        match received {
            // An ICMP error that an earlier reply drew.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Vec::new()),
            other => other,
        }
    }

    /// Sends replies from one address, and gives each that could not be sent with the reason.
    pub(super) async fn send(&self, from: Ipv4Addr, replies: &[&Reply]) -> Vec<(usize, io::Error)> {
        let mut failed = Vec::new();
        let mut sent = 0;
        while let Some(rest) = replies.get(sent..).filter(|rest| !rest.is_empty()) {
            let some = self.0.async_io(Interest::WRITABLE, || {
                send_batch(&self.0, from, rest).map_err(io::Error::from)
            });
            match some.await {
                Ok(count) => sent += count.max(1),
                // It is the first one's; the others are sent all the same.
                Err(error) => {
                    failed.push((sent, error));
                    sent += 1;
                }
            }
        }
        failed
    }
}

fn receive_batch<'b>(socket: &UdpSocket, buffer: &'b mut Buffer) -> io::Result<Vec<Datagram<'b>>> {
    let mut seen = Vec::with_capacity(BATCH);
    {
        // Anew for each call, since the system writes lengths into them.
        let control = nix::cmsg_space!(nix::libc::in_pktinfo);
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(control));
        let pieces = buffer.0.chunks_exact_mut(MAX_MESSAGE);
        let mut pieces: Vec<_> = pieces.map(|piece| [IoSliceMut::new(piece)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        for received in recvmmsg(
            socket.as_raw_fd(),
            &mut headers,
            pieces.iter_mut(),
            flags,
            None,
        )? {
            let destination = received.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()))
                }
                _ => None,
            });
            seen.push((received.bytes, received.address, destination));
        }
    }
    let pieces = buffer.0.chunks_exact(MAX_MESSAGE);
    let datagrams = seen.into_iter().zip(pieces);
    let datagrams = datagrams.filter_map(|((length, source, destination), piece)| {
        Some(Datagram {
            bytes: piece.get(..length)?,
            source: SocketAddrV4::from(source?),
            destination: destination?,
        })
    });
    Ok(datagrams.collect())
}

fn send_batch(socket: &UdpSocket, from: Ipv4Addr, replies: &[&Reply]) -> nix::Result<usize> {
    let info = nix::libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: nix::libc::in_addr {
            s_addr: u32::from_ne_bytes(from.octets()),
        },
        ipi_addr: nix::libc::in_addr { s_addr: 0 },
    };
    let replies = replies.get(..BATCH).unwrap_or(replies);
    let pieces = replies.iter().map(|reply| [IoSlice::new(&reply.bytes)]);
    let pieces: Vec<_> = pieces.collect();
    let to = replies.iter().map(|reply| reply.destination.socket_addr());
    let to: Vec<_> = to.map(|to| Some(SockaddrIn::from(to))).collect();
    let control = nix::cmsg_space!(nix::libc::in_pktinfo);
    let mut headers = MultiHeaders::preallocate(replies.len(), Some(control));
    let control = [ControlMessage::Ipv4PacketInfo(&info)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let sent = sendmmsg(
        socket.as_raw_fd(),
        &mut headers,
        &pieces,
        to,
        control,
        flags,
    )?;
    Ok(sent.count())
}

//! A DHCP socket on one interface: batches of datagrams in, replies out.

use std::ffi::c_uint;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::Duration;

use netboot_dhcp::server::Reply;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::no_router::NoRouter;

/// Bytes of the largest message that is read; longer ones are cut off and then malformed.
const MAX_MESSAGE: usize = 4096;
/// Messages in one batch.
const BATCH: usize = 64;
/// Bytes of requests that the system is asked to hold while a batch is on its way to the disk.
const RECEIVE_BUFFER: usize = 4 << 20;

/// How often it is looked whether the interface is still there.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// A DHCP socket on one interface.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UdpSocket,
    pub(super) no_router: Option<NoRouter>,
    pub(super) interface: String,
    /// The interface's number; one that is made anew under the same name has another, and this
    /// socket hears nothing from it.
    index: c_uint,
    /// Its number in the DHCP logic's terms.
    pub(super) number: u32,
}

pub(super) struct Datagram {
    pub(super) bytes: Vec<u8>,
    pub(super) source: SocketAddrV4,
    pub(super) destination: Ipv4Addr,
}

impl Socket {
    /// Binds to the port on this interface only, so that other interfaces stay free for others.
    ///
    /// # Errors
    ///
    /// Those of the socket calls.
    pub(crate) fn bind(interface: &str, number: u32, port: u16) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        let bound = Self::on(socket, interface, number)?;
        let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
        SockRef::from(&bound.socket).bind(&address.into())?;
        Ok(bound)
    }

    /// Takes a socket that is bound to a port, or is about to be, for this interface only.
    ///
    /// # Errors
    ///
    /// Those of the socket calls.
    pub(crate) fn on(socket: socket2::Socket, interface: &str, number: u32) -> io::Result<Self> {
        let index = if_nametoindex(interface)?;
        let device = socket.device().ok().flatten();
        if device.as_deref() != Some(interface.as_bytes()) {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        socket.set_broadcast(true)?;
        // The system may grant less; more than a burst is then lost and asked again.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            // Where it may not be opened, iPXE waits as it does elsewhere.
            no_router: NoRouter::open(interface).ok(),
            interface: interface.to_owned(),
            index,
            number,
        })
    }

    /// Waits until the interface is no longer the one that this socket is bound to.
    pub(super) async fn gone(&self) {
        while if_nametoindex(self.interface.as_str()) == Ok(self.index) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for messages and takes all that are there, at most a batch.
    pub(super) async fn receive(&self) -> io::Result<Vec<Datagram>> {
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

    pub(super) async fn send(&self, reply: &Reply) -> io::Result<()> {
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

//! Sockets that a service manager bound before it started this process, as `sd_listen_fds(3)` says.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};

use listenfd::ListenFd;
use socket2::SockRef;

use crate::failure::Failure;

/// Sockets bound by a service manager; what the configuration wants to listen is matched to them by
/// port and address. They stay open for as long as the service runs, so that what was closed can
/// listen again.
#[derive(Debug, Default)]
pub struct Inherited {
    datagrams: Vec<(SocketAddrV4, UdpSocket)>,
    streams: Vec<(SocketAddrV4, TcpListener)>,
}

impl Inherited {
    /// Takes those that this process was started with, none where it was started without. To be
    /// called before any other thread runs, since it changes the environment.
    ///
    /// # Errors
    ///
    /// Where one of them is neither a UDP socket nor a listening TCP socket of IPv4.
    pub fn from_environment() -> Result<Self, Failure> {
        let mut passed = ListenFd::from_env();
        let mut inherited = Self::default();
        for index in 0..passed.len() {
            inherited.take(&mut passed, index).map_err(|error| {
                Failure::new(
                    format!("taking socket {index} of those that this was started with"),
                    error,
                    "pass UDP sockets for DHCP and TFTP, and a TCP socket for HTTP, each of IPv4",
                )
            })?;
        }
        Ok(inherited)
    }

    fn take(&mut self, passed: &mut ListenFd, index: usize) -> io::Result<()> {
        if let Ok(Some(socket)) = passed.take_udp_socket(index) {
            let address = v4(socket.local_addr()?)?;
            socket.set_nonblocking(true)?;
            self.datagrams.push((address, socket));
        } else if let Some(listener) = passed.take_tcp_listener(index)? {
            let address = v4(listener.local_addr()?)?;
            listener.set_nonblocking(true)?;
            self.streams.push((address, listener));
        }
        Ok(())
    }

    /// The socket for DHCP on an interface: one that is bound to it, else one that is bound to
    /// none.
    pub(super) fn on_interface(&self, interface: &str, port: u16) -> Option<io::Result<UdpSocket>> {
        let device = |socket| SockRef::from(socket).device().ok().flatten();
        let of_port = || {
            let all = self.datagrams.iter();
            all.filter(|(address, _)| address.port() == port)
        };
        let bound =
            of_port().find(|(_, socket)| device(socket).as_deref() == Some(interface.as_bytes()));
        let free = || of_port().find(|(_, socket)| device(socket).is_none());
        let (_, socket) = bound.or_else(free)?;
        Some(socket.try_clone())
    }

    /// The socket for TFTP on exactly this address.
    pub(super) fn datagrams(&self, on: SocketAddrV4) -> Option<io::Result<UdpSocket>> {
        let (_, socket) = self.datagrams.iter().find(|(address, _)| *address == on)?;
        Some(socket.try_clone())
    }

    /// The socket for HTTP on exactly this address.
    pub(super) fn streams(&self, on: SocketAddrV4) -> Option<io::Result<TcpListener>> {
        let (_, socket) = self.streams.iter().find(|(address, _)| *address == on)?;
        Some(socket.try_clone())
    }

    /// The address to listen on by TFTP for this one to be reached: all of the host's, where such a
    /// socket was passed.
    pub(super) fn covering_datagrams(&self, wanted: SocketAddrV4) -> SocketAddrV4 {
        covering(self.datagrams.iter().map(|(address, _)| *address), wanted)
    }

    /// As [`Inherited::covering_datagrams`], for HTTP.
    pub(super) fn covering_streams(&self, wanted: SocketAddrV4) -> SocketAddrV4 {
        covering(self.streams.iter().map(|(address, _)| *address), wanted)
    }
}

fn covering(mut passed: impl Iterator<Item = SocketAddrV4>, wanted: SocketAddrV4) -> SocketAddrV4 {
    let all = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, wanted.port());
    if passed.any(|address| address == all) {
        all
    } else {
        wanted
    }
}

fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => Err(io::Error::other(format!("{address} is not of IPv4"))),
    }
}

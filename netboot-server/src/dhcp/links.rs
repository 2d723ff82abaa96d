//! Interfaces and their addresses, followed by netlink.
//!
//! The system says that something about links or addresses has changed; what it is now is then
//! looked at. Nothing is polled, and a message that was lost changes nothing.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};
use tokio::net::UdpSocket;

/// `RTMGRP_LINK` and `RTMGRP_IPV4_IFADDR` of `linux/rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10;

/// Changes of interfaces and of their IPv4 addresses.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Of netlink; tokio waits for any datagram socket alike.
    socket: UdpSocket,
}

impl Changes {
    /// Changes from now on.
    ///
    /// # Errors
    ///
    /// Those of the socket calls.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            flags,
            SockProtocol::NetlinkRoute,
        )?;
        bind(netlink.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        let socket = UdpSocket::from_std(netlink.into())?;
        Ok(Self { socket })
    }

    /// Waits for a change. Cancel-safe.
    pub(crate) async fn next(&self) {
        let mut bytes = [0; 4096];
        loop {
            let ready = self.socket.readable().await;
            match ready.and_then(|()| self.socket.try_recv(&mut bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The others that wait say nothing more, nor does one that did not fit or was lost.
                Ok(_) | Err(_) => {
                    while self.socket.try_recv(&mut bytes).is_ok() {}
                    return;
                }
            }
        }
    }
}

/// Whether one of the host's interfaces has the address now.
pub(crate) fn have(address: Ipv4Addr) -> bool {
    getifaddrs().is_ok_and(|mut all| {
        all.any(|one| {
            let own = one.address.as_ref().and_then(|own| own.as_sockaddr_in());
            own.is_some_and(|own| own.ip() == address)
        })
    })
}

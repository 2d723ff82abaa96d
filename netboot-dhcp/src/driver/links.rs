//! Interfaces and their addresses, followed by netlink.
//!
//! The system says that something about links or addresses has changed; what it is now is then
//! looked at. Nothing is polled, and a message that was lost changes nothing.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};
use tokio::net::UdpSocket;

/// `RTMGRP_LINK` and `RTMGRP_IPV4_IFADDR` of `linux/rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10;

/// Changes of interfaces and of their IPv4 addresses.
#[derive(Debug)]
pub struct LinkChanges {
    /// Of netlink; tokio waits for any datagram socket alike.
    socket: UdpSocket,
}

impl LinkChanges {
    /// Changes from now on. Has to be called within a tokio runtime that has I/O enabled.
    ///
    /// # Errors
    ///
    /// Those of the socket calls.
    pub fn open() -> io::Result<Self> {
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
    pub async fn next(&self) {
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

/// Whether an interface or its address is not there, and may yet come.
pub(super) fn is_missing(error: &io::Error) -> bool {
    let missing = [Errno::ENODEV, Errno::ENXIO, Errno::EADDRNOTAVAIL];
    missing
        .map(|errno| Some(errno as i32))
        .contains(&error.raw_os_error())
}

/// Whether one of the host's interfaces has the address now.
pub(super) fn have(address: Ipv4Addr) -> bool {
    getifaddrs().is_ok_and(|mut all| {
        all.any(|one| {
            let own = one.address.as_ref().and_then(|own| own.as_sockaddr_in());
            own.is_some_and(|own| own.ip() == address)
        })
    })
}

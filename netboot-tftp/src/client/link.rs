//! The socket of one transfer, and who is heard on it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

use crate::client::{Client, ClientError};
use crate::clock::Clock;
use crate::encode::encode_error;
use crate::error_code::ErrorCode;

/// A socket, the server, and the port that the server has chosen for this transfer.
pub(crate) struct Link {
    pub(crate) socket: UdpSocket,
    server: SocketAddr,
    peer: Option<SocketAddr>,
    pub(crate) clock: Clock,
}

impl Link {
    pub(crate) fn open(client: &Client) -> Result<Self, ClientError> {
        let failed = |what| move |error| ClientError::Socket { what, error };
        let any: IpAddr = match client.server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = client.bind.unwrap_or(SocketAddr::new(any, 0));
        let socket = std::net::UdpSocket::bind(local).map_err(failed("bind the local address"))?;
        socket
            .set_nonblocking(true)
            .map_err(failed("set up the socket"))?;
        let socket = UdpSocket::from_std(socket).map_err(failed("register the socket"))?;
        Ok(Self {
            socket,
            server: client.server,
            peer: None,
            clock: Clock::start(),
        })
    }

    /// Where packets go: the server's port until it has answered, then the one it answered from.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer.unwrap_or(self.server)
    }

    /// The server has answered from here.
    pub(crate) fn fix_peer(&mut self, from: SocketAddr) {
        self.peer.get_or_insert(from);
    }

    /// Whether a packet from there belongs to this transfer; its sender is told if not.
    pub(crate) fn admits(&self, from: SocketAddr) -> bool {
        // Only the host is known before its first answer, which fixes the port.
        let expected = self
            .peer
            .map_or(from.ip() == self.server.ip(), |peer| peer == from);
        if !expected {
            let mut buf = [0; 64];
            if let Ok(len) = encode_error(ErrorCode::UNKNOWN_TID, "unknown transfer id", &mut buf)
                && let Some(packet) = buf.get(..len)
            {
                // Whoever sent it is no part of the transfer: whether the answer arrives does not
                // matter.
                let _unheard = self.socket.try_send_to(packet, from);
            }
        }
        expected
    }
}

//! What HTTP listens on: addresses, and the control socket.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 4096;

/// Where connections come in.
#[derive(Debug)]
pub(crate) enum Listener {
    /// At an address.
    Tcp(TcpListener),
    /// At a path of this host.
    Unix(UnixListener),
}

/// A connection that was accepted.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Accepted {
    /// The client's address and the one it reached; a path has none.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        const NOWHERE: (Ipv4Addr, u16) = (Ipv4Addr::UNSPECIFIED, 0);
        match self {
            Self::Tcp(stream, client) => Some((*client, stream.local_addr().ok()?)),
            Self::Unix(_) => Some((NOWHERE.into(), NOWHERE.into())),
        }
    }
}

impl Listener {
    /// Listens at an address, also while connections of an earlier run are still closing.
    ///
    /// # Errors
    ///
    /// Those of the socket calls: the port is taken or not permitted, the address is not here.
    pub(crate) fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG).map(Self::Tcp)
    }

    /// The next connection; `None` where the service is told to stop first.
    pub(super) async fn accept(&self, stop: &CancellationToken) -> Option<Accepted> {
        loop {
            let accepted = stop.run_until_cancelled(async {
                match self {
                    Self::Tcp(listener) => {
                        let (stream, client) = listener.accept().await?;
                        Ok::<_, std::io::Error>(Accepted::Tcp(stream, client))
                    }
                    Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
                }
            });
            match accepted.await? {
                Ok(accepted) => return Some(accepted),
                // Out of descriptors, or a connection that was gone before it was taken.
                Err(error) => {
                    tracing::warn!("accepting an HTTP connection: {error}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

//! What HTTP listens on: addresses, and the control socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::time::Instant;
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
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG).map(Self::Tcp)
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                Ok(Accepted::Tcp(stream, client))
            }
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// Takes connections, and goes on where the system has none to give.
#[derive(Debug)]
pub(crate) struct Accepting {
    listener: Listener,
    failures: Failures,
}

impl From<Listener> for Accepting {
    fn from(listener: Listener) -> Self {
        let failures = Failures::default();
        Self { listener, failures }
    }
}

impl Accepting {
    /// The next connection; `None` where the service is told to stop first.
    pub(super) async fn next(&mut self, stop: &CancellationToken) -> Option<Accepted> {
        loop {
            match stop.run_until_cancelled(self.listener.accept()).await? {
                Ok(accepted) => {
                    self.failures.wait = Duration::ZERO;
                    return Some(accepted);
                }
                // It was gone before it was taken.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors, most likely: that ends when a connection does.
                Err(error) => {
                    if let Some(count) = self.failures.count(Instant::now()) {
                        tracing::warn!(
                            "{count} times no HTTP connection could be accepted, the last: {error}"
                        );
                    }
                    stop.run_until_cancelled(tokio::time::sleep(self.failures.wait))
                        .await?;
                }
            }
        }
    }
}

/// Failures in a row: how long to wait after each, and how many to tell of together.
#[derive(Debug, Default)]
struct Failures {
    wait: Duration,
    untold: u64,
    told: Option<Instant>,
}

impl Failures {
    const LEAST_WAIT: Duration = Duration::from_millis(10);
    const MOST_WAIT: Duration = Duration::from_secs(1);
    /// How long nothing is told after something was.
    const PAUSE: Duration = Duration::from_secs(60);

    /// Counts one, and gives how many there were where they are to be told of.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.wait = (self.wait * 2).clamp(Self::LEAST_WAIT, Self::MOST_WAIT);
        self.untold += 1;
        if self.told.is_some_and(|told| now - told < Self::PAUSE) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_to_accept_cost_one_line_a_minute_and_ever_fewer_tries() {
        let mut failures = Failures::default();
        let start = Instant::now();
        let mut now = start;
        let mut told = Vec::new();
        while now - start < Duration::from_secs(150) {
            told.extend(failures.count(now));
            now += failures.wait;
        }
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[0], 1);
        assert!(told.iter().sum::<u64>() < 200, "{told:?}");
    }
}

//! How much of what was written to a TCP connection its client has not acknowledged.
//!
//! The system takes megabytes for a client that reads kilobytes a second, and more of them only when
//! a third of what it holds is gone: by what it takes nobody can tell how fast the client reads. It
//! says what it holds by netlink (`linux/sock_diag.h`, `linux/inet_diag.h`), without the `unsafe`
//! that the same question by `ioctl(2)` would need.

use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::sys::socket::SockProtocol;

use crate::netlink;

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// Where `idiag_wqueue` is in `struct inet_diag_msg`.
const WQUEUE: usize = 60;

/// So many bytes of the connection between these ends.
///
/// # Errors
///
/// Those of the socket calls, and where the system knows no such connection, or does not say.
pub(super) fn unacknowledged(local: SocketAddr, client: SocketAddr) -> io::Result<u64> {
    let reply = netlink::ask(SockProtocol::NetlinkSockDiag, &request(local, client))?;
    let held = held_in(&reply);
    held.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the system knows no such socket"))
}

/// `struct inet_diag_req_v2`: of any state, nothing but the message itself.
fn request(local: SocketAddr, client: SocketAddr) -> Vec<u8> {
    let address = |end: SocketAddr| match end.ip().to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (AF_INET, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        IpAddr::V6(v6) => (AF_INET6, v6.octets()),
    };
    let (family, source) = address(local);
    let (_, destination) = address(client);
    // A link-local address is of one interface.
    let interface = match local {
        SocketAddr::V6(local) => local.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    let mut body = vec![family, IPPROTO_TCP, 0, 0];
    body.extend(u32::MAX.to_ne_bytes());
    body.extend(local.port().to_be_bytes());
    body.extend(client.port().to_be_bytes());
    body.extend(source);
    body.extend(destination);
    body.extend(interface.to_ne_bytes());
    // No cookie, which is what the socket would be known by as well.
    body.extend([0xff; 8]);
    netlink::request(BY_FAMILY, &body)
}

fn held_in(reply: &[u8]) -> Option<u64> {
    let held = netlink::body(reply, BY_FAMILY)?.get(WQUEUE..)?;
    Some(u32::from_ne_bytes(*held.first_chunk()?).into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// What was written and not read is held by both ends; what the client's has taken is no more
    /// held here.
    #[test]
    fn what_the_system_holds_for_a_client_is_what_it_has_not_taken() {
        for here in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(here).expect("loopback");
            let address = listener.local_addr().expect("an address");
            let mut client = TcpStream::connect(address).expect("a connection");
            let (mut stream, from) = listener.accept().expect("a connection");
            let held = || unacknowledged(address, from).expect("a socket");
            assert_eq!(held(), 0, "{here}");
            stream.set_nonblocking(true).expect("an option");
            let mut written = 0;
            while let Ok(more) = stream.write(&[0; 1 << 16]) {
                written += more;
            }
            let full = held();
            assert!(full > 0 && full < written as u64, "{full} of {written}");
            let mut taken = vec![0; written];
            client.read_exact(&mut taken).expect("all of it");
            while held() > 0 {
                std::thread::yield_now();
            }
            drop(stream);
        }
    }

    #[test]
    fn a_connection_that_is_not_there_holds_nothing_that_could_be_told() {
        let nobody: SocketAddr = "127.0.0.1:9".parse().expect("an address");
        assert!(unacknowledged(nobody, nobody).is_err());
        let whole = netlink::request(BY_FAMILY, &[7; 72]);
        assert_eq!(held_in(&whole), Some(0x0707_0707));
        for length in 0..whole.len() {
            assert_eq!(held_in(&whole[..length]), None);
        }
    }
}

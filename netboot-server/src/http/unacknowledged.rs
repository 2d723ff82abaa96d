//! What a client has not acknowledged of what was written to its TCP connection, and when it was
//! heard last.
//!
//! The system takes megabytes for a client that reads kilobytes a second, and more of them only when
//! a third of what it holds is gone: by what it takes nobody can tell how fast the client reads. It
//! says what it holds by netlink (`linux/sock_diag.h`, `linux/inet_diag.h`), without the `unsafe`
//! that the same question by `ioctl(2)` would need.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::SockProtocol;

use crate::netlink;

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// `struct inet_diag_msg`, and where `idiag_wqueue` is in it.
const MESSAGE: usize = 72;
const WQUEUE: usize = 60;
/// `INET_DIAG_INFO`, an attribute that holds `struct tcp_info`, and where in it (`linux/tcp.h`) the
/// milliseconds since the last acknowledgement are, `tcpi_last_ack_recv`.
const INFO: u16 = 2;
const LAST_ACK_RECV: usize = 56;

/// What the system knows of the client of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unacknowledged {
    /// Bytes that are held for it.
    pub(super) bytes: u64,
    /// How long ago it acknowledged anything. Who reads nothing still does that when it is asked
    /// whether it takes more.
    pub(super) silent: Duration,
}

/// That of the connection between these ends.
///
/// # Errors
///
/// Those of the socket calls, and where the system knows no such connection, or does not say.
pub(super) fn unacknowledged(local: SocketAddr, client: SocketAddr) -> io::Result<Unacknowledged> {
    let reply = netlink::ask(SockProtocol::NetlinkSockDiag, &request(local, client))?;
    let told = told_in(&reply);
    told.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the system knows no such socket"))
}

/// `struct inet_diag_req_v2`: of any state, the message itself and the one attribute.
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
    let mut body = vec![family, IPPROTO_TCP, 1 << (INFO - 1), 0];
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

fn told_in(reply: &[u8]) -> Option<Unacknowledged> {
    let number = |bytes: &[u8], at| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    let (message, attributes) = netlink::body(reply, BY_FAMILY)?.split_at_checked(MESSAGE)?;
    let info = netlink::attribute(attributes, INFO)?;
    Some(Unacknowledged {
        bytes: number(message, WQUEUE)?.into(),
        silent: Duration::from_millis(number(info, LAST_ACK_RECV)?.into()),
    })
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
            let held = || unacknowledged(address, from).expect("a socket").bytes;
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

    /// Each byte is acknowledged when it comes, and so nobody is silent for long who is sent some.
    #[test]
    fn a_client_is_silent_until_it_acknowledges_something() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("an address");
        let _client = TcpStream::connect(address).expect("a connection");
        let (mut stream, from) = listener.accept().expect("a connection");
        let silent = || unacknowledged(address, from).expect("a socket").silent;
        let a_while = Duration::from_millis(50);
        while silent() < a_while {
            std::thread::yield_now();
        }
        stream.write_all(b"?").expect("a reader");
        while silent() >= a_while {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_connection_that_is_not_there_holds_nothing_that_could_be_told() {
        let nobody: SocketAddr = "127.0.0.1:9".parse().expect("an address");
        assert!(unacknowledged(nobody, nobody).is_err());
    }

    #[test]
    fn a_reply_that_is_cut_off_anywhere_says_nothing() {
        let mut body = vec![7; MESSAGE];
        // An attribute of one byte, filled up to four, and that of `struct tcp_info`.
        for (kind, data) in [(8, vec![0; 4]), (INFO, vec![9; LAST_ACK_RECV + 4])] {
            let length = 4 + data.len() - if kind == INFO { 0 } else { 3 };
            body.extend(u16::try_from(length).expect("short").to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(data);
        }
        let whole = netlink::request(BY_FAMILY, &body);
        let told = Unacknowledged {
            bytes: 0x0707_0707,
            silent: Duration::from_millis(0x0909_0909),
        };
        assert_eq!(told_in(&whole), Some(told));
        for length in 0..whole.len() {
            assert_eq!(told_in(&whole[..length]), None);
        }
        let older = netlink::request(BY_FAMILY, &body[..MESSAGE + 8]);
        assert_eq!(told_in(&older), None, "it has no such attribute");
    }
}

//! Whether an address is in use, by an ICMP echo (RFC 2131 section 2.2, RFC 792).
//!
//! An answer within a short time means that somebody has the address; none means that it is free,
//! and is remembered for a while, so that a machine that asks again is answered at once. The DHCP
//! loop goes on meanwhile.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::echo::{MARK, answered};

/// How long an answer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(300);
/// How long an address that did not answer counts as free.
const FRESH: Duration = Duration::from_secs(60);
/// Addresses that are asked for at a time, and that are remembered. Beyond it they are not asked
/// for: whoever floods the server with newcomers delays nobody.
const MOST: usize = 1024;

const ECHO_REQUEST: u8 = 8;

/// Asks addresses on one interface.
#[derive(Debug)]
pub(super) struct Probes {
    /// Of ICMP; tokio waits for any datagram socket alike.
    socket: UdpSocket,
    id: [u8; 2],
    free: Free,
}

impl Probes {
    /// Opens a raw socket on the interface.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_RAW`.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_nonblocking(true)?;
        let [.., high, low] = std::process::id().to_be_bytes();
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            id: [high, low],
            free: Free::default(),
        })
    }

    /// Whether the address is known to be free, or cannot be asked for while `under_way` others
    /// are.
    pub(super) fn is_settled(&self, address: Ipv4Addr, under_way: usize, now: Instant) -> bool {
        under_way >= MOST || self.free.holds(address, now)
    }

    /// Sends an echo request.
    ///
    /// # Errors
    ///
    /// Those of the socket call.
    pub(super) fn ask(&self, address: Ipv4Addr) -> io::Result<()> {
        let to = SocketAddrV4::new(address, 0).into();
        self.socket.try_send_to(&echo_request(self.id), to)?;
        Ok(())
    }

    /// Keeps in mind that an address did not answer.
    pub(super) fn found_free(&mut self, address: Ipv4Addr, now: Instant) {
        self.free.add(address, now);
    }

    /// Waits for an address that answers. Cancel-safe.
    pub(super) async fn answer(&self) -> Ipv4Addr {
        loop {
            if self.socket.readable().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(address) = self.try_answer() {
                return address;
            }
        }
    }

    /// An address that has answered, where one is heard of without waiting.
    pub(super) fn try_answer(&self) -> Option<Ipv4Addr> {
        let mut packet = [0; 128];
        for _ in 0..MOST {
            match self.socket.try_recv(&mut packet) {
                Ok(length) => {
                    let packet = packet.get(..length)?;
                    if let Some(address) = answered(packet, self.id) {
                        return Some(address);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // Such as an earlier echo drew.
                Err(_) => {}
            }
        }
        None
    }
}

/// The addresses that did not answer, and when they were asked.
#[derive(Debug, Default)]
struct Free(HashMap<Ipv4Addr, Instant>);

impl Free {
    fn holds(&self, address: Ipv4Addr, now: Instant) -> bool {
        self.0
            .get(&address)
            .is_some_and(|asked| is_fresh(*asked, now))
    }

    fn add(&mut self, address: Ipv4Addr, now: Instant) {
        if self.0.len() >= MOST {
            self.0.retain(|_, asked| is_fresh(*asked, now));
        }
        if self.0.len() < MOST {
            self.0.insert(address, now);
        }
    }
}

fn is_fresh(asked: Instant, now: Instant) -> bool {
    now.saturating_duration_since(asked) < FRESH
}

fn echo_request([high, low]: [u8; 2]) -> Vec<u8> {
    let mut packet = vec![ECHO_REQUEST, 0, 0, 0, high, low, 0, 1];
    packet.extend(MARK);
    let sum = super::frame::checksum([packet.as_slice()]);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a beginning; nothing waits")]
    fn an_address_that_did_not_answer_counts_as_free_for_a_while_and_few_are_remembered() {
        let began = Instant::now();
        let address = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 + n);
        let mut free = Free::default();
        free.add(address(1), began);
        let almost = began + FRESH - Duration::from_millis(1);
        assert!(free.holds(address(1), almost) && !free.holds(address(2), almost));
        assert!(!free.holds(address(1), began + FRESH));

        for n in 2..5000 {
            free.add(address(n), almost);
        }
        assert_eq!(free.0.len(), MOST);
        free.add(address(5000), began + FRESH);
        assert!(
            free.holds(address(5000), began + FRESH),
            "the oldest has made room"
        );
    }
}

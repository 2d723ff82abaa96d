//! Who sent a DECLINE or a RELEASE: the source of the frame that it came in, which an ordinary
//! socket does not say.
//!
//! A packet socket with a filter of its own hears these few beside the servers' port. What came in
//! by both is matched by its bytes.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;

use nix::libc::ETH_P_IP;
use nix::sys::socket::{MsgFlags, bind, recv};
use socket2::{Domain, SockFilter, Socket, Type};

use super::ethernet;
use super::payload::message;
use crate::MacAddr;
use crate::driver::bpf::{
    JUMP_IF_ANY, JUMP_IF_EQUAL, LOAD_BYTE, LOAD_BYTE_INDEXED, LOAD_HALF, LOAD_HALF_INDEXED,
    LOAD_HEADER_LENGTH, RETURN,
};
use crate::value::MessageType;
use crate::wire::MessageView;

/// Messages that wait for their datagram; it comes right behind them.
const MOST: usize = 64;
const LONGEST_FRAME: usize = 2048;
/// Where a message's options begin, behind the cookie.
const OPTIONS: u32 = 240;

/// Hears who sends on one Ethernet interface.
#[derive(Debug)]
pub(in crate::driver) struct Senders {
    socket: Socket,
    /// The first came first.
    heard: VecDeque<(MacAddr, Vec<u8>)>,
}

impl Senders {
    /// Opens a packet socket on the interface; `None` where that is no Ethernet, as `lo`.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_RAW`.
    pub(in crate::driver) fn open(interface: &str, server_port: u16) -> io::Result<Option<Self>> {
        let Some((link, _)) = ethernet(interface)? else {
            return Ok(None);
        };
        let ipv4 = u16::try_from(ETH_P_IP).unwrap_or_default().to_be();
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(i32::from(ipv4).into()))?;
        socket.attach_filter(&filter(server_port))?;
        bind(socket.as_raw_fd(), &link)?;
        socket.set_nonblocking(true)?;
        Ok(Some(Self {
            socket,
            heard: VecDeque::new(),
        }))
    }

    /// Takes what has come, before the datagrams that came with it are looked at.
    pub(in crate::driver) fn listen(&mut self) {
        let mut frame = [0; LONGEST_FRAME];
        for _ in 0..MOST {
            let Ok(length) = recv(self.socket.as_raw_fd(), &mut frame, MsgFlags::empty()) else {
                return;
            };
            if let Some((source, message)) = frame.get(..length).and_then(message) {
                if self.heard.len() >= MOST {
                    self.heard.pop_front();
                }
                self.heard.push_back((MacAddr(source), message.to_vec()));
            }
        }
    }

    /// Who sent a message, where that matters; nobody's address where its frame was not heard.
    pub(in crate::driver) fn sender(
        &mut self,
        message: &MessageView<'_>,
        bytes: &[u8],
    ) -> Option<MacAddr> {
        let kind = message.message_type();
        if !matches!(kind, Some(MessageType::DECLINE | MessageType::RELEASE)) {
            return None;
        }
        let at = self.heard.iter().position(|(_, heard)| heard == bytes);
        let heard = at.and_then(|at| self.heard.remove(at));
        Some(heard.map_or(MacAddr([0; 6]), |(sender, _)| sender))
    }
}

/// First fragments to this UDP port whose first option is a DECLINE's or RELEASE's type, or is no
/// type at all, as a classic BPF program (`linux/filter.h`) over an Ethernet frame.
fn filter(port: u16) -> [SockFilter; 16] {
    let (ether_type, ip) = (12, 14);
    let (fragment, protocol) = (ip + 6, ip + 9);
    // Behind a header whose length is in the index.
    let (destination_port, first_option) = (ip + 2, ip + 8 + OPTIONS);
    let [decline, release] = [MessageType::DECLINE, MessageType::RELEASE].map(|kind| kind.0.into());
    let (none, all) = (0, 0xffff);
    [
        SockFilter::new(LOAD_HALF, 0, 0, ether_type),
        SockFilter::new(JUMP_IF_EQUAL, 0, 12, 0x0800),
        SockFilter::new(LOAD_BYTE, 0, 0, protocol),
        SockFilter::new(JUMP_IF_EQUAL, 0, 10, 17),
        SockFilter::new(LOAD_HALF, 0, 0, fragment),
        SockFilter::new(JUMP_IF_ANY, 8, 0, 0x1fff),
        SockFilter::new(LOAD_HEADER_LENGTH, 0, 0, ip),
        SockFilter::new(LOAD_HALF_INDEXED, 0, 0, destination_port),
        SockFilter::new(JUMP_IF_EQUAL, 0, 5, port.into()),
        SockFilter::new(LOAD_BYTE_INDEXED, 0, 0, first_option),
        SockFilter::new(JUMP_IF_EQUAL, 0, 4, 53),
        SockFilter::new(LOAD_BYTE_INDEXED, 0, 0, first_option + 2),
        SockFilter::new(JUMP_IF_EQUAL, 2, 0, decline),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, release),
        SockFilter::new(RETURN, 0, 0, none),
        SockFilter::new(RETURN, 0, 0, all),
    ]
}

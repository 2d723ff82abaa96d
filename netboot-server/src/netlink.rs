//! Asking the kernel something by netlink, one question at a time.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;

/// A request of this type. Numbers in it are in the host's order of bytes.
pub(crate) fn request(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = HEADER + body.len();
    let mut message = Vec::with_capacity(length);
    message.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    // Sequence and port: there is one request at a time.
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Sends a request by this protocol, and gives the reply, which is there when the request has been
/// taken. Does not wait.
///
/// # Errors
///
/// Those of the socket calls.
pub(crate) fn ask(protocol: SockProtocol, request: &[u8]) -> io::Result<Vec<u8>> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    send(netlink.as_raw_fd(), request, MsgFlags::empty())?;
    let mut reply = vec![0; 4096];
    let length = recv(netlink.as_raw_fd(), &mut reply, MsgFlags::empty())?;
    reply.truncate(length);
    Ok(reply)
}

/// What a message of this type holds behind its header; an error's has another type.
pub(crate) fn body(reply: &[u8], kind: u16) -> Option<&[u8]> {
    let length = u32::from_ne_bytes(*reply.first_chunk()?);
    let message = reply.get(..usize::try_from(length).ok()?)?;
    let (header, body) = message.split_first_chunk::<HEADER>()?;
    let [_, _, _, _, low, high, ..] = *header;
    (u16::from_ne_bytes([low, high]) == kind).then_some(body)
}

/// What the first attribute of this type holds (`struct rtattr`).
pub(crate) fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let [a, b, c, d] = *attributes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let data = attributes.get(4..length)?;
        if u16::from_ne_bytes([c, d]) == wanted {
            return Some(data);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

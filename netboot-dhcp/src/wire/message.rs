//! An owned message that can be changed and encoded.
//!
//! Decoding keeps all that encoding needs to write the same options in the same order again,
//! malformed ones excepted; those are reported by the view.

use super::{BROADCAST_FLAG, DecodeError, EncodeError, Encoding, MessageView, Options, encode};
use crate::HardwareAddr;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::Ipv4Addr;

/// A DHCP message: the fields of RFC 2131 section 2 under their names there, and the options. It is
/// displayed and serialized as [`MessageView`] is.
///
/// ```
/// use netboot_dhcp::wire::{Message, OptionCode};
///
/// let mut discover = Message::request(0xdead_beef, "52:54:00:12:34:56".parse()?);
/// discover.options.put_raw(OptionCode::MESSAGE_TYPE, &[1]);
/// let packet = discover.to_bytes()?;
/// assert_eq!(packet.len(), 300);
/// assert_eq!(&packet[236..244], &[99, 130, 83, 99, 53, 1, 1, 255]);
/// assert_eq!(Message::decode(&packet)?, discover);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Message direction: 1 from a client, 2 from a server.
    pub op: u8,
    /// Hardware type: 1 for Ethernet.
    pub htype: u8,
    /// How many bytes of `chaddr` count; above 16 it is kept, and read as 16.
    pub hlen: u8,
    /// How many relay agents the message passed.
    pub hops: u8,
    /// The transaction number that the client chose.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// Bit 15 asks for broadcast.
    pub flags: u16,
    /// The address that the client has.
    pub ciaddr: Ipv4Addr,
    /// The address that the server gives.
    pub yiaddr: Ipv4Addr,
    /// The server of the next boot step.
    pub siaddr: Ipv4Addr,
    /// The relay agent's address.
    pub giaddr: Ipv4Addr,
    /// The client's hardware address, padded with zeros.
    pub chaddr: [u8; 16],
    /// The boot server's name, ended by NUL. Not looked at where options lie here.
    pub sname: [u8; 64],
    /// The boot file's name, ended by NUL. Not looked at where options lie here.
    pub file: [u8; 128],
    /// The options.
    pub options: Options,
}

impl Message {
    /// A client's message with this transaction number and hardware address, and nothing else yet.
    #[must_use]
    pub fn request(xid: u32, hardware: HardwareAddr) -> Self {
        Self::empty(super::BOOTREQUEST, xid, hardware)
    }

    /// A server's message with this transaction number and hardware address, and nothing else yet.
    #[must_use]
    pub fn reply(xid: u32, hardware: HardwareAddr) -> Self {
        Self::empty(super::BOOTREPLY, xid, hardware)
    }

    /// Reads a message into an owned one. Malformed options are left out: look at
    /// [`MessageView::options`] for them.
    ///
    /// # Errors
    ///
    /// As [`MessageView::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        MessageView::decode(bytes).map(|view| Self::from(&view))
    }

    /// The message in bytes, by the default [`Encoding`].
    ///
    /// # Errors
    ///
    /// As [`Self::encode`].
    pub fn to_bytes(&self) -> Result<Bytes, EncodeError> {
        let mut out = Vec::new();
        self.encode(&Encoding::default(), &mut out)?;
        Ok(Bytes::from(out))
    }

    /// Writes the message into `out`, which is cleared first and may be used again and again.
    ///
    /// # Errors
    ///
    /// The options do not fit. `out` is empty then: a message is never cut.
    pub fn encode(&self, encoding: &Encoding, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode::encode(self, encoding, out)
    }

    /// The client's hardware address: `hlen` bytes of `chaddr`, at most 16.
    #[must_use]
    pub const fn hardware(&self) -> HardwareAddr {
        HardwareAddr::cut(self.htype, self.hlen, self.chaddr)
    }

    /// Whether the client asks for replies by broadcast.
    #[must_use]
    pub const fn broadcast(&self) -> bool {
        self.flags & BROADCAST_FLAG != 0
    }

    fn empty(op: u8, xid: u32, hardware: HardwareAddr) -> Self {
        let (htype, hlen, chaddr) = hardware.parts();
        Self {
            op,
            htype,
            hlen,
            hops: 0,
            xid,
            secs: 0,
            flags: 0,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            sname: [0; 64],
            file: [0; 128],
            options: Options::new(),
        }
    }
}

impl From<&MessageView<'_>> for Message {
    fn from(view: &MessageView<'_>) -> Self {
        Self {
            op: view.op(),
            htype: view.htype(),
            hlen: view.hlen(),
            hops: view.hops(),
            xid: view.xid(),
            secs: view.secs(),
            flags: view.flags(),
            ciaddr: view.ciaddr(),
            yiaddr: view.yiaddr(),
            siaddr: view.siaddr(),
            giaddr: view.giaddr(),
            chaddr: view.chaddr_field(),
            sname: *view.sname(),
            file: *view.file(),
            options: Options::of(view),
        }
    }
}

//! A received message read where it lies.
//!
//! [`MessageView::decode`] checks once that header and magic cookie are there; that pays for every
//! accessor. Header fields have fixed places inside the checked 240 bytes, options are read by an
//! iterator that reports what is malformed, so that no accessor can fail or panic. RFC 2131
//! section 2 has the layout.

use super::option::{FILE_AT, SNAME_AT};
use super::{Anomaly, BROADCAST_FLAG, HEADER_LEN, MAGIC_COOKIE, OptionCode, OptionIter, RawOption};
use crate::value::{Key, MessageType, ReadError, Value, key};
use crate::{HardwareAddr, MacAddr};
use alloc::{borrow::Cow, vec::Vec};
use core::net::Ipv4Addr;
use thiserror::Error;

/// Bytes that are not a DHCP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer bytes than header and magic cookie have.
    #[error("a DHCP message has at least 240 bytes, this one has {len}")]
    TooShort {
        /// The bytes that there are.
        len: usize,
    },
    /// A BOOTP message: a header without DHCP's magic cookie behind it.
    #[error("no DHCP magic cookie at offset 236 but {found:02x?}: plain BOOTP")]
    Bootp {
        /// The four bytes in the cookie's place.
        found: [u8; 4],
    },
}

/// A DHCP message that borrows its bytes. Displayed, it is its header and all its options, each of
/// a known type as that; with the feature `serde` it is serialized so, too.
///
/// ```
/// use netboot_dhcp::value::MessageType;
/// use netboot_dhcp::wire::{DecodeError, MessageView, OptionCode};
///
/// let mut packet = [0_u8; 300];
/// packet[..3].copy_from_slice(&[1, 1, 6]);
/// packet[4..8].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
/// packet[28..34].copy_from_slice(&[0x52, 0x54, 0, 0x12, 0x34, 0x56]);
/// assert!(matches!(MessageView::decode(&packet), Err(DecodeError::Bootp { .. })));
///
/// packet[236..244].copy_from_slice(&[99, 130, 83, 99, 53, 1, 1, 255]);
/// let view = MessageView::decode(&packet)?;
/// assert_eq!(view.xid(), 0xdead_beef);
/// assert_eq!(view.mac().unwrap().to_string(), "52:54:00:12:34:56");
/// assert_eq!(view.message_type(), Some(MessageType::DISCOVER));
/// assert_eq!(view.raw(OptionCode::LEASE_TIME), None);
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct MessageView<'a> {
    bytes: &'a [u8],
    header: &'a [u8; HEADER_LEN],
    options: &'a [u8],
}

impl<'a> MessageView<'a> {
    /// Reads `bytes` as a message. The options are not judged here: see [`Self::options`].
    ///
    /// # Errors
    ///
    /// Fewer than 240 bytes, or no magic cookie.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((header, options)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(DecodeError::TooShort { len: bytes.len() });
        };
        let found = [header[236], header[237], header[238], header[239]];
        if found != MAGIC_COOKIE {
            return Err(DecodeError::Bootp { found });
        }
        Ok(Self {
            bytes,
            header,
            options,
        })
    }

    /// The whole message.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// `op`: 1 from a client, 2 from a server.
    #[must_use]
    pub const fn op(&self) -> u8 {
        self.header[0]
    }

    /// `htype`: the hardware type, 1 for Ethernet.
    #[must_use]
    pub const fn htype(&self) -> u8 {
        self.header[1]
    }

    /// `hlen` as it was sent: it may be above 16, which [`Self::chaddr`] never is.
    #[must_use]
    pub const fn hlen(&self) -> u8 {
        self.header[2]
    }

    /// `hops`: how many relay agents the message passed.
    #[must_use]
    pub const fn hops(&self) -> u8 {
        self.header[3]
    }

    /// `xid`: the transaction number that the client chose.
    #[must_use]
    pub const fn xid(&self) -> u32 {
        let h = self.header;
        u32::from_be_bytes([h[4], h[5], h[6], h[7]])
    }

    /// `secs`: seconds since the client began.
    #[must_use]
    pub const fn secs(&self) -> u16 {
        u16::from_be_bytes([self.header[8], self.header[9]])
    }

    /// `flags`: bit 15 asks for broadcast, the others are reserved.
    #[must_use]
    pub const fn flags(&self) -> u16 {
        u16::from_be_bytes([self.header[10], self.header[11]])
    }

    /// Whether the client asks for replies by broadcast.
    #[must_use]
    pub const fn broadcast(&self) -> bool {
        self.flags() & BROADCAST_FLAG != 0
    }

    /// `ciaddr`: the address that the client has and answers ARP for, or 0.0.0.0.
    #[must_use]
    pub const fn ciaddr(&self) -> Ipv4Addr {
        let h = self.header;
        Ipv4Addr::new(h[12], h[13], h[14], h[15])
    }

    /// `yiaddr`: the address that the server gives.
    #[must_use]
    pub const fn yiaddr(&self) -> Ipv4Addr {
        let h = self.header;
        Ipv4Addr::new(h[16], h[17], h[18], h[19])
    }

    /// `siaddr`: the server that the next boot step asks.
    #[must_use]
    pub const fn siaddr(&self) -> Ipv4Addr {
        let h = self.header;
        Ipv4Addr::new(h[20], h[21], h[22], h[23])
    }

    /// `giaddr`: the relay agent's address on the client's network, or 0.0.0.0.
    #[must_use]
    pub const fn giaddr(&self) -> Ipv4Addr {
        let h = self.header;
        Ipv4Addr::new(h[24], h[25], h[26], h[27])
    }

    /// The 16 bytes of `chaddr`, used or not.
    #[must_use]
    pub fn chaddr_field(&self) -> [u8; 16] {
        let mut field = [0; 16];
        field.copy_from_slice(&self.header[28..44]);
        field
    }

    /// `chaddr`: the client's hardware address, `hlen` bytes but at most 16.
    #[must_use]
    pub fn chaddr(&self) -> &'a [u8] {
        let field = &self.header[28..44];
        field.get(..usize::from(self.hlen())).unwrap_or(field)
    }

    /// `htype` and `chaddr` as one value.
    #[must_use]
    pub fn hardware(&self) -> HardwareAddr {
        HardwareAddr::cut(self.htype(), self.hlen(), self.chaddr_field())
    }

    /// The client's MAC address, where it is one: Ethernet and six bytes.
    #[must_use]
    pub fn mac(&self) -> Option<MacAddr> {
        self.hardware().mac()
    }

    /// The 64 bytes of `sname`; options, where option 52 says so.
    #[must_use]
    pub fn sname(&self) -> &'a [u8; 64] {
        match self.header[SNAME_AT..].first_chunk() {
            Some(field) => field,
            None => &[0; 64],
        }
    }

    /// The 128 bytes of `file`; options, where option 52 says so.
    #[must_use]
    pub fn file(&self) -> &'a [u8; 128] {
        match self.header[FILE_AT..].first_chunk() {
            Some(field) => field,
            None => &[0; 128],
        }
    }

    /// The options in their order, and the places where one is malformed.
    #[must_use]
    pub fn options(&self) -> OptionIter<'a> {
        OptionIter::new(self.options, self.file(), self.sname())
    }

    /// The bytes of one option: all its occurrences joined in order (RFC 3396 section 7).
    #[must_use]
    pub fn raw(&self, code: OptionCode) -> Option<Cow<'a, [u8]>> {
        join(self.instances(code).map(|option| option.data))
    }

    /// One option as a typed value, or `None` where the message does not have it.
    ///
    /// Where the type has one length and the first occurrence has it, that occurrence is the value
    /// and repetitions are passed over.
    ///
    /// # Errors
    ///
    /// The option is there, and its bytes are not such a value.
    pub fn read<T: Value>(&self, key: Key<T>) -> Result<Option<T>, ReadError> {
        key.read(self.instances(key.code()).map(|option| option.data))
    }

    /// Option 53, or `None` where it is absent or not one byte.
    #[must_use]
    pub fn message_type(&self) -> Option<MessageType> {
        self.read(key::MESSAGE_TYPE).ok().flatten()
    }

    /// The boot file's name: option 67, else `file` unless it holds options; without the NUL behind
    /// it. `None` where it is empty.
    #[must_use]
    pub fn boot_file(&self) -> Option<Cow<'a, [u8]>> {
        self.folded(OptionCode::BOOT_FILE_NAME, self.file(), 1)
    }

    /// The boot server's name: option 66, else `sname` unless it holds options; without the NUL
    /// behind it. `None` where it is empty.
    #[must_use]
    pub fn server_name(&self) -> Option<Cow<'a, [u8]>> {
        self.folded(OptionCode::TFTP_SERVER_NAME, self.sname(), 2)
    }

    /// What is not as the RFCs have it written, in the order of reading; none of it keeps a message
    /// from being read.
    #[must_use]
    pub fn anomalies(&self) -> Vec<Anomaly> {
        let mut found = Vec::new();
        if usize::from(self.hlen()) > 16 {
            found.push(Anomaly::HardwareLength { hlen: self.hlen() });
        }
        self.options().anomalies(&mut found);
        found
    }

    fn instances(&self, code: OptionCode) -> impl Iterator<Item = RawOption<'a>> + Clone + use<'a> {
        self.options()
            .filter_map(Result::ok)
            .filter(move |option| option.code == code)
    }

    fn folded(&self, code: OptionCode, field: &'a [u8], bit: u8) -> Option<Cow<'a, [u8]>> {
        let value = self.raw(code).or_else(|| {
            let overloaded = self.options().overload_after_walk() & bit != 0;
            (!overloaded).then_some(Cow::Borrowed(field))
        })?;
        let len = value.iter().position(|byte| *byte == 0);
        let value = match (value, len) {
            (value, None) => value,
            (Cow::Borrowed(bytes), Some(len)) => Cow::Borrowed(bytes.get(..len)?),
            (Cow::Owned(mut bytes), Some(len)) => {
                bytes.truncate(len);
                Cow::Owned(bytes)
            }
        };
        (!value.is_empty()).then_some(value)
    }
}

/// Joins the fragments of one option; borrows where there is one.
pub(crate) fn join<'a>(mut fragments: impl Iterator<Item = &'a [u8]>) -> Option<Cow<'a, [u8]>> {
    let mut joined = Cow::Borrowed(fragments.next()?);
    for fragment in fragments {
        joined.to_mut().extend_from_slice(fragment);
    }
    Some(joined)
}

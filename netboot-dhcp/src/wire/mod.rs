//! The wire format of DHCPv4: the BOOTP header, the options behind it, and nothing of their
//! meaning.
//!
//! [`MessageView`] reads bytes where they lie; [`Message`] owns an ordered copy that can be changed
//! and encoded. Both keep what they do not understand. RFC 2131 section 2 (header), RFC 2132
//! section 2 (option layout), RFC 3396 (long options), option 52 (overload).

mod code;
mod encode;
mod message;
mod option;
mod options;
mod summary;
mod tlv;
mod view;

pub use code::OptionCode;
pub use encode::{EncodeError, Encoding};
pub use message::Message;
pub use option::{Anomaly, Area, OptionError, OptionIter, RawOption};
pub use options::Options;
pub use view::{DecodeError, MessageView};

pub(crate) use tlv::tlv;
pub(crate) use view::join;

/// The four bytes that tell DHCP options from a plain BOOTP vendor area (RFC 2131 section 3).
pub const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The UDP port a server listens on, and to which a reply to a relay agent goes.
pub const SERVER_PORT: u16 = 67;

/// The UDP port a client listens on.
pub const CLIENT_PORT: u16 = 68;

/// The UDP port of PXE boot servers (Intel's PXE 2.1 specification, section 2.2.1).
pub const BOOT_SERVER_PORT: u16 = 4011;

/// The bytes before the first option: the BOOTP header and the magic cookie.
pub const HEADER_LEN: usize = 240;

/// The shortest BOOTP message (RFC 951); old boot ROMs drop what is shorter.
pub const MIN_MESSAGE_LEN: usize = 300;

/// `op` of a message from a client.
pub const BOOTREQUEST: u8 = 1;

/// `op` of a message from a server.
pub const BOOTREPLY: u8 = 2;

/// The bit of `flags` by which a client says that it cannot receive unicast yet.
pub const BROADCAST_FLAG: u16 = 0x8000;

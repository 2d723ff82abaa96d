//! Option 43 as PXE has it: its sub-options (Intel's PXE 2.1 specification, table 2-1).
//!
//! A sub-option is read as a type by [`SubOptions::read`](super::SubOptions::read).

use super::{SubOptionsError, Text, Value, ValueError, exactly};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::Ipv4Addr;

/// 1: the address that a file is sent to by multicast TFTP, an [`Ipv4Addr`].
pub const MTFTP_ADDRESS: u8 = 1;
/// 2: the client's port for it, a `u16` in the host's order of bytes.
pub const MTFTP_CLIENT_PORT: u8 = 2;
/// 3: the server's port for it, a `u16` in the host's order of bytes.
pub const MTFTP_SERVER_PORT: u8 = 3;
/// 4: seconds without a packet until the client asks for itself, a `u8`.
pub const MTFTP_TIMEOUT: u8 = 4;
/// 5: seconds to listen before the client asks, a `u8`.
pub const MTFTP_DELAY: u8 = 5;
/// 6: how to look for boot servers, one byte of the bits below.
pub const DISCOVERY_CONTROL: u8 = 6;
/// 7: the multicast address to look for boot servers at, an [`Ipv4Addr`].
pub const DISCOVERY_MULTICAST: u8 = 7;
/// 8: boot servers by type, a list of [`BootServer`]. With [`USE_BOOT_FILE`] leave it out: newer
/// EDK2 would use it.
pub const BOOT_SERVERS: u8 = 8;
/// 9: the boot menu, a list of [`MenuItem`].
pub const BOOT_MENU: u8 = 9;
/// 10: the menu's prompt, a [`MenuPrompt`].
pub const MENU_PROMPT: u8 = 10;
/// 11: whether multicast addresses are allocated.
pub const MULTICAST_ALLOCATION: u8 = 11;
/// 12: the types of credentials that the client takes.
pub const CREDENTIAL_TYPES: u8 = 12;
/// 71: the menu item that was chosen, a [`BootItem`].
pub const BOOT_ITEM: u8 = 71;

/// Bit 0 of [`DISCOVERY_CONTROL`]: no discovery by broadcast.
pub const NO_BROADCAST: u8 = 1;
/// Bit 1: no discovery by multicast.
pub const NO_MULTICAST: u8 = 2;
/// Bit 2: only the servers in [`BOOT_SERVERS`].
pub const ONLY_LISTED: u8 = 4;
/// Bit 3: no discovery at all, take the boot file of this offer.
pub const USE_BOOT_FILE: u8 = 8;

/// The boot servers of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootServer {
    kind: u16,
    addresses: Vec<Ipv4Addr>,
}

impl BootServer {
    /// The boot servers of a type.
    ///
    /// # Errors
    ///
    /// More than 255 addresses.
    pub fn new(kind: u16, addresses: Vec<Ipv4Addr>) -> Result<Self, SubOptionsError> {
        let (code, len) = (BOOT_SERVERS, addresses.len());
        if len > 255 {
            return Err(SubOptionsError::TooLong { code, len });
        }
        Ok(Self { kind, addresses })
    }

    /// The type: the one of a [`MenuItem`].
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.kind
    }

    /// Their addresses.
    #[must_use]
    pub fn addresses(&self) -> &[Ipv4Addr] {
        &self.addresses
    }
}

/// A list, which may be empty.
impl Value for Vec<BootServer> {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        counted_items(data, 4).map(|items| {
            let server = |(kind, data): (u16, &[u8])| {
                let (addresses, _) = data.as_chunks::<4>();
                let addresses = addresses.iter().map(|one| Ipv4Addr::from(*one)).collect();
                BootServer { kind, addresses }
            };
            items.into_iter().map(server).collect()
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for server in self {
            out.extend(server.kind.to_be_bytes());
            // `new` and `decode` let no more than 255 in.
            out.push(u8::try_from(server.addresses.len()).unwrap_or(u8::MAX));
            out.extend(server.addresses.iter().flat_map(Ipv4Addr::octets));
        }
    }
}

/// One line of the boot menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuItem {
    kind: u16,
    text: Bytes,
}

impl MenuItem {
    /// A line of the menu.
    ///
    /// # Errors
    ///
    /// More than 255 bytes of text.
    pub fn new(kind: u16, text: &[u8]) -> Result<Self, SubOptionsError> {
        let (code, len) = (BOOT_MENU, text.len());
        if len > 255 {
            return Err(SubOptionsError::TooLong { code, len });
        }
        let text = Bytes::copy_from_slice(text);
        Ok(Self { kind, text })
    }

    /// The type of boot server that it stands for; 0 is the local disk.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.kind
    }

    /// What the menu shows.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

/// A list, which may be empty.
impl Value for Vec<MenuItem> {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        counted_items(data, 1).map(|items| {
            let item = |(kind, text)| MenuItem {
                kind,
                text: Bytes::copy_from_slice(text),
            };
            items.into_iter().map(item).collect()
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for item in self {
            out.extend(item.kind.to_be_bytes());
            // `new` and `decode` let no more than 255 bytes in.
            out.push(u8::try_from(item.text.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(&item.text);
        }
    }
}

/// What is shown before the menu, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuPrompt {
    /// Seconds until the first item is taken: 0 at once, 255 never.
    pub timeout: u8,
    /// The prompt.
    pub text: Text,
}

impl Value for MenuPrompt {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let [timeout, text @ ..] = data else {
            return Err(ValueError::TooShort { least: 1, found: 0 });
        };
        Ok(Self {
            timeout: *timeout,
            text: Text::decode(text)?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.timeout);
        self.text.encode(out);
    }
}

/// The menu item that a client asks a boot server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootItem {
    /// The type of boot server.
    pub kind: u16,
    /// The layer of the boot: 0 is the first program; bit 15 asks for its credentials.
    pub layer: u16,
}

impl Value for BootItem {
    const LEN: Option<usize> = Some(4);

    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let [a, b, c, d] = exactly(data)?;
        Ok(Self {
            kind: u16::from_be_bytes([a, b]),
            layer: u16::from_be_bytes([c, d]),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.kind.to_be_bytes());
        out.extend(self.layer.to_be_bytes());
    }
}

/// Items of a type, a count, and as many units of `unit` bytes.
fn counted_items(data: &[u8], unit: usize) -> Result<Vec<(u16, &[u8])>, ValueError> {
    let mut items = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let offset = data.len() - rest.len();
        let split = rest.split_first_chunk::<3>().and_then(|(head, rest)| {
            let [high, low, count] = *head;
            let kind = u16::from_be_bytes([high, low]);
            let (data, after) = rest.split_at_checked(usize::from(count) * unit)?;
            Some((kind, data, after))
        });
        let Some((kind, item, after)) = split else {
            return Err(ValueError::Truncated { offset });
        };
        items.push((kind, item));
        rest = after;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back<T: Value>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        value.encode(&mut out);
        out
    }

    #[test]
    fn boot_servers_and_menu_are_lists_by_type() {
        let wire = [0x80, 0, 2, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0];
        let servers = Vec::<BootServer>::decode(&wire).unwrap();
        assert_eq!(servers[0].kind, 0x8000);
        assert_eq!(servers[0].addresses[1], Ipv4Addr::new(10, 0, 0, 2));
        assert!(servers[1].addresses.is_empty());
        assert_eq!(back(&servers), wire);
        let wire = b"\0\0\x05Local\x80\x01\x04iPXE";
        let menu = Vec::<MenuItem>::decode(wire).unwrap();
        assert_eq!((menu[1].kind, &menu[1].text[..]), (0x8001, &b"iPXE"[..]));
        assert_eq!(back(&menu), wire);
    }

    #[test]
    fn list_that_ends_inside_an_item_is_an_error_with_its_offset() {
        let offset = 3;
        assert_eq!(
            Vec::<BootServer>::decode(&[0, 0, 0, 0, 1, 1, 10, 0, 0]),
            Err(ValueError::Truncated { offset })
        );
        assert_eq!(
            Vec::<MenuItem>::decode(&[0, 0, 0, 0, 1]),
            Err(ValueError::Truncated { offset })
        );
    }

    #[test]
    fn prompt_and_item_have_their_numbers_before_and_between() {
        let prompt = MenuPrompt::decode(b"\x0aPress F8").unwrap();
        assert_eq!((prompt.timeout, prompt.text.0.as_str()), (10, "Press F8"));
        assert_eq!(back(&prompt), b"\x0aPress F8");
        assert!(MenuPrompt::decode(&[]).is_err());
        let item = BootItem::decode(&[0x80, 1, 0x80, 0]).unwrap();
        assert_eq!((item.kind, item.layer), (0x8001, 0x8000));
        assert_eq!(back(&item), [0x80, 1, 0x80, 0]);
        assert!(BootItem::decode(&[0, 0]).is_err());
    }
}

//! Replies: which options go out, in which order, for which firmware.
//!
//! The order and the pairs are what boot firmware needs. Firmware that sees option 60 without 43
//! behind it asks a boot server on port 4011: an OFFER with an address has both or neither, a
//! proxy's OFFER to UEFI has 60 alone, since older EDK2 drops the first proxy's OFFER with 43. 66
//! and 67 end with NUL; 97 is echoed if it was sent; 82 is last (RFC 3046 section 2.2).

use super::request::Request;
use super::{Boot, Destination, ExtraOption, Firmware, Network, Settings};
use crate::Seconds;
use crate::value::{MessageType, Text, ipxe, key, pxe, raspberry_pi};
use crate::wire::{BROADCAST_FLAG, EncodeError, Encoding, Message, OptionCode, Options};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::Ipv4Addr;

/// IPv4 and UDP headers, which option 57 counts and the message does not.
const IP_AND_UDP: usize = 28;

/// What ends PXE's sub-options in option 43.
const PXE_END: u8 = 255;

/// The largest message that Ethernet carries in one piece.
const MAX_MESSAGE: usize = 1500 - IP_AND_UDP;

pub(super) struct Answer<'a> {
    pub(super) settings: &'a Settings,
    pub(super) network: &'a Network,
    pub(super) request: &'a Request,
    pub(super) boot: &'a Boot,
}

impl Answer<'_> {
    /// An OFFER or ACK. Without `lease_time` it is the ACK to an INFORM, which gives no address.
    pub(super) fn accept(
        &self,
        kind: MessageType,
        yiaddr: Ipv4Addr,
        lease_time: Option<Seconds>,
    ) -> Result<Bytes, EncodeError> {
        let mut message = self.header(kind);
        message.yiaddr = yiaddr;
        if kind == MessageType::ACK {
            message.ciaddr = self.request.confirmed_ciaddr();
        }
        if self.request.rapid && kind == MessageType::ACK {
            message.options.add_raw(OptionCode::RAPID_COMMIT, &[]);
        }
        if let Some(lease_time) = lease_time {
            let options = &mut message.options;
            options.add(key::LEASE_TIME, &lease_time);
            // What never ends is not renewed.
            if lease_time != Seconds::INFINITE {
                let Seconds(seconds) = lease_time;
                options.add(key::RENEWAL_TIME, &Seconds(seconds / 2));
                options.add(key::REBINDING_TIME, &Seconds(seconds - seconds / 8));
            }
        }
        self.put_network(&mut message);
        self.put_boot(&mut message);
        self.put_extras(&mut message);
        self.put_echoes(&mut message);
        self.fit(message)
    }

    /// A proxy's OFFER: what to boot, or where to ask for it, and no address.
    pub(super) fn proxy_offer(&self) -> Result<Bytes, EncodeError> {
        let mut message = self.header(MessageType::OFFER);
        // A relay agent has no address either to send it to.
        message.flags |= BROADCAST_FLAG;
        if self.request.asks_boot_server() {
            message.siaddr = self.network.server;
            self.put_pxe_class(&mut message);
        } else {
            self.put_file(&mut message);
            match self.request.firmware {
                Firmware::HttpClient => put_http_class(&mut message),
                _ => self.put_pxe(&mut message),
            }
        }
        self.put_machine_id(&mut message);
        self.put_extras(&mut message);
        self.put_echoes(&mut message);
        self.fit(message)
    }

    /// A boot server's ACK: what to boot, for a client that has its address.
    pub(super) fn boot_server_ack(&self) -> Result<Bytes, EncodeError> {
        let mut message = self.header(MessageType::ACK);
        message.ciaddr = self.request.ciaddr;
        self.put_file(&mut message);
        let mut name = Vec::new();
        write_address(message.siaddr, &mut name);
        // Shorter than the field by far.
        for (slot, byte) in message.sname.iter_mut().zip(name) {
            *slot = byte;
        }
        self.put_pxe_class(&mut message);
        if let Some([a, b, c, d]) = self.request.boot_item {
            let item = [pxe::BOOT_ITEM, 4, a, b, c, d, PXE_END];
            message.options.add_raw(OptionCode::VENDOR_SPECIFIC, &item);
        }
        self.put_machine_id(&mut message);
        self.put_extras(&mut message);
        self.put_echoes(&mut message);
        self.fit(message)
    }

    /// A NAK, which carries nothing but its reason (RFC 2131 table 3).
    pub(super) fn refuse(&self, reason: &str) -> Result<Bytes, EncodeError> {
        let mut message = self.header(MessageType::NAK);
        if !message.giaddr.is_unspecified() {
            // The relay agent must not send it to an address that the client should not have.
            message.flags |= BROADCAST_FLAG;
        }
        message.options.add(key::MESSAGE, &Text::from(reason));
        self.put_echoes(&mut message);
        self.fit(message)
    }

    pub(super) fn destination(&self, kind: MessageType, yiaddr: Ipv4Addr) -> Destination {
        self.request.path.destination(
            kind,
            yiaddr,
            self.settings.server_port,
            self.settings.client_port,
        )
    }

    fn header(&self, kind: MessageType) -> Message {
        let path = &self.request.path;
        let mut message = Message::reply(self.request.xid, path.hardware);
        message.flags = self.request.flags;
        message.giaddr = path.giaddr;
        message.options = Options::with_capacity(24, MAX_MESSAGE / 4);
        message.options.add(key::MESSAGE_TYPE, &kind);
        message
            .options
            .add(key::SERVER_ID, &self.request.identity(self.network));
        message
    }

    fn put_network(&self, message: &mut Message) {
        let network = self.network;
        let options = &mut message.options;
        options.add(key::SUBNET_MASK, &network.subnet.mask());
        let mut list = |key: key::Key<Vec<Ipv4Addr>>, addresses: &Vec<Ipv4Addr>| {
            if !addresses.is_empty() && self.request.asks_for(key.code()) {
                options.add(key, addresses);
            }
        };
        list(key::ROUTERS, &network.gateways);
        list(key::DNS_SERVERS, &network.dns);
        if network.subnet.has_broadcast() && self.request.asks_for(OptionCode::BROADCAST_ADDRESS) {
            options.add(key::BROADCAST_ADDRESS, &network.subnet.broadcast());
        }
        if let Some(domain) = &network.domain
            && self.request.asks_for(OptionCode::DOMAIN_NAME)
        {
            options.add_raw(OptionCode::DOMAIN_NAME, domain.as_bytes());
        }
        let reserved = self.request.reservation(network);
        let host_name = self.boot.host_name.as_ref();
        let host_name = host_name.or_else(|| reserved?.host_name.as_ref());
        if let Some(name) = host_name
            && self.request.asks_for(OptionCode::HOST_NAME)
        {
            options.add_raw(OptionCode::HOST_NAME, name.as_bytes());
        }
    }

    fn put_boot(&self, message: &mut Message) {
        if self.boot.file.is_some() {
            self.put_file(message);
            match self.request.firmware {
                Firmware::PxeClient => self.put_pxe(message),
                Firmware::HttpClient => put_http_class(message),
                // U-Boot reads the file and nothing else of it.
                Firmware::Ipxe | Firmware::UBoot | Firmware::Other => {}
            }
        } else if let Some(next_server) = self.boot.next_server {
            message.siaddr = next_server;
        }
        self.put_machine_id(message);
        // Without a file, a proxy may still have one for it.
        if self.request.firmware == Firmware::Ipxe && self.boot.file.is_some() {
            message
                .options
                .add_raw(OptionCode::IPXE, &[ipxe::NO_PROXY_DHCP, 1, 1]);
        }
    }

    /// The boot file and its server, each in its header field and its option.
    fn put_file(&self, message: &mut Message) {
        let Some(file) = &self.boot.file else {
            return;
        };
        message.siaddr = self.boot.next_server.unwrap_or(self.network.server);
        // A name that does not fit `file` with its NUL is in option 67 alone.
        if file.len() < message.file.len()
            && let Some(field) = message.file.get_mut(..file.len())
        {
            field.copy_from_slice(file.as_bytes());
        }
        if self.request.firmware != Firmware::HttpClient {
            let next_server = message.siaddr;
            self.put_boot_text(message, OptionCode::TFTP_SERVER_NAME, |out| {
                write_address(next_server, out);
            });
        }
        self.put_boot_text(message, OptionCode::BOOT_FILE_NAME, |out| {
            out.extend_from_slice(file.as_bytes());
        });
    }

    /// 60, and 43 behind it: "take the boot file of this offer, and look for no boot server".
    fn put_pxe(&self, message: &mut Message) {
        self.put_pxe_class(message);
        if self.request.is_raspberry_pi() {
            let menu = raspberry_pi::boot_menu();
            message.options.add(key::VENDOR_SPECIFIC, &menu);
        } else {
            let control = [pxe::DISCOVERY_CONTROL, 1, pxe::USE_BOOT_FILE, PXE_END];
            message
                .options
                .add_raw(OptionCode::VENDOR_SPECIFIC, &control);
        }
    }

    /// The client's class as PXE's server says it; that of another vendor as the client says it.
    fn put_pxe_class(&self, message: &mut Message) {
        let class = self.request.other_class.as_deref();
        let class = class.unwrap_or(b"PXEClient");
        message.options.add_raw(OptionCode::VENDOR_CLASS, class);
    }

    fn put_machine_id(&self, message: &mut Message) {
        if let Some(id) = &self.request.machine_id {
            message.options.add(key::MACHINE_ID, id);
        }
    }

    /// 66 or 67: with a NUL behind it for firmware, and for systems only if they ask.
    fn put_boot_text(
        &self,
        message: &mut Message,
        code: OptionCode,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let boots = self.request.firmware.is_boot_stage();
        if !boots && !self.request.asks_for(code) {
            return;
        }
        message.options.add_with(code, |out| {
            write(out);
            if boots {
                out.push(0);
            }
        });
    }

    fn put_extras(&self, message: &mut Message) {
        let asked = |option: &&ExtraOption| self.request.asks_for(option.code);
        let network = self.network.options.iter().filter(asked);
        for option in network.chain(&self.boot.options) {
            if !ExtraOption::is_protocol(option.code) {
                message.options.put_raw(option.code, &option.data);
            }
        }
    }

    fn put_echoes(&self, message: &mut Message) {
        // RFC 6842: a client may tell replies apart by it.
        if let Some(id) = &self.request.client_id {
            message.options.add(key::CLIENT_ID, id);
        }
        // Without it, a client that asked for a subnet drops the reply (RFC 3011 section 2).
        let subnet = self.request.subnet;
        if let Some(subnet) = subnet.filter(|one| self.network.subnet.contains(*one)) {
            message.options.add(key::SUBNET_SELECTION, &subnet);
        }
        if let Some(agent) = &self.request.relay_agent {
            message.options.add_raw(OptionCode::RELAY_AGENT, agent);
        }
    }

    /// Encodes within what the client takes, leaving out from the end what it can do without.
    fn fit(&self, mut message: Message) -> Result<Bytes, EncodeError> {
        let mut encoding = Encoding::default();
        let limit = usize::from(self.request.max_size) - IP_AND_UDP;
        encoding.limit = limit.min(MAX_MESSAGE);
        let mut out = Vec::new();
        let mut result = message.encode(&encoding, &mut out);
        if result.is_err() && self.settings.overload {
            encoding.overload = true;
            let mut packed = message.clone();
            if packed.options.contains(OptionCode::BOOT_FILE_NAME) {
                packed.file = [0; 128];
            }
            result = packed.encode(&encoding, &mut out);
            if result.is_ok() {
                return Ok(out.into());
            }
            encoding.overload = false;
        }
        while result.is_err() {
            let spare = message.options.iter().map(|(code, _)| code);
            let Some(code) = spare.filter(|code| !is_needed(*code)).last() else {
                break;
            };
            message.options.remove(code);
            result = message.encode(&encoding, &mut out);
        }
        result.map(|()| out.into())
    }
}

fn put_http_class(message: &mut Message) {
    message
        .options
        .add_raw(OptionCode::VENDOR_CLASS, b"HTTPClient");
}

/// Writes an address as text. Each reply to firmware has one, and `fmt` would be a third of its
/// cost.
fn write_address(address: Ipv4Addr, out: &mut Vec<u8>) {
    for (at, octet) in address.octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

/// What a reply is not sent without: the protocol's own, the client's way out of its subnet, and
/// what its firmware must see. All else is left out, from the end, when there is no room.
const fn is_needed(code: OptionCode) -> bool {
    matches!(
        code.0,
        1 | 3 | 43 | 51 | 53 | 54 | 56 | 60 | 61 | 67 | 80 | 82 | 97 | 118 | 175
    )
}

//! What the server keeps of a message: the few facts that rules and replies need, read once.

use super::{Allow, ClientKey, Firmware, Network, Refusal, Reservation, ReturnPath, SilenceReason};
use crate::HardwareAddr;
use crate::value::{Arch, ClientId, MessageType, Text, Value, agent, key, pxe};
use crate::wire::{MessageView, OptionCode};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::net::Ipv4Addr;

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: MessageType,
    pub(super) xid: u32,
    pub(super) flags: u16,
    pub(super) path: ReturnPath,
    pub(super) client: ClientKey,
    pub(super) client_id: Option<ClientId>,
    pub(super) firmware: Firmware,
    /// The first platform of option 93.
    pub(super) arch: Option<Arch>,
    /// The boot server's menu item that is asked for (PXE's option 43, sub-option 71).
    pub(super) boot_item: Option<[u8; 4]>,
    pub(super) wanted: Option<Ipv4Addr>,
    pub(super) server_id: Option<Ipv4Addr>,
    pub(super) parameters: Option<Vec<u8>>,
    pub(super) machine_id: Option<Bytes>,
    pub(super) relay_agent: Option<Bytes>,
    /// The client's link, where the relay agent's own address does not say it (RFC 3527).
    pub(super) link: Option<Ipv4Addr>,
    /// The address that the relay agent wants this server to go by (RFC 5107).
    pub(super) server_override: Option<Ipv4Addr>,
    /// Whether a DISCOVER is to be answered by an ACK (RFC 4039).
    pub(super) rapid: bool,
    pub(super) vendor_class: Option<Bytes>,
    /// The longest DHCP message that the client takes, IP and UDP headers included.
    pub(super) max_size: u16,
    pub(super) host_name: Option<String>,
}

/// What a client takes that says nothing (RFC 2131 section 2), and the least it may say.
const LEAST_MAX_SIZE: u16 = 576;

impl Request {
    pub(super) fn read(
        view: &MessageView<'_>,
        kind: MessageType,
        pxe_classes: &[String],
    ) -> Result<Self, SilenceReason> {
        let client_id = view.read(key::CLIENT_ID).ok().flatten();
        let hardware: HardwareAddr = view.hardware();
        let client = match (view.hlen(), &client_id) {
            (1..=16, _) => ClientKey::Hardware(hardware),
            (0, Some(id)) => ClientKey::Id(id.clone()),
            _ => return Err(SilenceReason::NoIdentity),
        };
        let wanted = view.read(key::REQUESTED_ADDRESS);
        let server_id = view.read(key::SERVER_ID);
        let (Ok(wanted), Ok(server_id)) = (wanted, server_id) else {
            return Err(SilenceReason::Malformed);
        };
        let raw = |code| view.option(code).map(|data| Bytes::from(data.into_owned()));
        // A client that gives this option wrongly is treated as one that does not.
        let max_size = view.read(key::MAX_MESSAGE_SIZE).ok().flatten();
        let path = ReturnPath::from(view);
        // Without a relay agent's address, option 82 is the client's own invention.
        let agent = if path.giaddr.is_unspecified() {
            None
        } else {
            view.read(key::RELAY_AGENT).ok().flatten()
        };
        let agent_address = |code| {
            let data: [u8; 4] = agent.as_ref()?.get(code)?.try_into().ok()?;
            Some(Ipv4Addr::from(data)).filter(|address| !address.is_unspecified())
        };
        let rapid =
            kind == MessageType::DISCOVER && view.option(OptionCode::RAPID_COMMIT).is_some();
        Ok(Self {
            kind,
            xid: view.xid(),
            flags: view.flags(),
            path,
            client,
            client_id,
            firmware: Firmware::of(view, pxe_classes),
            arch: arch(view),
            boot_item: boot_item(view),
            wanted,
            server_id,
            parameters: view
                .option(OptionCode::PARAMETER_LIST)
                .map(alloc::borrow::Cow::into_owned),
            machine_id: raw(OptionCode::MACHINE_ID).filter(|id| !id.is_empty()),
            relay_agent: raw(OptionCode::RELAY_AGENT),
            link: agent_address(agent::LINK_SELECTION),
            server_override: agent_address(agent::SERVER_ID_OVERRIDE),
            rapid,
            vendor_class: raw(OptionCode::VENDOR_CLASS),
            max_size: max_size.unwrap_or(LEAST_MAX_SIZE).max(LEAST_MAX_SIZE),
            host_name: host_name(view),
        })
    }

    /// The server's address as this client knows it (option 54).
    pub(super) fn identity(&self, network: &Network) -> Ipv4Addr {
        self.server_override.unwrap_or(network.server)
    }

    /// Whether the client asks for the option, or leaves the choice to the server.
    pub(super) fn asks_for(&self, code: OptionCode) -> bool {
        self.parameters
            .as_ref()
            .is_none_or(|codes| codes.contains(&code.0))
    }

    pub(super) fn reservation<'n>(&self, network: &'n Network) -> Option<&'n Reservation> {
        network.reservation(self.path.hardware.mac()?)
    }

    pub(super) fn is_allowed(&self, network: &Network) -> bool {
        match network.allow {
            Allow::Any => true,
            Allow::Known => self.reservation(network).is_some(),
        }
    }

    /// Whether a proxy's OFFER sends the client on to port 4011: UEFI's PXE, of which older builds
    /// drop a proxy's OFFER that has option 43.
    pub(super) fn asks_boot_server(&self) -> bool {
        self.firmware == Firmware::PxeClient && self.arch.is_some_and(Arch::is_uefi)
    }

    /// Whether the message is for a server that has another address than `server`.
    pub(super) fn is_for_another(&self, server: Ipv4Addr) -> bool {
        self.server_id.is_some_and(|id| id != server)
    }
}

/// What a REQUEST means (RFC 2131 table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestState {
    /// It takes an offer.
    Selecting(Ipv4Addr),
    /// It asks whether the address that it had still holds.
    InitReboot(Ipv4Addr),
    /// It extends the lease of the address that it has: renewing or rebinding.
    Extending(Ipv4Addr),
}

impl RequestState {
    pub(super) fn of(request: &Request) -> Option<Self> {
        let own = Some(request.path.ciaddr).filter(|address| !address.is_unspecified());
        match (request.server_id, request.wanted, own) {
            (Some(_), wanted, own) => wanted.or(own).map(Self::Selecting),
            (None, _, Some(own)) => Some(Self::Extending(own)),
            (None, Some(wanted), None) => Some(Self::InitReboot(wanted)),
            (None, None, None) => None,
        }
    }

    pub(super) const fn address(self) -> Ipv4Addr {
        match self {
            Self::Selecting(address) | Self::InitReboot(address) | Self::Extending(address) => {
                address
            }
        }
    }
}

/// What becomes of a REQUEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Grant,
    Refuse(Refusal),
    Silent(SilenceReason),
}

fn arch(view: &MessageView<'_>) -> Option<Arch> {
    view.read(key::CLIENT_ARCH).ok()??.first().copied()
}

fn boot_item(view: &MessageView<'_>) -> Option<[u8; 4]> {
    let vendor = view.read(key::VENDOR_SPECIFIC).ok()??;
    vendor.get(pxe::BOOT_ITEM)?.try_into().ok()
}

/// The client's name, if it is one that can stand in a log line and a file.
fn host_name(view: &MessageView<'_>) -> Option<String> {
    let data = view.option(OptionCode::HOST_NAME)?;
    let Text(name) = Text::decode(&data).ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!name.is_empty() && name.len() <= 255 && name.bytes().all(plain)).then_some(name)
}

//! What the server keeps of a message: the few facts that rules and replies need, read once.

use super::found::Found;
use super::{
    Allow, ClientKey, Firmware, Incoming, Link, NakReason, Network, Reservation, ReturnPath,
    SilenceReason,
};
use crate::HardwareAddr;
use crate::value::{
    Arch, ClientId, MachineId, MessageType, SubOptions, VendorClass, VendorClassKind, agent, key,
    pxe, raspberry_pi,
};
use crate::wire::OptionCode;
use alloc::string::String;
use bytes::Bytes;
use core::net::Ipv4Addr;

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: MessageType,
    pub(super) xid: u32,
    pub(super) flags: u16,
    pub(super) path: ReturnPath,
    /// The address that the client says it has, or 0.0.0.0.
    pub(super) ciaddr: Ipv4Addr,
    pub(super) client: ClientKey,
    pub(super) client_id: Option<ClientId>,
    pub(super) firmware: Firmware,
    /// The first platform of option 93, else the one in option 60.
    pub(super) arch: Option<Arch>,
    /// The boot server's menu item that is asked for (PXE's option 43, sub-option 71).
    pub(super) boot_item: Option<[u8; 4]>,
    pub(super) wanted: Option<Ipv4Addr>,
    pub(super) server_id: Option<Ipv4Addr>,
    /// What is asked for in option 55.
    parameters: Option<CodeSet>,
    pub(super) machine_id: Option<MachineId>,
    pub(super) relay_agent: Option<Bytes>,
    /// Whether option 82 is there and believed; set where the network is known.
    pub(super) trusts_agent: bool,
    /// The client's link, where the relay agent's own address does not say it (RFC 3527).
    pub(super) link: Option<Ipv4Addr>,
    /// The subnet that an address is asked of, whatever the link (RFC 3011).
    pub(super) subnet: Option<Ipv4Addr>,
    /// The address that the relay agent wants this server to go by (RFC 5107).
    pub(super) server_override: Option<Ipv4Addr>,
    /// The source of the frame that it came in.
    pub(super) frame_source: Option<HardwareAddr>,
    /// Whether a DISCOVER is to be answered by an ACK (RFC 4039).
    pub(super) rapid: bool,
    /// Option 60 of a PXE client that does not say `PXEClient`.
    pub(super) other_class: Option<Bytes>,
    /// The longest DHCP message that the client takes, IP and UDP headers included.
    pub(super) max_size: u16,
}

/// What a client takes that says nothing (RFC 2131 section 2), and the least it may say.
const LEAST_MAX_SIZE: u16 = 576;

impl Request {
    pub(super) fn read(
        incoming: &Incoming<'_>,
        kind: MessageType,
        found: &Found<'_>,
        pxe_classes: &[String],
    ) -> Result<Self, SilenceReason> {
        let client_id = found.client_id.read(key::CLIENT_ID).ok().flatten();
        let view = &incoming.message;
        // Not every INFORM says what address it comes from.
        let ciaddr = match (kind, view.ciaddr()) {
            (MessageType::INFORM, Ipv4Addr::UNSPECIFIED) => *incoming.source.ip(),
            (_, ciaddr) => ciaddr,
        };
        let path = ReturnPath::of(incoming, kind, ciaddr);
        let client = match (view.hlen(), &client_id) {
            (1..=16, _) => ClientKey::Hardware(path.hardware),
            (0, Some(id)) => ClientKey::Id(id.clone()),
            _ => return Err(SilenceReason::NoIdentity),
        };
        let wanted = found.requested_address.read(key::REQUESTED_ADDRESS);
        let server_id = found.server_id.read(key::SERVER_ID);
        let (Ok(wanted), Ok(server_id)) = (wanted, server_id) else {
            return Err(SilenceReason::Malformed);
        };
        // A client that gives one of these wrongly is treated as one that does not give it.
        let max_size = found.max_message_size.read(key::MAX_MESSAGE_SIZE);
        let max_size = max_size.ok().flatten().unwrap_or(LEAST_MAX_SIZE);
        let subnet = found.subnet_selection.read(key::SUBNET_SELECTION);
        let vendor = found.vendor_specific.read(key::VENDOR_SPECIFIC);
        let vendor = vendor.ok().flatten();
        let machine_id = found.machine_id.read(key::MACHINE_ID).ok().flatten();
        let relay_agent = found.relay_agent.joined();
        // Without a relay agent's address, option 82 is the client's own invention.
        let agent = if path.giaddr.is_unspecified() {
            None
        } else {
            found.relay_agent.read(key::RELAY_AGENT).ok().flatten()
        };
        let agent = agent.as_ref();
        let class = found.vendor_class.joined().unwrap_or_default();
        let archs = found.client_arch.read(key::CLIENT_ARCH).ok().flatten();
        let arch = archs.and_then(|archs| archs.first().copied());
        let firmware = Firmware::told_by(
            found.user_class.joined().as_deref(),
            found.ipxe.is_some(),
            &class,
            found.client_ndi.joined().as_deref(),
            pxe_classes,
        );
        let is_other = !class.is_empty() && VendorClassKind::of(&class) == VendorClassKind::Other;
        Ok(Self {
            kind,
            xid: view.xid(),
            flags: view.flags(),
            path,
            ciaddr,
            client,
            client_id,
            firmware,
            arch: arch.or_else(|| VendorClass::arch_in(&class)),
            boot_item: vendor.and_then(|vendor| vendor.raw(pxe::BOOT_ITEM)?.try_into().ok()),
            wanted,
            server_id,
            parameters: found
                .parameter_list
                .joined()
                .map(|codes| CodeSet::of(&codes)),
            machine_id: machine_id.filter(|id| *id != MachineId::Empty),
            relay_agent: relay_agent.map(|data| Bytes::from(data.into_owned())),
            trusts_agent: false,
            link: agent.and_then(|agent| address(agent, agent::LINK_SELECTION)),
            subnet: subnet.ok().flatten(),
            server_override: agent.and_then(|agent| address(agent, agent::SERVER_ID_OVERRIDE)),
            frame_source: incoming.frame_source,
            rapid: kind == MessageType::DISCOVER && found.rapid_commit.is_some(),
            other_class: is_other.then(|| Bytes::from(class.into_owned())),
            max_size: max_size.max(LEAST_MAX_SIZE),
        })
    }

    /// Takes what the relay agent says as far as it is believed in this network.
    pub(super) fn trust_in(&mut self, network: &Network) {
        let giaddr = self.path.giaddr;
        let trusted = match giaddr.is_unspecified() {
            true => network.trust_option_82,
            false => network.trusts_relay(giaddr),
        };
        self.trusts_agent = trusted && self.relay_agent.is_some();
        if !trusted {
            self.server_override = None;
        }
    }

    /// Whether the client itself says this, or a relay agent for it that is believed, as far as can
    /// be told. What a client behind a router sends by unicast, a RELEASE, comes in the router's
    /// frame.
    pub(super) fn is_its_own(&self, network: &Network) -> bool {
        let giaddr = self.path.giaddr;
        if !giaddr.is_unspecified() {
            return network.trusts_relay(giaddr);
        }
        match network.link {
            Link::Interface(_) => {
                let mut source = self.frame_source.iter();
                source.all(|source| *source == self.path.hardware)
            }
            Link::Relay => self.kind == MessageType::RELEASE,
        }
    }

    /// The server's address as this client knows it (option 54).
    pub(super) fn identity(&self, network: &Network) -> Ipv4Addr {
        self.server_override.unwrap_or(network.server)
    }

    /// The `ciaddr` of an ACK: that of the REQUEST, which is 0 unless the client has the address
    /// (RFC 2131 tables 3 and 5).
    pub(super) fn confirmed_ciaddr(&self) -> Ipv4Addr {
        let has_it = match self.kind {
            MessageType::REQUEST => self.server_id.is_none(),
            kind => kind == MessageType::INFORM,
        };
        if has_it {
            self.ciaddr
        } else {
            Ipv4Addr::UNSPECIFIED
        }
    }

    /// Whether the client asks for the option, or leaves the choice to the server.
    pub(super) fn asks_for(&self, code: OptionCode) -> bool {
        self.parameters.is_none_or(|codes| codes.contains(code))
    }

    pub(super) fn reservation<'n>(&self, network: &'n Network) -> Option<&'n Reservation> {
        network.reservation_of(&self.client)
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

    /// Whether a PXE client is the boot ROM of a Raspberry Pi.
    pub(super) fn is_raspberry_pi(&self) -> bool {
        let uuid = self.machine_id.as_ref().and_then(MachineId::uuid);
        let is_rom = |arch| raspberry_pi::is_boot_rom(arch, self.path.hardware.mac(), uuid);
        self.firmware == Firmware::PxeClient && self.arch.is_some_and(is_rom)
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
        let own = Some(request.ciaddr).filter(|address| !address.is_unspecified());
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
    Refuse(NakReason),
    Silent(SilenceReason),
}

/// A set of option codes.
#[derive(Clone, Copy, Debug)]
struct CodeSet([u128; 2]);

impl CodeSet {
    fn of(codes: &[u8]) -> Self {
        let mut set = [0; 2];
        for code in codes {
            set[usize::from(code >> 7)] |= 1 << (code & 127);
        }
        Self(set)
    }

    fn contains(self, code: OptionCode) -> bool {
        self.0[usize::from(code.0 >> 7)] >> (code.0 & 127) & 1 == 1
    }
}

/// An address that a relay agent gives; 0.0.0.0 is none.
fn address(agent: &SubOptions, code: u8) -> Option<Ipv4Addr> {
    let address = agent.read::<Ipv4Addr>(code).ok().flatten();
    address.filter(|address| !address.is_unspecified())
}

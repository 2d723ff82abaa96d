//! What the boot policy is asked, and what it says.
//!
//! The policy chooses what a machine boots. How that goes on the wire for each firmware is this
//! crate's business.

use super::{ExtraOption, NetworkId, Transaction};
use crate::value::{
    Arch, MachineId, SubOptions, Text, UserClass, VendorClass, VendorClassKind, ipxe, key,
};
use crate::wire::{MessageView, OptionCode};
use crate::{HardwareAddr, MacAddr};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::net::Ipv4Addr;

/// What speaks: the stage that a machine's boot is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Firmware {
    /// A PXE ROM or UEFI's PXE: loads its program by TFTP.
    PxeClient,
    /// UEFI HTTP boot: loads its program from a URL.
    HttpClient,
    /// iPXE, on whatever platform: loads a script or program from a path or a URL. So is gPXE, of
    /// which it was made.
    Ipxe,
    /// U-Boot: loads a file by TFTP from `siaddr`, and looks for `pxelinux.cfg/` beside it. Where
    /// it is to start an EFI program it says `PXEClient`, too, and is known by the rest.
    UBoot,
    /// Anything else: an operating system, or a boot loader that does not say what it is.
    Other,
}

impl Firmware {
    /// What sent the message, by options 77, 175, 60 and 94. `pxe_classes` are beginnings of option
    /// 60 that mean PXE besides `PXEClient`.
    #[must_use]
    pub fn of<S: AsRef<str>>(message: &MessageView<'_>, pxe_classes: &[S]) -> Self {
        let class = message.raw(OptionCode::VENDOR_CLASS);
        Self::told_by(
            message.raw(OptionCode::USER_CLASS).as_deref(),
            message.raw(OptionCode::IPXE).is_some(),
            class.as_deref().unwrap_or_default(),
            message.raw(OptionCode::CLIENT_NDI).as_deref(),
            pxe_classes,
        )
    }

    /// What sent these options: 77, whether 175 is there, 60 and 94.
    pub(super) fn told_by<S: AsRef<str>>(
        user_class: Option<&[u8]>,
        has_ipxe: bool,
        class: &[u8],
        interface: Option<&[u8]>,
        pxe_classes: &[S],
    ) -> Self {
        let is = |class| user_class.is_some_and(|data| UserClass::data_contains(data, class));
        if has_ipxe || is(b"iPXE") || is(b"gPXE") {
            return Self::Ipxe;
        }
        match VendorClassKind::of(class) {
            VendorClassKind::Pxe if hosts_efi(class, interface) => Self::UBoot,
            VendorClassKind::Pxe => Self::PxeClient,
            VendorClassKind::Http => Self::HttpClient,
            VendorClassKind::UBoot => Self::UBoot,
            VendorClassKind::Other => {
                let mut others = pxe_classes.iter().map(|other| other.as_ref().as_bytes());
                if others.any(|other| class.starts_with(other)) {
                    Self::PxeClient
                } else {
                    Self::Other
                }
            }
        }
    }

    /// Whether this is a stage of booting, as against an operating system.
    #[must_use]
    pub const fn is_boot_stage(self) -> bool {
        !matches!(self, Self::Other)
    }
}

/// Whether it is U-Boot that says that it is UEFI: in option 60 it has UEFI's platform and UNDI
/// 3.0, and in option 94 UNDI 0.0 (`bootmeth_efi.c` and `dhcp_extended` in its sources). UEFI says
/// the same in both.
fn hosts_efi(class: &[u8], interface: Option<&[u8]>) -> bool {
    interface == Some(&[1, 0, 0]) && VendorClass::arch_in(class).is_some_and(|arch| arch.is_uefi())
}

/// Who asks, as far as the boot policy may care.
///
/// The methods give `None` (or no items) where the option is absent or malformed; `message` has the
/// options as they came, and their errors.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Requester<'a> {
    /// The network that the machine is in.
    pub network: NetworkId,
    /// The address by which the machine will know this server; next-server and URLs use it.
    pub server: Ipv4Addr,
    /// The interface that the message came in by, as in
    /// [`Incoming::interface`](super::Incoming::interface).
    pub interface: u32,
    /// The stage that the boot is in.
    pub firmware: Firmware,
    /// The machine's hardware address.
    pub hardware: HardwareAddr,
    /// The relay agent that the message came by.
    pub relay: Option<Ipv4Addr>,
    /// What the message is about: the address that it asks for or will be offered, and the name
    /// that the machine says it has, for a log line.
    pub transaction: &'a Transaction,
    /// Whether what a relay agent says in option 82 is believed, see
    /// [`Network::relays`](super::Network::relays).
    pub trusts_agent: bool,
    /// The message.
    pub message: MessageView<'a>,
}

impl Requester<'_> {
    /// The machine's MAC address, where it is one.
    #[must_use]
    pub fn mac(&self) -> Option<MacAddr> {
        self.hardware.mac()
    }

    /// The platforms that the machine can boot (option 93), then the one in option 60.
    #[must_use]
    pub fn archs(&self) -> Vec<Arch> {
        let archs = self.message.read(key::CLIENT_ARCH);
        let mut archs = archs.ok().flatten().unwrap_or_default();
        let class = self.vendor_class().and_then(|class| class.arch());
        archs.extend(class.filter(|arch| !archs.contains(arch)));
        archs
    }

    /// The machine's UUID (option 97).
    #[must_use]
    pub fn uuid(&self) -> Option<[u8; 16]> {
        let id: MachineId = self.message.read(key::MACHINE_ID).ok()??;
        id.uuid()
    }

    /// The user class (option 77).
    #[must_use]
    pub fn user_class(&self) -> Option<UserClass> {
        self.message.read(key::USER_CLASS).ok()?
    }

    /// The features that iPXE says it has ([`ipxe::features`]); none where it does not say.
    #[must_use]
    pub fn ipxe_features(&self) -> Vec<u8> {
        let options: Option<SubOptions> = self.message.read(key::IPXE).ok().flatten();
        options.map_or_else(Vec::new, |options| ipxe::features(&options).collect())
    }

    /// The vendor class (option 60).
    #[must_use]
    pub fn vendor_class(&self) -> Option<VendorClass> {
        self.message.read(key::VENDOR_CLASS).ok()?
    }

    /// The name that the machine says it has (option 12).
    #[must_use]
    pub fn host_name(&self) -> Option<String> {
        let Text(name) = self.message.read(key::HOST_NAME).ok()??;
        Some(name)
    }

    /// The relay agent's circuit (option 82, sub-option 1; RFC 3046 section 3.1), where the agent
    /// is trusted.
    #[must_use]
    pub fn circuit_id(&self) -> Option<Bytes> {
        if !self.trusts_agent {
            return None;
        }
        let agent = self.message.read(key::RELAY_AGENT).ok()??;
        agent.raw(1).map(Bytes::copy_from_slice)
    }
}

/// What a machine is to boot: the policy's answer. The default boots nothing and only gives an
/// address.
///
/// ```
/// use netboot_dhcp::server::{Boot, Firmware, Requester};
///
/// fn policy(machine: &Requester<'_>) -> Boot {
///     match machine.firmware {
///         Firmware::Ipxe => Boot::file(format!("http://{}/boot.ipxe", machine.server)),
///         Firmware::PxeClient => Boot::file("ipxe.efi").with_next_server(machine.server),
///         _ => Boot::default(),
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Boot {
    /// The server of the next step (`siaddr`, option 66). `None` means this server where there is a
    /// file.
    pub next_server: Option<Ipv4Addr>,
    /// The program or script: a path for TFTP, or a URL. A URL for UEFI HTTP boot holds an address
    /// and no name, since firmware may not resolve names.
    pub file: Option<String>,
    /// The machine's name (option 12), before the reservation's.
    pub host_name: Option<String>,
    /// Further options, sent whether asked for or not; they replace what would be sent under their
    /// code. Those that belong to the protocol ([`ExtraOption::is_protocol`]) are passed over.
    pub options: Vec<ExtraOption>,
    /// Who the client is by what it only says of itself, a UUID for example, where no more than one
    /// client at a time is to be that machine: while one has an address of this network by it, or
    /// is offered one, the others get none ([`SilenceReason::IdentityInUse`]). A client that the
    /// policy knows by its hardware address needs none. Default `None`.
    ///
    /// [`SilenceReason::IdentityInUse`]: super::SilenceReason::IdentityInUse
    pub claimed_identity: Option<String>,
    /// Give no answer at all, not even an address.
    pub silent: bool,
}

impl Boot {
    /// This file, by TFTP or from a URL.
    ///
    /// ```
    /// use netboot_dhcp::server::Boot;
    ///
    /// let boot = Boot::file("ipxe.efi").with_host_name("node-01");
    /// assert_eq!(boot.file.as_deref(), Some("ipxe.efi"));
    /// assert_eq!(boot.host_name.as_deref(), Some("node-01"));
    /// ```
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: Some(file.into()),
            ..Self::default()
        }
    }

    /// No answer at all, not even an address.
    ///
    /// ```
    /// use netboot_dhcp::server::Boot;
    ///
    /// assert!(Boot::silent().silent);
    /// assert!(!Boot::default().silent);
    /// ```
    #[must_use]
    pub fn silent() -> Self {
        Self {
            silent: true,
            ..Self::default()
        }
    }

    /// The same, from this server.
    #[must_use]
    pub const fn with_next_server(mut self, next_server: Ipv4Addr) -> Self {
        self.next_server = Some(next_server);
        self
    }

    /// The same, for a machine of this name.
    #[must_use]
    pub fn with_host_name(mut self, host_name: impl Into<String>) -> Self {
        self.host_name = Some(host_name.into());
        self
    }

    /// The same, for a client that only says that it is this machine.
    #[must_use]
    pub fn with_claimed_identity(mut self, identity: impl Into<String>) -> Self {
        self.claimed_identity = Some(identity.into());
        self
    }

    /// The same, with these options in place of those that it has.
    ///
    /// ```
    /// use netboot_dhcp::server::{Boot, ExtraOption};
    /// use netboot_dhcp::value::{Text, key};
    ///
    /// let root = ExtraOption::new(key::ROOT_PATH, &Text::from("/srv/root"));
    /// let boot = Boot::file("ipxe.efi").with_options([root]);
    /// assert_eq!(boot.options[0].data[..], *b"/srv/root");
    /// ```
    #[must_use]
    pub fn with_options(mut self, options: impl IntoIterator<Item = ExtraOption>) -> Self {
        self.options = options.into_iter().collect();
        self
    }
}

//! What a simulated machine is: its firmware's options and timing.

use super::Model;
use crate::value::{
    Arch, MachineId, NetworkInterface, Parameters, UserClass, VendorClass, ipxe, key,
};
use crate::wire::{BOOT_SERVER_PORT, CLIENT_PORT, OptionCode, Options, SERVER_PORT};
use crate::{HardwareAddr, MacAddr};
use alloc::{format, vec, vec::Vec};
use core::net::Ipv4Addr;

/// A machine's hardware address, and what its firmware sends and how patiently.
///
/// The constructors have what the firmware that they name sends; all of it can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Its hardware address.
    pub hardware: HardwareAddr,
    /// The options that it sends in DISCOVER and REQUEST, behind the protocol's own (53, 50, 54).
    pub options: Options,
    /// Whether it asks for broadcast replies.
    pub broadcast: bool,
    /// How long it waits for the first answer; it doubles each time. Default 4 s (RFC 2131
    /// section 4.1, without the random part, and PXE 2.1); for iPXE 1 s.
    pub timeout_ms: u64,
    /// How often it sends DISCOVER, and REQUEST. Default 4.
    pub tries: u8,
    /// How it chooses among offers. Default [`Model::Plain`].
    pub model: Model,
    /// For how long after its first DISCOVER it goes on collecting offers, unless it has what it
    /// prefers to all others. After that iPXE takes what it has, and firmware does when the time of
    /// a DISCOVER is over. What came stays with it until then, so that a proxy's offer is not lost
    /// where the address takes longer. Default 0: it takes the first; for iPXE 2 s
    /// (`DHCP_DISC_PROXY_TIMEOUT_SEC` in its `config/dhcp.h`), for firmware the time of the first
    /// DISCOVER (EDK2's `Dhcp4Io.c`), for a BIOS ROM that of the first two, through which PXE 2.1
    /// has it wait for a proxy.
    pub collect_ms: u64,
    /// Whether it takes an address by a REQUEST. Default yes; not for a Raspberry Pi 3. Without one no
    /// lease is taken, and what it boots is what it was offered.
    pub takes_lease: bool,
    /// The address that it has already. Where it takes no lease, an offer without an address, as a
    /// proxy's, is then enough, and it is the address that it asks a boot server from. Default none.
    pub address: Option<Ipv4Addr>,
    /// For how long after its DISCOVER it does not hear offers. Default 0; 500 ms for a Raspberry
    /// Pi 3.
    pub deaf_ms: u64,
    /// The servers' port. Default 67.
    pub server_port: u16,
    /// Its own port. Default 68.
    pub client_port: u16,
    /// The boot servers' port. Default 4011.
    pub boot_server_port: u16,
}

impl Profile {
    /// A machine that sends no options but the protocol's own.
    #[must_use]
    pub fn plain(hardware: HardwareAddr) -> Self {
        Self {
            hardware,
            options: Options::new(),
            broadcast: false,
            timeout_ms: 4_000,
            tries: 4,
            model: Model::Plain,
            collect_ms: 0,
            takes_lease: true,
            address: None,
            deaf_ms: 0,
            server_port: SERVER_PORT,
            client_port: CLIENT_PORT,
            boot_server_port: BOOT_SERVER_PORT,
        }
    }

    /// A BIOS PXE ROM.
    #[must_use]
    pub fn pxe_bios(mac: MacAddr) -> Self {
        let mut profile = Self::firmware(mac, "PXEClient", Arch::X86_BIOS, (2, 1));
        profile.broadcast = true;
        profile.model = Model::IntelUndi;
        profile.collect_ms = 12_000;
        profile
    }

    /// The boot ROM of a Raspberry Pi 3. It is known by its MAC address: give one of the board's,
    /// as [`raspberry_pi::is_boot_rom`](crate::value::raspberry_pi::is_boot_rom) knows them.
    #[must_use]
    pub fn raspberry_pi_3(mac: MacAddr) -> Self {
        let mut profile = Self::pxe_bios(mac);
        profile.model = Model::RaspberryPi3;
        profile.collect_ms = 4_000;
        profile.takes_lease = false;
        profile.deaf_ms = 500;
        profile
    }

    /// The boot loader of a Raspberry Pi 4, which names its board in option 97.
    #[must_use]
    pub fn raspberry_pi_4(mac: MacAddr) -> Self {
        let mut profile = Self::pxe_bios(mac);
        profile.model = Model::RaspberryPi4;
        profile.collect_ms = 4_000;
        profile.with_uuid(*b"RPi4\x11\x31\xc0\x00\x12\x34\x56\x78\x9a\xbc\xde\xf0")
    }

    /// PXE of UEFI on x86-64.
    #[must_use]
    pub fn pxe_uefi(mac: MacAddr) -> Self {
        let mut profile = Self::firmware(mac, "PXEClient", Arch::X64_UEFI, (3, 0));
        profile.broadcast = true;
        profile.model = Model::Edk2;
        profile
    }

    /// PXE of UEFI on x86-64 with an older EDK2.
    #[must_use]
    pub fn pxe_uefi_old(mac: MacAddr) -> Self {
        let mut profile = Self::pxe_uefi(mac);
        profile.model = Model::OldEdk2;
        profile
    }

    /// HTTP boot of UEFI on x86-64.
    #[must_use]
    pub fn http_uefi(mac: MacAddr) -> Self {
        let mut profile = Self::firmware(mac, "HTTPClient", Arch::X64_UEFI_HTTP, (3, 0));
        profile.broadcast = true;
        profile.model = Model::Edk2Http;
        profile
    }

    /// U-Boot's own `dhcp` on 64-bit ARM: `dhcp_extended` in its `net/bootp.c`, with the defaults
    /// of `BOOTP_PXE_CLIENTARCH` and `BOOTP_VCI_STRING` (2025.01). It takes the first offer.
    #[must_use]
    pub fn u_boot(mac: MacAddr) -> Self {
        let mut profile = Self::plain(mac.into());
        let wanted = [1, 3, 6, 12, 17].map(OptionCode);
        let (kind, major, minor) = (1, 0, 0);
        let options = &mut profile.options;
        options.put(key::MAX_MESSAGE_SIZE, &576);
        options.put(key::CLIENT_ARCH, &vec![Arch::ARM64_UBOOT]);
        options.put(key::CLIENT_NDI, &NetworkInterface { kind, major, minor });
        options.put(key::VENDOR_CLASS, &VendorClass::from("U-Boot.armv8"));
        options.put(key::PARAMETER_LIST, &Parameters(wanted.to_vec()));
        profile
    }

    /// iPXE, started by firmware of this platform.
    #[must_use]
    pub fn ipxe(mac: MacAddr, arch: Arch) -> Self {
        let undi = if arch == Arch::X86_BIOS {
            (2, 1)
        } else {
            (3, 10)
        };
        let mut profile = Self::firmware(mac, "PXEClient", arch, undi);
        profile.model = Model::Ipxe;
        profile.timeout_ms = 1_000;
        profile.collect_ms = 2_000;
        profile
            .options
            .put(key::USER_CLASS, &UserClass::bare(b"iPXE"));
        // HTTP, TFTP, DNS, menus, and what it starts: bzImage or EFI.
        let starts = if arch.is_uefi() {
            ipxe::FEATURE_EFI
        } else {
            ipxe::FEATURE_BZIMAGE
        };
        let features = [0x13, 1, 1, 0x15, 1, 1, 0x17, 1, 1, 0x27, 1, 1, starts, 1, 1];
        profile.options.put_raw(OptionCode::IPXE, &features);
        profile
    }

    /// An iPXE in the ROM of a small or old network card, on a BIOS machine: TFTP, DNS and what PXE
    /// needs, without HTTP and bzImage, as VirtualBox has one.
    #[must_use]
    pub fn ipxe_without_http(mac: MacAddr) -> Self {
        let mut profile = Self::ipxe(mac, Arch::X86_BIOS);
        let features = [0x15, 1, 1, 0x17, 1, 1, 0x21, 1, 1, 0x22, 1, 1];
        profile.options.put_raw(OptionCode::IPXE, &features);
        profile
    }

    /// The same machine with this UUID (option 97).
    #[must_use]
    pub fn with_uuid(mut self, uuid: [u8; 16]) -> Self {
        self.options.put(key::MACHINE_ID, &MachineId::Uuid(uuid));
        self
    }

    /// The address that it has and keeps.
    pub(super) fn known_address(&self) -> Option<Ipv4Addr> {
        self.address.filter(|_| !self.takes_lease)
    }

    fn firmware(mac: MacAddr, class: &str, arch: Arch, (major, minor): (u8, u8)) -> Self {
        let mut profile = Self::plain(mac.into());
        profile.collect_ms = 4_000;
        let class = format!("{class}:Arch:{:05}:UNDI:{major:03}{minor:03}", arch.0);
        let options = &mut profile.options;
        options.put(key::MAX_MESSAGE_SIZE, &1472);
        options.put(key::PARAMETER_LIST, &Parameters(wanted()));
        options.put(key::CLIENT_ARCH, &vec![arch]);
        let kind = 1;
        options.put(key::CLIENT_NDI, &NetworkInterface { kind, major, minor });
        options.put(key::VENDOR_CLASS, &VendorClass::from(class.as_str()));
        profile
    }
}

/// What firmware needs to go on.
fn wanted() -> Vec<OptionCode> {
    vec![
        OptionCode::SUBNET_MASK,
        OptionCode::ROUTERS,
        OptionCode::DNS_SERVERS,
        OptionCode::HOST_NAME,
        OptionCode::DOMAIN_NAME,
        OptionCode::VENDOR_SPECIFIC,
        OptionCode::LEASE_TIME,
        OptionCode::SERVER_ID,
        OptionCode::VENDOR_CLASS,
        OptionCode::TFTP_SERVER_NAME,
        OptionCode::BOOT_FILE_NAME,
        OptionCode::MACHINE_ID,
    ]
}

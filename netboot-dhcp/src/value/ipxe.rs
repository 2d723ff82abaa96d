//! Option 175 as iPXE has it: sub-option codes (iPXE's `dhcp.h`).
//!
//! iPXE sends one byte under each feature that its build has, and reads settings under the others.

/// 1: the priority of this offer, a signed byte.
pub const PRIORITY: u8 = 1;
/// 8: keep the SAN device when booting from it fails.
pub const KEEP_SAN: u8 = 8;
/// 9: do not boot from the SAN device.
pub const SKIP_SAN_BOOT: u8 = 9;
/// 85: the syslog servers.
pub const SYSLOGS: u8 = 85;
/// 176: 1 says that there is no proxy DHCP server to wait for.
pub const NO_PROXY_DHCP: u8 = 176;
/// 177: the network device's bus identifier.
pub const BUS_ID: u8 = 177;
/// 189: the BIOS drive number of the SAN device.
pub const BIOS_DRIVE: u8 = 189;
/// 190: a user name.
pub const USERNAME: u8 = 190;
/// 191: its password.
pub const PASSWORD: u8 = 191;
/// 235: iPXE's version.
pub const VERSION: u8 = 235;

/// The name of the feature that a sub-option 16 to 41 announces.
#[must_use]
pub const fn feature(code: u8) -> Option<&'static str> {
    Some(match code {
        0x10 => "PXE extensions",
        0x11 => "iSCSI",
        0x12 => "AoE",
        0x13 => "HTTP",
        0x14 => "HTTPS",
        0x15 => "TFTP",
        0x16 => "FTP",
        0x17 => "DNS",
        0x18 => "bzImage",
        0x19 => "Multiboot",
        0x1a => "SLAM",
        0x1b => "SRP",
        0x20 => "NBI",
        0x21 => "PXE",
        0x22 => "ELF",
        0x23 => "COMBOOT",
        0x24 => "EFI",
        0x25 => "FCoE",
        0x26 => "VLAN",
        0x27 => "Menu",
        0x28 => "SDI",
        0x29 => "NFS",
        _ => return None,
    })
}

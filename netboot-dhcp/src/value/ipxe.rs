//! Option 175 as iPXE has it: its sub-options and feature flags (iPXE's `dhcp.h` and `features.h`).
//!
//! iPXE sends one byte under each feature that its build has, and reads settings under the others.
//! A sub-option is read as a type by [`SubOptions::read`].

use super::{SubOptions, Value, ValueError, exactly};
use alloc::vec::Vec;

/// 1: the priority of this offer, a signed byte.
pub const PRIORITY: u8 = 1;
/// 8: keep the SAN device when booting from it fails.
pub const KEEP_SAN: u8 = 8;
/// 9: do not boot from the SAN device.
pub const SKIP_SAN_BOOT: u8 = 9;
/// 81: a script to run.
pub const SCRIPTLET: u8 = 81;
/// 85: the syslog servers.
pub const SYSLOGS: u8 = 85;
/// 91: the client's certificate.
pub const CERT: u8 = 91;
/// 92: its private key.
pub const PRIVKEY: u8 = 92;
/// 93: where to load cross-signed certificates from, a URL.
pub const CROSSCERT: u8 = 93;
/// 176: 1 says that there is no proxy DHCP server to wait for, a `u8`.
pub const NO_PROXY_DHCP: u8 = 176;
/// 177: the network device's bus identifier, a [`BusId`].
pub const BUS_ID: u8 = 177;
/// 189: the BIOS drive number of the SAN device, a `u8`.
pub const BIOS_DRIVE: u8 = 189;
/// 190: a user name.
pub const USERNAME: u8 = 190;
/// 191: its password.
pub const PASSWORD: u8 = 191;
/// 192: the user name that an iSCSI target is to prove itself by.
pub const REVERSE_USERNAME: u8 = 192;
/// 193: its password.
pub const REVERSE_PASSWORD: u8 = 193;
/// 235: iPXE's version.
pub const VERSION: u8 = 235;

/// 19: loads files by HTTP.
pub const FEATURE_HTTP: u8 = 0x13;
/// 24: starts Linux kernels for BIOS.
pub const FEATURE_BZIMAGE: u8 = 0x18;
/// 36: starts UEFI programs, among them Linux kernels.
pub const FEATURE_EFI: u8 = 0x24;

/// The features that an iPXE says it has, by sub-option: those of 16 to 79 that are there and not
/// 0.
///
/// ```
/// use netboot_dhcp::value::{SubOptions, Value, ipxe};
///
/// // HTTP and DNS are there, HTTPS says 0.
/// let options = SubOptions::decode(&[0x13, 1, 1, 0x14, 1, 0, 0x17, 1, 1, 177, 1, 1])?;
/// let names: Vec<_> = ipxe::features(&options).filter_map(ipxe::feature).collect();
/// assert_eq!(names, ["HTTP", "DNS"]);
/// # Ok::<(), netboot_dhcp::value::ValueError>(())
/// ```
pub fn features(options: &SubOptions) -> impl Iterator<Item = u8> + '_ {
    options
        .iter()
        .filter(|(code, data)| (16..80).contains(code) && data.iter().any(|byte| *byte != 0))
        .map(|(code, _)| code)
}

/// Sub-option 177: the network device that iPXE uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BusId {
    /// The bus: 1 is PCI, 2 ISAPnP, 3 EISA, 4 MCA, 5 ISA.
    pub bus: u8,
    /// The device's vendor.
    pub vendor: u16,
    /// The vendor's number for it.
    pub device: u16,
}

impl Value for BusId {
    const LEN: Option<usize> = Some(5);

    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let [bus, a, b, c, d] = exactly(data)?;
        Ok(Self {
            bus,
            vendor: u16::from_be_bytes([a, b]),
            device: u16::from_be_bytes([c, d]),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.bus);
        out.extend(self.vendor.to_be_bytes());
        out.extend(self.device.to_be_bytes());
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bus_id_is_a_bus_and_two_numbers() {
        // A virtio network card, as iPXE's capture has it.
        let id = BusId::decode(&[1, 0x1a, 0xf4, 0x10, 0x00]).unwrap();
        assert_eq!((id.bus, id.vendor, id.device), (1, 0x1af4, 0x1000));
        assert!(BusId::decode(&[1, 0x1a, 0xf4]).is_err());
    }
}

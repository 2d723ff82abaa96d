//! Raspberry Pi's use of PXE: how its boot ROM is known, and the option 43 that it looks for.
//!
//! The ROM says `PXEClient:Arch:00000` as any BIOS does, or the number that the registry has for
//! it. In option 97 those of the 4 and later name their board, before its revision, the MAC
//! address's end and the serial number (Raspberry Pi's documentation of `DHCP_OPTION97`); older
//! ones repeat their serial number there, and their MAC address tells. The ROM goes on with an
//! offer whose option 43 holds the words "Raspberry Pi Boot", which the boot menu (sub-option 9) of
//! a PXE server for it has as its first item.
//!
//! UEFI on the same board has the same MAC address, and must not get that menu: EDK2 takes its
//! item, of type 0, for the local disk, and ends. It says a UEFI platform in option 93.

use super::{Arch, SubOptions, pxe};
use crate::MacAddr;

/// The words that the boot ROM searches option 43 for.
pub const MENU_TEXT: &[u8] = b"Raspberry Pi Boot";

/// Whether a PXE client that says this platform is a board's boot ROM, by its MAC address and UUID.
#[must_use]
pub fn is_boot_rom(arch: Arch, mac: Option<MacAddr>, uuid: Option<[u8; 16]>) -> bool {
    match arch {
        Arch::ARM_RPIBOOT => true,
        Arch::X86_BIOS => mac.is_some_and(is_board) || uuid.is_some_and(names_board),
        _ => false,
    }
}

/// Whether a UUID (option 97) begins with a board's name, as `RPi4` and `RPi5`.
const fn names_board(uuid: [u8; 16]) -> bool {
    matches!(uuid, [b'R', b'P', b'i', b'0'..=b'9', ..])
}

/// Whether a MAC address is of a block that the IEEE assigned to the board's makers.
const fn is_board(mac: MacAddr) -> bool {
    let MacAddr([a, b, c, ..]) = mac;
    matches!(
        (a, b, c),
        (0xb8, 0x27, 0xeb)
            | (0xdc, 0xa6, 0x32)
            | (0xe4, 0x5f, 0x01)
            | (0x28, 0xcd, 0xc1)
            | (0xd8, 0x3a, 0xdd)
            | (0x2c, 0xcf, 0x67)
            | (0x88, 0xa2, 0x9e)
    )
}

/// The option 43 that the boot ROM looks for: a menu of one item, taken at once.
#[must_use]
pub fn boot_menu() -> SubOptions {
    let mut menu = SubOptions::new();
    let text_len = u8::try_from(MENU_TEXT.len()).unwrap_or_default();
    let item = [&[0, 0, text_len], MENU_TEXT].concat();
    let control = [pxe::NO_BROADCAST | pxe::NO_MULTICAST];
    for (code, data) in [
        (pxe::DISCOVERY_CONTROL, &control[..]),
        (pxe::MENU_PROMPT, b"\0PXE"),
        (pxe::BOOT_MENU, &item),
    ] {
        // None of the codes and lengths above can be refused.
        let pushed = menu.add_raw(code, data);
        debug_assert!(pushed.is_ok());
    }
    menu.terminated()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value as _;
    use alloc::vec::Vec;

    #[test]
    fn boot_menu_is_this_to_the_byte() {
        let mut out = Vec::new();
        boot_menu().encode(&mut out);
        assert_eq!(
            out,
            b"\x06\x01\x03\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot\xff"
        );
    }

    const PC: MacAddr = MacAddr([0x52, 0x54, 0, 1, 2, 3]);

    #[test]
    fn every_block_of_the_makers_is_known() {
        // The IEEE's registry: Raspberry Pi Foundation, Raspberry Pi Trading, Raspberry Pi
        // (Trading).
        for block in [
            [0xb8, 0x27, 0xeb],
            [0xdc, 0xa6, 0x32],
            [0xe4, 0x5f, 0x01],
            [0x28, 0xcd, 0xc1],
            [0xd8, 0x3a, 0xdd],
            [0x2c, 0xcf, 0x67],
            [0x88, 0xa2, 0x9e],
        ] {
            let [a, b, c] = block;
            let mac = MacAddr([a, b, c, 1, 2, 3]);
            assert!(is_boot_rom(Arch::X86_BIOS, Some(mac), None), "{mac}");
        }
        assert!(!is_boot_rom(Arch::X86_BIOS, Some(PC), None));
    }

    #[test]
    fn boot_rom_is_known_by_its_platform_or_its_boards_name_whatever_its_mac_address() {
        // Fourcc 0x34695052 and board revision 0x00c03111, little-endian, after the documentation.
        let four = *b"RPi4\x11\x31\xc0\x00\x12\x34\x56\x78\x9a\xbc\xde\xf0";
        let mut five = four;
        five[3] = b'5';
        for uuid in [four, five] {
            assert!(is_boot_rom(Arch::X86_BIOS, Some(PC), Some(uuid)));
        }
        assert!(is_boot_rom(Arch::ARM_RPIBOOT, Some(PC), None));
        // Before March 2020: the serial number four times.
        let serial = *b"\x12\x34\x56\x78\x12\x34\x56\x78\x12\x34\x56\x78\x12\x34\x56\x78";
        assert!(!is_boot_rom(Arch::X86_BIOS, Some(PC), Some(serial)));
    }

    #[test]
    fn uefi_on_a_board_is_no_boot_rom() {
        let board = MacAddr([0xdc, 0xa6, 0x32, 1, 2, 3]);
        let uuid = *b"RPi4\x11\x31\xc0\x00\x12\x34\x56\x78\x9a\xbc\xde\xf0";
        for arch in [Arch::ARM64_UEFI, Arch::ARM64_UEFI_HTTP, Arch::ARM64_UBOOT] {
            assert!(!is_boot_rom(arch, Some(board), Some(uuid)), "{arch}");
        }
    }
}

//! Raspberry Pi's use of PXE: how its boot ROM is known, and the option 43 that it looks for.
//!
//! The ROM says `PXEClient:Arch:00000` as any BIOS does, so only its MAC address tells it apart. It
//! goes on with an offer whose option 43 holds the words "Raspberry Pi Boot", which the boot menu
//! (sub-option 9) of a PXE server for it has as its first item.

use super::{SubOptions, pxe};
use crate::MacAddr;

/// The words that the boot ROM searches option 43 for.
pub const MENU_TEXT: &[u8] = b"Raspberry Pi Boot";

/// Whether a MAC address is of a block that the IEEE assigned to the board's makers.
#[must_use]
pub const fn is_board(mac: MacAddr) -> bool {
    let MacAddr([a, b, c, ..]) = mac;
    matches!(
        (a, b, c),
        (0xb8, 0x27, 0xeb)
            | (0xdc, 0xa6, 0x32)
            | (0xe4, 0x5f, 0x01)
            | (0x28, 0xcd, 0xc1)
            | (0xd8, 0x3a, 0xdd)
            | (0x2c, 0xcf, 0x67)
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
        let pushed = menu.push(code, data);
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

    #[test]
    fn board_is_known_by_its_mac_address() {
        assert!(is_board(MacAddr([0xb8, 0x27, 0xeb, 1, 2, 3])));
        assert!(!is_board(MacAddr([0x52, 0x54, 0, 1, 2, 3])));
    }
}

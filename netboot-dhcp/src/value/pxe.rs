//! Option 43 as PXE has it: sub-option codes (Intel's PXE 2.1 specification, table 2-1).

/// 6: how to look for boot servers, one byte of the bits below.
pub const DISCOVERY_CONTROL: u8 = 6;
/// 7: the multicast address to look for boot servers at.
pub const DISCOVERY_MULTICAST: u8 = 7;
/// 8: boot servers by type. With [`USE_BOOT_FILE`] leave it out: newer EDK2 would use it.
pub const BOOT_SERVERS: u8 = 8;
/// 9: the boot menu.
pub const BOOT_MENU: u8 = 9;
/// 10: the menu's prompt, with its time-out in seconds before it.
pub const MENU_PROMPT: u8 = 10;
/// 71: the menu item that was chosen: type and layer, 2 bytes each.
pub const BOOT_ITEM: u8 = 71;

/// Bit 0 of [`DISCOVERY_CONTROL`]: no discovery by broadcast.
pub const NO_BROADCAST: u8 = 1;
/// Bit 1: no discovery by multicast.
pub const NO_MULTICAST: u8 = 2;
/// Bit 2: only the servers in [`BOOT_SERVERS`].
pub const ONLY_LISTED: u8 = 4;
/// Bit 3: no discovery at all, take the boot file of this offer.
pub const USE_BOOT_FILE: u8 = 8;

//! The settings that iPXE on a simulated machine starts with.

use std::net::Ipv4Addr;

use netboot_dhcp::client::Bound;
use netboot_dhcp::wire::OptionCode;
use netboot_ipxe::run::Settings;

use super::Machine;

/// What the machine brings along, and what DHCP told it once its card is open.
pub(super) fn settings(machine: &Machine, bound: Option<&Bound>) -> Settings {
    let mut settings = Settings::new();
    let (platform, architecture) = match machine.firmware.is_uefi() {
        true => ("efi", "x86_64"),
        false => ("pcbios", "i386"),
    };
    for (name, value) in [("platform", platform), ("buildarch", architecture)] {
        settings.set(name, value);
    }
    settings.set("net0/mac", &machine.mac.to_string());
    if let Some(bound) = bound {
        open(&mut settings, machine, bound);
    }
    settings
}

/// The card is open: it has an address, and `netX` is it.
pub(super) fn open(settings: &mut Settings, machine: &Machine, bound: &Bound) {
    let text = |code: u8| {
        let value = bound.options.raw(OptionCode(code))?;
        String::from_utf8(value.into_owned()).ok()
    };
    let address = |code: u8| {
        let value = bound.options.raw(OptionCode(code))?;
        let first: [u8; 4] = value.get(..4)?.try_into().ok()?;
        Some(Ipv4Addr::from(first).to_string())
    };
    let all = [
        ("netX/mac", Some(machine.mac.to_string())),
        ("net0/ip", Some(bound.address.to_string())),
        ("netX/ip", Some(bound.address.to_string())),
        ("next-server", bound.next_server.map(|it| it.to_string())),
        ("net0/filename", bound.file.clone()),
        ("net0/netmask", address(1)),
        ("net0/gateway", address(3)),
        ("net0/dns", address(6)),
        ("net0/hostname", text(12)),
        ("net0/domain", text(15)),
        ("net0/root-path", text(17)),
    ];
    for (name, value) in all {
        // What is no text of its type is as if it were not there, as in iPXE.
        settings.set(name, value.as_deref().unwrap_or_default());
    }
}

//! A decision in each protocol's terms: the boot file for DHCP, and what a path means beside the
//! programs at hand.

use std::net::IpAddr;

use netboot_dhcp::server::Firmware;

use super::{BootAction, Decision, Origin, Program};
use crate::paths::{NamedFor, SCRIPT, Served, named_for, served};
use crate::world::programs::Programs;
use crate::world::{KnownBy, Machine};

/// What a path means to who asks, as [`served`] has it, beside the operator's own files.
///
/// Where a `pxelinux.cfg/` of theirs is, only the last name in it is answered, so that none of
/// theirs is hidden by one that is asked for before it. An address would hide no file for a MAC
/// address, which is asked for before it, but those for the starts of addresses and `default`.
///
/// An address is answered to who has it, so nobody's word is taken for it. Who is answered by MAC
/// address does not come to it: it is for PXELINUX on a card that is no Ethernet's, which asks by
/// another number than `01-`. U-Boot without a MAC address has no network either.
#[must_use]
pub fn served_to(asker: IpAddr, programs: &Programs, path: &str) -> Option<Served> {
    let folder = path.trim_start_matches('/').rsplit_once('/');
    let is_theirs = || folder.is_some_and(|(it, _)| programs.has_folder(it));
    let is_answered = match named_for(path) {
        Some(NamedFor::Machine(_) | NamedFor::Board) => !is_theirs(),
        Some(NamedFor::Address(address)) => asker.to_canonical() == address && !is_theirs(),
        Some(NamedFor::Anybody) | None => true,
    };
    served(path).filter(|_| is_answered)
}

/// What DHCP, or the boot server on port 4011, tells a machine to load in this stage of its boot: a
/// name for TFTP or a URL. iPXE is never told a program, so that it does not load itself again; for
/// one that lacks what scripts need, `firmware` is that of a PXE client.
#[must_use]
pub fn boot_file(
    decision: &Decision,
    machine: &Machine,
    firmware: Firmware,
    origin: &Origin,
) -> Option<String> {
    match (firmware, &decision.boot, &decision.program) {
        (_, BootAction::Nothing, _) => None,
        (Firmware::Ipxe, ..) => Some(origin.url(&script_path(decision, machine))),
        (Firmware::HttpClient, _, Program::File(name)) => Some(origin.url(&format!("/{name}"))),
        (Firmware::PxeClient | Firmware::UBoot, _, Program::File(name)) => Some(name.clone()),
        _ => None,
    }
}

/// The script's path with all that says which machine it is for, and what it is known by.
fn script_path(decision: &Decision, machine: &Machine) -> String {
    match machine.mac {
        Some(mac) => format!(
            "{SCRIPT}?mac={}{}",
            mac.dashed(),
            identity(decision, machine)
        ),
        None => SCRIPT.to_owned(),
    }
}

/// What the script's URL says of the machine behind its MAC address: what it is known by, where
/// that is something else.
pub(crate) fn identity(decision: &Decision, machine: &Machine) -> String {
    match (decision.known_by, machine.uuid, &machine.circuit) {
        (Some(KnownBy::Uuid), Some(uuid), _) => format!("&uuid={uuid}"),
        (Some(KnownBy::Circuit), _, Some(circuit)) => format!("&circuit={}", circuit.hex()),
        _ => String::new(),
    }
}

/// The program that a shim is meant to go on with, where it asks for another: iPXE's shim asks for
/// `ipxe.efi` whatever it is called itself, and behind `snponly-shim.efi` belongs `snponly.efi`.
#[must_use]
pub fn second_stage(decision: &Decision, path: &str) -> Option<String> {
    let Program::File(first) = &decision.program else {
        return None;
    };
    let path = path.trim_start_matches('/');
    let folder = path.strip_suffix("ipxe.efi")?;
    let build = first.strip_prefix(folder)?.strip_suffix("-shim.efi")?;
    let plain =
        !build.contains('/') && build != "ipxe" && (folder.is_empty() || folder.ends_with('/'));
    plain.then(|| format!("{folder}{build}.efi"))
}

#[cfg(test)]
mod tests {
    use netboot_dhcp::MacAddr;
    use netboot_ipxe::LocalDisk;

    use super::*;

    fn decision(program: &str) -> Decision {
        Decision {
            target: None,
            known_by: None,
            allowed: true,
            exclusive: false,
            program: Program::File(program.into()),
            boot: BootAction::Menu,
            install: None,
            local: LocalDisk::ByPlatform,
            options: Vec::new(),
            reasons: Vec::new(),
        }
    }

    #[test]
    fn a_shim_that_asks_for_ipxe_gets_the_build_that_it_is_of() {
        for (first, asked, given) in [
            ("snponly-shim.efi", "ipxe.efi", Some("snponly.efi")),
            ("snponly-shim.efi", "/ipxe.efi", Some("snponly.efi")),
            (
                "x86_64-sb/snponly-shim.efi",
                "x86_64-sb/ipxe.efi",
                Some("x86_64-sb/snponly.efi"),
            ),
            ("snponly-shim.efi", "sub/ipxe.efi", None),
            ("x86_64-sb/snponly-shim.efi", "ipxe.efi", None),
            ("snponly-shim.efi", "my-ipxe.efi", None),
            ("snponly-shim.efi", "snponly.efi", None),
            ("ipxe-shim.efi", "ipxe.efi", None),
            ("snponly.efi", "ipxe.efi", None),
        ] {
            let stage = second_stage(&decision(first), asked);
            assert_eq!(stage.as_deref(), given, "{first} asks for {asked}");
        }
    }

    #[test]
    fn each_stage_is_told_what_it_loads_and_ipxe_its_script_by_what_the_machine_is_known_by() {
        let origin = Origin {
            server: IpAddr::from([192, 0, 2, 1]),
            http_port: 8080,
            secure: false,
        };
        let machine = Machine {
            uuid: Some(uuid::Uuid::from_u128(7)),
            circuit: "port 7".parse().ok(),
            ..Machine::with_mac(MacAddr([2, 0, 0, 0, 0, 1]))
        };
        let told = |firmware, decision: &Decision| boot_file(decision, &machine, firmware, &origin);
        let plain = decision("sub/snponly.efi");
        let script = "http://192.0.2.1:8080/boot.ipxe?mac=02-00-00-00-00-01";
        let name = "sub/snponly.efi";
        let url = format!("http://192.0.2.1:8080/{name}");
        for (firmware, file) in [
            (Firmware::PxeClient, Some(name)),
            (Firmware::UBoot, Some(name)),
            (Firmware::HttpClient, Some(&*url)),
            (Firmware::Ipxe, Some(script)),
            (Firmware::Other, None),
        ] {
            assert_eq!(told(firmware, &plain).as_deref(), file, "{firmware:?}");
            let mut left_alone = plain.clone();
            left_alone.boot = BootAction::Nothing;
            assert_eq!(told(firmware, &left_alone), None, "{firmware:?}");
        }
        for (known_by, says) in [
            (KnownBy::Mac, ""),
            (KnownBy::Uuid, "&uuid=00000000-0000-0000-0000-000000000007"),
            (KnownBy::Circuit, "&circuit=0x706f72742037"),
        ] {
            let mut known = plain.clone();
            known.known_by = Some(known_by);
            let file = format!("{script}{says}");
            assert_eq!(told(Firmware::Ipxe, &known), Some(file));
        }
        let nobody = boot_file(&plain, &Machine::default(), Firmware::Ipxe, &origin);
        assert_eq!(nobody.as_deref(), Some("http://192.0.2.1:8080/boot.ipxe"));
    }

    #[test]
    fn an_operators_configurations_are_not_hidden() {
        let asker = IpAddr::from([192, 168, 100, 50]);
        let mac = "pxelinux.cfg/01-52-54-00-12-34-56";
        let address = "pxelinux.cfg/C0A86432";
        let theirs = Programs::from(["pxelinux.cfg/C0A864"]);
        let none = Programs::from(["pxelinux.0"]);
        for name in [mac, address, "pxelinux.cfg/default-arm"] {
            assert_eq!(served_to(asker, &theirs, name), None);
            assert_eq!(served_to(asker, &none, name), Some(Served::Pxelinux));
        }
        let last = served_to(asker, &theirs, "pxelinux.cfg/default");
        assert_eq!(last, Some(Served::Pxelinux));
    }

    #[test]
    fn a_configuration_that_an_address_names_is_for_who_has_it() {
        let none = Programs::default();
        for (asker, name, meaning) in [
            ("192.168.100.50", "C0A86432", Some(Served::Pxelinux)),
            ("::ffff:192.168.100.50", "C0A86432", Some(Served::Pxelinux)),
            ("192.168.100.51", "C0A86432", None),
            ("50.100.168.192", "C0A86432", None),
            ("fe80::c0a8:6432", "C0A86432", None),
            ("192.168.100.50", "C0A8643", None),
            (
                "192.168.100.50",
                "01-52-54-00-12-34-56",
                Some(Served::Pxelinux),
            ),
        ] {
            let address = asker.parse().expect("an address");
            let served = served_to(address, &none, &format!("boot/pxelinux.cfg/{name}"));
            assert_eq!(served, meaning, "{asker} asks for {name}");
        }
    }
}

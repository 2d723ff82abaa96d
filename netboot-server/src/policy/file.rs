//! A decision in each protocol's terms: the boot file for DHCP, and what a path means by TFTP and
//! HTTP.

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Firmware;

use super::{Boot, Decision, KnownBy, Machine, Program};
use crate::script::Origin;
use crate::world::programs::Programs;

/// The path of the boot script: the menu, or with `?mac=…` a machine's.
pub(crate) const SCRIPT: &str = "/boot.ipxe";

/// What a path means when there is no file of that name, by TFTP or HTTP alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Served {
    /// The boot script of the machine that asks.
    Script,
    /// What iPXE runs before it has an address. It asks for `autoexec.ipxe` beside itself, in
    /// whatever folder that is.
    Autoexec,
    /// GRUB's configuration for the machine that asks, in whatever folder its build looks.
    Grub,
    /// PXELINUX's configuration, which U-Boot reads too, in whatever folder the boot program is.
    Pxelinux,
}

/// What a path means when there is no file of that name.
#[must_use]
pub fn served(path: &str) -> Option<Served> {
    let path = path.trim_start_matches('/');
    match path.rsplit_once('/').map_or(path, |(_, file)| file) {
        "autoexec.ipxe" => Some(Served::Autoexec),
        "boot.ipxe" if path == "boot.ipxe" => Some(Served::Script),
        "grub.cfg" => Some(Served::Grub),
        name => pxelinux_name(path, name).map(|_| Served::Pxelinux),
    }
}

/// As [`served`], where the operator's own files are: in a `pxelinux.cfg/` of theirs only the last
/// names are answered, so that none of theirs is hidden by one that is asked for before it.
#[must_use]
pub fn served_beside(programs: &Programs, path: &str) -> Option<Served> {
    let folder = path.trim_start_matches('/').rsplit_once('/');
    let hides = |_: &Served| {
        named_machine(path).is_some() && folder.is_some_and(|(it, _)| programs.has_folder(it))
    };
    served(path).filter(|served| !hides(served))
}

/// The machine that the path of a configuration names: anybody's claim, as a URL's `?mac=` is.
#[must_use]
pub fn named_machine(path: &str) -> Option<MacAddr> {
    let path = path.trim_start_matches('/');
    pxelinux_name(path, path.rsplit_once('/')?.1)?
}

/// The file of an image that a path means: below `images/`, and with its generation below that in any
/// folder, as U-Boot and PXELINUX put the boot program's before every name.
#[must_use]
pub fn image_file(path: &str) -> Option<&str> {
    let path = path.trim_start_matches('/');
    let has_generation = |file: &&str| file.split('/').nth(1).is_some_and(|it| it.starts_with('@'));
    let below = || Some(path.split_once("/images/")?.1).filter(has_generation);
    path.strip_prefix("images/").or_else(below)
}

/// Of the names in a `pxelinux.cfg/` those that this server answers, and the machine in them.
///
/// Both ask for their UUID first, then by `01-` and the MAC address, by parts of their IP address in
/// hex, and at last for `default-arm-…` (U-Boot) and `default`. The first would hide an operator's
/// file for the MAC address; who asks by IP address or for the last is known by where it asks from.
fn pxelinux_name(path: &str, name: &str) -> Option<Option<MacAddr>> {
    let folder = path.strip_suffix(name)?.strip_suffix("pxelinux.cfg/")?;
    if !folder.is_empty() && !folder.ends_with('/') {
        return None;
    }
    if let Some(mac) = name.strip_prefix("01-") {
        return mac.parse().ok().map(Some);
    }
    (name == "default" || name.starts_with("default-")).then_some(None)
}

/// What DHCP, or the boot server on port 4011, tells a machine to load in this stage of its boot: a
/// name for TFTP or a URL. iPXE is never told a program, so that it does not load itself again; for one
/// that lacks what scripts need, `firmware` is that of a PXE client.
#[must_use]
pub fn boot_file(
    decision: &Decision,
    machine: &Machine,
    firmware: Firmware,
    origin: &Origin,
) -> Option<String> {
    match (firmware, &decision.boot, &decision.program) {
        (_, Boot::Nothing, _) => None,
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
    use netboot_ipxe::LocalDisk;

    use super::*;

    fn decision(program: &str) -> Decision {
        Decision {
            target: None,
            known_by: None,
            allowed: true,
            program: Program::File(program.into()),
            boot: Boot::Menu,
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
    fn only_the_name_of_a_mac_address_claims_a_machine() {
        let mac = Some(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        assert_eq!(named_machine("a/pxelinux.cfg/01-52-54-00-12-34-56"), mac);
        assert_eq!(named_machine("pxelinux.cfg/default"), None);
        assert_eq!(named_machine("01-52-54-00-12-34-56"), None);
    }

    #[test]
    fn an_operators_configurations_are_not_hidden() {
        let mac = "pxelinux.cfg/01-52-54-00-12-34-56";
        let theirs = Programs::from(["pxelinux.cfg/C0A864"]);
        assert_eq!(served_beside(&theirs, mac), None);
        let last = served_beside(&theirs, "pxelinux.cfg/default");
        assert_eq!(last, Some(Served::Pxelinux));
        let none = Programs::from(["pxelinux.0"]);
        assert_eq!(served_beside(&none, mac), Some(Served::Pxelinux));
    }

    #[test]
    fn an_images_file_is_found_below_any_folder() {
        for (path, file) in [
            ("images/debian/@1/initrd", Some("debian/@1/initrd")),
            ("/images/debian/@1/initrd", Some("debian/@1/initrd")),
            ("arm64-efi/images/debian/@1/Image", Some("debian/@1/Image")),
            ("arm64-efi/image/debian/@1/Image", None),
            ("arm64-efi/images/debian/Image", None),
            ("arm64-efi/images/autoexec.ipxe", None),
            ("myimages/debian/@1/Image", None),
        ] {
            assert_eq!(image_file(path), file, "{path}");
        }
    }

    #[test]
    fn scripts_are_asked_for_beside_the_program() {
        for (path, meaning) in [
            ("/boot.ipxe", Some(Served::Script)),
            ("autoexec.ipxe", Some(Served::Autoexec)),
            ("x86_64-sb/autoexec.ipxe", Some(Served::Autoexec)),
            ("/grub.cfg", Some(Served::Grub)),
            ("debian-installer/amd64/grub/grub.cfg", Some(Served::Grub)),
            ("grub/grub.cfg-01-52-54-00-12-34-56", None),
            ("pxelinux.cfg/01-52-54-00-12-34-56", Some(Served::Pxelinux)),
            ("/boot/pxelinux.cfg/default", Some(Served::Pxelinux)),
            ("pxelinux.cfg/default-arm-qemu", Some(Served::Pxelinux)),
            ("pxelinux.cfg/01-52-54-00", None),
            ("pxelinux.cfg/C0A86432", None),
            ("pxelinux.cfg/C0A8", None),
            ("pxelinux.cfg/4c4c4544-0042-3510-8052-b4c04f4d3232", None),
            ("my-pxelinux.cfg/default", None),
            ("default", None),
            ("x/boot.ipxe", None),
            ("revocations.efi", None),
        ] {
            assert_eq!(served(path), meaning, "{path}");
        }
    }
}

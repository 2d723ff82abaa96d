//! What a path means by TFTP and HTTP alike, and what kind of thing it names.

use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;

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

/// Whom a name in a `pxelinux.cfg/` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedFor {
    /// The machine of this MAC address.
    Machine(MacAddr),
    /// Who has this address.
    Address(Ipv4Addr),
    /// U-Boot on a kind of board.
    Board,
    /// Whoever found nothing before it.
    Anybody,
}

/// What a path means when there is no file of that name.
#[must_use]
pub fn served(path: &str) -> Option<Served> {
    let path = path.trim_start_matches('/');
    match path.rsplit_once('/').map_or(path, |(_, file)| file) {
        "autoexec.ipxe" => Some(Served::Autoexec),
        "boot.ipxe" if path == "boot.ipxe" => Some(Served::Script),
        "grub.cfg" => Some(Served::Grub),
        _ => named_for(path).map(|_| Served::Pxelinux),
    }
}

/// Of the names in a `pxelinux.cfg/` those that this server answers, and whom they are for: a MAC
/// address is anybody's claim, as a URL's `?mac=` is.
///
/// U-Boot (`cmd/pxe.c`) and PXELINUX (`core/fs/pxe/pxe.c`) ask by their UUID, then by `01-` and the
/// MAC address, by the eight hex digits of their IP address and by less and less of them, and at
/// last for `default-arm-…` (U-Boot) and `default`. A UUID would hide an operator's file for the
/// MAC address; what the start of an address asks for, `default` answers.
#[must_use]
pub fn named_for(path: &str) -> Option<NamedFor> {
    let (folder, name) = path.rsplit_once('/')?;
    if folder.rsplit('/').next() != Some("pxelinux.cfg") {
        return None;
    }
    if let Some(mac) = name.strip_prefix("01-") {
        return mac.parse().ok().map(NamedFor::Machine);
    }
    if let Some(address) = hex_address(name) {
        return Some(NamedFor::Address(address));
    }
    match name.strip_prefix("default")? {
        "" => Some(NamedFor::Anybody),
        board => board.starts_with('-').then_some(NamedFor::Board),
    }
}

/// An address as both programs write it, by `%08X`.
fn hex_address(name: &str) -> Option<Ipv4Addr> {
    let is_digit = |digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
    let is_whole = name.len() == 8 && name.bytes().all(is_digit);
    let bits = is_whole.then(|| u32::from_str_radix(name, 16).ok())??;
    Some(Ipv4Addr::from_bits(bits))
}

/// The file of an image that a path means: below `images/`, and with its generation below that in
/// any folder, as U-Boot and PXELINUX put the boot program's before every name.
#[must_use]
pub fn image_file(path: &str) -> Option<&str> {
    let path = path.trim_start_matches('/');
    let has_generation = |file: &&str| file.split('/').nth(1).is_some_and(|it| it.starts_with('@'));
    let below = Some(path).and_then(|path| Some(path.rsplit_once("/images/")?.1));
    let below = below.filter(has_generation);
    below.or_else(|| path.strip_prefix("images/"))
}

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    /// A boot script.
    Script,
    /// A boot program.
    Program,
    /// A file of an image.
    Image,
    /// What a boot program looks for beside itself or first, and does without.
    Optional,
    /// Anything else.
    Other,
}

impl Resource {
    /// What is asked for, as a path of HTTP or a name of TFTP, which may lack the `/`.
    pub(crate) fn of(path: &str) -> Self {
        let path = path.trim_start_matches('/');
        let split = path.rsplit_once('/');
        let (folder, name) = split.map_or((None, path), |(folder, name)| (Some(folder), name));
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        // Of shim its updates, of GRUB its modules, their lists and one machine's configuration, of
        // U-Boot a script, a device tree, and an image that is called as its address is.
        let optional = ["revocations", "shim_certificate", "grub.cfg-", "boot.scr"];
        let is_last = named_for(path) == Some(NamedFor::Anybody);
        let is_address = |it: &str| it.len() == 8 && it.bytes().all(|it| it.is_ascii_hexdigit());
        match ending {
            // iPXE goes on with what DHCP told it.
            _ if name == "autoexec.ipxe" => Self::Optional,
            _ if image_file(path).is_some() => Self::Image,
            // PXELINUX and U-Boot go on to the last, which is there at all times.
            _ if folder.is_some_and(|it| it.ends_with("pxelinux.cfg")) && !is_last => {
                Self::Optional
            }
            _ if served(path).is_some() => Self::Script,
            _ if folder == Some("dtb") => Self::Optional,
            Some("mod" | "lst" | "dtb") => Self::Optional,
            Some("img") if name.strip_suffix(".img").is_some_and(is_address) => Self::Optional,
            _ if optional.iter().any(|it| name.starts_with(it)) => Self::Optional,
            Some("ipxe" | "cfg") => Self::Script,
            Some("efi" | "kpxe" | "pxe" | "0" | "c32") => Self::Program,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses are as `sprintf` writes them in both programs, by `%08X` of the number in host
    /// order.
    #[test]
    fn a_configurations_name_says_whom_it_is_for() {
        let machine = NamedFor::Machine(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        let address = |octets| Some(NamedFor::Address(Ipv4Addr::from(octets)));
        for (path, whose) in [
            ("a/pxelinux.cfg/01-52-54-00-12-34-56", Some(machine)),
            ("01-52-54-00-12-34-56", None),
            ("pxelinux.cfg/01-52-54-00", None),
            ("pxelinux.cfg/C0A86432", address([192, 168, 100, 50])),
            ("/boot/pxelinux.cfg/0A00000B", address([10, 0, 0, 11])),
            ("pxelinux.cfg/0a00000b", None),
            ("pxelinux.cfg/+A00000B", None),
            ("pxelinux.cfg/C0A8643", None),
            ("pxelinux.cfg/C0A864320", None),
            ("C0A86432", None),
            ("C0A86432/start4.elf", None),
            ("pxelinux.cfg/default-arm-qemu", Some(NamedFor::Board)),
            ("pxelinux.cfg/default", Some(NamedFor::Anybody)),
            ("pxelinux.cfg/defaults", None),
            ("pxelinux.cfg/4c4c4544-0042-3510-8052-b4c04f4d3232", None),
        ] {
            assert_eq!(named_for(path), whose, "{path}");
        }
    }

    #[test]
    fn of_configurations_only_the_last_is_needed() {
        for (path, resource) in [
            ("pxelinux.cfg/01-52-54-00-12-34-56", Resource::Optional),
            ("boot/pxelinux.cfg/C0A86432", Resource::Optional),
            ("pxelinux.cfg/C0A8", Resource::Optional),
            ("pxelinux.cfg/default-arm", Resource::Optional),
            ("boot/pxelinux.cfg/default", Resource::Script),
            ("grub.cfg", Resource::Script),
        ] {
            assert_eq!(Resource::of(path), resource, "{path}");
        }
    }

    #[test]
    fn an_images_file_is_found_below_any_folder() {
        for (path, file) in [
            ("images/debian/@1/initrd", Some("debian/@1/initrd")),
            ("/images/debian/@1/initrd", Some("debian/@1/initrd")),
            ("arm64-efi/images/debian/@1/Image", Some("debian/@1/Image")),
            ("images/images/debian/@1/Image", Some("debian/@1/Image")),
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
            ("pxelinux.cfg/C0A86432", Some(Served::Pxelinux)),
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

//! What a path means by TFTP and HTTP alike, and what kind of thing it names.

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
    let below = Some(path).and_then(|path| Some(path.rsplit_once("/images/")?.1));
    let below = below.filter(has_generation);
    below.or_else(|| path.strip_prefix("images/"))
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

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    /// A boot script.
    Script,
    /// A boot program.
    Program,
    /// A file of an image.
    Image,
    /// What a boot program looks for beside itself, and does without.
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
        let is_address = |it: &str| it.len() == 8 && it.bytes().all(|it| it.is_ascii_hexdigit());
        match ending {
            // Beside an image that is an iPXE there is none.
            _ if path.starts_with("images/") && name == "autoexec.ipxe" => Self::Optional,
            _ if image_file(path).is_some() => Self::Image,
            _ if served(path).is_some() => Self::Script,
            // Where PXELINUX and U-Boot look before and behind what is served there.
            _ if folder.is_some_and(|it| it.ends_with("pxelinux.cfg")) => Self::Optional,
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

    #[test]
    fn only_the_name_of_a_mac_address_claims_a_machine() {
        let mac = Some(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        assert_eq!(named_machine("a/pxelinux.cfg/01-52-54-00-12-34-56"), mac);
        assert_eq!(named_machine("pxelinux.cfg/default"), None);
        assert_eq!(named_machine("01-52-54-00-12-34-56"), None);
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

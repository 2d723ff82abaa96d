//! The boot policy: the only place that knows what a machine boots.
//!
//! [`decide`] is pure. DHCP's boot file, TFTP, the scripts over HTTP and the menu all come from it,
//! and every decision carries its reasons.

use std::fmt;

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::Arch;
use netboot_image::{Generation, ImageName};

use crate::config::{Target, Unknown};
use crate::world::World;

/// What is known of a machine that asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its MAC address.
    pub mac: Option<MacAddr>,
    /// What its firmware says it runs (DHCP option 93).
    pub arch: Option<Arch>,
}

/// What a machine boots, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which of the configuration's targets it is.
    pub target: Option<usize>,
    /// What its firmware loads.
    pub program: Program,
    /// What its boot script does.
    pub boot: Boot,
    /// Why, a sentence each.
    pub reasons: Vec<Reason>,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.boot {
            Boot::Menu => f.write_str("the menu")?,
            Boot::Image(name, generation) => write!(f, "image {name} {generation}")?,
            Boot::MissingImage(name) => write!(f, "a notice that image {name} is missing")?,
            Boot::Local => f.write_str("the local disk")?,
            Boot::Nothing => f.write_str("nothing")?,
        }
        for (index, reason) in self.reasons.iter().enumerate() {
            let before = if index == 0 { ": " } else { "; " };
            write!(f, "{before}{reason}")?;
        }
        Ok(())
    }
}

/// The boot program that a machine's firmware is to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// This one, which is at hand.
    File(String),
    /// It should be one of these, and none is at hand.
    Missing(Vec<String>),
    /// Firmware that no program is known for, or a machine that is to be left alone.
    None,
}

/// What a boot script does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// Shows the menu.
    Menu,
    /// Boots an image.
    Image(ImageName, Generation),
    /// Says that the image is not in the store.
    MissingImage(ImageName),
    /// Boots the local disk.
    Local,
    /// Nothing: the machine is left alone.
    Nothing,
}

/// Why a decision is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The machine is this target.
    IsTarget {
        /// Its name.
        name: String,
        /// Where it stands in the configuration.
        place: String,
    },
    /// No target has this MAC address.
    NoTarget,
    /// Nobody knows the machine's MAC address.
    NoMac,
    /// The target or its group names an image.
    TargetImage(ImageName),
    /// The target names no image.
    TargetWithoutImage,
    /// What `menu.unknown` says.
    UnknownMachine(Unknown),
    /// The image is not in the store.
    ImageNotInStore(ImageName),
    /// The target names its boot program.
    TargetProgram(String),
    /// The first of the programs for the architecture that is at hand.
    ProgramFor(Arch, String),
    /// No program is known for the architecture.
    NoProgramFor(Arch),
    /// None of these boot programs is at hand.
    ProgramNotAtHand(Vec<String>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsTarget { name, place } => write!(f, "it is target {name} ({place})"),
            Self::NoTarget => f.write_str("no target has its MAC address"),
            Self::NoMac => f.write_str("its MAC address is not known"),
            Self::TargetImage(image) => write!(f, "its target names image {image}"),
            Self::TargetWithoutImage => f.write_str("its target names no image"),
            Self::UnknownMachine(unknown) => {
                let what = match unknown {
                    Unknown::Menu => "the menu",
                    Unknown::Local => "their local disk",
                    Unknown::Silent => "nothing",
                };
                write!(f, "machines that are no target get {what} (menu.unknown)")
            }
            Self::ImageNotInStore(image) => write!(f, "image {image} is not in the store"),
            Self::TargetProgram(name) => write!(f, "its target names the program {name}"),
            Self::ProgramFor(arch, name) => write!(f, "{name} is for {arch}"),
            Self::NoProgramFor(arch) => write!(f, "no boot program is known for {arch}"),
            Self::ProgramNotAtHand(names) => {
                write!(f, "no {} is at hand", names.join(" and no "))
            }
        }
    }
}

/// The boot programs for an architecture, the one to prefer first; the names are those of iPXE's
/// builds.
#[must_use]
pub fn programs_for(arch: Arch) -> &'static [&'static str] {
    match arch.0 {
        0 => &["undionly.kpxe"],
        6 | 15 => &["ipxe-i386.efi", "snponly-i386.efi"],
        7 | 9 | 16 => &["ipxe.efi", "snponly.efi"],
        11 | 19 => &["ipxe-arm64.efi", "snponly-arm64.efi"],
        _ => &[],
    }
}

/// What the machine boots.
#[must_use]
pub fn decide(world: &World, machine: &Machine) -> Decision {
    let mut reasons = Vec::new();
    let target = find_target(world, machine, &mut reasons);
    let boot = decide_boot(world, target.map(|(_, target)| target), &mut reasons);
    let program = match boot {
        Boot::Nothing => Program::None,
        _ => decide_program(
            world,
            machine,
            target.map(|(_, target)| target),
            &mut reasons,
        ),
    };
    Decision {
        target: target.map(|(index, _)| index),
        program,
        boot,
        reasons,
    }
}

fn find_target<'w>(
    world: &'w World,
    machine: &Machine,
    reasons: &mut Vec<Reason>,
) -> Option<(usize, &'w Target)> {
    let Some(mac) = machine.mac else {
        reasons.push(Reason::NoMac);
        return None;
    };
    let found = world.target(mac);
    reasons.push(match found {
        Some((_, target)) => Reason::IsTarget {
            name: target.name.clone(),
            place: target.place.clone(),
        },
        None => Reason::NoTarget,
    });
    found
}

fn decide_boot(world: &World, target: Option<&Target>, reasons: &mut Vec<Reason>) -> Boot {
    let Some(target) = target else {
        let unknown = world.config().menu.unknown;
        reasons.push(Reason::UnknownMachine(unknown));
        return match unknown {
            Unknown::Menu => Boot::Menu,
            Unknown::Local => Boot::Local,
            Unknown::Silent => Boot::Nothing,
        };
    };
    let Some(image) = &target.image else {
        reasons.push(Reason::TargetWithoutImage);
        return Boot::Menu;
    };
    reasons.push(Reason::TargetImage(image.clone()));
    match world.image(image) {
        Some(manifest) => Boot::Image(image.clone(), manifest.generation()),
        None => {
            reasons.push(Reason::ImageNotInStore(image.clone()));
            Boot::MissingImage(image.clone())
        }
    }
}

fn decide_program(
    world: &World,
    machine: &Machine,
    target: Option<&Target>,
    reasons: &mut Vec<Reason>,
) -> Program {
    let named = target.and_then(|target| target.program.as_ref());
    let candidates: Vec<String> = match (named, machine.arch) {
        (Some(name), _) => {
            reasons.push(Reason::TargetProgram(name.clone()));
            vec![name.clone()]
        }
        (None, Some(arch)) => programs_for(arch).iter().map(ToString::to_string).collect(),
        (None, None) => return Program::None,
    };
    let at_hand = candidates.iter().find(|name| world.programs().has(name));
    match (at_hand, machine.arch) {
        (Some(name), arch) => {
            if let (Some(arch), None) = (arch, named) {
                reasons.push(Reason::ProgramFor(arch, name.clone()));
            }
            Program::File(name.clone())
        }
        (None, Some(arch)) if candidates.is_empty() => {
            reasons.push(Reason::NoProgramFor(arch));
            Program::None
        }
        (None, _) => {
            reasons.push(Reason::ProgramNotAtHand(candidates.clone()));
            Program::Missing(candidates)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use netboot_image::Manifest;

    use super::*;
    use crate::config::{self, Flags, Host};
    use crate::programs::Programs;

    const NODE: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    const PLAIN: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x57]);
    const STRANGER: MacAddr = MacAddr([0x52, 0x54, 0, 0, 0, 0x01]);
    const CONFIG: &str = r#"
        [netboot.server]
        ip = "192.168.100.1"
        interface = "eth1"
        [[netboot.targets]]
        name = "node"
        mac = "52:54:00:12:34:56"
        config = "debian"
        [[netboot.targets]]
        name = "plain"
        mac = "52:54:00:12:34:57"
        program = "snponly.efi"
    "#;

    fn world(more: &str, images: Vec<Manifest>, programs: Programs) -> World {
        let text = format!("{CONFIG}{more}");
        let (flags, host) = (Flags::default(), Host::default());
        let (config, problems) = config::load_text("test", &text, false, &flags, &host);
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        World::new(Arc::new(config), images, programs)
    }

    fn debian() -> Manifest {
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let json = format!(
            r#"{{ "version": "1.0", "name": "debian", "generation": 3,
                "created": "2026-11-23T05:26:58Z", "architecture": "x86_64", "kind": "linux",
                "kernel": {{ "file": "bzImage", "size": 5, "cmdline_limit": 2047,
                             "digest": "sha256:{digest}" }},
                "initrds": [], "cmdline": [] }}"#
        );
        Manifest::from_json(json.as_bytes()).expect("a manifest")
    }

    fn machine(mac: MacAddr, arch: Arch) -> Machine {
        Machine {
            mac: Some(mac),
            arch: Some(arch),
        }
    }

    #[test]
    fn a_target_boots_the_current_generation_of_its_image() {
        let world = world("", vec![debian()], Programs::from(["undionly.kpxe"]));
        let decision = decide(&world, &machine(NODE, Arch::X86_BIOS));
        let image: ImageName = "debian".parse().expect("a name");
        let generation = Generation::new(3).expect("above zero");
        assert_eq!(decision.boot, Boot::Image(image, generation));
        assert_eq!(decision.program, Program::File("undionly.kpxe".into()));
        assert_eq!(
            decision.to_string(),
            "image debian @3: it is target node (test: netboot.targets[0]); its target names image \
             debian; undionly.kpxe is for x86 BIOS"
        );
    }

    #[test]
    fn an_image_that_is_not_in_the_store_is_a_notice_and_no_menu() {
        let world = world("", Vec::new(), Programs::from(["undionly.kpxe"]));
        let decision = decide(&world, &machine(NODE, Arch::X86_BIOS));
        let image: ImageName = "debian".parse().expect("a name");
        assert_eq!(decision.boot, Boot::MissingImage(image.clone()));
        assert!(decision.reasons.contains(&Reason::ImageNotInStore(image)));
    }

    #[test]
    fn a_machine_that_is_no_target_gets_what_the_menu_says() {
        for (more, boot) in [
            ("", Boot::Menu),
            ("[netboot.menu]\nunknown = \"local\"", Boot::Local),
            ("[netboot.menu]\nunknown = \"silent\"", Boot::Nothing),
        ] {
            let world = world(more, vec![debian()], Programs::from(["undionly.kpxe"]));
            let decision = decide(&world, &machine(STRANGER, Arch::X86_BIOS));
            assert_eq!(decision.boot, boot, "{more}");
            assert_eq!(decision.target, None);
            // One that is to be left alone is told no program either.
            assert_eq!(decision.program == Program::None, boot == Boot::Nothing);
        }
    }

    #[test]
    fn each_architecture_gets_the_first_of_its_programs_that_is_at_hand() {
        let both = || Programs::from(["undionly.kpxe", "ipxe.efi", "snponly.efi"]);
        let file = |name: &str| Program::File(name.into());
        for (arch, programs, program) in [
            (0, both(), file("undionly.kpxe")),
            // RFC 4578 and the registry differ on 7 and 9; both are sent by x64 firmware.
            (7, both(), file("ipxe.efi")),
            (9, both(), file("ipxe.efi")),
            (16, both(), file("ipxe.efi")),
            (7, Programs::from(["snponly.efi"]), file("snponly.efi")),
            (
                11,
                both(),
                Program::Missing(vec!["ipxe-arm64.efi".into(), "snponly-arm64.efi".into()]),
            ),
            (5, both(), Program::None),
        ] {
            let world = world("", Vec::new(), programs);
            let decision = decide(&world, &machine(STRANGER, Arch(arch)));
            assert_eq!(decision.program, program, "architecture {arch}");
        }
    }

    #[test]
    fn a_targets_own_program_is_taken_whatever_the_architecture() {
        let world = world("", Vec::new(), Programs::from(["ipxe.efi", "snponly.efi"]));
        let decision = decide(&world, &machine(PLAIN, Arch::X64_UEFI));
        assert_eq!(decision.program, Program::File("snponly.efi".into()));
        assert_eq!(decision.boot, Boot::Menu);
    }
}

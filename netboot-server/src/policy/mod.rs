//! The boot policy: the only place that knows what a machine boots.
//!
//! [`decide`] is pure. DHCP's boot file, TFTP's names, the scripts over HTTP, the menu and
//! `netboot explain` all come from it, and every decision carries its reasons. What a target says
//! wins over its group, that over its network, and that over the default; what the [`Policy`] of a
//! program that embeds the server says of what a machine boots wins over all of them.

mod decision;
mod file;
mod layers;
mod origin;
mod reason;

use crate::world::{Machine, World};
use layers::{Layers, chosen};

pub use decision::{BootAction, Decision, Program};
pub(crate) use file::identity;
pub use file::{boot_file, second_stage, served_to};
pub use origin::Origin;
pub use reason::{Layer, Reason};

pub use crate::world::{Choice, Policy};

/// What the machine boots.
#[must_use]
pub fn decide(world: &World, machine: &Machine) -> Decision {
    let mut reasons = Vec::new();
    let found = world.find(machine);
    reasons.push(match (&found, machine.mac) {
        (Some((_, target, by)), _) => Reason::IsTarget {
            name: target.name.clone(),
            place: target.place.clone(),
            by: *by,
        },
        (None, Some(_)) => Reason::NoTarget,
        (None, None) => Reason::NoMac,
    });
    let layers = Layers::of(world, machine, found.map(|(_, target, _)| target));
    let allowed = layers.allows(&mut reasons);
    let known_by = found.map(|(.., by)| by);
    let exclusive = layers.is_exclusive(known_by, &mut reasons);
    let (boot, install) = if !allowed {
        (BootAction::Nothing, None)
    } else if let Some(choice) = world.choice(machine) {
        (chosen(world, choice, &mut reasons), None)
    } else {
        layers.boot(world, &mut reasons)
    };
    let program = match boot {
        BootAction::Nothing => Program::None,
        _ => layers.program(world, machine, &mut reasons),
    };
    Decision {
        target: found.map(|(index, ..)| index),
        known_by,
        allowed,
        exclusive,
        program,
        boot,
        install,
        local: layers.local(),
        options: layers.options(),
        reasons,
    }
}

#[cfg(test)]
mod tests {
    use netboot_dhcp::MacAddr;
    use netboot_dhcp::value::Arch;
    use netboot_image::{Generation, ImageName, Manifest};

    use super::*;
    use crate::world::programs::Programs;

    const NODE: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    const PLAIN: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x57]);
    pub(super) const STRANGER: MacAddr = MacAddr([0x52, 0x54, 0, 0, 0, 0x01]);
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

    pub(super) fn world(more: &str, images: Vec<Manifest>, programs: Programs) -> World {
        let text = format!("{CONFIG}{more}");
        World::of_text(&text, images, programs)
    }

    pub(super) fn debian() -> Manifest {
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let json = format!(
            r#"{{ "version": "1.0", "name": "debian", "generation": 3,
                "created": "2026-11-23T05:26:58Z", "architecture": "x86_64", "kind": "linux",
                "kernel": {{ "file": "bzImage", "size": 5, "cmdline_limit": 2047,
                             "digest": "sha256:{digest}" }},
                "initrds": [], "cmdline": [] }}"#
        );
        Manifest::decode(json.as_bytes()).expect("a manifest")
    }

    fn machine(mac: MacAddr, arch: Arch) -> Machine {
        Machine {
            arch: Some(arch),
            ..Machine::with_mac(mac)
        }
    }

    #[test]
    fn a_target_boots_the_current_generation_of_its_image() {
        let world = world("", vec![debian()], Programs::from(["undionly.kpxe"]));
        let decision = decide(&world, &machine(NODE, Arch::X86_BIOS));
        let image: ImageName = "debian".parse().expect("a name");
        let generation = Generation::new(3).expect("above zero");
        assert_eq!(decision.boot, BootAction::Image(image, generation));
        assert_eq!(decision.program, Program::File("undionly.kpxe".into()));
        assert_eq!(
            decision.to_string(),
            "image debian @3: it is target node (test: netboot.targets[0]); its target names image \
             debian; undionly.kpxe is for x86 BIOS"
        );
        assert_eq!(
            decision.of_script(),
            "image debian @3: it is target node (test: netboot.targets[0]); its target names image \
             debian"
        );
    }

    #[test]
    fn an_image_that_is_not_in_the_store_is_a_notice_and_no_menu() {
        let world = world("", Vec::new(), Programs::from(["undionly.kpxe"]));
        let decision = decide(&world, &machine(NODE, Arch::X86_BIOS));
        let image: ImageName = "debian".parse().expect("a name");
        assert_eq!(decision.boot, BootAction::MissingImage(image.clone()));
        assert!(decision.reasons.contains(&Reason::ImageNotInStore(image)));
    }

    #[test]
    fn a_machine_that_is_no_target_gets_what_the_menu_says() {
        for (more, boot) in [
            ("", BootAction::Menu),
            ("[netboot.menu]\nunknown = \"local\"", BootAction::Local),
            ("[netboot.menu]\nunknown = \"silent\"", BootAction::Nothing),
        ] {
            let world = world(more, vec![debian()], Programs::from(["undionly.kpxe"]));
            let decision = decide(&world, &machine(STRANGER, Arch::X86_BIOS));
            assert_eq!(decision.boot, boot, "{more}");
            assert_eq!(decision.target, None);
            // One that is to be left alone is told no program either.
            assert_eq!(
                decision.program == Program::None,
                boot == BootAction::Nothing
            );
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
                Program::Missing(
                    [
                        "ipxe-arm64.efi",
                        "snponly-arm64.efi",
                        "arm64-efi/ipxe.efi",
                        "arm64-efi/snponly.efi",
                    ]
                    .map(String::from)
                    .into(),
                ),
            ),
            (5, both(), Program::None),
        ] {
            let world = world("", Vec::new(), programs);
            let decision = decide(&world, &machine(STRANGER, Arch(arch)));
            assert_eq!(decision.program, program, "architecture {arch}");
        }
    }

    #[test]
    fn a_policy_in_code_is_asked_before_the_configuration_and_says_why() {
        let policy = |world: &World, machine: &Machine| match world.find(machine) {
            Some(_) => None,
            None if machine.mac == Some(STRANGER) => Some(Choice::image(
                "debian".parse().ok()?,
                "its memory is to be tested",
            )),
            None => Some(Choice::nothing("it is not in the inventory")),
        };
        let more = "[netboot.menu]\nunknown = \"local\"";
        let world = world(more, vec![debian()], Programs::from(["ipxe.efi"])).with_policy(policy);
        let decision = decide(&world, &machine(STRANGER, Arch::X64_UEFI));
        assert_eq!(
            decision.to_string(),
            "image debian @3: no target has its MAC address; the policy in code has it so: its \
             memory is to be tested; ipxe.efi is for x64 UEFI"
        );
        let other = decide(
            &world,
            &machine(MacAddr([2, 0, 0, 0, 0, 9]), Arch::X64_UEFI),
        );
        assert_eq!(
            (other.boot, other.program),
            (BootAction::Nothing, Program::None)
        );
        // What it leaves to the configuration is as it was.
        let target = decide(&world, &machine(PLAIN, Arch::X64_UEFI));
        assert_eq!(target.boot, BootAction::Menu);
    }

    #[test]
    fn a_targets_own_program_is_taken_whatever_the_architecture() {
        let world = world("", Vec::new(), Programs::from(["ipxe.efi", "snponly.efi"]));
        let decision = decide(&world, &machine(PLAIN, Arch::X64_UEFI));
        assert_eq!(decision.program, Program::File("snponly.efi".into()));
        assert_eq!(decision.boot, BootAction::Menu);
    }
}

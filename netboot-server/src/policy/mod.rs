//! The boot policy: the only place that knows what a machine boots.
//!
//! [`decide`] is pure. DHCP's boot file, TFTP's names, the scripts over HTTP, the menu and
//! `netboot explain` all come from it, and every decision carries its reasons. What a target says
//! wins over its group, that over its network, and that over the default.

mod file;
mod reason;

use std::fmt;

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::Arch;
use netboot_image::{Generation, ImageName};
use netboot_ipxe::LocalDisk;
use uuid::Uuid;

use crate::config::{Allow, Circuit, DhcpOption, Group, LocalBoot, Network, Target, Then, Unknown};
use crate::platform::Platform;
use crate::world::World;

pub use file::{Served, boot_file, second_stage, served};
pub use reason::{KnownBy, Layer, Reason};

/// What is known of a machine that asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Machine {
    /// Its MAC address.
    pub mac: Option<MacAddr>,
    /// Its UUID (DHCP option 97, or iPXE's `${uuid}`).
    pub uuid: Option<Uuid>,
    /// The circuit that a relay agent saw it on (DHCP option 82).
    pub circuit: Option<Circuit>,
    /// What its firmware says it runs (DHCP option 93).
    pub arch: Option<Arch>,
    /// Which of the configuration's networks it is on.
    pub network: Option<usize>,
}

impl Machine {
    /// The machine with this MAC address, of which nothing else is known.
    #[must_use]
    pub fn with_mac(mac: MacAddr) -> Self {
        Self {
            mac: Some(mac),
            ..Self::default()
        }
    }

    /// The platform that its boot program has to be for.
    #[must_use]
    pub fn platform(&self) -> Option<Platform> {
        Platform::of(self.arch?, self.mac)
    }
}

/// What a machine boots, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Which of the configuration's targets it is.
    pub target: Option<usize>,
    /// By what it is known to be that target.
    pub known_by: Option<KnownBy>,
    /// Whether it is given an address at all.
    pub allowed: bool,
    /// What its firmware loads.
    pub program: Program,
    /// What its boot script does.
    pub boot: Boot,
    /// The number of the install that it is to report when it is done, where it boots one.
    pub install: Option<u64>,
    /// How it boots its local disk.
    pub local: LocalDisk,
    /// The group's and the target's DHCP options, by code.
    pub options: Vec<DhcpOption>,
    /// Why, a sentence each.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Its target's name.
    #[must_use]
    pub fn target_in<'w>(&self, world: &'w World) -> Option<&'w Target> {
        world.config().targets.get(self.target?)
    }

    /// What the boot script does, and why, in one sentence.
    #[must_use]
    pub fn of_script(&self) -> String {
        let reasons = self.reasons.iter();
        let mut sentence = self.boot.to_string();
        for (index, reason) in reasons.filter(|it| !it.is_about_program()).enumerate() {
            sentence.push_str(if index == 0 { ": " } else { "; " });
            sentence.push_str(&reason.to_string());
        }
        sentence
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.boot)?;
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

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Menu => f.write_str("the menu"),
            Self::Image(name, generation) => write!(f, "image {name} {generation}"),
            Self::MissingImage(name) => write!(f, "a notice that image {name} is missing"),
            Self::Local => f.write_str("the local disk"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// What has a say about a machine, the first before the second.
struct Layers<'w> {
    target: Option<&'w Target>,
    group: Option<(&'w str, &'w Group)>,
    network: Option<&'w Network>,
}

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
    let (boot, install) = if allowed {
        layers.boot(world, &mut reasons)
    } else {
        (Boot::Nothing, None)
    };
    let program = match boot {
        Boot::Nothing => Program::None,
        _ => layers.program(world, machine, &mut reasons),
    };
    Decision {
        target: found.map(|(index, ..)| index),
        known_by: found.map(|(.., by)| by),
        allowed,
        program,
        boot,
        install,
        local: layers.local(),
        options: layers.options(),
        reasons,
    }
}

impl<'w> Layers<'w> {
    fn of(world: &'w World, machine: &Machine, target: Option<&'w Target>) -> Self {
        let config = world.config();
        let group = target.and_then(|target| target.group.as_deref());
        Self {
            target,
            group: group.and_then(|name| Some((name, config.groups.get(name)?))),
            network: machine.network.and_then(|at| config.networks.get(at)),
        }
    }

    /// The first that says it, and who that is.
    fn first<T>(
        &self,
        target: impl Fn(&'w Target) -> Option<T>,
        group: impl Fn(&'w Group) -> Option<T>,
        network: impl Fn(&'w Network) -> Option<T>,
    ) -> Option<(Layer, T)> {
        let of_target = self.target.and_then(target);
        let of_group = || {
            let (name, settings) = self.group?;
            Some((Layer::Group(name.to_owned()), group(settings)?))
        };
        let of_network = || {
            let settings = self.network?;
            Some((Layer::Network(settings.name.clone()), network(settings)?))
        };
        of_target
            .map(|value| (Layer::Target, value))
            .or_else(of_group)
            .or_else(of_network)
    }

    fn allows(&self, reasons: &mut Vec<Reason>) -> bool {
        let known_only = self
            .network
            .filter(|network| network.allow == Allow::Known && self.target.is_none());
        if let Some(network) = known_only {
            reasons.push(Reason::OnlyKnown(network.name.clone()));
        }
        known_only.is_none()
    }

    /// What the script does, and the number of the install that it is to report.
    fn boot(&self, world: &World, reasons: &mut Vec<Reason>) -> (Boot, Option<u64>) {
        let Some(target) = self.target else {
            let unknown = world.config().menu.unknown;
            reasons.push(Reason::UnknownMachine(unknown));
            let boot = match unknown {
                Unknown::Menu => Boot::Menu,
                Unknown::Local => Boot::Local,
                Unknown::Silent => Boot::Nothing,
            };
            return (boot, None);
        };
        let install = self.first(
            |target| target.install.as_ref(),
            |group| group.install.as_ref(),
            |_| None,
        );
        if let Some((layer, install)) = install {
            let Some(installs) = world.installs() else {
                // Whoever is installed already must not be installed again.
                reasons.push(Reason::InstallsUnread);
                return (Boot::Local, None);
            };
            let state = installs.of(target);
            if !state.installed {
                reasons.push(Reason::ToInstall {
                    layer,
                    image: install.image.clone(),
                    number: state.number,
                });
                let boot = image(world, &install.image, reasons);
                let report = matches!(boot, Boot::Image(..)).then_some(state.number);
                return (boot, report);
            }
            reasons.push(Reason::Installed {
                number: state.number,
                then: install.then,
            });
            if install.then == Then::Local {
                return (Boot::Local, None);
            }
        }
        let named = self.first(
            |target| target.image.as_ref(),
            |group| group.image.as_ref(),
            |_| None,
        );
        let Some((layer, name)) = named else {
            reasons.push(Reason::TargetWithoutImage);
            return (Boot::Menu, None);
        };
        reasons.push(Reason::NamesImage {
            layer,
            image: name.clone(),
        });
        (image(world, name, reasons), None)
    }

    fn program(&self, world: &World, machine: &Machine, reasons: &mut Vec<Reason>) -> Program {
        let platform = machine.platform();
        let named = self.first(
            |target| target.program.as_ref()?.program(platform),
            |group| group.program.as_ref()?.program(platform),
            |network| network.program.as_ref()?.program(platform),
        );
        if let Some((layer, name)) = named {
            reasons.push(Reason::NamesProgram {
                layer,
                program: name.to_owned(),
            });
            if world.programs().has(name) {
                return Program::File(name.to_owned());
            }
            let names = vec![name.to_owned()];
            reasons.push(Reason::ProgramNotAtHand(names.clone()));
            return Program::Missing(names);
        }
        let Some(arch) = machine.arch else {
            return Program::None;
        };
        let Some(platform) = platform else {
            reasons.push(Reason::NoProgramFor(arch));
            return Program::None;
        };
        match world.programs().for_platform(platform) {
            Some(name) => {
                reasons.push(Reason::ProgramFor(arch, name.to_owned()));
                Program::File(name.to_owned())
            }
            None => {
                let names: Vec<_> = platform.programs().iter().map(|&n| n.to_owned()).collect();
                reasons.push(Reason::ProgramNotAtHand(names.clone()));
                Program::Missing(names)
            }
        }
    }

    fn local(&self) -> LocalDisk {
        let said = self.first(|target| target.local, |group| group.local, |_| None);
        match said {
            Some((_, LocalBoot::Sanboot)) => LocalDisk::Bios,
            Some((_, LocalBoot::Exit)) => LocalDisk::Efi,
            None => LocalDisk::ByPlatform,
        }
    }

    fn options(&self) -> Vec<DhcpOption> {
        let own = self.target.map(|target| target.options.as_slice());
        let own = own.unwrap_or_default();
        let of_group = self.group.map(|(_, group)| group.options.as_slice());
        let of_group = of_group.unwrap_or_default().iter();
        let kept = of_group.filter(|option| own.iter().all(|other| other.code != option.code));
        let mut options: Vec<_> = kept.chain(own).cloned().collect();
        options.sort_by_key(|option| option.code);
        options
    }
}

fn image(world: &World, name: &ImageName, reasons: &mut Vec<Reason>) -> Boot {
    match world.image(name) {
        Some(manifest) => Boot::Image(name.clone(), manifest.generation()),
        None => {
            reasons.push(Reason::ImageNotInStore(name.clone()));
            Boot::MissingImage(name.clone())
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
    fn a_targets_own_program_is_taken_whatever_the_architecture() {
        let world = world("", Vec::new(), Programs::from(["ipxe.efi", "snponly.efi"]));
        let decision = decide(&world, &machine(PLAIN, Arch::X64_UEFI));
        assert_eq!(decision.program, Program::File("snponly.efi".into()));
        assert_eq!(decision.boot, Boot::Menu);
    }

    const LAYERS: &str = r#"
        [[netboot.networks]]
        name = "lab"
        server = "10.0.0.1"
        subnet = "10.0.0.0/24"
        allow = "known"
        program = { x64 = "network.efi", bios = "network.kpxe" }
        [netboot.groups.rack]
        config = "debian"
        program = { x64 = "group.efi" }
        local = "sanboot"
        options = { mtu = 9000, ntp-server = "10.0.0.1" }
        [[netboot.targets]]
        name = "own"
        mac = "02:00:00:00:00:01"
        group = "rack"
        program = "own.efi"
        local = "exit"
        options = { mtu = 1400 }
        [[netboot.targets]]
        name = "grouped"
        uuid = "4c4c4544-0042-3510-8052-b4c04f4d3232"
        group = "rack"
        [[netboot.targets]]
        name = "bare"
        circuit = "eth0/1:100"
    "#;

    fn layers() -> World {
        let (flags, host) = (Flags::default(), Host::default());
        let (config, problems) = config::load_text("test", LAYERS, false, &flags, &host);
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        let programs = [
            "own.efi",
            "group.efi",
            "network.efi",
            "network.kpxe",
            "ipxe.efi",
        ];
        World::new(Arc::new(config), vec![debian()], Programs::from(programs))
    }

    /// The machine of each target, by all that it is known by.
    fn known(name: &str, arch: Arch) -> Machine {
        let machine = match name {
            "own" => Machine::with_mac(MacAddr([2, 0, 0, 0, 0, 1])),
            "grouped" => Machine {
                uuid: "44454c4c-4200-1035-8052-b4c04f4d3232".parse().ok(),
                ..Machine::default()
            },
            "bare" => Machine {
                circuit: "eth0/1:100".parse().ok(),
                ..Machine::default()
            },
            _ => Machine::with_mac(STRANGER),
        };
        Machine {
            arch: Some(arch),
            ..machine
        }
    }

    #[test]
    fn what_a_target_says_wins_over_its_group_and_that_over_the_network_and_the_default() {
        let world = layers();
        for (name, arch, program) in [
            ("own", 7, "own.efi"),
            ("own", 0, "own.efi"),
            ("grouped", 7, "group.efi"),
            ("grouped", 0, "network.kpxe"),
            ("bare", 7, "network.efi"),
            ("bare", 16, "network.efi"),
        ] {
            let machine = known(name, Arch(arch));
            let decision = decide(
                &world,
                &Machine {
                    network: Some(0),
                    ..machine.clone()
                },
            );
            assert_eq!(
                decision.program,
                Program::File(program.into()),
                "{name} {arch}"
            );
            let target = decision
                .target_in(&world)
                .map(|target| target.name.as_str());
            assert_eq!(target, Some(name), "{name} {arch}");
            let elsewhere = decide(
                &world,
                &Machine {
                    network: None,
                    ..machine
                },
            );
            let default = if program.starts_with("network") {
                "ipxe.efi"
            } else {
                program
            };
            if arch != 0 {
                assert_eq!(
                    elsewhere.program,
                    Program::File(default.into()),
                    "{name} {arch}"
                );
            }
        }
        let local = |name| decide(&world, &known(name, Arch::X64_UEFI)).local;
        assert_eq!(local("own"), LocalDisk::Efi);
        assert_eq!(local("grouped"), LocalDisk::Bios);
        assert_eq!(local("bare"), LocalDisk::ByPlatform);
        let options = |name| {
            let options = decide(&world, &known(name, Arch::X64_UEFI)).options;
            let options = options.into_iter();
            options
                .map(|it| (it.code.0, it.data.to_vec()))
                .collect::<Vec<_>>()
        };
        let ntp = (42, vec![10, 0, 0, 1]);
        assert_eq!(options("own"), [(26, vec![0x05, 0x78]), ntp.clone()]);
        assert_eq!(options("grouped"), [(26, vec![0x23, 0x28]), ntp]);
        assert_eq!(options("bare"), []);
    }

    #[test]
    fn a_network_for_known_machines_leaves_out_the_others_and_says_so() {
        let world = layers();
        for (name, allowed) in [
            ("own", true),
            ("grouped", true),
            ("bare", true),
            ("none", false),
        ] {
            let machine = Machine {
                network: Some(0),
                ..known(name, Arch::X64_UEFI)
            };
            let decision = decide(&world, &machine);
            assert_eq!(decision.allowed, allowed, "{name}");
            assert_eq!(decision.boot == Boot::Nothing, !allowed, "{name}");
            let left_out = Reason::OnlyKnown("lab".into());
            assert_eq!(decision.reasons.contains(&left_out), !allowed, "{name}");
        }
    }

    #[test]
    fn a_mac_address_wins_over_a_uuid_and_that_over_a_circuit() {
        let world = layers();
        let everything = Machine {
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            uuid: known("grouped", Arch(7)).uuid,
            circuit: known("bare", Arch(7)).circuit,
            ..Machine::default()
        };
        let by = |machine: &Machine| decide(&world, machine).known_by;
        assert_eq!(by(&everything), Some(KnownBy::Mac));
        let unknown_mac = Machine {
            mac: Some(STRANGER),
            ..everything
        };
        assert_eq!(by(&unknown_mac), Some(KnownBy::Uuid));
        let unknown_uuid = Machine {
            uuid: Some(Uuid::nil()),
            ..unknown_mac
        };
        assert_eq!(by(&unknown_uuid), Some(KnownBy::Circuit));
    }
}

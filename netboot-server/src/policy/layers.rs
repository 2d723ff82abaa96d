//! What has a say about a machine: its target, that one's group, its network.

use netboot_dhcp::value::Arch;
use netboot_image::ImageName;
use netboot_ipxe::LocalDisk;

use super::decision::{BootAction, Program};
use super::reason::{Layer, Reason};
use crate::config::{Allow, DhcpOption, Group, LocalBoot, Network, Target, Then, Unknown};
use crate::world::{Choice, Chosen, KnownBy, Machine, World};

/// What has a say about a machine, the first before the second.
pub(super) struct Layers<'w> {
    target: Option<&'w Target>,
    group: Option<(&'w str, &'w Group)>,
    network: Option<&'w Network>,
}

impl<'w> Layers<'w> {
    pub(super) fn of(world: &'w World, machine: &Machine, target: Option<&'w Target>) -> Self {
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

    pub(super) fn allows(&self, reasons: &mut Vec<Reason>) -> bool {
        let known_only = self
            .network
            .filter(|network| network.allow == Allow::Known && self.target.is_none());
        if let Some(network) = known_only {
            reasons.push(Reason::OnlyKnown(network.name.clone()));
        }
        known_only.is_none()
    }

    /// Whether a stranger that says that it is the target would get an address by that.
    pub(super) fn is_exclusive(
        &self,
        known_by: Option<KnownBy>,
        reasons: &mut Vec<Reason>,
    ) -> bool {
        let network = self.network.filter(|it| it.allow == Allow::Known);
        let claimed = matches!(known_by, Some(KnownBy::Uuid | KnownBy::Circuit));
        let Some(network) = network.filter(|_| claimed) else {
            return false;
        };
        reasons.push(Reason::OneAtATime(network.name.clone()));
        true
    }

    /// What the script does, and the number of the install that it is to report.
    pub(super) fn boot(
        &self,
        world: &World,
        reasons: &mut Vec<Reason>,
    ) -> (BootAction, Option<u64>) {
        let Some(target) = self.target else {
            let unknown = world.config().menu.unknown;
            reasons.push(Reason::UnknownMachine(unknown));
            let boot = match unknown {
                Unknown::Menu => BootAction::Menu,
                Unknown::Local => BootAction::Local,
                Unknown::Silent => BootAction::Nothing,
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
                return (BootAction::Local, None);
            };
            let state = installs.of(target);
            if !state.installed {
                reasons.push(Reason::ToInstall {
                    layer,
                    image: install.image.clone(),
                    number: state.number,
                });
                let boot = image(world, &install.image, reasons);
                let report = matches!(boot, BootAction::Image(..)).then_some(state.number);
                return (boot, report);
            }
            reasons.push(Reason::Installed {
                number: state.number,
                then: install.then,
            });
            if install.then == Then::Local {
                return (BootAction::Local, None);
            }
        }
        let named = self.first(
            |target| target.image.as_ref(),
            |group| group.image.as_ref(),
            |_| None,
        );
        let Some((layer, name)) = named else {
            reasons.push(Reason::TargetWithoutImage);
            return (BootAction::Menu, None);
        };
        reasons.push(Reason::NamesImage {
            layer,
            image: name.clone(),
        });
        (image(world, name, reasons), None)
    }

    pub(super) fn program(
        &self,
        world: &World,
        machine: &Machine,
        reasons: &mut Vec<Reason>,
    ) -> Program {
        let program = self.chosen_program(world, machine, reasons);
        if let Program::File(name) = &program
            && machine.arch.is_some_and(Arch::is_http)
            && let Some(grub) = world.programs().grub_without_http(name)
        {
            reasons.push(Reason::GrubWithoutHttp(grub.to_owned()));
        }
        program
    }

    fn chosen_program(
        &self,
        world: &World,
        machine: &Machine,
        reasons: &mut Vec<Reason>,
    ) -> Program {
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
                let built_for = world.programs().built_for(name);
                if let Some(other) = built_for.filter(|it| platform.is_some_and(|p| p != *it)) {
                    reasons.push(Reason::ProgramForOther(name.to_owned(), other));
                }
                return Program::File(name.to_owned());
            }
            let names = vec![name.to_owned()];
            reasons.push(Reason::ProgramNotAtHand(names.clone()));
            return Program::Missing(names);
        }
        let Some(arch) = machine.arch else {
            return Program::None;
        };
        if arch.is_u_boot() {
            reasons.push(Reason::NoIpxeForUBoot);
            return Program::None;
        }
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
                let others = world.programs().for_others(platform);
                let absent = |name: &&String| others.iter().all(|(other, _)| *other != **name);
                let absent: Vec<_> = names.iter().filter(absent).cloned().collect();
                if !absent.is_empty() {
                    reasons.push(Reason::ProgramNotAtHand(absent));
                }
                let others = others.into_iter();
                reasons.extend(others.map(|(name, it)| Reason::ProgramForOther(name.into(), it)));
                Program::Missing(names)
            }
        }
    }

    pub(super) fn local(&self) -> LocalDisk {
        let said = self.first(|target| target.local, |group| group.local, |_| None);
        match said {
            Some((_, LocalBoot::Sanboot)) => LocalDisk::Bios,
            Some((_, LocalBoot::Exit)) => LocalDisk::Efi,
            None => LocalDisk::ByPlatform,
        }
    }

    pub(super) fn options(&self) -> Vec<DhcpOption> {
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

/// What a policy in code chose.
pub(super) fn chosen(world: &World, choice: Choice, reasons: &mut Vec<Reason>) -> BootAction {
    reasons.push(Reason::PolicyInCode(choice.why));
    match choice.chosen {
        Chosen::Image(name) => image(world, &name, reasons),
        Chosen::Menu => BootAction::Menu,
        Chosen::Local => BootAction::Local,
        Chosen::Nothing => BootAction::Nothing,
    }
}

fn image(world: &World, name: &ImageName, reasons: &mut Vec<Reason>) -> BootAction {
    match world.image(name) {
        Some(manifest) => BootAction::Image(name.clone(), manifest.generation()),
        None => {
            reasons.push(Reason::ImageNotInStore(name.clone()));
            BootAction::MissingImage(name.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use netboot_dhcp::MacAddr;
    use netboot_dhcp::value::Arch;
    use uuid::Uuid;

    use super::*;
    use crate::failure::Failure;
    use crate::policy::decide;
    use crate::policy::tests::{STRANGER, debian, world};
    use crate::world::installs::Installs;
    use crate::world::programs::Programs;

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
        let programs = [
            "own.efi",
            "group.efi",
            "network.efi",
            "network.kpxe",
            "ipxe.efi",
        ];
        World::of_text(LAYERS, vec![debian()], Programs::from(programs))
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
            assert_eq!(decision.boot == BootAction::Nothing, !allowed, "{name}");
            let left_out = Reason::OnlyKnown("lab".into());
            assert_eq!(decision.reasons.contains(&left_out), !allowed, "{name}");
        }
    }

    #[test]
    fn what_any_client_can_say_gives_one_at_a_time_an_address_where_only_targets_have_one() {
        let world = layers();
        for (name, network, exclusive) in [
            ("own", Some(0), false),
            ("grouped", Some(0), true),
            ("bare", Some(0), true),
            ("bare", None, false),
        ] {
            let machine = Machine {
                network,
                ..known(name, Arch::X64_UEFI)
            };
            let decision = decide(&world, &machine);
            assert_eq!(decision.exclusive, exclusive, "{name} {network:?}");
            let said = Reason::OneAtATime("lab".into());
            assert_eq!(decision.reasons.contains(&said), exclusive, "{name}");
        }
    }

    #[test]
    fn a_machine_boots_its_install_until_it_is_installed_and_then_what_that_says() {
        let with = |then: &str| {
            let target = format!(
                r#"
                [[netboot.targets]]
                name = "own"
                mac = "02:00:00:00:00:01"
                config = "absent"
                install = {{ image = "debian", then = "{then}" }}
                "#
            );
            world(&target, vec![debian()], Programs::default())
        };
        let state = |number: u64, installed: &str| {
            let json = format!(
                r#"{{ "machines": {{ "own": {{ "number": {number}, "installed": {installed},
                    "mac": null, "uuid": null }} }} }}"#
            );
            Ok(serde_json::from_str(&json).expect("install states"))
        };
        let done = "\"2026-11-23T05:26:58Z\"";
        let installs = BootAction::Image("debian".parse().expect("a name"), debian().generation());
        let missing = BootAction::MissingImage("absent".parse().expect("a name"));
        let unread = Err(Failure::new("reading", "it is damaged", "mend it"));
        for (then, states, boot, report) in [
            ("local", Ok(Installs::default()), &installs, Some(1)),
            ("local", state(2, "null"), &installs, Some(2)),
            ("local", state(2, done), &BootAction::Local, None),
            ("config", state(2, done), &missing, None),
            ("config", unread, &BootAction::Local, None),
        ] {
            let world = with(then).with_installs(states);
            let decision = decide(&world, &known("own", Arch::X64_UEFI));
            assert_eq!((&decision.boot, decision.install), (boot, report), "{then}");
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

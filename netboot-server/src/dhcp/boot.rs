//! What the boot policy says of a machine, in DHCP's terms.

use std::sync::Arc;

use netboot_dhcp::driver::BootPolicy;
use netboot_dhcp::server::{Boot, ExtraOption, Firmware, NetworkId, Requester};
use netboot_dhcp::value::{Arch, MessageType, key};
use netboot_dhcp::wire::OptionCode;
use uuid::Uuid;

use super::ipxe;
use super::settings::Interfaces;
use super::unlisted::UnlistedRelays;
use super::world::LastWorld;
use crate::config::platform::Platform;
use crate::config::{Circuit, Config, Mode, is_grub};
use crate::identity::Identity;
use crate::leases::LeaseTable;
use crate::policy::{self, Decision, Origin, Reason, boot_file};
use crate::telemetry::Telemetry;
use crate::telemetry::events::{Kind, Stage};
use crate::world::{Machine, World};

/// The boot policy as DHCP asks it.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) worlds: LastWorld,
    pub(super) leases: LeaseTable,
    pub(super) identity: Identity,
    pub(super) telemetry: Telemetry,
    pub(super) interfaces: Arc<Interfaces>,
    pub(super) unlisted: UnlistedRelays,
}

impl BootPolicy for Policy {
    async fn boot(&self, requester: &Requester<'_>) -> Boot {
        let world = self.worlds.get(self.leases.now());
        let machine = self.machine(&world, requester);
        let (boot, events) = decide(&self.identity, &world, &machine, requester);
        self.telemetry
            .emit(requester.mac(), self.received(requester, &boot));
        if let Some(unlisted) = self.unlisted(&world, requester) {
            self.telemetry.emit(requester.mac(), unlisted);
        }
        for event in events {
            self.telemetry.emit(requester.mac(), event);
        }
        boot
    }
}

impl Policy {
    /// All that is known of the machine. One that has an address as a target is that target until
    /// its lease ends: its system says no UUID, and what its firmware said is forgotten by a restart
    /// of the server.
    fn machine(&self, world: &World, requester: &Requester<'_>) -> Machine {
        let known = self.identity.saw(&machine(world.config(), requester));
        if world.find(&known).is_some() {
            return known;
        }
        let name = self
            .leases
            .claimed_identity(requester.network, requester.hardware);
        let mut targets = world.config().targets.iter();
        match targets.find(|target| name.as_ref() == Some(&target.name)) {
            Some(target) => Machine {
                uuid: target.uuid.or(known.uuid),
                circuit: target.circuit.clone().or(known.circuit),
                ..known
            },
            None => known,
        }
    }

    /// Where a circuit is named that is not believed, though the configuration knows circuits.
    fn unlisted(&self, world: &World, requester: &Requester<'_>) -> Option<Kind> {
        let names_it = requester.message.raw(OptionCode::RELAY_AGENT).is_some();
        let config = world.config();
        let matters = || config.targets.iter().any(|target| target.circuit.is_some());
        if requester.trusts_agent || !names_it || !matters() {
            return None;
        }
        let network = config.networks.get(network(config, requester.network)?)?;
        let (interface, relay) = (requester.interface, requester.relay);
        self.unlisted
            .is_news(interface, relay)
            .then(|| Kind::RelayNotListed {
                interface: self.interfaces.name(interface),
                relay,
                network: Some(network.name.clone()),
            })
    }

    /// The message, reported by the name that the machine has here.
    fn received(&self, requester: &Requester<'_>, boot: &Boot) -> Kind {
        let of = requester.transaction;
        let own = Some(requester.message.ciaddr());
        let names_it = of.request == MessageType::REQUEST;
        let name = boot.host_name.as_ref().filter(|_| names_it);
        Kind::Dhcp {
            message: of.request,
            interface: self.interfaces.name(of.interface),
            address: match boot.silent {
                true => own.filter(|own| !own.is_unspecified()),
                false => of.address,
            },
            host_name: name.or(of.host_name.as_ref()).cloned(),
            boot_file: None,
            server: requester.message.read(key::SERVER_ID).ok().flatten(),
            arch: requester.archs().first().copied(),
            uuid: requester.uuid().map(Uuid::from_bytes),
            refusal: None,
            stage: match requester.firmware {
                Firmware::PxeClient | Firmware::HttpClient | Firmware::UBoot => Stage::Firmware,
                Firmware::Ipxe => Stage::Ipxe,
                _ => Stage::System,
            },
        }
    }
}

/// What a machine boots, and what of that is worth an event.
fn decide(
    identity: &Identity,
    world: &World,
    machine: &Machine,
    requester: &Requester<'_>,
) -> (Boot, Vec<Kind>) {
    let decision = policy::decide(world, machine);
    let mut events = Vec::new();
    let stage = ipxe::stage(identity, requester, &decision.program, &mut events);
    let boot = answer(world, &decision, machine, requester, stage);
    let asks_for_program = matches!(
        requester.firmware,
        Firmware::PxeClient | Firmware::HttpClient
    );
    if !decision.allowed {
        let why = decision.to_string();
        events.push(Kind::LeftOut { why });
    } else if asks_for_program
        && boot.file.is_none()
        && decision.boot != policy::BootAction::Nothing
    {
        let why = decision.to_string();
        events.push(Kind::NoProgram { why });
    } else if requester.firmware == Firmware::PxeClient
        && requester.message.message_type() == Some(MessageType::DISCOVER)
        && is_by_proxy(world.config(), machine)
        && let Some(program) = boot.file.clone().filter(|name| is_grub(name))
    {
        events.push(Kind::GrubByProxy { program });
    }
    let dead_end = |reason: &&Reason| matches!(reason, Reason::GrubWithoutHttp(_));
    if let Some(reason) = decision.reasons.iter().find(dead_end) {
        let why = reason.to_string();
        events.push(Kind::ProgramIsDeadEnd { why });
    }
    (boot, events)
}

/// Whether another server gives the machine its address.
fn is_by_proxy(config: &Config, machine: &Machine) -> bool {
    let network = machine.network.and_then(|at| config.networks.get(at));
    network.is_some_and(|network| network.mode == Mode::Proxy)
}

/// The decision as the reply's parts.
fn answer(
    world: &World,
    decision: &Decision,
    machine: &Machine,
    requester: &Requester<'_>,
    stage: Firmware,
) -> Boot {
    let origin = Origin {
        server: requester.server.into(),
        http_port: world.config().ports.http.get(),
        secure: false,
    };
    let options = decision.options.iter().map(|option| ExtraOption {
        code: option.code,
        data: option.data.clone(),
    });
    // Without a program U-Boot boots too: it looks for pxelinux.cfg/ on the server that it is told.
    let boots_by_itself =
        requester.firmware == Firmware::UBoot && decision.boot != policy::BootAction::Nothing;
    let mut boot = Boot::default().with_options(options);
    boot.file = boot_file(decision, machine, stage, &origin);
    boot.next_server = boots_by_itself.then_some(requester.server);
    boot.host_name = decision.target_in(world).map(|it| it.name.clone());
    boot.claimed_identity = boot.host_name.clone().filter(|_| decision.exclusive);
    boot.silent = !decision.allowed;
    boot
}

/// What a message says of the machine that sent it.
fn machine(config: &Config, requester: &Requester<'_>) -> Machine {
    Machine {
        mac: requester.mac(),
        uuid: requester.uuid().map(Uuid::from_bytes),
        circuit: requester.circuit_id().and_then(Circuit::new),
        arch: bootable(requester),
        network: network(config, requester.network),
    }
}

/// Of the platforms that a machine says it is, the first that a program is known for. Where U-Boot
/// says UEFI, it is U-Boot.
fn bootable(requester: &Requester<'_>) -> Option<Arch> {
    let uuid = requester.uuid().map(Uuid::from_bytes);
    let known = |arch: &&Arch| Platform::of(**arch, requester.mac(), uuid).is_some();
    let archs = requester.archs();
    let arch = archs.iter().find(known).or(archs.first()).copied();
    match (requester.firmware, arch) {
        (Firmware::UBoot, Some(Arch::ARM32_UEFI)) => Some(Arch::ARM32_UBOOT),
        (Firmware::UBoot, Some(Arch::ARM64_UEFI)) => Some(Arch::ARM64_UBOOT),
        (_, arch) => arch,
    }
}

/// The configuration's network that the DHCP logic has by this number.
fn network(config: &Config, id: NetworkId) -> Option<usize> {
    let mut networks = config.networks.iter();
    networks.position(|network| network.id() == id)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use netboot_dhcp::server::{Incoming, Link, Network, Server, Settings};
    use netboot_dhcp::value::{MessageType, key};
    use netboot_dhcp::wire::{Message, MessageView, OptionCode};
    use netboot_dhcp::{MacAddr, Timestamp};

    use super::*;
    use crate::config::{Flags, Host, load_text};

    const CONFIG: &str = r#"
        [[netboot.networks]]
        server = "10.0.0.1"
        subnet = "10.0.0.0/24"
        [[netboot.networks]]
        server = "10.0.0.1"
        subnet = "10.0.1.0/24"
    "#;

    #[test]
    fn a_relayed_message_says_circuit_uuid_network_and_the_first_platform_that_can_be_booted() {
        let (config, problems) =
            load_text("test", CONFIG, false, &Flags::default(), &Host::default());
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        let subnet = config.networks[1].subnet;
        let id = NetworkId(subnet.network().to_bits());
        let mut network = Network::new(id, Link::Relay, subnet, Ipv4Addr::new(10, 0, 0, 1));
        network.relays = vec![Ipv4Addr::new(10, 0, 1, 2)];
        let mut server = Server::new(Settings::new(vec![network])).expect("right settings");

        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let mut message = Message::request(1, mac.into());
        message.giaddr = Ipv4Addr::new(10, 0, 1, 2);
        let options = &mut message.options;
        options.put(key::MESSAGE_TYPE, &MessageType::DISCOVER);
        // The first is one that nobody has a program for.
        options.put_raw(OptionCode::CLIENT_ARCH, &[0, 5, 0, 7]);
        let mut uuid = [0x11; 17];
        uuid[0] = 0;
        options.put_raw(OptionCode::MACHINE_ID, &uuid);
        options.put_raw(OptionCode::RELAY_AGENT, b"\x01\x04port\x02\x03far");
        let bytes = message.to_bytes().expect("a message");
        let incoming = Incoming::new(
            MessageView::decode(&bytes).expect("a message"),
            "10.0.1.2:67".parse().expect("an address"),
            1,
        )
        .sent_to(Ipv4Addr::new(10, 0, 0, 1));
        let mut seen = None;
        let _ = server.handle_with(Timestamp(0), &incoming, |requester| {
            seen = Some(machine(&config, requester));
            Boot::default()
        });
        let expected = Machine {
            mac: Some(mac),
            uuid: Some(Uuid::from_bytes([0x11; 16])),
            circuit: "port".parse().ok(),
            arch: Some(Arch::X64_UEFI),
            network: Some(1),
        };
        assert_eq!(seen, Some(expected));
    }
}

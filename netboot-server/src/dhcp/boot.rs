//! What the boot policy says of a machine, in DHCP's terms.

use netboot_dhcp::server::{Boot, ExtraOption, Firmware, NetworkId, Requester};
use netboot_dhcp::value::Arch;
use uuid::Uuid;

use crate::config::{Circuit, Config};
use crate::events::Kind;
use crate::platform::Platform;
use crate::policy::{self, Decision, Machine, boot_file};
use crate::script::Origin;
use crate::service::Shared;
use crate::world::World;

/// What a machine is told, and what is told of it.
pub(super) fn decide(shared: &Shared, world: &World, requester: &Requester<'_>) -> Boot {
    let machine = shared.sighted(&machine(world.config(), requester));
    let decision = policy::decide(world, &machine);
    let boot = answer(world, &decision, &machine, requester);
    let asks_for_program = matches!(
        requester.firmware,
        Firmware::PxeClient | Firmware::HttpClient
    );
    if !decision.allowed {
        let why = decision.to_string();
        shared.emit(machine.mac, Kind::LeftOut { why });
    } else if asks_for_program && boot.file.is_none() && decision.boot != policy::Boot::Nothing {
        let why = decision.to_string();
        shared.emit(machine.mac, Kind::NoProgram { why });
    }
    boot
}

/// The decision as the reply's parts.
fn answer(
    world: &World,
    decision: &Decision,
    machine: &Machine,
    requester: &Requester<'_>,
) -> Boot {
    let origin = Origin {
        server: requester.server.into(),
        http_port: world.config().ports.http.get(),
    };
    let options = decision.options.iter().map(|option| ExtraOption {
        code: option.code,
        data: option.data.clone(),
    });
    Boot {
        file: boot_file(decision, machine, requester.firmware, &origin),
        host_name: decision.target_in(world).map(|it| it.name.clone()),
        options: options.collect(),
        silent: !decision.allowed,
        ..Boot::default()
    }
}

/// What a message says of the machine that sent it.
fn machine(config: &Config, requester: &Requester<'_>) -> Machine {
    Machine {
        mac: requester.mac(),
        uuid: requester.uuid().map(Uuid::from_bytes),
        circuit: requester.circuit_id().and_then(Circuit::new),
        arch: bootable(&requester.archs(), requester),
        network: network(config, requester.network),
    }
}

/// Of the platforms that a machine says it is, the first that a program is known for.
fn bootable(archs: &[Arch], requester: &Requester<'_>) -> Option<Arch> {
    let known = |arch: &&Arch| Platform::of(**arch, requester.mac()).is_some();
    archs.iter().find(known).or(archs.first()).copied()
}

/// The configuration's network that the DHCP logic has by this number.
fn network(config: &Config, id: NetworkId) -> Option<usize> {
    let mut networks = config.networks.iter();
    networks.position(|network| network.subnet.network().to_bits() == id.0)
}

//! `netboot menu`.

use std::net::IpAddr;
use std::process::ExitCode;

use netboot_dhcp::MacAddr;

use super::{Where, out, say};
use netboot_server::Failure;
use netboot_server::policy::{self, Origin};
use netboot_server::script::menu_file;
use netboot_server::script::{self, Asker, Trust};
use netboot_server::world::{Machine, World};

pub(super) fn run(at: &Where, mac: Option<MacAddr>, update: bool) -> Result<ExitCode, Failure> {
    let config = match at.load_or_say() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let Some(network) = config.networks.first().cloned() else {
        return Ok(ExitCode::FAILURE);
    };
    let http_port = config.ports.http.get();
    let world = World::look(config)?;
    let machine = mac.map(Machine::with_mac).unwrap_or_default();
    let decision = policy::decide(&world, &machine);
    let reserved = decision.target_in(&world).and_then(|target| target.ip);
    let asker = Asker {
        mac,
        address: IpAddr::V4(reserved.unwrap_or(network.server)),
        origin: Origin {
            server: IpAddr::V4(network.server),
            http_port,
            secure: false,
        },
        trust: Trust::PERSON,
    };
    let script = script::write(&world, &decision, &asker).map_err(|error| {
        Failure::new(
            "writing the boot script",
            error,
            "correct that in the configuration or in the image's manifest",
        )
    })?;
    out(&script)?;
    if update {
        menu_file::write(&world)?;
    }
    say(format_args!("# {decision}\n"));
    Ok(ExitCode::SUCCESS)
}

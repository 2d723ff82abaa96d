//! `netboot explain`.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use netboot_dhcp::MacAddr;
use netboot_dhcp::value::Arch;
use uuid::Uuid;

use super::{Where, out};
use netboot_server::Failure;
use netboot_server::admin::explain::explain;
use netboot_server::config::Circuit;
use netboot_server::config::platform::arch_of;
use netboot_server::world::{Machine, World};

/// The machine that is asked about; what is not said of it is not known.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("known").args(["mac", "uuid", "circuit"]).required(true).multiple(true)
)]
pub(super) struct Arguments {
    /// Its MAC address
    #[arg(long)]
    mac: Option<MacAddr>,
    /// Its UUID, as DHCP's option 97 or iPXE's `${uuid}` say it
    #[arg(long)]
    uuid: Option<Uuid>,
    /// The circuit of a relay agent's option 82, a text or bytes as 0x…
    #[arg(long)]
    circuit: Option<Circuit>,
    /// Its firmware: bios, x64, x64-http, arm64, raspberry-pi … or the number of option 93
    #[arg(long, value_parser = arch)]
    arch: Option<Arch>,
    /// The network that it is on, by name [default: that of its reservation, else the first]
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Write a JSON document
    #[arg(long)]
    json: bool,
    /// Print the boot script, too
    #[arg(long, conflicts_with = "json")]
    script: bool,
}

fn arch(text: &str) -> Result<Arch, String> {
    arch_of(text).ok_or_else(|| "it is neither a platform such as x64 nor a number".to_owned())
}

pub(super) fn run(at: &Where, asked: Arguments) -> Result<ExitCode, Failure> {
    let config = match at.load_or_say() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let network = match &asked.network {
        None => None,
        Some(name) => {
            let mut networks = config.networks.iter();
            let found = networks.position(|network| network.name == *name);
            Some(found.ok_or_else(|| {
                let names: Vec<_> = config.networks.iter().map(|it| it.name.as_str()).collect();
                Failure::new(
                    format!("looking for network {name}"),
                    "the configuration has none of that name",
                    format!("name one of {}", names.join(", ")),
                )
            })?)
        }
    };
    let machine = Machine {
        mac: asked.mac,
        uuid: asked.uuid,
        circuit: asked.circuit,
        arch: asked.arch,
        network,
    };
    let explanation = explain(&World::look(config)?, &machine);
    if asked.json {
        let document = serde_json::to_string_pretty(&explanation).map_err(|error| {
            Failure::new("writing JSON", error, "leave out --json, and report this")
        })?;
        out(format_args!("{document}\n"))?;
    } else {
        out(&explanation)?;
        if asked.script {
            out(format_args!("\n{}", explanation.script.text))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

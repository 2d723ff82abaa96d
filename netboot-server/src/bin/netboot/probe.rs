//! `netboot probe`: a simulated machine boots against a server that runs.

use std::net::Ipv4Addr;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use netboot_dhcp::MacAddr;

use crate::simulated::{Firmware, Link, Machine, Ports, Report};
use netboot_server::Failure;

/// What `netboot probe` is asked.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").args(["interface", "server"]).required(true))]
pub(super) struct Arguments {
    /// What the machine boots with
    #[arg(long, value_enum, default_value = "bios")]
    firmware: Firmware,
    /// Its MAC address [default: one of no vendor, or a Raspberry Pi's]
    #[arg(long)]
    mac: Option<MacAddr>,
    /// Ask by broadcast on this interface, as a machine there would; needs root
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// Ask this server and nobody else, from the server itself or a host in a network that it
    /// serves, and take no lease; needs root
    #[arg(long, value_name = "ADDRESS")]
    server: Option<Ipv4Addr>,
    /// Ask the server as a relay agent with this address of this host; needs root
    #[arg(long, value_name = "ADDRESS", requires = "server")]
    relay: Option<Ipv4Addr>,
    /// What to choose in a menu; may be said again for the next one. Otherwise its default is
    /// taken, where the menu does not wait for ever
    #[arg(long, value_name = "ITEM")]
    choose: Vec<String>,
    /// The server's DHCP port
    #[arg(long, value_name = "PORT", default_value_t = 67)]
    dhcp_port: u16,
    /// The machine's DHCP port; below 1024 it needs root
    #[arg(long, value_name = "PORT", default_value_t = 68)]
    dhcp_client_port: u16,
    /// The server's TFTP port
    #[arg(long, value_name = "PORT", default_value_t = 69)]
    tftp_port: u16,
    /// Print all steps as JSON, at the end
    #[arg(long)]
    json: bool,
}

/// Locally administered, and of no vendor.
const MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x01]);
/// Of a block that Raspberry Pis are known by.
const PI_MAC: MacAddr = MacAddr([0xb8, 0x27, 0xeb, 0, 0, 0x01]);

/// Ends with 1 where the machine does not boot, or that is not known.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let ports = Ports {
        dhcp: arguments.dhcp_port,
        dhcp_client: arguments.dhcp_client_port,
        tftp: arguments.tftp_port,
    };
    let server = arguments.server.unwrap_or(Ipv4Addr::LOCALHOST);
    let link = match (&arguments.interface, arguments.relay) {
        (Some(interface), _) => Link::Interface(interface.clone()),
        (None, Some(agent)) => Link::Relay(server, agent),
        (None, None) if server.is_loopback() => Link::Loopback(server),
        (None, None) => Link::inquiry(server, ports)?,
    };
    let pi = matches!(
        arguments.firmware,
        Firmware::RaspberryPi3 | Firmware::RaspberryPi4
    );
    let machine = Machine {
        firmware: arguments.firmware,
        mac: arguments.mac.unwrap_or(if pi { PI_MAC } else { MAC }),
        link,
        ports,
        choices: arguments.choose.iter().cloned().collect(),
    };
    let mut report = Report::new(arguments.json);
    let ended = super::runtime()?.block_on(machine.boot(&mut report));
    let boots = match ended {
        Ok(ended) => {
            report.end(ended.boots, &ended.what)?;
            ended.boots == Some(true)
        }
        Err(failure) if arguments.json => {
            report.end(Some(false), &failure.to_string())?;
            false
        }
        Err(failure) => return Err(failure),
    };
    Ok(if boots {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

//! A whole DHCP server for one interface: addresses, reservations, a boot file by platform.
//!
//! `cargo run -p netboot-examples --bin dhcp_serve -- --interface eth1 --subnet 10.0.0.0/24
//! --server 10.0.0.1 --from 10.0.0.100 --to 10.0.0.200 --bios undionly.kpxe --uefi ipxe.efi`

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use clap::Parser;
use netboot_dhcp::driver::{Driver, MemoryStore, SharedServer};
use netboot_dhcp::server::{
    AddressRange, Boot, Firmware, Link, Network, NetworkId, Requester, Reservation, Server,
    Settings, Subnet,
};

/// Serve one interface by DHCP. Leases are kept in memory.
#[derive(Debug, Parser)]
struct Arguments {
    /// The interface that is served.
    #[arg(long)]
    interface: String,
    /// Its network.
    #[arg(long)]
    subnet: Subnet,
    /// The address that this host has in it.
    #[arg(long)]
    server: Ipv4Addr,
    /// The first address that is given away.
    #[arg(long)]
    from: Ipv4Addr,
    /// The last address that is given away.
    #[arg(long)]
    to: Ipv4Addr,
    /// The network's machines are behind a relay agent, not on the interface itself.
    #[arg(long)]
    relayed: bool,
    /// An address that is set aside for a machine, as 52:54:00:12:34:56=10.0.0.10.
    #[arg(long, value_name = "MAC=ADDRESS", value_parser = reservation)]
    reserve: Vec<Reservation>,
    /// The file that BIOS machines load.
    #[arg(long)]
    bios: Option<String>,
    /// The file that UEFI machines load.
    #[arg(long)]
    uefi: Option<String>,
    /// The script that iPXE loads.
    #[arg(long)]
    ipxe: Option<String>,
}

fn reservation(text: &str) -> Result<Reservation, Box<dyn Error + Send + Sync>> {
    let (mac, address) = text.split_once('=').ok_or("write MAC=ADDRESS")?;
    Ok(Reservation::new(mac.parse()?).with_address(address.parse()?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dhcp_serve: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    const NUMBER: u32 = 1;
    let link = match arguments.relayed {
        true => Link::Relay,
        false => Link::Interface(NUMBER),
    };
    let mut network = Network::new(NetworkId(1), link, arguments.subnet, arguments.server);
    network.ranges = vec![AddressRange::new(arguments.from, arguments.to)];
    network.reservations = arguments.reserve;
    let server = SharedServer::new(Server::new(Settings::new(vec![network]))?);

    let (bios, uefi, ipxe) = (arguments.bios, arguments.uefi, arguments.ipxe);
    let policy = move |machine: &Requester<'_>| {
        let is_uefi = machine.archs().iter().any(|arch| arch.is_uefi());
        let file = match machine.firmware {
            Firmware::Ipxe => &ipxe,
            Firmware::PxeClient if is_uefi => &uefi,
            Firmware::PxeClient => &bios,
            _ => &None,
        };
        file.as_ref().map_or_else(Boot::default, Boot::file)
    };
    let driver = Driver::new(server, policy, MemoryStore::default())
        .observe(|interface, event| println!("{}", event.line(interface)));
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    let interface = &arguments.interface;
    let served = driver.run(interface, NUMBER, stop).await;
    served.map_err(|error| format!("cannot serve {interface}: {error}").into())
}

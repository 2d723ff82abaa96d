//! A machine's DHCP, as its firmware does it: prints the address and what is to be booted, and
//! leaves the interface as it is.
//!
//! `cargo run -p netboot-examples --bin dhcp_client -- --interface eth0 --as pxe-uefi`

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use netboot_dhcp::client::{Bound, Client, Output, Profile};
use netboot_dhcp::value::Arch;
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Timestamp};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

/// Ask for an address and a boot file, as a machine's firmware does.
#[derive(Debug, Parser)]
struct Arguments {
    /// The interface that is asked on.
    #[arg(long)]
    interface: String,
    /// The firmware that it is done like.
    #[arg(long = "as", value_enum)]
    firmware: Kind,
    /// The machine's MAC address; the interface's where none is given.
    #[arg(long)]
    mac: Option<MacAddr>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    PxeBios,
    PxeUefi,
    HttpUefi,
    Ipxe,
    UBoot,
    System,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match ask(&Arguments::parse()).await {
        Ok(bound) => {
            println!("address {}", bound.address);
            println!("server {}", bound.server);
            println!("file {}", bound.file.as_deref().unwrap_or("-"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("dhcp_client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(arguments: &Arguments) -> Result<Bound, Box<dyn Error>> {
    let interface = &arguments.interface;
    let mac = match arguments.mac {
        Some(mac) => mac,
        None => std::fs::read_to_string(format!("/sys/class/net/{interface}/address"))
            .map_err(|error| format!("cannot read the MAC address of {interface}: {error}"))?
            .trim()
            .parse()?,
    };
    let mut profile = match arguments.firmware {
        Kind::PxeBios => Profile::pxe_bios(mac),
        Kind::PxeUefi => Profile::pxe_uefi(mac),
        Kind::HttpUefi => Profile::http_uefi(mac),
        Kind::Ipxe => Profile::ipxe(mac, Arch::X64_UEFI),
        Kind::UBoot => Profile::u_boot(mac),
        Kind::System => Profile::plain(mac.into()),
    };
    // This host does not hear what is sent to an address that it does not have.
    profile.broadcast = true;
    let (client_port, began) = (profile.client_port, Instant::now());
    let now = || Timestamp(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    let socket = bind(interface, client_port)
        .map_err(|error| format!("cannot listen on {interface}: {error}"))?;

    let xid = RandomState::new().hash_one(mac.0) & u64::from(u32::MAX);
    let mut client = Client::new(now(), profile, u32::try_from(xid)?);
    let mut buffer = [0; 2048];
    loop {
        match client.poll_output(now())? {
            Output::Transmit(message) => {
                socket.send_to(&message.bytes, message.destination).await?;
            }
            Output::Wait(until) => {
                let wait = Duration::from_millis(until.millis_since(now()));
                let received = timeout(wait, socket.recv_from(&mut buffer)).await;
                if let Some((length, SocketAddr::V4(from))) = received.ok().transpose()?
                    && let Ok(message) = MessageView::decode(&buffer[..length])
                {
                    client.handle_input(now(), from, &message);
                }
            }
            Output::Done(bound) => return Ok(bound),
            Output::Failed(failure) => return Err(failure.into()),
        }
    }
}

fn bind(interface: &str, port: u16) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    UdpSocket::from_std(socket.into())
}

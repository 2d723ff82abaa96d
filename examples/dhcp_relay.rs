//! A DHCP relay agent (RFC 1542 section 4, RFC 3046) between a network of machines and a server
//! that is elsewhere.
//!
//! `cargo run -p netboot-examples --bin dhcp_relay -- --clients eth1 --address 10.1.0.1
//! --upstream eth0 --server 10.0.0.1 --circuit rack-7`

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;

use clap::Parser;
use netboot_dhcp::Bytes;
use netboot_dhcp::value::{SubOptions, agent, key};
use netboot_dhcp::wire::{BOOTREPLY, BOOTREQUEST, CLIENT_PORT, Message, OptionCode, SERVER_PORT};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Relay DHCP from the machines on one interface to a server behind another.
#[derive(Debug, Parser)]
struct Arguments {
    /// The interface that the machines are on.
    #[arg(long)]
    clients: String,
    /// The address that this host has there; by it the server knows the machines' network.
    #[arg(long)]
    address: Ipv4Addr,
    /// The interface towards the server.
    #[arg(long)]
    upstream: String,
    /// The server.
    #[arg(long)]
    server: Ipv4Addr,
    /// What the server is told of the circuit (option 82, sub-option 1).
    #[arg(long)]
    circuit: Option<String>,
}

/// Relay agents that a message may have passed (RFC 1542 section 4.1.1).
const MOST_HOPS: u8 = 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match relay(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dhcp_relay: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn relay(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let bind = |interface: &str| {
        bind(interface).map_err(|error| format!("cannot listen on {interface}: {error}"))
    };
    let (clients, upstream) = (bind(&arguments.clients)?, bind(&arguments.upstream)?);
    let (mut request, mut reply) = ([0; 4096], [0; 4096]);
    loop {
        let (from, to, forwarded) = tokio::select! {
            read = clients.recv(&mut request) => {
                let server = SocketAddrV4::new(arguments.server, SERVER_PORT);
                (&upstream, server, to_server(arguments, &request[..read?]))
            }
            read = upstream.recv(&mut reply) => {
                // Not all of them have an address yet; each takes what has its number.
                let everybody = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
                (&clients, everybody, to_client(arguments, &reply[..read?]))
            }
        };
        if let Some(message) = forwarded
            && let Err(error) = from.send_to(&message, to).await
        {
            eprintln!("dhcp_relay: to {to}: {error}");
        }
    }
}

/// A machine's message as the server is to have it; `None` where it is not to be relayed.
fn to_server(arguments: &Arguments, bytes: &[u8]) -> Option<Bytes> {
    let mut message = Message::decode(bytes).ok()?;
    if message.op != BOOTREQUEST || message.hops >= MOST_HOPS {
        return None;
    }
    match message.giaddr {
        // An agent writes its address with option 82: this is a client's (RFC 3046 section 2.1).
        Ipv4Addr::UNSPECIFIED if message.options.raw(OptionCode::RELAY_AGENT).is_some() => {
            return None;
        }
        Ipv4Addr::UNSPECIFIED => {
            message.giaddr = arguments.address;
            if let Some(circuit) = &arguments.circuit {
                let mut option = SubOptions::default();
                option.add_raw(agent::CIRCUIT_ID, circuit.as_bytes()).ok()?;
                message.options.put(key::RELAY_AGENT, &option);
            }
        }
        // So is this: no other agent writes this one's address (section 2.1.1).
        giaddr if giaddr == arguments.address => return None,
        // One that another relay agent has marked stays as it is.
        _ => {}
    }
    message.hops += 1;
    message.to_bytes().ok()
}

/// A server's message as the machine is to have it; `None` where it is for somebody else.
fn to_client(arguments: &Arguments, bytes: &[u8]) -> Option<Bytes> {
    let mut message = Message::decode(bytes).ok()?;
    if message.op != BOOTREPLY || message.giaddr != arguments.address {
        return None;
    }
    message.options.remove(OptionCode::RELAY_AGENT);
    message.to_bytes().ok()
}

fn bind(interface: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, SERVER_PORT).into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

    /// What the server gets of a machine's message with this relay agent and these bytes for
    /// option 82.
    fn relayed(giaddr: Ipv4Addr, option: Option<&[u8]>) -> Option<Message> {
        let arguments = Arguments::parse_from([
            "dhcp_relay",
            "--clients=eth1",
            "--address=10.1.0.1",
            "--upstream=eth0",
            "--server=10.0.0.1",
            "--circuit=rack-7",
        ]);
        let mac = "52:54:00:12:34:56".parse().expect("a MAC address");
        let mut message = Message::request(7, mac);
        message.giaddr = giaddr;
        if let Some(bytes) = option {
            message.options.put_raw(OptionCode::RELAY_AGENT, bytes);
        }
        let sent = message.to_bytes().expect("a message");
        let bytes = to_server(&arguments, &sent)?;
        Some(Message::decode(&bytes).expect("a message"))
    }

    /// RFC 3046 section 2.1 and 2.1.1.
    #[test]
    fn what_only_a_relay_agent_writes_is_not_believed_of_a_client() {
        let circuit = |of: Message| {
            of.options
                .raw(OptionCode::RELAY_AGENT)
                .map(|it| it.to_vec())
        };
        let (unset, other) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 2, 0, 1));
        let plain = relayed(unset, None).expect("it is relayed");
        assert_eq!((plain.giaddr, plain.hops), (OWN, 1));
        assert_eq!(circuit(plain).as_deref(), Some(&b"\x01\x06rack-7"[..]));

        assert_eq!(relayed(unset, Some(b"\x01\x01x")), None);
        assert_eq!(relayed(OWN, None), None);
        assert_eq!(relayed(OWN, Some(b"\x01\x01x")), None);

        let through = relayed(other, Some(b"\x01\x01x")).expect("it is relayed");
        assert_eq!((through.giaddr, through.hops), (other, 1));
        assert_eq!(circuit(through).as_deref(), Some(&b"\x01\x01x"[..]));
    }
}

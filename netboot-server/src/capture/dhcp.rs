//! DHCP of a capture, by whichever server.

use std::net::Ipv4Addr;

use netboot_dhcp::server::Firmware;
use netboot_dhcp::value::{Key, MessageType, Text, key};
use netboot_dhcp::wire::MessageView;
use uuid::Uuid;

use super::file::Packet;
use super::frame::{Found, is_one_host};
use super::machines::Machines;
use super::{DhcpServer, OnEvent, SERVERS, Verdict};
use crate::telemetry::events::{Kind, Stage, shown};

/// Of servers, of clients, and of PXE's boot servers.
const PORTS: [u16; 3] = [67, 68, 4011];

pub(super) fn is_port(found: &Found<'_>) -> bool {
    PORTS.contains(&found.source.port()) || PORTS.contains(&found.destination.port())
}

pub(super) fn message(
    packet: &Packet<'_>,
    found: &Found<'_>,
    machines: &mut Machines,
    servers: &mut Vec<DhcpServer>,
    on_event: &mut OnEvent<'_>,
) -> Verdict {
    let Ok(message) = MessageView::decode(found.payload) else {
        return Verdict::Malformed;
    };
    // BOOTP, which has none.
    let Some(kind) = message.message_type() else {
        return Verdict::Other;
    };
    let by_server = message.op() == 2;
    let text = |key: Key<Text>| message.read(key).ok().flatten();
    let given = |address: Ipv4Addr| Some(address).filter(|&address| is_one_host(address));
    let boot_file = message.boot_file().filter(|_| by_server);
    let boot_file = boot_file.map(|name| shown(&String::from_utf8_lossy(&name)));
    let boot_file = boot_file.filter(|name| !name.is_empty());
    let address = match by_server {
        true => given(message.yiaddr()).or(given(message.ciaddr())),
        false => {
            let wanted = message.read(key::REQUESTED_ADDRESS).ok().flatten();
            wanted.and_then(given).or(given(message.ciaddr()))
        }
    };
    let machine = message.mac();
    if let Some(machine) = machine {
        if !by_server {
            machines.spoke(machine);
        }
        if let Some(address) = address.filter(|_| by_server && kind == MessageType::ACK) {
            machines.has(address, machine);
        }
    }
    let itself = message.read(key::SERVER_ID).ok().flatten();
    if by_server {
        note(
            servers,
            itself.unwrap_or(*found.source.ip()),
            kind,
            boot_file.is_some(),
        );
    }
    let refusal = text(key::MESSAGE).filter(|_| kind == MessageType::NAK);
    let archs = message.read(key::CLIENT_ARCH).ok().flatten();
    let machine_id = message.read(key::MACHINE_ID).ok().flatten();
    let event = Kind::Dhcp {
        message: kind,
        interface: interface(packet, found),
        address,
        host_name: text(key::HOST_NAME).map(|name| shown(&name.to_string())),
        boot_file,
        server: match (itself, by_server) {
            (None, true) => Some(*found.source.ip()),
            (itself, _) => itself,
        },
        arch: archs.and_then(|archs| archs.first().copied()),
        uuid: machine_id.and_then(|id| id.uuid()).map(Uuid::from_bytes),
        refusal: match kind == MessageType::NAK {
            true => Some(refusal.map_or_else(String::new, |text| shown(&text.to_string()))),
            false => None,
        },
        stage: match (by_server, Firmware::of::<&str>(&message, &[])) {
            (true, _) => Stage::Server,
            (_, Firmware::PxeClient | Firmware::HttpClient | Firmware::UBoot) => Stage::Firmware,
            (_, Firmware::Ipxe) => Stage::Ipxe,
            _ => Stage::System,
        },
    };
    on_event(packet.at, machine, event);
    Verdict::Used
}

/// `eth1`, or `eth1.12` where the frame has a VLAN tag.
fn interface(packet: &Packet<'_>, found: &Found<'_>) -> String {
    let mut name = packet.interface.unwrap_or("capture").to_owned();
    for vlan in &found.vlans {
        name.push_str(&format!(".{vlan}"));
    }
    name
}

fn note(servers: &mut Vec<DhcpServer>, address: Ipv4Addr, kind: MessageType, boots: bool) {
    let known = servers.iter().position(|server| server.address == address);
    if known.is_none() && servers.len() < SERVERS {
        servers.push(DhcpServer {
            address,
            offers: 0,
            offers_with_boot_file: 0,
            acks: 0,
        });
    }
    let place = known.unwrap_or(servers.len().saturating_sub(1));
    let found = servers.get_mut(place);
    let Some(server) = found.filter(|server| server.address == address) else {
        return;
    };
    match kind {
        MessageType::OFFER => {
            server.offers += 1;
            server.offers_with_boot_file += u64::from(boots);
        }
        MessageType::ACK => server.acks += 1,
        _ => {}
    }
}

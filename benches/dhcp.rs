//! The DHCP codec on a PXE DISCOVER and an OFFER, and a whole server turn.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use netboot_dhcp::server::{
    AddressRange, Boot, ClientKey, Incoming, Lease, LeaseState, Link, Network, NetworkId, Outcome,
    Server, Settings,
};
use netboot_dhcp::wire::{Encoding, Message, MessageView};
use netboot_dhcp::{MacAddr, Timestamp};
use std::hint::black_box;
use std::net::Ipv4Addr;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// OVMF's PXE DISCOVER, captured.
fn discover() -> Vec<u8> {
    let text = include_str!("../netboot-dhcp/tests/captures/ovmf_pxe_discover.hex");
    let digits = text.lines().last().unwrap_or_default().as_bytes();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// A server of a /16 with so many leases, and none free among those.
fn server(leases: u32) -> Server {
    let subnet = "10.77.0.0/16".parse().unwrap();
    let address = |number: u32| Ipv4Addr::from_bits(0x0a4d_0000 + number);
    let mut network = Network::new(NetworkId(1), Link::Interface(1), subnet, address(1));
    network.gateways = vec![address(1)];
    network.dns = vec![address(1)];
    network.ranges = vec![AddressRange::new(address(2), address(65_534))];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    for number in 2..leases + 2 {
        let [a, b, c, d] = number.to_be_bytes();
        let lease = Lease {
            network: NetworkId(1),
            address: address(number),
            client: ClientKey::Hardware(MacAddr([2, 0, a, b, c, d]).into()),
            client_id: None,
            host_name: None,
            state: LeaseState::Bound,
            expires: NOW.after_ms(3_600_000),
            updated: NOW,
            version: 1,
        };
        server.restore(lease).unwrap();
    }
    server
}

fn turn(server: &mut Server, packet: &[u8]) -> Outcome {
    let incoming = Incoming {
        message: MessageView::parse(packet).unwrap(),
        source: "0.0.0.0:68".parse().unwrap(),
        destination: Ipv4Addr::BROADCAST,
        interface: 1,
    };
    server.handle(NOW, &incoming, &mut |_| Boot {
        file: Some("ipxe.efi".into()),
        ..Boot::default()
    })
}

fn codec(c: &mut Criterion) {
    let discover = discover();
    c.bench_function("dhcp/view and walk DISCOVER", |b| {
        b.iter(|| {
            let view = MessageView::parse(black_box(&discover)).unwrap();
            view.options()
                .flatten()
                .map(|option| option.data.len())
                .sum::<usize>()
        });
    });
    c.bench_function("dhcp/owned decode DISCOVER", |b| {
        b.iter(|| Message::decode(black_box(&discover)).unwrap());
    });
    let Outcome::Reply(offer) = turn(&mut server(0), &discover) else {
        panic!("no offer");
    };
    let offer = Message::decode(&offer.bytes).unwrap();
    let mut out = Vec::new();
    c.bench_function("dhcp/encode OFFER into a reused buffer", |b| {
        b.iter(|| {
            black_box(&offer)
                .encode(&Encoding::default(), &mut out)
                .unwrap()
        });
    });
}

fn turns(c: &mut Criterion) {
    let mut group = c.benchmark_group("dhcp/DISCOVER to OFFER");
    for leases in [0, 1_000, 60_000] {
        let mut server = server(leases);
        // Each DISCOVER from another machine; the cap on offers makes room.
        let mut packet = discover();
        let mut number = 0_u32;
        group.bench_function(BenchmarkId::from_parameter(leases), |b| {
            b.iter(|| {
                number = number.wrapping_add(1);
                packet[30..34].copy_from_slice(&number.to_be_bytes());
                turn(&mut server, &packet)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, codec, turns);
criterion_main!(benches);

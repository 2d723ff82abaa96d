//! The DHCP codec beside dhcproto, edge-dhcp and smoltcp on the same bytes, and a whole server
//! turn. Allocations are counted first and printed; smoltcp keeps some options only, edge-dhcp
//! borrows.

use allocation_counter::measure;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dhcproto::{Decodable as _, Decoder, Encodable as _, Encoder};
use netboot_dhcp::server::{
    AddressRange, Boot, ClientKey, Incoming, Lease, Link, Network, NetworkId, Outcome, Server,
    Settings,
};
use netboot_dhcp::wire::{Encoding, Message, MessageView};
use netboot_dhcp::{MacAddr, Timestamp};
use smoltcp::wire::{DhcpPacket, DhcpRepr};
use std::hint::black_box;
use std::net::Ipv4Addr;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// OVMF's PXE DISCOVER, captured.
fn discover() -> Vec<u8> {
    unhex(include_str!(
        "../netboot-dhcp/tests/captures/ovmf_pxe_discover.hex"
    ))
}

/// iPXE's DISCOVER with its feature list, captured.
fn ipxe_discover() -> Vec<u8> {
    unhex(include_str!(
        "../netboot-dhcp/tests/captures/ipxe_bios_discover.hex"
    ))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.lines().last().unwrap_or_default().as_bytes();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// A server of 130,000 addresses with so many leases, and none free among those.
fn server(leases: u32) -> Server {
    let subnet = "10.76.0.0/15".parse().unwrap();
    let address = |number: u32| Ipv4Addr::from_bits(0x0a4c_0000 + number);
    let mut network = Network::new(NetworkId(1), Link::Interface(1), subnet, address(1));
    network.gateways = vec![address(1)];
    network.dns = vec![address(1)];
    network.ranges = vec![AddressRange::new(address(2), address(131_070))];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    for number in 2..leases + 2 {
        let [a, b, c, d] = number.to_be_bytes();
        let client = ClientKey::Hardware(MacAddr([2, 0, a, b, c, d]).into());
        let expires = NOW.after_ms(3_600_000);
        let lease = Lease::new(NOW, NetworkId(1), address(number), client, expires);
        server.restore(lease).unwrap();
    }
    server
}

fn turn(server: &mut Server, packet: &[u8]) -> Outcome {
    let incoming = Incoming::new(
        MessageView::decode(packet).unwrap(),
        "0.0.0.0:68".parse().unwrap(),
        1,
    )
    .sent_to(Ipv4Addr::BROADCAST);
    server.handle_with(NOW, &incoming, |_| Boot::file("ipxe.efi"))
}

fn walk(packet: &[u8]) -> usize {
    let view = MessageView::decode(packet).unwrap();
    view.options()
        .flatten()
        .map(|option| option.data.len())
        .sum()
}

fn dhcproto_decode(packet: &[u8]) -> dhcproto::v4::Message {
    dhcproto::v4::Message::decode(&mut Decoder::new(packet)).unwrap()
}

fn smoltcp_decode(packet: &[u8]) -> bool {
    let packet = DhcpPacket::new_checked(packet).unwrap();
    DhcpRepr::parse(&packet).unwrap().broadcast
}

fn edge_decode(packet: &[u8]) -> usize {
    let packet = edge_dhcp::Packet::decode(packet).unwrap();
    packet.options.iter().count()
}

fn allocations<T>(run: impl FnOnce() -> T) -> u64 {
    measure(|| {
        let _ = black_box(run());
    })
    .count_total
}

fn decode(c: &mut Criterion) {
    for (name, packet) in [
        ("PXE DISCOVER", discover()),
        ("iPXE DISCOVER", ipxe_discover()),
        ("OFFER", offer()),
    ] {
        let packet = packet.as_slice();
        let counts = [
            ("view", allocations(|| walk(packet))),
            ("owned", allocations(|| Message::decode(packet))),
            ("dhcproto", allocations(|| dhcproto_decode(packet))),
            ("edge-dhcp", allocations(|| edge_decode(packet))),
            ("smoltcp", allocations(|| smoltcp_decode(packet))),
        ];
        for (who, count) in counts {
            println!("dhcp/decode {name}/{who}: {count} allocations");
        }
        let mut group = c.benchmark_group(format!("dhcp/decode {name}"));
        group.bench_function("view", |b| b.iter(|| walk(black_box(packet))));
        group.bench_function("owned", |b| {
            b.iter(|| Message::decode(black_box(packet)).unwrap());
        });
        group.bench_function("dhcproto", |b| {
            b.iter(|| dhcproto_decode(black_box(packet)))
        });
        group.bench_function("edge-dhcp", |b| b.iter(|| edge_decode(black_box(packet))));
        group.bench_function("smoltcp", |b| b.iter(|| smoltcp_decode(black_box(packet))));
        group.finish();
    }
}

fn offer() -> Vec<u8> {
    let Outcome::Reply(offer) = turn(&mut server(0), &discover()) else {
        panic!("no offer");
    };
    offer.bytes.to_vec()
}

fn encode(c: &mut Criterion) {
    let packet = offer();
    let mut group = c.benchmark_group("dhcp/encode OFFER into a reused buffer");
    let ours = Message::decode(&packet).unwrap();
    let mut out = Vec::with_capacity(1_500);
    let encoding = Encoding::default();
    let say = |who, count| println!("dhcp/encode OFFER/{who}: {count} allocations");
    let mut encode = || black_box(&ours).encode(&encoding, &mut out).unwrap();
    say("owned", allocations(&mut encode));
    group.bench_function("owned", |b| b.iter(&mut encode));
    let theirs = dhcproto_decode(&packet);
    let mut out = Vec::with_capacity(1_500);
    let mut encode = || {
        out.clear();
        black_box(&theirs)
            .encode(&mut Encoder::new(&mut out))
            .unwrap();
    };
    say("dhcproto", allocations(&mut encode));
    group.bench_function("dhcproto", |b| b.iter(&mut encode));
    let theirs = edge_dhcp::Packet::decode(&packet).unwrap();
    let mut out = [0; 1_500];
    let mut encode = || black_box(&theirs).encode(&mut out).unwrap().len();
    say("edge-dhcp", allocations(&mut encode));
    group.bench_function("edge-dhcp", |b| b.iter(&mut encode));
    let read = DhcpPacket::new_checked(packet.as_slice()).unwrap();
    let theirs = DhcpRepr::parse(&read).unwrap();
    let mut encode = || {
        let mut packet = DhcpPacket::new_unchecked(&mut out[..]);
        black_box(&theirs).emit(&mut packet).unwrap();
    };
    say("smoltcp", allocations(&mut encode));
    group.bench_function("smoltcp", |b| b.iter(&mut encode));
    group.finish();
}

fn turns(c: &mut Criterion) {
    let mut group = c.benchmark_group("dhcp/DISCOVER to OFFER");
    for leases in [0, 1_000, 65_000] {
        let mut server = server(leases);
        // Each DISCOVER from another machine; the cap on offers makes room.
        let mut packet = discover();
        let count = allocations(|| turn(&mut server, &packet));
        println!("dhcp/DISCOVER to OFFER/{leases}: {count} allocations");
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

criterion_group!(benches, decode, encode, turns);
criterion_main!(benches);

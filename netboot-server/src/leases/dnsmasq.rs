//! dnsmasq's lease file, as its lease.c reads and writes it, line by line: `EXPIRY HARDWARE ADDRESS
//! NAME CLIENT-ID`, where `*` stands for nothing.
//!
//! The expiry is in seconds since the Unix epoch, and 0 is never. Where dnsmasq was built for hosts
//! without a clock (`HAVE_BROKEN_RTC`, which routers have), it is how long the lease lasts. Before a
//! hardware address that is not Ethernet's stands its type: `20-` is InfiniBand, and behind it there
//! may be nothing. The leases of DHCPv6 and lines that begin with a word are passed over.

use std::net::{Ipv4Addr, Ipv6Addr};

use netboot_dhcp::server::{ClientKey, Lease, Server};
use netboot_dhcp::value::{ClientId, Value};
use netboot_dhcp::{HardwareAddr, Timestamp};

/// A line that is no lease of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its number, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// Reads leases that this server may give; `now` and their times are of the host's clock, and their
/// version is still 0.
pub(super) fn read(text: &str, server: &Server, now: Timestamp) -> (Vec<Lease>, Vec<LeftOut>) {
    let mut leases = Vec::new();
    let mut left_out = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_passed_over = match words.as_slice() {
            [] => true,
            [first, ..] if WORDS.contains(first) => true,
            [_, _, address, ..] => address.parse::<Ipv6Addr>().is_ok(),
            _ => false,
        };
        if is_passed_over {
            continue;
        }
        match read_line(&words, server, now) {
            Ok(lease) => leases.push(lease),
            Err(why) => left_out.push(LeftOut {
                line: index + 1,
                why,
            }),
        }
    }
    (leases, left_out)
}

/// What begins a line that is no lease: the server's own identity, and what of the lease before it
/// dnsmasq's scripts are told.
const WORDS: [&str; 3] = ["duid", "vendorclass", "agent-info"];

/// In seconds; dnsmasq is younger, and a lease shorter.
const EARLIEST_TIME: u64 = 1_000_000_000;

fn read_line(words: &[&str], server: &Server, now: Timestamp) -> Result<Lease, String> {
    let &[expiry, hardware, address, name, id] = words else {
        return Err("has not five words".into());
    };
    let expiry: u64 = expiry
        .parse()
        .map_err(|_| format!("{expiry:?} is no time"))?;
    let known = |word: &&str| *word != "*";
    let id = Some(id).filter(known).and_then(client_id);
    let client = client(hardware, id.clone())?;
    let address: Ipv4Addr = address
        .parse()
        .map_err(|_| format!("{address:?} is no IPv4 address"))?;
    let expires = match expiry {
        0 => Timestamp(u64::MAX),
        lasts @ 1..EARLIEST_TIME => now.after_ms(lasts * 1000),
        seconds => Timestamp(seconds.saturating_mul(1000)),
    };
    if expires <= now {
        return Err(format!("the lease of {address} is over"));
    }
    let mut networks = server.settings().networks.iter();
    let network = networks
        .find(|network| network.subnet.contains(address))
        .ok_or_else(|| format!("{address} is in no network of the configuration"))?;
    if !server.gives(network.id, address, &client) {
        return Err(format!(
            "{address} is no address for {client}: it is in no range of {}, or is this server's, the \
             gateway's or kept for another machine",
            network.subnet
        ));
    }
    let mut lease = Lease::new(now, network.id, address, client, expires);
    lease.client_id = id;
    lease.host_name = Some(name).filter(known).map(str::to_owned);
    Ok(lease)
}

/// Who a lease is of: its hardware address, else its client identifier.
fn client(hardware: &str, id: Option<ClientId>) -> Result<ClientKey, String> {
    let wrong = || format!("{hardware:?} is no hardware address");
    let (kind, address) = match hardware.split_once('-') {
        Some((kind, address)) => (u8::from_str_radix(kind, 16).ok(), address),
        None => (Some(HardwareAddr::ETHERNET), hardware),
    };
    let kind = kind.ok_or_else(wrong)?;
    if address.is_empty() {
        let id = id.map(ClientKey::Id);
        return id.ok_or_else(|| "has neither a hardware address nor a client identifier".into());
    }
    // dnsmasq takes no type for Ethernet, too.
    let kind = if kind == 0 {
        HardwareAddr::ETHERNET
    } else {
        kind
    };
    let address = bytes(address).and_then(|bytes| HardwareAddr::new(kind, &bytes));
    let is_right = |it: &HardwareAddr| kind != HardwareAddr::ETHERNET || it.mac().is_some();
    let address = address.filter(is_right).ok_or_else(wrong)?;
    Ok(ClientKey::Hardware(address))
}

fn client_id(text: &str) -> Option<ClientId> {
    ClientId::decode(&bytes(text)?).ok()
}

/// Bytes in hexadecimal with colons between them.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let byte = |word| u8::from_str_radix(word, 16).ok();
    text.split(':').map(byte).collect()
}

#[cfg(test)]
mod tests {
    use netboot_dhcp::MacAddr;
    use netboot_dhcp::server::{AddressRange, Link, Network, NetworkId, Reservation, Settings};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    /// As dnsmasq 2.89 writes it.
    const FILE: &str = "\
1700003600 52:54:00:12:34:56 192.168.100.101 node-01 01:52:54:00:12:34:56
0 52:54:00:12:34:57 192.168.100.102 * *
1600000000 52:54:00:12:34:58 192.168.100.103 old *
1700003600 52:54:00:12:34:59 10.9.9.9 away *
nonsense
duid 00:01:00:01:2c:d5:7e:0a:52:54:00:12:34:56
1700003600 1193046 fd00::101 node-01 00:01:00:01
";

    /// This server is at .1, the gateway at .254; .150 is kept for 02:00:00:00:00:01.
    fn server() -> Server {
        let address = |last| Ipv4Addr::new(192, 168, 100, last);
        let subnet = "192.168.100.0/24".parse().expect("a subnet");
        let link = Link::Interface(0);
        let mut network = Network::new(NetworkId(7), link, subnet, address(1));
        network.ranges = vec![
            AddressRange::new(address(2), address(110)),
            AddressRange::new(address(140), address(253)),
        ];
        network.exclude = vec![AddressRange::new(address(145), address(145))];
        network.gateways = vec![address(254)];
        network.reservations =
            vec![Reservation::new(MacAddr([2, 0, 0, 0, 0, 1])).with_address(address(150))];
        Server::new(Settings::new(vec![network])).expect("right settings")
    }

    #[test]
    fn addresses_that_this_server_would_not_give_are_left_out() {
        let taken = |mac: &str, last: u8| {
            let line = format!("0 {mac} 192.168.100.{last} * *");
            let (leases, left_out) = read(&line, &server(), NOW);
            assert_eq!(leases.len() + left_out.len(), 1);
            left_out.iter().for_each(|one| {
                let why = "192.168.100.";
                assert!(
                    one.why.starts_with(why) && one.why.contains("no address for"),
                    "{one:?}"
                );
            });
            !leases.is_empty()
        };
        let (node, other) = ("02:00:00:00:00:01", "02:00:00:00:00:02");
        // The server, the gateway, the network's and the broadcast address, none of a range, and
        // one that is excluded.
        for last in [1, 254, 0, 255, 120, 145] {
            assert!(!taken(other, last), "{last}");
        }
        assert!(!taken(other, 150) && taken(node, 150));
        assert!(taken(other, 149));
    }

    /// Lines as `lease_update_file` in dnsmasq's lease.c writes them, and as `read_leases` takes
    /// them: in any order, each by itself.
    #[test]
    fn leases_behind_a_duid_line_of_other_hardware_and_with_durations_are_read() {
        let file = "\
duid 00:01:00:01:2c:d5:7e:0a:52:54:00:12:34:56
1700003600 1193046 fd00::101 node-01 00:01:00:01
1700003600 52:54:00:12:34:56 192.168.100.101 node-01 *
vendorclass 192.168.100.101 50:58:45
agent-info 192.168.100.101 01:02:00:01
1700003600 20- 192.168.100.102 ib ff:00:00:00:01
1700003600 06-52:54:00:12:34:57 192.168.100.103 * *
86400 00-52:54:00:12:34:58 192.168.100.104 router *
1700003600 20- 192.168.100.105 * *
1700003600 52:54:00:12:34 192.168.100.106 * *
1700003600 zz-52:54:00:12:34:59 192.168.100.107 * *
";
        let (leases, left_out) = read(file, &server(), NOW);
        let shown = leases.iter().map(|lease| {
            let last = lease.address.octets()[3];
            (last, lease.client.clone(), lease.expires.0)
        });
        let hardware = |kind, last| {
            let address = HardwareAddr::new(kind, &[0x52, 0x54, 0, 0x12, 0x34, last]);
            ClientKey::Hardware(address.expect("six bytes"))
        };
        let id = ClientId::decode(&[0xff, 0, 0, 0, 1]).expect("an identifier");
        let end = 1_700_003_600_000;
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                (101, hardware(1, 0x56), end),
                (102, ClientKey::Id(id), end),
                (103, hardware(6, 0x57), end),
                (104, hardware(1, 0x58), NOW.0 + 86_400_000),
            ]
        );
        let why: Vec<_> = left_out.iter().map(|one| (one.line, &*one.why)).collect();
        assert_eq!(
            why,
            [
                (9, "has neither a hardware address nor a client identifier"),
                (10, "\"52:54:00:12:34\" is no hardware address"),
                (11, "\"zz-52:54:00:12:34:59\" is no hardware address"),
            ]
        );
    }

    #[test]
    fn leases_of_our_networks_are_read_and_the_others_named() {
        let (leases, left_out) = read(FILE, &server(), NOW);
        let shown: Vec<_> = leases
            .iter()
            .map(|lease| {
                let id = lease.client_id.as_ref().map(ToString::to_string);
                (
                    lease.address.to_string(),
                    lease.client.to_string(),
                    lease.host_name.as_deref(),
                    id.is_some(),
                    lease.expires.0,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "192.168.100.101".into(),
                    "52:54:00:12:34:56".into(),
                    Some("node-01"),
                    true,
                    1_700_003_600_000
                ),
                (
                    "192.168.100.102".into(),
                    "52:54:00:12:34:57".into(),
                    None,
                    false,
                    u64::MAX
                ),
            ]
        );
        let why: Vec<_> = left_out
            .iter()
            .map(|one| (one.line, one.why.as_str()))
            .collect();
        assert_eq!(
            why,
            [
                (3, "the lease of 192.168.100.103 is over"),
                (4, "10.9.9.9 is in no network of the configuration"),
                (5, "has not five words"),
            ]
        );
    }
}

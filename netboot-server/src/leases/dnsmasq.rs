//! dnsmasq's lease file, line by line: `EXPIRY MAC ADDRESS NAME CLIENT-ID`, where the expiry is in
//! seconds since the Unix epoch and 0 is never, and `*` stands for nothing. What follows a `duid`
//! line is DHCPv6.

use std::net::Ipv4Addr;

use netboot_dhcp::server::{ClientKey, Lease, Server};
use netboot_dhcp::value::{ClientId, Value};
use netboot_dhcp::{HardwareAddr, MacAddr, Timestamp};

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
    let lines = text.lines().enumerate();
    for (index, line) in lines.take_while(|(_, line)| !line.starts_with("duid ")) {
        if line.trim().is_empty() {
            continue;
        }
        match read_line(line, server, now) {
            Ok(lease) => leases.push(lease),
            Err(why) => left_out.push(LeftOut {
                line: index + 1,
                why,
            }),
        }
    }
    (leases, left_out)
}

fn read_line(line: &str, server: &Server, now: Timestamp) -> Result<Lease, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[expiry, hardware, address, name, id] = words.as_slice() else {
        return Err("has not five words".into());
    };
    let expiry: u64 = expiry
        .parse()
        .map_err(|_| format!("{expiry:?} is no time"))?;
    let mac: MacAddr = hardware
        .parse()
        .map_err(|_| format!("{hardware:?} is no MAC address"))?;
    let address: Ipv4Addr = address
        .parse()
        .map_err(|_| format!("{address:?} is no IPv4 address"))?;
    let expires = match expiry {
        0 => Timestamp(u64::MAX),
        seconds => Timestamp(seconds.saturating_mul(1000)),
    };
    if expires <= now {
        return Err(format!("the lease of {address} is over"));
    }
    let mut networks = server.settings().networks.iter();
    let network = networks
        .find(|network| network.subnet.contains(address))
        .ok_or_else(|| format!("{address} is in no network of the configuration"))?;
    let known = |word: &&str| *word != "*";
    let client = ClientKey::Hardware(HardwareAddr::from(mac));
    if !server.gives(network.id, address, &client) {
        return Err(format!(
            "{address} is no address for {mac}: it is in no range of {}, or is this server's, the \
             gateway's or kept for another machine",
            network.subnet
        ));
    }
    let mut lease = Lease::new(now, network.id, address, client, expires);
    lease.client_id = Some(id).filter(known).and_then(client_id);
    lease.host_name = Some(name).filter(known).map(str::to_owned);
    Ok(lease)
}

/// Bytes in hexadecimal with colons between them.
fn client_id(text: &str) -> Option<ClientId> {
    let byte = |word| u8::from_str_radix(word, 16).ok();
    let bytes: Vec<u8> = text.split(':').map(byte).collect::<Option<_>>()?;
    ClientId::decode(&bytes).ok()
}

#[cfg(test)]
mod tests {
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

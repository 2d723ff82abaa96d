//! Networks: subnets, ranges, and addresses that have to lie in them.

use std::net::Ipv4Addr;
use std::time::Duration;

use netboot_dhcp::server::Subnet;

use super::super::document::{self, Place, Table};
use super::super::nearest::or_nearest;
use super::super::problem::Problems;
use super::super::{DEFAULT_LEASE_TIME, Mode, Network};
use super::text::is_domain;
use super::{Host, hosts, resolve_options, resolve_program, right};

impl From<document::Server> for document::Network {
    fn from(server: document::Server) -> Self {
        Self {
            place: server.place,
            name: None,
            interface: server.interface,
            server: server.ip,
            subnet: server.subnet,
            ranges: server.dhcp_range.into_iter().collect(),
            exclude: Vec::new(),
            gateway: server.gateway,
            dns: server.dns,
            domain: server.domain,
            lease_time: server.lease_time,
            allow: server.allow,
            identify: server.identify,
            program: server.program,
            options: server.options,
            mode: server.mode,
            authoritative: server.authoritative,
            relays: server.relays,
            trust_option_82: server.trust_option_82,
            probe: server.probe,
            reply_delay: server.reply_delay,
        }
    }
}

pub(super) fn resolve_network(
    written: document::Network,
    others: &[Network],
    host: &Host,
    problems: &mut Problems,
) -> Option<Network> {
    let place = &written.place;
    // The short form calls the address `ip`, the normal form `server`.
    let server_key = if place.0.ends_with(".server") {
        place.key("ip")
    } else {
        place.key("server")
    };
    if written.server.is_none() {
        problems.error(
            &server_key,
            "is missing",
            "write this server's address on the network, such as 192.168.100.1",
        );
    }
    if written.interface.is_none() && written.subnet.is_none() {
        problems.error(
            place,
            "names neither an interface nor a subnet",
            "write the interface that the machines are on; for a network behind a DHCP relay, its \
             subnet",
        );
    }
    if let Some(interface) = &written.interface {
        check_interface(interface, place, others, host, problems);
    }
    if let Some(domain) = written.domain.as_deref().filter(|d| !is_domain(d)) {
        problems.error(
            place.key("domain"),
            format!("{domain:?} is not a domain"),
            "write host names with dots between them, such as example.org",
        );
    }
    let written_mode = right(written.mode.clone(), place.key("mode"), problems);
    let mode = written_mode.unwrap_or_default();
    if mode == Mode::Proxy {
        warn_of_addressing(&written, problems);
    }
    let gateway = right(written.gateway, place.key("gateway"), problems);
    let dns = right(written.dns, place.key("dns"), problems).unwrap_or_default();
    let lease_time = right(written.lease_time, place.key("lease_time"), problems);
    let allow = right(written.allow, place.key("allow"), problems).unwrap_or_default();
    let identify = right(written.identify, place.key("identify"), problems).unwrap_or_default();
    let options = resolve_options(written.options, place, problems);
    let authoritative = right(written.authoritative, place.key("authoritative"), problems)
        .unwrap_or(written_mode == Some(Mode::Authoritative));
    let program = resolve_program(written.program, place, mode == Mode::Proxy, problems);
    let relays = right(written.relays, place.key("relays"), problems).unwrap_or_default();
    let trust_option_82 = right(
        written.trust_option_82,
        place.key("trust_option_82"),
        problems,
    );
    let probe = right(written.probe, place.key("probe"), problems).unwrap_or(true);
    let reply_delay = right(written.reply_delay, place.key("reply_delay"), problems);
    if mode == Mode::Proxy && !written.ranges.is_empty() {
        problems.error(
            place,
            "is in proxy mode and has ranges, though a proxy gives no addresses",
            "leave the ranges to the other DHCP server, or write mode = \"authoritative\"",
        );
    }
    if mode == Mode::Proxy && authoritative {
        problems.error(
            place.key("authoritative"),
            "is true in proxy mode, though a proxy gives no addresses",
            "leave it out, or write mode = \"authoritative\"",
        );
    }
    let given_subnet = written.subnet.is_some();
    let subnet = right(written.subnet, place.key("subnet"), problems);
    let server = right(written.server, &server_key, problems)?;
    let subnet = match (subnet, &written.interface) {
        (Some(subnet), _) => subnet,
        (None, _) if given_subnet => return None,
        (None, Some(interface)) => match host.subnet(interface, server) {
            Some(subnet) => subnet,
            None => {
                problems.note(
                    place.key("subnet"),
                    format!(
                        "is taken to be a /24, since {interface} has no {server} on this host \
                         now"
                    ),
                );
                Subnet::new(server, 24)?
            }
        },
        (None, None) => return None,
    };
    if written.interface.is_some() && !subnet.is_host(server) {
        problems.error(
            &server_key,
            format!("{server} is not a host address in {subnet}"),
            format!("write an address {}", hosts(subnet)),
        );
    }
    if let Some(gateway) = gateway.filter(|gateway| !subnet.is_host(*gateway)) {
        problems.error(
            place.key("gateway"),
            format!("{gateway} is not a host address in {subnet}"),
            format!("write an address {}, or leave it out", hosts(subnet)),
        );
    }
    let name = written.name.unwrap_or_else(|| {
        written
            .interface
            .clone()
            .unwrap_or_else(|| subnet.to_string())
    });
    for other in others {
        if other.name == name {
            problems.error(
                place,
                format!("is the second network called {name}"),
                "give one of them another `name`",
            );
        }
        if other.subnet.contains(subnet.network()) || subnet.contains(other.subnet.network()) {
            problems.error(
                place.key("subnet"),
                format!(
                    "{subnet} overlaps {} of network {}",
                    other.subnet, other.name
                ),
                "give each network addresses of its own",
            );
        }
    }
    let mut exclude = Vec::new();
    for (index, given) in written.exclude.into_iter().enumerate() {
        let place = place.index("exclude", index);
        let Some(address) = given.check(&place, problems) else {
            continue;
        };
        if !subnet.contains(address) {
            problems.error(
                place,
                format!("{address} is outside {subnet}"),
                "leave it out; only addresses of the ranges are lent",
            );
        }
        exclude.push(address);
    }
    let own = [
        (Some(server), "the server's own address"),
        (
            gateway.filter(|gateway| *gateway != server),
            "the gateway's address",
        ),
    ];
    let own: Vec<_> = own
        .into_iter()
        .filter_map(|(address, whose)| Some((address?, whose)))
        .filter(|(address, _)| !exclude.contains(address))
        .collect();
    let ranges = resolve_ranges(written.ranges, place, subnet, &own, problems);
    // What goes with an address is the other server's to say; a gateway that may be a relay agent is
    // for this one.
    let gives = mode != Mode::Proxy;
    let is_relay = written.interface.is_none();
    let of_subnet = || (gives && subnet.contains(server)).then_some(server);
    Some(Network {
        name,
        interface: written.interface,
        subnet,
        server,
        ranges,
        exclude: if gives { exclude } else { Vec::new() },
        gateway: gateway.filter(|_| gives || is_relay).or_else(of_subnet),
        dns: if gives { dns } else { Vec::new() },
        domain: written.domain.filter(|_| gives),
        lease_time: lease_time
            .filter(|_| gives)
            .map_or(DEFAULT_LEASE_TIME, |time| time.0),
        allow,
        identify,
        program,
        options,
        mode,
        authoritative,
        relays,
        trust_option_82: trust_option_82.unwrap_or_default(),
        probe,
        reply_delay: reply_delay.map_or(Duration::ZERO, |delay| delay.0),
    })
}

/// What a network in proxy mode says of addresses, or of what is told with one.
fn warn_of_addressing(written: &document::Network, problems: &mut Problems) {
    let said = serde_json::to_value(written).unwrap_or_default();
    for key in ["exclude", "gateway", "dns", "domain", "lease_time", "probe"] {
        // Without an interface the gateway is a relay agent that is believed.
        let is_relay = key == "gateway" && written.interface.is_none();
        let value = said.get(key).unwrap_or(&serde_json::Value::Null);
        let says_nothing = value.is_null()
            || value == &serde_json::Value::Bool(false)
            || value.as_array().is_some_and(Vec::is_empty);
        if !says_nothing && !is_relay {
            problems.warning(
                written.place.key(key),
                format!("{value} has no effect in proxy mode: another DHCP server gives addresses"),
                "leave it out here, and write it into that server's configuration",
            );
        }
    }
}

pub(super) fn resolve_ranges(
    written: Vec<Table<document::Range>>,
    network: &Place,
    subnet: Subnet,
    own: &[(Ipv4Addr, &str)],
    problems: &mut Problems,
) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let short = network.0.ends_with(".server");
    let mut ranges: Vec<(Ipv4Addr, Ipv4Addr)> = Vec::new();
    for (index, Table(range)) in written.into_iter().enumerate() {
        let place = if short {
            network.key("dhcp_range")
        } else {
            network.index("ranges", index)
        };
        for (key, missing) in [
            ("start", range.start.is_none()),
            ("end", range.end.is_none()),
        ] {
            if missing {
                problems.error(place.key(key), "is missing", "write an IPv4 address");
            }
        }
        let start = right(range.start, place.key("start"), problems);
        let end = right(range.end, place.key("end"), problems);
        let mut inside = true;
        for (key, address) in [("start", start), ("end", end)] {
            let Some(address) = address else {
                inside = false;
                continue;
            };
            if !subnet.contains(address) {
                inside = false;
                problems.error(
                    place.key(key),
                    format!("{address} is outside {subnet}"),
                    format!("write an address {}", hosts(subnet)),
                );
            }
        }
        let (Some(start), Some(end), true) = (start, end, inside) else {
            continue;
        };
        if start > end {
            problems.error(
                &place,
                format!("starts at {start} and ends before that, at {end}"),
                "exchange start and end",
            );
            continue;
        }
        for (address, whose) in own {
            if (start..=end).contains(address) {
                problems.error(
                    &place,
                    format!("{start} to {end} holds {whose} {address}"),
                    "end the range before it or start it behind it",
                );
            }
        }
        if let Some((a, b)) = ranges.iter().find(|(a, b)| start <= *b && *a <= end) {
            problems.error(
                &place,
                format!("{start} to {end} overlaps {a} to {b}"),
                "make one range of them",
            );
        }
        ranges.push((start, end));
    }
    ranges
}

pub(super) fn check_interface(
    interface: &str,
    network: &Place,
    others: &[Network],
    host: &Host,
    problems: &mut Problems,
) {
    // As Linux has it; a longer or empty name would bind to no interface or to all.
    let is_name = (1..=15).contains(&interface.len())
        && !interface.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control());
    if !is_name {
        problems.error(
            network.key("interface"),
            format!("{interface:?} is no name of an interface"),
            "write one that `ip link` shows, such as eth1",
        );
    } else if host.lacks_interface(interface) {
        problems.warning(
            network.key("interface"),
            format!("{interface} is not there: nobody on it is served until it is"),
            or_nearest(
                interface,
                host.interfaces.iter().map(String::as_str),
                "name one that `ip link` shows, or leave it, if it comes later",
            ),
        );
    }
    if let Some(other) = others
        .iter()
        .find(|other| other.interface.as_deref() == Some(interface))
    {
        problems.error(
            network.key("interface"),
            format!("{interface} belongs to network {} already", other.name),
            "serve one network on each interface",
        );
    }
}

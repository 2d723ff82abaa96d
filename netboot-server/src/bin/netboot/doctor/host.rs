//! The host: its interfaces, its ports, its packet filter, and who the server would be.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::Command;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::unistd::geteuid;
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use super::firewall::{self, Packet};
use super::{Findings, Served};
use netboot_server::config::{Config, Mode, Network};

pub(super) fn look(config: &Config, served: Served, findings: &mut Findings) {
    for network in &config.networks {
        if let Some(interface) = &network.interface {
            look_at_interface(interface, network, findings);
        }
    }
    match served {
        Served::Yes => findings.ok("server", "runs, and has its ports"),
        // The ports may be its own.
        Served::Unknown(failure) => findings.warning(
            "server",
            format!("may run: {}: {}", failure.tried, failure.why),
            failure.cure,
        ),
        Served::No => {
            look_at_ports(config, findings);
            if geteuid().is_root() && config.user.is_none() {
                findings.warning(
                    "user",
                    "a server started by this user stays root",
                    "name a `user` in the configuration, or start it by the systemd unit",
                );
            }
        }
    }
    look_at_firewall(config, findings);
}

fn look_at_interface(interface: &str, network: &Network, findings: &mut Findings) {
    let about = format!("interface {interface}");
    if if_nametoindex(interface).is_err() {
        // The configuration's own finding says so.
        return;
    }
    let all: Vec<_> = getifaddrs()
        .into_iter()
        .flatten()
        .filter(|one| one.interface_name == interface)
        .collect();
    let flags = all
        .iter()
        .fold(InterfaceFlags::empty(), |flags, one| flags | one.flags);
    if !flags.contains(InterfaceFlags::IFF_UP) {
        findings.fault(about, "is down", format!("`ip link set {interface} up`"));
        return;
    }
    if !flags.contains(InterfaceFlags::IFF_RUNNING) {
        findings.warning(
            &about,
            "is up and has no carrier",
            "plug in its cable, or switch on its other end",
        );
    }
    let mut addresses = all
        .iter()
        .filter_map(|one| Some(one.address?.as_sockaddr_in()?.ip()));
    if addresses.any(|address| address == network.server) {
        findings.ok(about, format!("is up and has {}", network.server));
    } else {
        findings.fault(
            about,
            format!("does not have {}; a server waits for it", network.server),
            format!(
                "`ip address add {}/{} dev {interface}`",
                network.server,
                network.subnet.prefix()
            ),
        );
    }
}

/// A port that a server binds.
struct Port {
    name: &'static str,
    interface: Option<String>,
    address: SocketAddrV4,
    stream: bool,
}

fn ports(config: &Config) -> Vec<Port> {
    let mut ports = Vec::new();
    for network in &config.networks {
        let at = |port| SocketAddrV4::new(network.server, port);
        if let Some(interface) = &network.interface {
            let on_interface = |name, port| Port {
                name,
                interface: Some(interface.clone()),
                address: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port),
                stream: false,
            };
            ports.push(on_interface("DHCP", config.ports.dhcp.get()));
            if network.mode == Mode::Proxy {
                let port = config.ports.boot_server.get();
                ports.push(on_interface("the boot server", port));
            }
        }
        ports.push(Port {
            name: "TFTP",
            interface: None,
            address: at(config.ports.tftp.get()),
            stream: false,
        });
        ports.push(Port {
            name: "HTTP",
            interface: None,
            address: at(config.ports.http.get()),
            stream: true,
        });
        ports.extend(config.tls.as_ref().map(|tls| Port {
            name: "HTTPS",
            interface: None,
            address: at(tls.port.get()),
            stream: true,
        }));
    }
    ports
}

fn look_at_ports(config: &Config, findings: &mut Findings) {
    for port in ports(config) {
        let on = port
            .interface
            .clone()
            .unwrap_or_else(|| port.address.ip().to_string());
        let about = format!("port {} ({} on {on})", port.address.port(), port.name);
        match try_port(&port) {
            Ok(()) => findings.ok(about, "is free"),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => findings.fault(
                about,
                "another program has it",
                format!(
                    "find it with `ss -lntup 'sport = :{}'` and stop it",
                    port.address.port()
                ),
            ),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => findings.warning(
                about,
                "this user may not bind it",
                "run it as root, or with the capabilities CAP_NET_BIND_SERVICE and CAP_NET_RAW",
            ),
            // The interface or its address is not there, which was said.
            Err(_) => {}
        }
    }
}

/// Binds it for a moment.
fn try_port(port: &Port) -> io::Result<()> {
    let (kind, protocol) = if port.stream {
        (Type::STREAM, Protocol::TCP)
    } else {
        (Type::DGRAM, Protocol::UDP)
    };
    let socket = Socket::new(Domain::IPV4, kind, Some(protocol))?;
    if port.stream {
        socket.set_reuse_address(true)?;
    }
    if let Some(interface) = &port.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    socket.bind(&SocketAddr::from(port.address).into())?;
    if port.stream {
        socket.listen(1)
    } else {
        Ok(())
    }
}

fn look_at_firewall(config: &Config, findings: &mut Findings) {
    let ruleset = match ruleset() {
        Ok(Some(ruleset)) => ruleset,
        Ok(None) => return findings.ok("firewall", "nftables is not installed"),
        Err(why) => {
            return findings.warning(
                "firewall",
                format!("its rules cannot be read: {why}"),
                "run it as root",
            );
        }
    };
    for network in &config.networks {
        let Some(interface) = &network.interface else {
            continue;
        };
        let ports = config.ports;
        let mut wanted = vec![
            ("DHCP", "udp", ports.dhcp, Ipv4Addr::BROADCAST),
            ("TFTP", "udp", ports.tftp, network.server),
            ("HTTP", "tcp", ports.http, network.server),
        ];
        if network.mode == Mode::Proxy {
            wanted.push(("the boot server", "udp", ports.boot_server, network.server));
        }
        if let Some(tls) = &config.tls {
            wanted.push(("HTTPS", "tcp", tls.port, network.server));
        }
        let mut passes = Vec::new();
        for (name, protocol, port, destination) in wanted {
            let port = port.get();
            let about = format!("firewall on {interface}, {name}");
            let packet = Packet {
                interface,
                protocol,
                port,
                destination,
            };
            match firewall::fate(&ruleset, &packet) {
                Some(fate) if !fate.passes => {
                    let what = format!("{} drops {protocol} port {port}", fate.by);
                    let cure = format!(
                        "`nft insert rule {} iifname {interface} {protocol} dport {port} accept`",
                        fate.by
                    );
                    if fate.unsure {
                        findings.warning(
                            about,
                            format!("{what}, unless a rule that is not understood here accepts it"),
                            cure,
                        );
                    } else {
                        findings.fault(about, what, cure);
                    }
                }
                _ => passes.push(format!("{protocol} port {port}")),
            }
        }
        if !passes.is_empty() {
            findings.ok(
                format!("firewall on {interface}"),
                format!("lets {} in", passes.join(", ")),
            );
        }
    }
}

/// nftables' rules; `None` where there is no `nft`.
fn ruleset() -> Result<Option<Value>, String> {
    let output = match Command::new("nft").args(["-j", "list", "ruleset"]).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(said.lines().next().unwrap_or("nft fails").to_owned());
    }
    serde_json::from_slice(&output.stdout)
        .map(Some)
        .map_err(|error| error.to_string())
}

//! Running the server on a host: interfaces that come with a reload, a packet filter that keeps the
//! boot network by itself, and what `netboot doctor` finds.

use std::path::{Path, PathBuf};

use netboot_server::lab::Namespace;
use tempfile::TempDir;

use crate::lan::Ends;
use crate::server::{Server, netboot};

const NFTABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/nftables/netboot.nft");
/// Where the management network's host is, behind the server.
const BEHIND: &str = "10.9.0.2";

/// A server's host with an interface on each of three networks, and a host on each of them.
struct Host {
    host: Namespace,
    first: Namespace,
    second: Namespace,
    management: Namespace,
    scratch: TempDir,
}

impl Host {
    fn new() -> Self {
        let namespace = || Namespace::new().expect("a network namespace; this test needs root");
        let lab = Self {
            host: namespace(),
            first: namespace(),
            second: namespace(),
            management: namespace(),
            scratch: tempfile::tempdir().expect("a temporary folder"),
        };
        let cables = [
            ("eth0", &lab.management, "10.9.0", "10.9.0.1"),
            ("eth1", &lab.first, "192.168.100", "192.168.100.1"),
            ("eth2", &lab.second, "192.168.200", "192.168.200.1"),
        ];
        for (interface, other, net, gateway) in cables {
            lab.host
                .link(interface, other, "net0")
                .expect("a veth pair");
            let set =
                |namespace: &Namespace, words: &str| namespace.ip(words).expect("ip of iproute2");
            set(&lab.host, &format!("addr add {net}.1/24 dev {interface}"));
            set(&lab.host, &format!("link set {interface} up"));
            set(other, &format!("addr add {net}.2/24 dev net0"));
            set(other, "link set net0 up");
            set(other, &format!("route add default via {gateway}"));
        }
        let forward = lab
            .host
            .run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"));
        forward.expect("a kernel that forwards");
        lab
    }

    fn state(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    /// Runs a command line on one of the hosts; gives its exit code and what it said.
    fn run(&self, on: &Namespace, line: &str) -> (Option<i32>, String) {
        let line = format!("cd {} && {line}", self.scratch.path().display());
        let output = on
            .output("timeout", ["60", "sh", "-c", &line])
            .expect("a shell");
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// `netboot doctor` on the server's host, with these options.
    fn doctor(&self, options: &str) -> (Option<i32>, String) {
        let (bin, state) = (env!("CARGO_BIN_EXE_netboot"), self.state());
        let (state, config) = (state.display(), state.join("netboot.toml"));
        let config = config.display();
        self.run(
            &self.host,
            &format!("{bin} doctor --state-dir {state} --config {config} {options}"),
        )
    }
}

fn network(interface: &str, net: &str) -> String {
    format!(
        "[[netboot.networks]]\ninterface = \"{interface}\"\nserver = \"{net}.1\"\n\
         ranges = [{{ start = \"{net}.100\", end = \"{net}.200\" }}]\n"
    )
}

/// Asks for a lease as busybox does, and gives what it got.
fn lease(lab: &Host, on: &Namespace) -> Option<String> {
    let (code, said) = lab.run(on, "busybox udhcpc -i net0 -n -q -f -t 3 -T 2 -s /bin/true");
    let words: Vec<_> = said.split_whitespace().collect();
    let at = words
        .windows(2)
        .find(|pair| pair[0] == "of" && pair[1].starts_with("192."));
    (code == Some(0)).then(|| at.expect("an address")[1].trim_end_matches(',').to_owned())
}

fn configure(state: &Path, text: &str) {
    std::fs::write(state.join("netboot.toml"), text).expect("a configuration");
}

#[test]
#[ignore = "needs root, namespaces and busybox"]
fn an_interface_comes_and_goes_with_a_reload_and_the_other_is_not_disturbed() {
    let lab = Host::new();
    let (one, two) = (
        network("eth1", "192.168.100"),
        network("eth2", "192.168.200"),
    );
    let server = Server::start(&lab.host, &lab.state(), &one, 3);
    let first = lease(&lab, &lab.first).expect("a lease on eth1");
    assert!(first.starts_with("192.168.100."), "{first}");
    assert_eq!(lease(&lab, &lab.second), None);

    configure(&lab.state(), &format!("{two}{one}"));
    netboot(&lab.state(), &["reload"]);
    let second = lease(&lab, &lab.second).expect("a lease on eth2");
    assert!(second.starts_with("192.168.200."), "{second}");
    assert_eq!(lease(&lab, &lab.first).as_ref(), Some(&first));

    configure(&lab.state(), &one);
    netboot(&lab.state(), &["reload"]);
    server.wait_for(|log| log.contains("DHCP on eth2: closed"));
    assert_eq!(lease(&lab, &lab.second), None);
    assert_eq!(lease(&lab, &lab.first).as_ref(), Some(&first));

    // What was leased there before holds again.
    configure(&lab.state(), &format!("{one}{two}"));
    netboot(&lab.state(), &["reload"]);
    assert_eq!(lease(&lab, &lab.second).as_ref(), Some(&second));
    server.stop();
}

/// Whether a TCP connection to this address and port comes about.
fn reaches(lab: &Host, from: &Namespace, to: &str) -> bool {
    let (host, port) = to.split_once(':').expect("an address and a port");
    let (code, _) = lab.run(
        from,
        &format!("busybox timeout 2 busybox nc {host} {port} </dev/null"),
    );
    code == Some(0)
}

#[test]
#[ignore = "needs root, namespaces, nft, busybox and curl"]
fn with_the_example_rules_the_boot_network_reaches_boot_services_and_nothing_else() {
    let lab = Host::new();
    let server = Server::start(&lab.host, &lab.state(), &network("eth1", "192.168.100"), 3);
    std::fs::create_dir_all(lab.state().join("tftp")).expect("a folder");
    std::fs::write(lab.state().join("tftp/program"), vec![7; 5000]).expect("a file");
    // Something that is not for machines, on each side.
    let listen = |on: &Namespace| {
        on.run(|| {
            let listener = std::net::TcpListener::bind("0.0.0.0:22").expect("a port");
            std::thread::spawn(move || listener.incoming().for_each(drop));
        });
    };
    listen(&lab.host);
    listen(&lab.management);
    let behind = format!("{BEHIND}:22");
    assert!(reaches(&lab, &lab.first, "192.168.100.1:22") && reaches(&lab, &lab.first, &behind));

    // Twice, as a reload of the rules does.
    for _ in 0..2 {
        let (code, said) = lab.run(&lab.host, &format!("nft -f {NFTABLES}"));
        assert_eq!((code, said.as_str()), (Some(0), ""));
    }
    assert!(lease(&lab, &lab.first).is_some());
    let got = lab.run(&lab.first, "curl -sS -m 5 http://192.168.100.1/healthz");
    assert_eq!(got, (Some(0), "ok\n".into()));
    let got = lab.run(
        &lab.first,
        "busybox tftp -g -r program -l got 192.168.100.1 2>/dev/null && wc -c <got",
    );
    assert_eq!(got, (Some(0), "5000\n".into()));
    for closed in ["192.168.100.1:22", "10.9.0.1:22", &behind] {
        assert!(!reaches(&lab, &lab.first, closed), "{closed}");
    }
    // Management reaches the host, and the host the boot network.
    assert!(reaches(&lab, &lab.management, "10.9.0.1:22"));
    listen(&lab.first);
    assert!(reaches(&lab, &lab.management, "192.168.100.2:22"));
    let (code, said) = lab.doctor("");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("firewall on eth1: lets udp port 67, udp port 69, tcp port 80 in"),
        "{said}"
    );
    server.stop();
}

#[test]
#[ignore = "needs root, namespaces and nft"]
fn doctor_names_what_stands_in_the_way_and_its_cure() {
    let lab = Host::new();
    std::fs::create_dir_all(lab.state()).expect("a folder");
    configure(&lab.state(), &network("eth1", "192.168.100"));
    let (code, said) = lab.doctor("");
    assert_eq!(code, Some(0), "{said}");
    for expected in [
        "ok       interface eth1: is up and has 192.168.100.1\n",
        "ok       port 67 (DHCP on eth1): is free\n",
        "ok       firewall on eth1: lets udp port 67, udp port 69, tcp port 80 in\n",
        "warning  images: there is none\n           cure: `netboot image add ",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }

    // Each fault by itself: what brings it about, what is said of it, and what its cure leaves.
    for (fault, expected, cure) in [
        (
            "ip link set eth1 down",
            "FAULT    interface eth1: is down\n           cure: `ip link set eth1 up`",
            "ip link set eth1 up",
        ),
        (
            "ip address del 192.168.100.1/24 dev eth1",
            "FAULT    interface eth1: does not have 192.168.100.1; a server waits for it\n\
             \x20          cure: `ip address add 192.168.100.1/24 dev eth1`",
            "ip address add 192.168.100.1/24 dev eth1",
        ),
        (
            "nft add table inet f && nft 'add chain inet f in { type filter hook input priority 0; \
             policy drop; }' && nft add rule inet f in tcp dport 80 accept",
            "FAULT    firewall on eth1, DHCP: inet f in drops udp port 67\n\
             \x20          cure: `nft insert rule inet f in iifname eth1 udp dport 67 accept`",
            "nft insert rule inet f in iifname eth1 udp dport 67 accept && nft insert rule inet f \
             in iifname eth1 udp dport 69 accept",
        ),
    ] {
        assert_eq!(lab.run(&lab.host, fault).0, Some(0), "{fault}");
        let (code, said) = lab.doctor("");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "{expected}\n{said}");
        assert_eq!(lab.run(&lab.host, cure).0, Some(0), "{cure}");
        let (code, said) = lab.doctor("");
        assert_eq!(code, Some(0), "{said}");
    }

    let taken = lab
        .host
        .run(|| std::net::UdpSocket::bind("192.168.100.1:69").expect("a port"));
    let (code, said) = lab.doctor("--json");
    assert_eq!(code, Some(1), "{said}");
    let document: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let faults = document["findings"].as_array().expect("a list").iter();
    let faults: Vec<_> = faults
        .filter(|finding| finding["state"] == "fault")
        .collect();
    assert_eq!(faults.len(), 1, "{said}");
    assert_eq!(faults[0]["about"], "port 69 (TFTP on 192.168.100.1)");
    assert_eq!(document["healthy"], false);
    drop(taken);
}

#[test]
#[ignore = "needs root, and the Debian package dnsmasq-base"]
fn doctor_hears_a_dnsmasq_that_pings_before_it_answers() {
    let lab = Host::new();
    std::fs::create_dir_all(lab.state()).expect("a folder");
    configure(&lab.state(), &network("eth1", "192.168.100"));
    let leases = lab.scratch.path().join("leases").display().to_string();
    let _dnsmasq = Ends::pinging_dnsmasq(&lab.first, "net0", &leases, "");
    let (_, said) = lab.doctor("--probe eth1");
    let warned = "warning  other DHCP servers on eth1: 192.168.100.2 answers\n";
    assert!(said.contains(warned), "{said}");
}

#[test]
#[ignore = "needs root and namespaces"]
fn doctor_names_another_dhcp_server_and_sends_nothing_unless_asked() {
    let lab = Host::new();
    // The other server is on the machines' side of the cable.
    let other = lab.scratch.path().join("other");
    let config = network("net0", "192.168.100").replace(".1\"", ".2\"");
    let server = Server::start(&lab.first, &other, &config, 3);
    std::fs::create_dir_all(lab.state()).expect("a folder");
    configure(&lab.state(), &network("eth1", "192.168.100"));
    let (_, said) = lab.doctor("");
    assert!(!said.contains("other DHCP servers"), "{said}");
    assert!(!server.log().contains("DHCPDISCOVER"), "{}", server.log());
    let (code, said) = lab.doctor("--probe eth1 --probe eth2");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("warning  other DHCP servers on eth1: 192.168.100.2 answers\n"),
        "{said}"
    );
    assert!(
        said.contains("ok       other DHCP servers on eth2: none answers within 5 s\n"),
        "{said}"
    );
    server.stop();
}

//! `netboot probe` where it needs root: on an interface, of a server that is named, and through a
//! relay agent.

use netboot_server::lab::Namespace;

use crate::lan::{Ends, Switch};
use crate::relay;
use crate::server::{Server, add_debian};

const TOKEN: &str = "probed-55c1";

/// Behind the relay's networks: a Raspberry Pi 3 does not hear an offer that comes at once.
const DELAYED_TARGET: &str = r#"
    reply_delay = "1s"
    [[netboot.targets]]
    name = "probed"
    mac = "02:00:00:00:00:01"
    config = "debian"
"#;

/// A server on one network, and for machines behind a router on another.
const ROUTED: &str = r#"
    [[netboot.networks]]
    interface = "eth1"
    server = "192.168.100.1"
    subnet = "192.168.100.0/24"
    ranges = [{ start = "192.168.100.100", end = "192.168.100.200" }]
    [[netboot.networks]]
    name = "far"
    server = "192.168.100.1"
    subnet = "192.168.50.0/24"
    gateway = "192.168.50.1"
    ranges = [{ start = "192.168.50.100", end = "192.168.50.200" }]
    [[netboot.targets]]
    name = "by-grub"
    mac = "02:00:00:00:00:09"
    program = "grubx64.efi"
    config = "debian"
"#;

const PROXY: &str = r#"
    [[netboot.networks]]
    interface = "eth1"
    server = "192.168.100.1"
    subnet = "192.168.100.0/24"
    mode = "proxy"
"#;

fn run(namespace: &Namespace, words: &str) -> std::process::Output {
    let arguments = std::iter::once("probe").chain(words.split(' '));
    let output = namespace.output(env!("CARGO_BIN_EXE_netboot"), arguments);
    output.expect("the command")
}

/// Runs the command in a namespace, and gives its lines; the machine boots.
fn probe(namespace: &Namespace, words: &str) -> Vec<String> {
    let output = run(namespace, words);
    assert!(output.status.success(), "{words}: {output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines().map(str::to_owned).collect()
}

/// The addresses of a host, as `ip` has them.
fn addresses(namespace: &Namespace) -> String {
    let output = namespace.output("ip", ["-4", "-o", "address"]);
    String::from_utf8(output.expect("ip of iproute2").stdout).expect("text")
}

fn ip(namespace: &Namespace, words: &str) {
    namespace.ip(words).expect("ip of iproute2");
}

/// Asserts that what begins with each of these was said, in this order.
#[track_caller]
fn assert_steps(said: &[String], steps: &[&str]) {
    let mut lines = said.iter();
    for step in steps {
        let found = lines.any(|line| line.trim_start().starts_with(step));
        assert!(found, "no {step:?} there in:\n{}", said.join("\n"));
    }
}

#[test]
#[ignore = "needs root, and the Debian packages ipxe and debian-installer-12-netboot-amd64"]
fn on_an_interface_each_firmware_asks_by_broadcast_and_boots() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, TOKEN);
    let switch = Switch::new();
    let servers = switch.host("eth1", Some("192.168.100.1/24"));
    let prober = switch.host("net0", Some("192.168.100.9/24"));
    let config = "[netboot.server]\nip = \"192.168.100.1\"\ninterface = \"eth1\"\n\
        dhcp_range = { start = \"192.168.100.100\", end = \"192.168.100.200\" }\n";
    let server = Server::start(&servers, &state, config, 3);
    let image = "HTTP      http://192.168.100.1/images/debian/@1/bzImage";
    let uefi_http = "HTTP      http://192.168.100.1/ipxe.efi: ";
    for (firmware, steps) in [
        (
            "bios",
            ["DHCP      firmware: ", "TFTP      undionly.kpxe: ", image],
        ),
        (
            "uefi",
            ["DHCP      firmware: ", "TFTP      ipxe.efi: ", image],
        ),
        ("uefi-http", ["DHCP      firmware: ", uefi_http, image]),
        (
            "ipxe",
            [
                "DHCP      iPXE: ",
                "HTTP      http://192.168.100.1/boot.ipxe",
                image,
            ],
        ),
    ] {
        let words = format!("--interface net0 --firmware {firmware} --choose debian");
        let said = probe(&prober, &words);
        assert_steps(&said, &steps);
        assert_steps(
            &said,
            &["verified  bzImage ", "verified  initrd ", "boots: "],
        );
        assert!(said.last().is_some_and(|last| last.contains(TOKEN)));
    }
    server.assert_logged(&["DHCPACK(eth1)", "02:00:00:00:00:01", "boots undionly.kpxe"]);
}

#[test]
#[ignore = "needs root, and the Debian packages ipxe and debian-installer-12-netboot-amd64"]
fn a_server_that_is_named_is_asked_from_itself_and_from_hosts_of_its_networks_and_lends_nothing() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, TOKEN);
    let switch = Switch::new();
    let here = switch.host("eth1", Some("192.168.100.1/24"));
    let beside = switch.host("net0", Some("192.168.100.9/24"));
    let router = switch.host("near0", Some("192.168.100.254/24"));
    let hosts = [("far0", "192.168.50"), ("else0", "192.168.60")].map(|(name, network)| {
        let host = Namespace::new().expect("a network namespace");
        let port = format!("to-{name}");
        router.link(&port, &host, name).expect("a veth pair");
        ip(&router, &format!("addr add {network}.1/24 dev {port}"));
        ip(&router, &format!("link set {port} up"));
        ip(&host, &format!("addr add {network}.9/24 dev {name}"));
        ip(&host, &format!("link set {name} up"));
        ip(&host, &format!("route add default via {network}.1"));
        host
    });
    let [behind, elsewhere] = hosts;
    std::fs::create_dir_all(state.join("tftp")).expect("a folder");
    let program = state.join("tftp/grubx64.efi");
    std::fs::write(program, "stands for a program").expect("written");
    let forwards = router.run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"));
    forwards.expect("this namespace's own setting");
    ip(&here, "route add default via 192.168.100.254");
    let before = [&here, &beside, &behind].map(addresses);
    let server = Server::start(&here, &state, ROUTED, 3);
    for (host, network) in [
        (&here, "192.168.100"),
        (&beside, "192.168.100"),
        (&behind, "192.168.50"),
    ] {
        for (firmware, first) in [
            ("bios", "TFTP      undionly.kpxe: "),
            ("uefi", "TFTP      ipxe.efi: "),
            ("uefi-http", "HTTP      http://192.168.100.1/ipxe.efi: "),
            ("ipxe", "HTTP      http://192.168.100.1/boot.ipxe"),
        ] {
            let words = format!("--server 192.168.100.1 --firmware {firmware} --choose debian");
            let said = probe(host, &words);
            let who = if firmware == "ipxe" {
                "iPXE"
            } else {
                "firmware"
            };
            assert_steps(
                &said,
                &[
                    "note      192.168.",
                    &format!("DHCP      {who}: {network}.10"),
                    first,
                    "verified  bzImage ",
                    "verified  initrd ",
                    "boots: ",
                ],
            );
            let offered = said
                .iter()
                .filter(|line| line.contains(" offered by 192.168.100.1, "));
            assert!(offered.count() >= 1, "{said:?}");
        }
    }
    // GRUB does not say who asks.
    let grub = "--server 192.168.100.1 --firmware uefi --mac 02:00:00:00:00:09";
    let output = run(&beside, grub);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    let last = "\nnot known whether it boots: GRUB's configuration goes by the address ";
    assert!(said.contains(last), "{said}");
    // A host in none of its networks has no answer by DHCP.
    let output = run(&elsewhere, "--server 192.168.100.1 --choose debian");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    let said: Vec<_> = said.lines().map(str::to_owned).collect();
    assert_steps(
        &said,
        &[
            "note      DHCP as firmware from 192.168.100.1 for 192.168.60.9: no usable offer",
            "HTTP      http://192.168.100.1/boot.ipxe?mac=02-00-00-00-00-01: ",
            "verified  initrd ",
            "not known whether it boots: without an answer by DHCP ",
        ],
    );
    assert_eq!([&here, &beside, &behind].map(addresses), before);
    assert!(!server.log().contains("DHCPACK"), "{}", server.log());
    assert_eq!(server.stop(), []);
}

#[test]
#[ignore = "needs root, and the Debian package dnsmasq-base"]
fn a_dnsmasq_that_is_named_offers_and_lends_nothing() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let switch = Switch::new();
    let others = switch.host("eth2", Some("192.168.100.2/24"));
    let prober = switch.host("net0", Some("192.168.100.9/24"));
    let leases = scratch.path().join("leases");
    std::fs::write(scratch.path().join("other.efi"), "stands for a program").expect("written");
    let folder = scratch.path().display();
    let more = format!("--dhcp-boot=other.efi,,192.168.100.2 --enable-tftp --tftp-root={folder}");
    let leases_file = leases.display().to_string();
    let _dnsmasq = Ends::pinging_dnsmasq(&others, "eth2", &leases_file, &more);
    for host in [&prober, &others] {
        let said = probe(host, "--server 192.168.100.2 --firmware uefi");
        let line = said
            .iter()
            .find(|line| line.contains("  DHCP      firmware: "));
        let line = line.expect("an answer");
        assert!(line.contains("firmware: 192.168.100.1"), "{line}");
        assert!(
            line.contains(" offered by 192.168.100.2, boots other.efi: "),
            "{line}"
        );
    }
    let lent = std::fs::read_to_string(&leases).expect("dnsmasq makes it when it starts");
    assert!(!lent.contains("02:00:00:00:00:01"), "{lent}");
}

#[test]
#[ignore = "needs root, and the Debian packages dnsmasq-base, ipxe and \
            debian-installer-12-netboot-amd64"]
fn a_proxy_is_heard_beside_a_dnsmasq_that_pings_first() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, TOKEN);
    let switch = Switch::new();
    let servers = switch.host("eth1", Some("192.168.100.1/24"));
    let others = switch.host("eth2", Some("192.168.100.2/24"));
    let prober = switch.host("net0", Some("192.168.100.9/24"));
    let leases = scratch.path().join("leases").display().to_string();
    let _dnsmasq = Ends::pinging_dnsmasq(&others, "eth2", &leases, "");
    let server = Server::start(&servers, &state, PROXY, 3);
    for (nth, firmware) in ["bios", "uefi", "uefi-http", "ipxe"]
        .into_iter()
        .enumerate()
    {
        // Each is new to dnsmasq, which pings for it.
        let words = format!(
            "--interface net0 --mac 02:00:00:00:01:0{nth} --firmware {firmware} --choose debian"
        );
        let said = probe(&prober, &words);
        let who = if firmware == "ipxe" {
            "iPXE"
        } else {
            "firmware"
        };
        let first = format!("DHCP      {who}: 192.168.100.1");
        assert_steps(&said, &[&first, "verified  initrd ", "boots: "]);
        assert!(
            said.iter()
                .any(|line| line.contains(" from 192.168.100.2, boots "))
        );
    }
    for host in [&prober, &servers] {
        for firmware in ["bios", "uefi", "uefi-http", "ipxe"] {
            let words = format!("--server 192.168.100.1 --firmware {firmware} --choose debian");
            let said = probe(host, &words);
            let who = if firmware == "ipxe" {
                "iPXE"
            } else {
                "firmware"
            };
            let first = format!(
                "DHCP      {who}: no address from 192.168.100.1, which leaves that to another \
                 server, boots "
            );
            assert_steps(&said, &[&first, "verified  initrd ", "boots: "]);
        }
    }
    assert_eq!(server.stop(), []);
}

#[test]
#[ignore = "needs root, and the Debian packages ipxe and debian-installer-12-netboot-amd64"]
fn through_a_relay_agent_a_machine_of_its_network_is_asked_for() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, TOKEN);
    let switch = Switch::new();
    let servers = switch.host("up0", Some("10.0.0.1/24"));
    let prober = switch.host("down0", Some("10.0.0.2/24"));
    for (namespace, words) in [
        (&prober, "addr add 192.168.50.1/32 dev lo"),
        (&prober, "link set lo up"),
        (&servers, "route add 192.168.50.0/24 via 10.0.0.2"),
    ] {
        namespace.ip(words).expect("ip of iproute2");
    }
    let programs = state.join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    for file in ["bootcode.bin", "config.txt"] {
        std::fs::write(programs.join(file), "stands for a file").expect("written");
    }
    let config = [relay::NETWORKS, DELAYED_TARGET].concat();
    let server = Server::start(&servers, &state, &config, 3);
    let said = probe(&prober, "--server 10.0.0.1 --relay 192.168.50.1");
    assert_steps(
        &said,
        &[
            "DHCP      firmware: 192.168.50.100 from 10.0.0.1, boots undionly.kpxe",
            "TFTP      undionly.kpxe: ",
            "DHCP      iPXE: 192.168.50.100 from 10.0.0.1",
            "HTTP      http://10.0.0.1/images/debian/@1/initrd: ",
            "verified  initrd",
            "boots: ",
        ],
    );
    server.assert_logged(&["DHCPACK(up0)", "192.168.50.100", "boots undionly.kpxe"]);
    for (board, file) in [("rpi3", "bootcode.bin"), ("rpi4", "config.txt")] {
        let words = format!("--server 10.0.0.1 --relay 192.168.50.1 --firmware {board}");
        let said = probe(&prober, &words);
        assert_steps(
            &said,
            &[
                "DHCP      firmware: 192.168.50.10",
                &format!("TFTP      {file}: 17 B"),
                &format!("boots: {file}, which is not iPXE"),
            ],
        );
    }
}

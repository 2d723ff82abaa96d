//! The DHCP examples boot machines, in network namespaces: udhcpc, and models of boot firmware that
//! then load their file by the TFTP examples.

use std::process::{Child, Output, Stdio};

use netboot_server::lab::Namespace;

const SERVE: &str = env!("CARGO_BIN_EXE_dhcp_serve");
const INVENTORY: &str = env!("CARGO_BIN_EXE_dhcp_inventory");
const RELAY: &str = env!("CARGO_BIN_EXE_dhcp_relay");
const CLIENT: &str = env!("CARGO_BIN_EXE_dhcp_client");

/// A program that ends with its value.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(host: &Namespace, program: &str, line: &str) -> Program {
    start_with(host, program, line, Stdio::null())
}

fn start_with(host: &Namespace, program: &str, line: &str, stdout: Stdio) -> Program {
    let child = host.spawn(program, line.split_whitespace(), |command| {
        command.stdin(Stdio::null()).stdout(stdout);
    });
    Program(child.expect("the program starts"))
}

/// Ends with the program's output, where it succeeds.
fn succeed(host: &Namespace, program: &str, line: &str) -> String {
    let output: Output = host
        .output(program, line.split_whitespace())
        .expect("the program starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {printed}{complaint}");
    printed
}

fn host() -> Namespace {
    Namespace::new().expect("a network namespace; this test needs root")
}

/// Joins two hosts by a cable, whose ends have these names and, where one is said, addresses.
fn cable(hosts: [&Namespace; 2], names: [&str; 2], addresses: [Option<&str>; 2]) {
    let [here, there] = hosts;
    let joined = here.link(names[0], there, names[1]);
    joined.expect("a veth pair");
    for ((host, name), address) in hosts.into_iter().zip(names).zip(addresses) {
        if let Some(address) = address {
            let added = host.ip(&format!("addr add {address} dev {name}"));
            added.expect("ip of iproute2");
        }
        let up = host.ip(&format!("link set {name} up"));
        up.expect("ip of iproute2");
    }
}

/// A host that serves 10.0.0.0/24 on its `eth1`, and one of machines at the other end.
fn servers_and_machines() -> (Namespace, Namespace) {
    let hosts = (host(), host());
    let addresses = [Some("10.0.0.1/24"), None];
    cable([&hosts.0, &hosts.1], ["eth1", "eth0"], addresses);
    hosts
}

#[test]
#[ignore = "needs root, and the Debian package udhcpc"]
fn machines_get_addresses_and_the_file_of_their_platform_and_load_it() {
    let (servers, machines) = servers_and_machines();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("ipxe.efi");
    std::fs::write(&program, "a program").expect("room");
    let _dhcp = start(
        &servers,
        SERVE,
        "--interface eth1 --subnet 10.0.0.0/24 --server 10.0.0.1 --from 10.0.0.100 \
         --to 10.0.0.200 --reserve 52:54:00:00:00:07=10.0.0.7 --bios undionly.kpxe \
         --uefi ipxe.efi --ipxe http://10.0.0.1/boot.ipxe",
    );
    let tftp = env!("CARGO_BIN_EXE_tftp_serve");
    let root = folder.path().display();
    let _tftp = start(
        &servers,
        tftp,
        &format!("--root {root} --listen 10.0.0.1:69"),
    );

    let script = folder.path().join("script");
    let saved = "#!/bin/sh\n[ \"$1\" != bound ] || echo \"$ip from $serverid\"\n";
    std::fs::write(&script, saved).expect("room");
    succeed(&machines, "chmod", &format!("+x {}", script.display()));
    let line = format!("-i eth0 -n -q -f -t 10 -T 1 -s {}", script.display());
    let printed = succeed(&machines, "udhcpc", &line);
    assert!(printed.contains("10.0.0.100 from 10.0.0.1\n"), "{printed}");

    let asked = |more: &str| succeed(&machines, CLIENT, &format!("--interface eth0 {more}"));
    let reserved = "--mac 52:54:00:00:00:07";
    assert_eq!(
        asked(&format!("--as pxe-bios {reserved}")),
        "address 10.0.0.7\nserver 10.0.0.1\nfile undionly.kpxe\n"
    );
    assert_eq!(
        asked(&format!("--as ipxe {reserved}")),
        "address 10.0.0.7\nserver 10.0.0.1\nfile http://10.0.0.1/boot.ipxe\n"
    );
    assert_eq!(
        asked(&format!("--as system {reserved}")),
        "address 10.0.0.7\nserver 10.0.0.1\nfile -\n"
    );
    assert_eq!(
        asked(&format!("--as pxe-uefi {reserved}")),
        "address 10.0.0.7\nserver 10.0.0.1\nfile ipxe.efi\n"
    );
    let added = machines.ip("addr add 10.0.0.7/24 dev eth0");
    added.expect("ip of iproute2");
    let loaded = folder.path().join("loaded");
    let get = env!("CARGO_BIN_EXE_tftp_get");
    let line = format!("tftp://10.0.0.1/ipxe.efi -o {}", loaded.display());
    succeed(&machines, get, &line);
    let loaded = std::fs::read_to_string(loaded).expect("what was loaded");
    assert_eq!(loaded, "a program");
}

#[test]
#[ignore = "needs root"]
fn machines_behind_the_relay_agent_get_addresses_of_their_network() {
    let (servers, router, machines) = (host(), host(), host());
    cable(
        [&servers, &router],
        ["eth1", "up0"],
        [Some("10.0.0.1/24"), Some("10.0.0.2/24")],
    );
    cable(
        [&router, &machines],
        ["down0", "eth0"],
        [Some("10.1.0.1/24"), None],
    );
    let routed = servers.ip("route add 10.1.0.0/24 via 10.0.0.2");
    routed.expect("ip of iproute2");
    let _dhcp = start(
        &servers,
        SERVE,
        "--interface eth1 --relayed --subnet 10.1.0.0/24 --server 10.0.0.1 \
         --from 10.1.0.100 --to 10.1.0.200 --uefi ipxe.efi",
    );
    let _relay = start(
        &router,
        RELAY,
        "--clients down0 --address 10.1.0.1 --upstream up0 --server 10.0.0.1 --circuit rack-7",
    );
    let printed = succeed(&machines, CLIENT, "--interface eth0 --as pxe-uefi");
    assert_eq!(
        printed,
        "address 10.1.0.100\nserver 10.0.0.1\nfile ipxe.efi\n"
    );
}

#[test]
#[ignore = "needs root"]
fn machine_keeps_its_address_over_a_restart_of_the_server() {
    let (servers, machines) = servers_and_machines();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("room");
        path.display().to_string()
    };
    let settings = write(
        "dhcp.json",
        r#"{ "networks": [{
            "id": 1, "link": { "interface": 1 }, "subnet": "10.0.0.0/24", "server": "10.0.0.1",
            "ranges": [{ "start": "10.0.0.100", "end": "10.0.0.200" }]
        }] }"#,
    );
    let inventory = write(
        "machines.json",
        r#"{ "52:54:00:00:00:07": "ipxe.efi", "52:54:00:00:00:08": "other.efi" }"#,
    );
    let leases = folder.path().join("leases.json");
    let line = format!(
        "--interface eth1 --settings {settings} --inventory {inventory} --leases {}",
        leases.display()
    );
    let asked = |mac: &str| {
        let line = format!("--interface eth0 --as pxe-uefi --mac {mac}");
        succeed(&machines, CLIENT, &line)
    };
    let kept = "address 10.0.0.100\nserver 10.0.0.1\nfile ipxe.efi\n";

    let server = start(&servers, INVENTORY, &line);
    assert_eq!(asked("52:54:00:00:00:07"), kept);
    drop(server);
    let log = folder.path().join("log");
    let printed = std::fs::File::create(&log).expect("room");
    let _server = start_with(&servers, INVENTORY, &line, printed.into());
    assert_eq!(
        asked("52:54:00:00:00:08"),
        "address 10.0.0.101\nserver 10.0.0.1\nfile other.efi\n"
    );
    assert_eq!(asked("52:54:00:00:00:07"), kept);
    // A server that did not know of the lease would offer its address to whoever comes first, and
    // deny it when the store does.
    let log = std::fs::read_to_string(log).expect("what was printed");
    assert!(log.contains("DHCPOFFER(eth1) 10.0.0.101 "), "{log}");
    assert!(!log.contains("DHCPNAK"), "{log}");
}

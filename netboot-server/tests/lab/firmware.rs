//! Real firmware boots a real Linux over this server, in network namespaces.
//!
//! Each test powers on a virtual machine with an empty disk and ends at a shell in it. It asserts on
//! what the booted Linux printed, on what was served, and on the lease on disk.

use std::net::Ipv4Addr;

use netboot_server::lab::{Console, Firmware, Machine, Namespace};

use crate::relay;
use crate::server::{INSTALLER, MAC, PATIENCE, Server, TAP, add_debian, namespace_with_tap};

/// One network and a target on it, of which more may be said behind.
pub(crate) const CONFIG: &str = r#"
    [netboot.server]
    ip = "192.168.100.1"
    interface = "tap0"
    dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
    ip = "192.168.100.50"
    config = "debian"
"#;
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 50);

pub(crate) fn power_on(
    namespace: &Namespace,
    firmware: Firmware,
    scratch: &std::path::Path,
) -> Console {
    assert_eq!(Machine::missing(firmware), []);
    let machine = Machine {
        firmware,
        mac: MAC.into(),
        tap: TAP.into(),
        others: Vec::new(),
        memory_mib: 1024,
    };
    machine.power_on(namespace, scratch).expect("QEMU starts")
}

/// Waits for the shell, has it print the command line that the kernel was given, and shows what it
/// printed last.
pub(crate) fn assert_shell_with(console: &Console, token: &str) {
    let shell = console.wait_for("~ # ", PATIENCE);
    assert!(shell, "no shell; the console:\n{}", console.text());
    // The sum keeps what is typed apart from what is printed.
    console
        .type_text(
            "mkdir -p /proc; mount -t proc proc /proc; cat /proc/cmdline; echo done-$((40+2))\n",
        )
        .expect("a keyboard");
    let done = console.wait_for("done-42", PATIENCE);
    let text = console.text();
    assert!(done, "the shell does not answer; the console:\n{text}");
    let (_, typed) = text.split_once("~ # ").expect("the prompt");
    assert!(
        typed.contains(&format!("netboot-token={token}")),
        "the shell's kernel was given another command line:\n{typed}"
    );
    let last: Vec<&str> = text.lines().rev().take(5).collect();
    for line in last.iter().rev() {
        println!("console: {}", line.trim_end());
    }
}

pub(crate) fn assert_image_served(server: &Server) {
    for (file, path) in [("linux", "bzImage"), ("initrd.gz", "initrd")] {
        let size = std::fs::metadata(format!("{}/{file}", INSTALLER))
            .expect("the Debian package debian-installer-12-netboot-amd64")
            .len();
        let served = format!("/images/debian/@1/{path}: 200, {size} bytes");
        server.assert_logged(&["HTTP", MAC, &served]);
    }
}

/// The steps of the log in which a machine's MAC address stands.
pub(crate) fn print_steps(server: &Server) {
    for line in server.log().lines().filter(|line| line.contains(MAC)) {
        println!("served: {line}");
    }
}

fn boots_directly(firmware: Firmware, token: &str, program: &[&str]) {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, token);
    let namespace = namespace_with_tap("192.168.100.1/24");
    let server = Server::start(&namespace, &state, CONFIG, 3);
    let console = power_on(&namespace, firmware, scratch.path());
    assert_shell_with(&console, token);
    console.power_off();
    server.assert_logged(&["DHCPACK(tap0)", &ADDRESS.to_string(), MAC, "node-01"]);
    if !program.is_empty() {
        server.assert_logged(program);
    }
    server.assert_logged(&["/boot.ipxe", MAC, "image debian @1", "target node-01"]);
    assert_image_served(&server);
    print_steps(&server);
    let leases = server.stop();
    assert!(
        leases
            .iter()
            .any(|(mac, ip)| mac.contains(MAC) && *ip == ADDRESS),
        "{leases:?}"
    );
}

fn size_of(program: &str) -> String {
    let path = format!("/usr/lib/ipxe/{program}");
    std::fs::metadata(&path)
        .expect("the Debian package ipxe")
        .len()
        .to_string()
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, seabios, ipxe-qemu and debian-installer-12-netboot-amd64"]
fn bios_with_ipxe_in_rom_boots_its_image() {
    boots_directly(Firmware::Bios, "bios-rom-5c1f", &[]);
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, ipxe and debian-installer-12-netboot-amd64"]
fn uefi_pxe_loads_ipxe_by_tftp_and_boots_its_image() {
    let sent = format!("sent ipxe.efi: {} bytes", size_of("ipxe.efi"));
    boots_directly(Firmware::Uefi, "uefi-pxe-77b2", &["TFTP", MAC, &sent]);
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, ipxe and debian-installer-12-netboot-amd64"]
fn uefi_http_boot_loads_ipxe_by_url_and_boots_its_image() {
    let sent = format!("/ipxe.efi: 200, {} bytes", size_of("ipxe.efi"));
    boots_directly(Firmware::UefiHttp, "uefi-http-91d0", &["HTTP", MAC, &sent]);
}

const RELAYED_TARGET: &str = r#"
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
    config = "debian"
"#;

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, seabios, ipxe, ipxe-qemu and debian-installer-12-netboot-amd64"]
fn bios_pxe_behind_a_relay_loads_undionly_by_tftp_and_boots_its_image() {
    let token = "bios-relay-e83a";
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, token);
    let machines = namespace_with_tap("192.168.50.1/24");
    let servers = Namespace::new().expect("a network namespace");
    servers
        .link("up0", &machines, "down0")
        .expect("a veth pair");
    for (namespace, words) in [
        (&servers, "addr add 10.0.0.1/24 dev up0"),
        (&servers, "link set up0 up"),
        (&machines, "addr add 10.0.0.2/24 dev down0"),
        (&machines, "link set down0 up"),
        (&servers, "route add 192.168.50.0/24 via 10.0.0.2"),
    ] {
        namespace.ip(words).expect("ip of iproute2");
    }
    machines
        .run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
        .expect("the machines' host routes");
    let config = [relay::NETWORKS, RELAYED_TARGET].concat();
    let server = Server::start(&servers, &state, &config, 3);
    relay::start(
        &machines,
        TAP,
        Ipv4Addr::new(192, 168, 50, 1),
        "down0",
        Ipv4Addr::new(10, 0, 0, 1),
    );
    let console = power_on(&machines, Firmware::Bios, scratch.path());
    assert_shell_with(&console, token);
    console.power_off();
    let sent = format!("sent undionly.kpxe: {} bytes", size_of("undionly.kpxe"));
    server.assert_logged(&["DHCPACK(up0)", MAC, "boots undionly.kpxe"]);
    server.assert_logged(&["TFTP", MAC, &sent]);
    server.assert_logged(&["DHCPACK(up0)", MAC, "boots http://10.0.0.1/boot.ipxe"]);
    assert_image_served(&server);
    print_steps(&server);
    let leases = server.stop();
    let lab = |ip: &Ipv4Addr| ip.octets()[..3] == [192, 168, 50];
    assert!(
        leases.iter().any(|(mac, ip)| mac.contains(MAC) && lab(ip)),
        "{leases:?}"
    );
}

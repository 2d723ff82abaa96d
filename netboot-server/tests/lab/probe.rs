//! `netboot probe` where it needs root: on an interface, and through a relay agent.

use netboot_server::lab::Namespace;

use crate::lan::Switch;
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

/// Runs the command in a namespace, and gives its lines; the machine boots.
fn probe(namespace: &Namespace, words: &str) -> Vec<String> {
    let arguments = std::iter::once("probe").chain(words.split(' '));
    let output = namespace.output(env!("CARGO_BIN_EXE_netboot"), arguments);
    let output = output.expect("the command");
    assert!(output.status.success(), "{words}: {output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines().map(str::to_owned).collect()
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
                &format!("TFTP      {file}: 17 bytes"),
                &format!("boots: {file}, which is not iPXE"),
            ],
        );
    }
}

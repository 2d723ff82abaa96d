//! What a machine is known by, and the DHCP options that are its own.

use netboot_dhcp::value::MessageType;
use netboot_dhcp::wire::Message;

use super::*;
use crate::support::SERVER;

const UUID: [u8; 16] = [
    0x4c, 0x4c, 0x45, 0x44, 0x00, 0x42, 0x35, 0x10, 0x80, 0x52, 0xb4, 0xc0, 0x4f, 0x4d, 0x32, 0x32,
];
/// The same as a PC's firmware may say it, its first three groups in the other order.
const SWAPPED: [u8; 16] = [
    0x44, 0x45, 0x4c, 0x4c, 0x42, 0x00, 0x10, 0x35, 0x80, 0x52, 0xb4, 0xc0, 0x4f, 0x4d, 0x32, 0x32,
];

#[test]
fn a_machine_is_known_by_its_uuid_through_every_stage() {
    for uuid in [UUID, SWAPPED] {
        let site = site(
            json!([{
                "name": "by-uuid", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232",
                "install": { "image": "installer" }, "cmdline": "report={report}",
                "program": "snponly.efi", "state": { "mine": true }, "secrets": "claimable",
            }]),
            json!({}),
        );
        site.add("installer", "installer");
        let serving = Running::serve(&site);
        let firmware = boot(&site, Profile::pxe_uefi(mac(7)).with_uuid(uuid));
        assert_eq!(firmware.file.as_deref(), Some("snponly.efi"));
        let ipxe = boot(&site, Profile::ipxe(mac(7), Arch::X64_UEFI).with_uuid(uuid));
        let url = ipxe.file.expect("a URL");
        let (_, path) = url.split_once("/boot.ipxe").expect("the script");
        assert!(path.starts_with("?mac=02-00-00-00-00-07&uuid="), "{url}");
        let path = format!("/boot.ipxe{path}");
        let node = ipxe.address;
        assert!(report(&script(&site, node, &path)).contains("/by-uuid/"));
        assert!(installs(&by_tftp(&site, node, "boot.ipxe")));
        let autoexec = by_tftp(&site, node, "autoexec.ipxe");
        assert_eq!(goes_on_with(&autoexec, &[&mac(7).to_string()]), url);
        assert_eq!(get(&site, node, "/states/by-uuid.json").status, 200);
        // Another machine may claim the UUID in a URL, and gets nothing that is only this one's.
        let other = lease(&site, 8).address;
        let claim = "/boot.ipxe?uuid=4c4c4544-0042-3510-8052-b4c04f4d3232";
        assert!(!script(&site, other, claim).contains("token="));
        assert_eq!(get(&site, other, "/states/by-uuid.json").status, 404);
        // After a restart nobody remembers the UUID, and the URL still says it.
        drop(serving);
        let _serving = Running::serve(&site);
        let said = script(&site, node, &path);
        assert!(
            said.contains("installs image installer") || said.contains("only for the machine"),
            "{said}"
        );
        assert!(!said.contains("token="), "{said}");
    }
}

#[test]
fn a_uuid_that_dhcp_saw_gives_nothing_that_is_only_another_machines() {
    let uuid = "4c4c4544-0042-3510-8052-b4c04f4d3232";
    let words = "report={report} state={state-digest}";
    for target in [
        json!({ "name": "node-01", "mac": mac(1), "uuid": uuid }),
        // Whoever says it is taken for it, but for what is only its own.
        json!({ "name": "node-01", "uuid": uuid }),
    ] {
        let mut target = target;
        target["install"] = json!({ "image": "installer" });
        target["state"] = json!({ "pin": 1234 });
        target["cmdline"] = json!(words);
        let site = site(json!([target]), json!({}));
        site.add("installer", "installer");
        let _serving = Running::serve(&site);
        let stranger = Profile::ipxe(mac(8), Arch::X64_UEFI).with_uuid(UUID);
        let address = boot(&site, stranger).address;
        for path in [
            "/states/node-01.json",
            "/states/02-00-00-00-00-01.json",
            "/states/02-00-00-00-00-08.json",
        ] {
            assert_eq!(get(&site, address, path).status, 404, "{path}");
        }
        let digest = netboot_image::Digest::of(b"{\n  \"pin\": 1234\n}\n").to_string();
        for path in [
            "/boot.ipxe",
            "/boot.ipxe?mac=02-00-00-00-00-01",
            "/grub.cfg",
        ] {
            let said = script(&site, address, path);
            assert!(!said.contains("token="), "{said}");
            assert!(!said.contains(&digest), "{said}");
        }
    }
}

#[test]
fn the_digest_of_a_state_is_for_its_machine_only() {
    let site = site(
        json!([{
            "name": "node-01", "mac": mac(1), "config": "debian", "state": { "pin": 1234 },
            "cmdline": "state={state-digest}",
        }]),
        json!({}),
    );
    site.add("debian", "Debian");
    let _serving = Running::serve(&site);
    let (node, other) = (lease(&site, 1).address, lease(&site, 2).address);
    let state = get(&site, node, "/states/node-01.json").body;
    let digest = format!("state={}", netboot_image::Digest::of(&state));
    assert!(script(&site, node, "/boot.ipxe").contains(&digest));
    for path in [
        "/boot.ipxe?mac=02-00-00-00-00-01",
        "/grub.cfg?mac=02-00-00-00-00-01",
    ] {
        let said = script(&site, other, path);
        assert!(said.contains("state=withheld"), "{said}");
    }
    let shown = site.run(["explain", "--script", "--mac", "02:00:00:00:00:01"]);
    assert!(shown.out.contains("state=withheld"), "{}", shown.out);
}

#[test]
fn only_targets_are_served_where_only_known_ones_are_allowed() {
    let site = site(
        json!([
            { "name": "by-mac", "mac": mac(1) },
            { "name": "by-uuid", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232" },
        ]),
        json!({}),
    );
    let document = std::fs::read_to_string(site.config()).expect("the configuration");
    let mut document: Value = serde_json::from_str(&document).expect("JSON");
    document["netboot"]["server"]["allow"] = json!("known");
    std::fs::write(site.config(), document.to_string()).expect("a file");
    let mut serving = Running::serve(&site);
    lease(&site, 1);
    boot(&site, Profile::pxe_uefi(mac(7)).with_uuid(UUID));
    // One that is none asks in vain, and the log says so.
    let stranger = crate::support::client::discover(&site, Profile::pxe_uefi(mac(9)));
    assert_eq!(stranger, None);
    serving.line(
        "02:00:00:00:00:09 is left out: nothing: no target has its MAC address; network \
         lo serves targets only",
    );
}

#[test]
fn sixty_machines_that_say_one_targets_uuid_have_one_lease_where_only_targets_are_served() {
    let uuid = "4c4c4544-0042-3510-8052-b4c04f4d3232";
    let site = site(
        json!([{ "name": "by-mac", "mac": mac(1) }, { "name": "by-uuid", "uuid": uuid }]),
        json!({}),
    );
    let document = std::fs::read_to_string(site.config()).expect("the configuration");
    let mut document: Value = serde_json::from_str(&document).expect("JSON");
    document["netboot"]["server"]["allow"] = json!("known");
    std::fs::write(site.config(), document.to_string()).expect("a file");
    let refused = |last| {
        let profile = Profile::pxe_uefi(mac(last)).with_uuid(UUID);
        crate::support::client::discover(&site, profile).is_none()
    };
    let mut serving = Running::serve(&site);
    let address = boot(&site, Profile::pxe_uefi(mac(7)).with_uuid(UUID)).address;
    assert!((100..160).all(refused));
    serving.line(&format!(
        "02:00:00:00:00:07 has {address} as target by-uuid; name the target's mac, or end that \
         lease by `netboot leases remove {address}`"
    ));
    drop(serving);
    // After a restart it is the same machine, also in a system that says no UUID.
    let _serving = Running::serve(&site);
    assert_eq!(lease(&site, 7).address, address);
    let ipxe = boot(&site, Profile::ipxe(mac(7), Arch::X64_UEFI).with_uuid(UUID));
    assert_eq!(ipxe.address, address);
    assert!((100..160).all(refused));
    let listed = site.run(["leases", "--json"]);
    let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let explained = site.run(["explain", "--uuid", uuid]);
    let said = "network lo gives an address to one client at a time that says so";
    assert!(explained.out.contains(said), "{}", explained.out);
    // Where it was taken for the wrong one.
    let removed = site.run(["leases", "remove", &address.to_string()]);
    assert_eq!(removed.code, Some(0), "{}", removed.err);
    boot(&site, Profile::pxe_uefi(mac(8)).with_uuid(UUID));
}

#[test]
fn options_are_the_networks_the_groups_and_the_targets_own() {
    let site = site(
        json!([{
            "name": "node-01", "mac": mac(1), "group": "rack", "options": { "mtu": 1400 },
        }]),
        json!({ "groups": { "rack": { "options": { "mtu": 9000, "224": "rack 7" } } } }),
    );
    let document = std::fs::read_to_string(site.config()).expect("the configuration");
    let mut document: Value = serde_json::from_str(&document).expect("JSON");
    document["netboot"]["server"]["options"] = json!({ "ntp-server": "10.0.0.9", "26": 1500 });
    std::fs::write(site.config(), document.to_string()).expect("a file");
    let _serving = Running::serve(&site);
    let option = |bound: &Bound, code| {
        let mut options = bound.options.iter();
        let found = options.find(|(known, _)| *known == OptionCode(code));
        found.map(|(_, data)| data.to_vec())
    };
    let node = lease(&site, 1);
    assert_eq!(option(&node, 42), Some(vec![10, 0, 0, 9]));
    assert_eq!(
        option(&node, 26),
        Some(vec![0x05, 0x78]),
        "the target's own"
    );
    assert_eq!(option(&node, 224), Some(b"rack 7".to_vec()));
    let other = lease(&site, 2);
    assert_eq!(option(&other, 26), Some(vec![0x05, 0xdc]));
    assert_eq!(option(&other, 224), None);
    // Who says what it wants gets no more of the network's.
    let firmware = boot(&site, Profile::pxe_bios(mac(3)));
    assert_eq!(option(&firmware, 42), None);
}

/// A DISCOVER of UEFI's PXE that names circuit `p7`, with this `giaddr`.
fn on_circuit(last: u8, giaddr: Ipv4Addr) -> Vec<u8> {
    let mut message = Message::request(u32::from(last), mac(last).into());
    message.giaddr = giaddr;
    let options = &mut message.options;
    options.put(key::MESSAGE_TYPE, &MessageType::DISCOVER);
    options.put_raw(
        OptionCode::VENDOR_CLASS,
        b"PXEClient:Arch:00007:UNDI:003001",
    );
    options.put_raw(OptionCode::CLIENT_ARCH, &[0, 7]);
    options.put_raw(OptionCode::RELAY_AGENT, b"\x01\x02p7");
    message.to_bytes().expect("a message").to_vec()
}

#[test]
fn a_circuit_is_a_targets_only_where_the_relay_agent_is_listed_and_others_are_told_once() {
    const RELAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);
    let start = |relays: Value| {
        let site = site(
            json!([{ "name": "by-circuit", "circuit": "p7", "program": "snponly.efi" }]),
            json!({}),
        );
        let document = std::fs::read_to_string(site.config()).expect("the configuration");
        let mut document: Value = serde_json::from_str(&document).expect("JSON");
        document["netboot"]["server"]["relays"] = relays;
        document["netboot"]["networks"] = json!([{
            "name": "far", "interface": "none0", "server": "10.7.0.1", "subnet": "10.7.0.0/24",
        }]);
        std::fs::write(site.config(), document.to_string()).expect("a file");
        let serving = Running::serve(&site);
        (site, serving)
    };
    let send = |site: &Site, last, giaddr| {
        let socket = std::net::UdpSocket::bind((SERVER, 0)).expect("a port");
        let sent = socket.send_to(&on_circuit(last, giaddr), (SERVER, site.ports.dhcp));
        sent.expect("the loopback interface");
    };
    let (site, mut serving) = start(json!([]));
    for last in [21, 22] {
        send(&site, last, RELAY);
        serving.line(&format!("02:00:00:00:00:{last:02x} boots ipxe.efi"));
    }
    // A client that writes option 82 itself.
    send(&site, 23, Ipv4Addr::UNSPECIFIED);
    serving.line("02:00:00:00:00:17 boots ipxe.efi");
    // Twice a relay agent that brings machines to a network of another interface.
    for last in [24, 25] {
        send(&site, last, Ipv4Addr::new(10, 7, 0, 9));
        serving.line(&format!("02:00:00:00:00:{last:02x}"));
    }
    // What is said of the second comes before this.
    send(&site, 26, RELAY);
    serving.line("02:00:00:00:00:1a boots ipxe.efi");
    let said = |what: &str| {
        serving
            .seen
            .iter()
            .filter(|line| line.contains(what))
            .count()
    };
    assert_eq!(said("relay agent 127.0.0.77 names are not believed"), 1);
    assert_eq!(said("write relays = [\"127.0.0.77\"] in network lo"), 1);
    assert_eq!(said("write trust_option_82 = true in network lo"), 1);
    assert_eq!(said("relay agent 10.7.0.9 gets no answer"), 1);
    assert_eq!(said("ignored"), 0);

    let (site, mut serving) = start(json!([RELAY]));
    send(&site, 21, RELAY);
    serving.line("02:00:00:00:00:15 boots snponly.efi");
}

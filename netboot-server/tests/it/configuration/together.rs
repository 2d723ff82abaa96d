//! What is wrong only beside something else, and several things at once.

use super::*;

#[test]
fn what_two_targets_cannot_share_is_named_with_the_first_owner() {
    let same = json!({
        "name": "proxmox-node-01", "mac": "52-54-00-12-34-56", "ip": "192.168.100.101",
    });
    let owner = "belongs to n.json: netboot.targets[0] already";
    assert_eq!(
        errors(&guide_with("targets/1", same)),
        [
            format!(
                "netboot.targets[1].name | proxmox-node-01 {owner} | give each target name of its \
                 own"
            ),
            format!(
                "netboot.targets[1].mac | 52:54:00:12:34:56 {owner} | give each target mac of its \
                 own"
            ),
            format!(
                "netboot.targets[1].ip | 192.168.100.101 {owner} | give each target ip of its own"
            ),
        ]
    );
}

#[test]
fn what_a_machine_is_known_by_and_boots_is_checked() {
    for (pointer, value, expected) in [
        (
            "targets/0/uuid",
            json!("4c4c4544"),
            "netboot.targets[0].uuid | \"4c4c4544\" cannot be read: UUID parsing failed: invalid \
             length: found 8 | write a UUID such as 4c4c4544-0042-3510-8052-b4c04f4d3232",
        ),
        (
            "targets/0/circuit",
            json!("0x0"),
            "netboot.targets[0].circuit | \"0x0\" cannot be read: it is neither a text nor `0x` \
             and pairs of hex digits | write the circuit as the relay agent says it, a text or its \
             bytes such as \"0x000401f40003\"",
        ),
        (
            "targets/0/install",
            json!({}),
            "netboot.targets[0].install.image | is missing | write the image that installs the \
             machine",
        ),
        (
            "targets/0/install",
            json!({ "image": "debian", "then": "disk" }),
            "netboot.targets[0].install.then | \"disk\" cannot be read: unknown variant `disk`, \
             expected `local` or `config` | write \"local\" or \"config\"",
        ),
        (
            "targets/0/local",
            json!("disk"),
            "netboot.targets[0].local | \"disk\" cannot be read: unknown variant `disk`, expected \
             `sanboot` or `exit` | write \"sanboot\" or \"exit\"",
        ),
        (
            "targets/0/program",
            json!("../secret"),
            "netboot.targets[0].program | \"../secret\" is no file name | write the name of a file \
             in the folder tftp/, such as snponly.efi",
        ),
        (
            "targets/0/program",
            json!({ "amiga": "x" }),
            "netboot.targets[0].program | {\"amiga\":\"x\"} cannot be read: it is neither a text \
             nor a table of platforms (bios, x86, x64, arm32, arm64, riscv64, loongarch64, \
             raspberry-pi) and texts | write the name of a file in the folder tftp/, such as \
             \"snponly.efi\", or one a platform, such as { bios = \"undionly.kpxe\", x64 = \
             \"snponly.efi\" }",
        ),
        (
            "targets/0/options",
            json!({ "mtu": "big" }),
            "netboot.targets[0].options.mtu | \"big\" is not a number from 0 to 65535 | write \
             that, or its bytes as { hex = \"…\" }",
        ),
        (
            "server/options",
            json!({ "nonsense": 1 }),
            "netboot.server.options.nonsense | is no DHCP option | write its number from 1 to 254, \
             or dnsmasq's name for it",
        ),
        (
            "server/options",
            json!({ "67": "x" }),
            "netboot.server.options.67 | is said by what the machine boots | leave it out; \
             `program` and `config` say what is booted",
        ),
        (
            "server/options",
            json!({ "26": 1500, "mtu": 1500 }),
            "netboot.server.options.mtu | is option 26, which stands here already | write each \
             option once",
        ),
        (
            "server/options",
            json!({ "51": 60 }),
            "netboot.server.options.51 | is said by another key | write the network's `lease_time`",
        ),
        (
            "server/identify",
            json!("face"),
            "netboot.server.identify | \"face\" cannot be read: unknown variant `face`, expected \
             `lease` or `neighbour` | write \"lease\" or \"neighbour\"",
        ),
        (
            "targets/1",
            json!({ "name": "a", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232",
                    "ip": "192.168.100.9" }),
            "netboot.targets[1].ip | is kept for a MAC address, and the target has none | write \
             the target's `mac` too, or leave `ip` out",
        ),
        (
            "targets/1",
            json!({ "name": "a" }),
            "netboot.targets[1].mac | is missing | write a MAC address such as 52:54:00:12:34:56, \
             or the machine's `uuid` or `circuit`",
        ),
    ] {
        assert_eq!(error_with(pointer, value), expected, "{pointer}");
    }
    // Firmware says a UUID in either order of bytes, so both are the one machine.
    let targets = json!([
        { "name": "a", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232" },
        { "name": "b", "uuid": "44454c4c-4200-1035-8052-b4c04f4d3232" },
    ]);
    let twice = error_with("targets", targets);
    assert!(
        twice.contains("belongs to n.json: netboot.targets[0] already"),
        "{twice}"
    );
}

fn network(name: &str, interface: &str, subnet: &str, server: &str) -> Value {
    json!({ "name": name, "interface": interface, "subnet": subnet, "server": server })
}

#[test]
fn networks_that_collide_are_refused() {
    let netboot = json!({ "networks": [
        network("a", "eth1", "10.0.0.0/16", "10.0.0.1"),
        network("a", "eth2", "10.1.0.0/16", "10.1.0.1"),
        network("c", "eth3", "10.1.2.0/24", "10.1.2.1"),
        network("d", "eth1", "10.9.0.0/16", "10.9.0.1"),
    ]});
    assert_eq!(
        errors(&netboot),
        [
            "netboot.networks[1] | is the second network called a | give one of them another \
             `name`",
            "netboot.networks[2].subnet | 10.1.2.0/24 overlaps 10.1.0.0/16 of network a \
             | give each network addresses of its own",
            "netboot.networks[3].interface | eth1 belongs to network a already \
             | serve one network on each interface",
        ]
    );
}

#[test]
fn ranges_are_checked_against_each_other_and_may_hold_what_is_excluded() {
    let network = |ranges: Value, exclude: Value| {
        json!({ "networks": [{
            "interface": "eth1", "subnet": "10.0.0.0/24", "server": "10.0.0.1",
            "gateway": "10.0.0.2", "ranges": ranges, "exclude": exclude,
        }]})
    };
    let range = |start: &str, end: &str| json!({ "start": start, "end": end });
    let whole = json!([range("10.0.0.0", "10.0.0.255")]);
    assert_eq!(
        errors(&network(whole, json!(["10.0.0.1", "10.0.0.2"]))),
        Vec::<String>::new()
    );
    assert_eq!(
        errors(&network(
            json!([
                range("10.0.0.10", "10.0.0.20"),
                range("10.0.0.20", "10.0.0.30"),
                { "start": "10.0.0.40" },
            ]),
            json!(["10.0.1.1", "x"]),
        )),
        [
            "netboot.networks[0].exclude[0] | 10.0.1.1 is outside 10.0.0.0/24 \
             | leave it out; only addresses of the ranges are lent",
            "netboot.networks[0].exclude[1] | \"x\" cannot be read: invalid IPv4 address syntax \
             | write an IPv4 address such as 192.168.100.1",
            "netboot.networks[0].ranges[1] | 10.0.0.20 to 10.0.0.30 overlaps 10.0.0.10 to \
             10.0.0.20 | make one range of them",
            "netboot.networks[0].ranges[2].end | is missing | write an IPv4 address",
        ]
    );
}

#[test]
fn everything_wrong_is_told_in_one_run() {
    let netboot = json!({
        "sever": {},
        "server": {
            "ip": "192.168.100.1", "interface": 1, "subnet": "192.168.100.0/24",
            "dhcp_range": ["192.168.100.100", "192.168.100.200"],
        },
        "ports": [67],
        "menu": { "items": [5, { "label": 3, "local": true }, { "local": "yes" }] },
        "targets": [
            "node",
            { "name": 7, "mac": "x" },
            { "name": "bad name", "mac": "52:54:00:12:34:56", "ip": "10.0.0.1" },
        ],
    });
    let places: Vec<String> = errors(&netboot)
        .iter()
        .map(|error| error.split(" | ").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        places,
        [
            "netboot.menu.items[0]",
            "netboot.menu.items[1].label",
            "netboot.ports",
            "netboot.server.dhcp_range",
            "netboot.server.interface",
            "netboot.targets[0]",
            "netboot.targets[1].name",
            "netboot.sever",
            "netboot.menu.items[2].local",
            "netboot.targets[1].mac",
            "netboot.targets[2].name",
            "netboot.targets[2].ip",
        ],
        "{:#?}",
        errors(&netboot)
    );
}

#[test]
fn a_network_that_cannot_be_read_blames_no_target() {
    let error = error_with("server/ip", json!("nonsense"));
    assert!(error.starts_with("netboot.server.ip | "), "{error}");
}

/// GRUB takes its server from the DHCP server's ACK, and none from a proxy: see `lab/dhcp.rs`.
#[test]
fn grub_in_proxy_mode_is_a_warning_wherever_it_is_named() {
    let warned = |mode: &str, program: &str| {
        let (_, problems) = read_json(&json!({
            "networks": [{
                "interface": "eth1", "server": "192.168.100.1", "mode": mode,
                "program": { "x64": program },
            }],
            "groups": { "racks": { "program": program } },
            "targets": [{
                "name": "node-01", "mac": "52:54:00:12:34:56", "program": program,
            }],
        }));
        let warnings = problems.iter().filter(|problem| {
            problem.severity == Severity::Warning && problem.what.contains("GRUB")
        });
        let places = warnings.map(|problem| problem.place.replace("n.json:1: ", ""));
        places.collect::<Vec<_>>()
    };
    let everywhere = [
        "netboot.networks[0].program",
        "netboot.groups.racks.program",
        "netboot.targets[0].program",
    ];
    for program in ["shimx64.efi", "debian/grubx64.efi"] {
        assert_eq!(warned("proxy", program), everywhere, "{program}");
        assert_eq!(warned("authoritative", program), [""; 0], "{program}");
    }
    // iPXE's shim goes on with iPXE.
    assert_eq!(warned("proxy", "snponly-shim.efi"), [""; 0]);
}

#[test]
fn what_has_no_effect_in_proxy_mode_is_warned_of_and_is_not_in_the_normal_form() {
    let without_effect = json!({
        "exclude": ["192.168.100.150"], "gateway": "192.168.100.254", "dns": ["10.0.0.53"],
        "domain": "example.org", "lease_time": 43200, "probe": true,
    });
    // What the other server does not say is this one's.
    let mut network = json!({
        "interface": "eth1", "server": "192.168.100.1", "mode": "proxy", "identify": "neighbour",
        "allow": "known", "reply_delay": "1s", "options": { "mtu": 9000 }, "authoritative": false,
    });
    let target = json!({ "name": "node-01", "mac": "52:54:00:12:34:56", "config": "debian" });
    let check = |network: &Value, target: &Value| {
        let netboot = json!({ "networks": [network], "targets": [target] });
        let (config, problems) = read_json(&netboot);
        let said = problems.iter().map(|problem| {
            assert_eq!(problem.severity, Severity::Warning, "{problem}");
            let place = problem.place.replace("n.json:1: netboot.", "");
            format!("{place} | {} | {}", problem.what, problem.cure)
        });
        let said = said.collect::<Vec<_>>();
        (config.expect("a configuration"), said)
    };
    let (plain, said) = check(&network, &target);
    assert_eq!(said, [""; 0]);

    for (key, value) in without_effect.as_object().expect("a table") {
        network[key] = value.clone();
    }
    let (config, said) = check(&network, &target);
    let expected = [
        ("exclude", r#"["192.168.100.150"]"#),
        ("gateway", r#""192.168.100.254""#),
        ("dns", r#"["10.0.0.53"]"#),
        ("domain", r#""example.org""#),
        ("lease_time", "43200"),
        ("probe", "true"),
    ];
    let expected = expected.map(|(key, value)| {
        format!(
            "networks[0].{key} | {value} has no effect in proxy mode: another DHCP server gives \
             addresses | leave it out here, and write it into that server's configuration"
        )
    });
    assert_eq!(said, expected);
    assert_eq!(config, plain, "nothing of it holds");
    let normal = config.to_json();
    let (again, problems) = read("n.json", &normal.to_string());
    assert_eq!(again.as_ref(), Some(&config));
    assert_eq!(problems.iter().count(), 0, "{problems}");

    let mut reserved = target.clone();
    reserved["ip"] = json!("192.168.100.101");
    let (_, said) = check(
        &json!({ "interface": "eth1", "server": "192.168.100.1",
                                   "mode": "proxy" }),
        &reserved,
    );
    assert_eq!(
        said,
        [
            "targets[0].ip | 192.168.100.101 has no effect: network eth1 is in proxy mode, where \
          another DHCP server gives the addresses | leave it out here, and reserve the address in \
          that server's configuration"
        ]
    );
}

#[test]
fn a_state_that_no_lease_of_a_proxy_proves_is_warned_of() {
    let check = |network: Value, target: Value, group: Value| {
        let mut networks = vec![json!({ "interface": "eth1", "server": "192.168.100.1" })];
        networks[0]["mode"] = json!("proxy");
        networks.push(network);
        let mut target = target;
        (target["name"], target["group"]) = (json!("node"), json!("rack"));
        target["mac"] = json!("02:00:00:00:00:01");
        let netboot = json!({ "networks": networks, "groups": { "rack": group },
                              "targets": [target] });
        let (config, problems) = read_json(&netboot);
        assert!(config.is_some(), "{problems}");
        problems
            .iter()
            .any(|problem| problem.what.contains("given to nobody"))
    };
    let far = |more: Value| {
        let mut far = json!({ "subnet": "10.0.0.0/24", "server": "192.168.100.1" });
        far.as_object_mut()
            .expect("a table")
            .extend(more.as_object().expect("a table").clone());
        far
    };
    let by_proxy = || far(json!({ "mode": "proxy" }));
    let state = || json!({ "state": { "pin": 1234 } });
    let installs = || json!({ "install": { "image": "debian" } });
    assert!(check(by_proxy(), state(), json!({})));
    assert!(check(by_proxy(), installs(), json!({})));
    assert!(check(by_proxy(), json!({}), installs()));
    assert!(!check(by_proxy(), json!({}), json!({})));
    assert!(
        !check(far(json!({})), state(), json!({})),
        "it may be there"
    );
    let neighbour = json!({ "mode": "proxy", "identify": "neighbour" });
    assert!(!check(far(neighbour), state(), json!({})));
}

#[test]
fn a_circuit_that_nobody_is_believed_to_name_and_secrets_for_nobody_are_warned_of() {
    let check = |network: Value, target: Value| {
        let mut network = network;
        network["server"] = json!("10.0.0.1");
        network["subnet"] = json!("10.0.0.0/24");
        let mut target = target;
        target["name"] = json!("node");
        target["state"] = json!({ "pin": 1234 });
        let (config, problems) = read_json(&json!({ "networks": [network], "targets": [target] }));
        assert!(config.is_some(), "{problems}");
        let said = problems.iter().map(|problem| {
            let place = problem.place.rsplit('.').next().unwrap_or_default();
            format!("{:?} {place}", problem.severity)
        });
        said.collect::<Vec<_>>()
    };
    let (here, far) = (json!({ "interface": "eth1" }), json!({}));
    let circuit = json!({ "circuit": "p7", "mac": "02:00:00:00:00:01" });
    let believed = |network: Value| {
        let said = check(network, circuit.clone());
        !said.contains(&"Warning circuit".to_owned())
    };
    assert!(!believed(here.clone()));
    assert!(believed(far));
    assert!(believed(
        json!({ "interface": "eth1", "relays": ["10.0.0.2"] })
    ));
    assert!(believed(
        json!({ "interface": "eth1", "trust_option_82": true })
    ));

    let uuid = "4c4c4544-0042-3510-8052-b4c04f4d3232";
    let secrets = |target: Value| check(here.clone(), target).join(",");
    assert_eq!(secrets(json!({ "uuid": uuid })), "Warning secrets");
    let claimable = json!({ "uuid": uuid, "secrets": "claimable" });
    assert_eq!(secrets(claimable), "Note secrets");
    let mac = json!({ "mac": "02:00:00:00:00:01", "uuid": uuid });
    assert_eq!(secrets(mac), "");
    let idle = json!({ "mac": "02:00:00:00:00:01", "secrets": "claimable" });
    assert_eq!(secrets(idle), "Warning secrets");
}

//! The normal form, which reads back as the same, and nonsense, which is told.

use super::*;

#[test]
fn the_normal_form_of_the_guides_document_reads_back_as_the_same() {
    let config = good("n.json", GUIDE);
    assert!(config.to_toml().is_some());
    same_again(&config);
}

#[test]
fn a_state_that_toml_cannot_write_has_a_normal_form_in_json_only() {
    for state in [json!({ "a": [null] }), json!(null), json!(u64::MAX)] {
        let document = guide_with("targets/0/state", state.clone());
        let config = good("n.json", &json!({ "netboot": document }).to_string());
        assert_eq!(config.to_toml().is_none(), !state.is_null(), "{state}");
        same_again(&config);
    }
}

/// Any JSON, with the keys and values of the schema among it so that some of it is nearly right.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        proptest::sample::select(vec![
            "192.168.100.1",
            "192.168.100.100",
            "192.168.100.0/24",
            "52:54:00:12:34:56",
            "eth1",
            "debian",
            "12h",
            "quiet {ip}",
            "silent",
        ])
        .prop_map(String::from),
    ];
    let key = prop_oneof![
        1 => any::<String>(),
        9 => proptest::sample::select(vec![
            "state_dir", "server", "networks", "ports", "admin_listen", "admin_names", "tls", "menu", "images",
            "groups", "targets", "ip",
            "interface", "dhcp_range", "start", "end", "subnet", "gateway", "dns", "lease_time",
            "ranges", "exclude", "name", "mac", "config", "cmdline", "state", "items", "image",
            "chain", "local", "shell", "label", "timeout", "unknown", "default", "title",
        ])
        .prop_map(String::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => proptest::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|table| Value::Object(table.into_iter().collect())),
        ]
    })
}

/// What target, group and network may say of a boot, as far as it is one form for all.
fn any_boot() -> impl Strategy<Value = Value> {
    let program = proptest::sample::select(vec![
        json!(null),
        json!("snponly.efi"),
        json!("sb/ipxe-shim.efi"),
        json!({ "bios": "undionly.kpxe", "raspberry-pi": "bootcode.bin" }),
    ]);
    let install = proptest::sample::select(vec![
        json!(null),
        json!({ "image": "debian" }),
        json!({ "image": "debian", "then": "config" }),
    ]);
    let options = proptest::sample::select(vec![
        json!({}),
        json!({ "42": ["10.0.0.1"], "mtu": 9000, "224": { "hex": "00ff" } }),
        json!({ "time-offset": -60, "domain-search": ["example.org"], "ip-forward-enable": true }),
    ]);
    let local = proptest::sample::select(vec![json!(null), json!("exit"), json!("sanboot")]);
    (program, install, options, local).prop_map(|(program, install, options, local)| {
        json!({ "program": program, "install": install, "options": options, "local": local })
    })
}

fn any_config() -> impl Strategy<Value = Value> {
    let word = "[a-z]{1,8}(=[a-z0-9/.]{1,8})?";
    let target = (
        "[a-z][a-z0-9]{0,8}",
        any::<[u8; 5]>(),
        any::<bool>(),
        proptest::option::of("[a-z]{1,8}"),
        proptest::collection::vec(word, 0..3),
        proptest::option::of(any_json()),
        any_boot(),
    );
    (
        proptest::collection::vec(target, 0..4),
        1_u16..600,
        proptest::option::of("[ -~&&[^$]]{1,20}"),
        proptest::sample::select(vec!["menu", "local", "silent"]),
        any_boot(),
        any_boot(),
    )
        .prop_map(|(targets, timeout, label, unknown, group, network)| {
            let targets = targets.into_iter().enumerate().map(|(index, target)| {
                let (name, mac, reserved, image, cmdline, state, boot) = target;
                let [a, b, c, d, e] = mac;
                let mut written = json!({
                    "name": format!("{name}-{index}x"),
                    "mac": format!("{:02x}:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}", index * 2),
                    "config": image,
                    "cmdline": cmdline,
                    "state": state,
                });
                for (key, value) in boot.as_object().expect("a table") {
                    written[key] = value.clone();
                }
                written["uuid"] = json!(format!("4c4c4544-0042-3510-8052-b4c04f4d32{a:02x}"));
                written["circuit"] = json!(format!("0x{index:02x}{b:02x}"));
                written["group"] = json!("rack");
                // Both are known once only.
                if index > 0 {
                    written["uuid"] = Value::Null;
                }
                if reserved {
                    written["ip"] = json!(format!("10.0.0.{}", index + 10));
                }
                written
            });
            json!({
                "targets": targets.collect::<Vec<_>>(),
                "networks": [{
                    "interface": "eth1", "server": "10.0.0.1", "subnet": "10.0.0.0/24",
                    "ranges": [{ "start": "10.0.0.100", "end": "10.0.0.200" }],
                    "exclude": ["10.0.0.150"], "dns": ["10.0.0.1", "9.9.9.9"],
                    "lease_time": 3600, "allow": "known", "domain": "example.org",
                    "probe": false, "reply_delay": "1s", "identify": "neighbour",
                    "relays": ["10.0.0.2", "10.0.0.3"], "trust_option_82": true,
                    "program": network["program"], "options": network["options"],
                }],
                "groups": { "rack": group },
                "menu": {
                    "timeout": timeout, "unknown": unknown,
                    "items": [{ "shell": true, "label": label }, { "image": "debian" }],
                },
                "images": {
                    "debian": { "label": label, "cmdline": "quiet", "nix": "configs/debian.nix" },
                    "other": { "flake": "github:me/machines#nixosConfigurations.other" },
                },
            })
        })
}

proptest! {
    #[test]
    fn nothing_under_netboot_makes_it_panic(netboot in any_json()) {
        let (config, problems) = read_json(&netboot);
        prop_assert_eq!(config.is_none(), problems.any_error());
        if let Some(config) = config {
            same_again(&config);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), json in any::<bool>()) {
        let (config, problems) = config::load_text("n", &text, json, &Flags::default(), &host());
        prop_assert!(config.is_none() && problems.any_error());
    }

    #[test]
    fn every_normal_form_reads_back_as_the_same(netboot in any_config()) {
        let (config, problems) = read_json(&netboot);
        let config = config.ok_or_else(|| TestCaseError::fail(problems.to_string()))?;
        same_again(&config);
    }
}

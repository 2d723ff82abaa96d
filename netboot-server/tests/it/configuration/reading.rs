//! Files as people write them: JSON and TOML, one and several, whole and not.

use super::*;

#[test]
fn the_guides_document_is_read_as_it_is() {
    let config = good("netboot.json", GUIDE);
    let [network] = config.networks.as_slice() else {
        panic!("one network: {:?}", config.networks);
    };
    assert_eq!(network.interface.as_deref(), Some("eth1"));
    assert_eq!(network.subnet.to_string(), "192.168.100.0/24");
    assert_eq!(network.server, Ipv4Addr::new(192, 168, 100, 1));
    assert_eq!(network.gateway, Some(network.server));
    assert_eq!(
        network.ranges,
        [(
            Ipv4Addr::new(192, 168, 100, 100),
            Ipv4Addr::new(192, 168, 100, 200)
        )]
    );
    let [target] = config.targets.as_slice() else {
        panic!("one target: {:?}", config.targets);
    };
    assert_eq!(target.name, "proxmox-node-01");
    assert_eq!(target.mac, Some(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56])));
    assert_eq!(target.ip, Some(Ipv4Addr::new(192, 168, 100, 101)));
    assert_eq!(
        target.image.as_ref().map(|i| i.as_str()),
        Some("proxmox-host")
    );
    assert_eq!(target.state, Some(json!({ "plugins": {} })));
    assert_eq!(config.state_dir, PathBuf::from("/var/lib/netboot"));
    assert_eq!(config.ports.http.get(), 80);
    assert_eq!(config.menu.items, None);
}

#[test]
fn keys_beside_netboot_are_passed_over_with_a_note() {
    let mut document: Value = serde_json::from_str(GUIDE).expect("the guide's document");
    document["plugins"] = json!({ "net": { "interfaces": [] } });
    let (config, problems) = read("netboot.json", &document.to_string());
    assert_eq!(config, Some(good("netboot.json", GUIDE)));
    assert_eq!(
        problems.to_string(),
        "note: netboot.json:1: plugins: is not netboot's and is passed over\n"
    );
}

#[test]
fn toml_says_the_same() {
    let toml = r#"
version = "1.0"
[netboot.server]
ip = "192.168.100.1"
interface = "eth1"
dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
[[netboot.targets]]
name = "proxmox-node-01"
mac = "52:54:00:12:34:56"
ip = "192.168.100.101"
config = "proxmox-host"
state = { plugins = {} }
"#;
    let mut from_toml = good("netboot.toml", toml);
    let from_json = good("netboot.json", GUIDE);
    for target in &mut from_toml.targets {
        target.place = target.place.replace("netboot.toml", "netboot.json");
    }
    assert_eq!(from_toml, from_json);
}

#[test]
fn a_date_in_toml_is_its_text() {
    let toml = r#"
[netboot.server]
ip = "192.168.100.1"
interface = "eth1"
[[netboot.targets]]
name = "a"
mac = "52:54:00:12:34:56"
state = { since = 1979-05-27, at = [07:32:00] }
"#;
    let state = good("n.toml", toml).targets.remove(0).state;
    assert_eq!(
        state,
        Some(json!({ "since": "1979-05-27", "at": ["07:32:00"] }))
    );
}

#[test]
fn a_subnet_that_the_host_does_not_know_is_taken_to_be_a_24_and_said_so() {
    let flags = Flags::default();
    let (config, problems) = config::load_text("n.json", GUIDE, true, &flags, &Host::default());
    assert_eq!(config, Some(good("n.json", GUIDE)));
    assert!(
        problems
            .to_string()
            .starts_with("note: n.json:3: netboot.server.subnet: is taken to be a /24"),
        "{problems}"
    );
    let wide = Host::default().with("eth1", Ipv4Addr::new(192, 168, 100, 1), 16);
    let (config, _) = config::load_text("n.json", GUIDE, true, &flags, &wide);
    let subnet = config.expect("a configuration").networks[0].subnet;
    assert_eq!(subnet.to_string(), "192.168.0.0/16");
}

#[test]
fn the_flag_for_the_state_folder_wins() {
    let flags = Flags {
        state_dir: Some("/elsewhere".into()),
    };
    let document = guide_with("state_dir", json!("/here"));
    let text = json!({ "netboot": document }).to_string();
    let (config, _) = config::load_text("n.json", &text, true, &flags, &host());
    assert_eq!(
        config.map(|c| c.state_dir),
        Some(PathBuf::from("/elsewhere"))
    );
    let (config, _) = read("n.json", &text);
    assert_eq!(config.map(|c| c.state_dir), Some(PathBuf::from("/here")));
}

#[test]
fn a_file_that_is_none_is_told_as_such() {
    for (name, text, expected) in [
        ("n.json", "{ \"netboot\": ", "error: n.json: is not JSON: "),
        ("n.toml", "netboot = [", "error: n.toml: is not TOML: "),
        ("n.json", "[1]", "error: n.json: holds no table\n"),
        ("n.json", "{}", "error: n.json: has no key `netboot`\n"),
        ("n.toml", "", "error: n.toml: has no key `netboot`\n"),
        (
            "n.json",
            r#"{ "netboot": {} }"#,
            "error: n.json:1: netboot: says nothing of a server or a network\n",
        ),
        (
            "n.json",
            r#"{ "version": "2.0", "netboot": { "networks": [5] } }"#,
            "error: n.json:1: version: \"2.0\" is not a version that this program reads\n",
        ),
        (
            "n.json",
            r#"{ "netboot": { "targets": [], "targets": [] } }"#,
            "error: n.json: is not JSON: the key `targets` stands twice",
        ),
    ] {
        let (config, problems) = read(name, text);
        assert_eq!(config, None, "{text}");
        assert!(
            problems.to_string().starts_with(expected),
            "{problems}\n{expected}"
        );
    }
    let none = PathBuf::from("/nonexistent/netboot.toml");
    let (config, problems) = config::load(&[none], &Flags::default(), &host());
    assert_eq!(config, None);
    assert!(
        problems
            .to_string()
            .starts_with("error: /nonexistent/netboot.toml: cannot be read: "),
        "{problems}"
    );
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    assert_eq!(
        good("n.json", &format!("\u{feff}{GUIDE}")),
        good("n.json", GUIDE)
    );
}

#[test]
fn several_files_make_one_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let server = write(
        "server.toml",
        "[netboot]\nstate_dir = '/here'\n\
         [netboot.server]\nip = '192.168.100.1'\ninterface = 'eth1'\n\
         [netboot.menu]\ntitle = 'Mine'\n\
         [netboot.groups.rack]\nconfig = 'debian'\ncmdline = 'quiet'\n",
    );
    let machines = write(
        "machines.json",
        r#"{ "netboot": { "targets": [
            { "name": "a", "mac": "02:00:00:00:00:01", "group": "rack",
              "cmdline": "x={name}" } ] } }"#,
    );
    let more = write(
        "more.json",
        r#"{ "netboot": { "state_dir": "/there", "targets": [
            { "name": "b", "mac": "02:00:00:00:00:02" } ] } }"#,
    );
    let files = [server.clone(), machines.clone(), more];
    let (config, problems) = config::load(&files, &Flags::default(), &host());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    assert_eq!(config.state_dir, PathBuf::from("/there"));
    assert_eq!(config.menu.title, "Mine");
    let names: Vec<_> = config.targets.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let words: Vec<_> = config.words_of(&config.targets[0]).collect();
    assert_eq!(words, ["quiet", "x={name}"]);

    let again = write(
        "again.json",
        r#"{ "netboot": { "targets": [ { "name": "c", "mac": "02:00:00:00:00:01" } ] } }"#,
    );
    let menu = write("menu.toml", "[netboot.menu]\ntitle = \"two\\nlines\"\n");
    let files = [menu.clone(), server, machines.clone(), again.clone()];
    let (config, problems) = config::load(&files, &Flags::default(), &host());
    assert_eq!(config, None);
    assert_eq!(
        problems.to_string(),
        format!(
            "error: {}:1: netboot.targets[0].mac: 02:00:00:00:00:01 belongs to {}: \
             netboot.targets[0] already\n  cure: give each target mac of its own\n",
            again.display(),
            machines.display()
        ),
        "the menu of a later file wins whole"
    );
    let files = [menu.clone(), again];
    let (_, problems) = config::load(&files, &Flags::default(), &host());
    assert!(
        problems.to_string().contains(&format!(
            "error: {}:2: netboot.menu.title: ",
            menu.display()
        )),
        "{problems}"
    );
}

#[test]
fn a_menu_is_read_in_its_order() {
    let config = good(
        "n.toml",
        r#"
[netboot]
server = { ip = "192.168.100.1", interface = "eth1" }
[netboot.menu]
default = "local"
timeout = 0
unknown = "silent"
items = [
  { image = "debian", label = "Debian" }, { chain = "http://boot.example/" },
  { shell = true }, { local = true, shell = false },
]
"#,
    );
    let actions: Vec<_> = config.menu.items.into_iter().flatten().collect();
    assert!(matches!(&actions[0].action, MenuAction::Image(i) if i.as_str() == "debian"));
    assert_eq!(actions[0].label.as_deref(), Some("Debian"));
    assert_eq!(
        actions[1].action,
        MenuAction::Chain("http://boot.example/".into())
    );
    assert_eq!(actions[2].action, MenuAction::Shell);
    assert_eq!(actions[3].action, MenuAction::Local);
}

#[test]
fn the_api_listens_on_loopback_unless_told_otherwise() {
    let admin_listen = |document: &str| good("n.json", document).admin_listen;
    assert_eq!(admin_listen(GUIDE), Some(config::DEFAULT_ADMIN_LISTEN));
    assert!(config::DEFAULT_ADMIN_LISTEN.ip().is_loopback());
    for (written, address) in [
        ("off", None),
        ("127.0.0.2:80", Some(([127, 0, 0, 2], 80).into())),
    ] {
        let document = guide_with("admin_listen", json!(written));
        let (config, problems) = read_json(&document);
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        assert_eq!(config.admin_listen, address);
        same_again(&config);
    }
    let open = guide_with("admin_listen", json!("192.168.100.1:9069"));
    let (_, problems) = read_json(&open);
    let told = "whoever reaches 192.168.100.1:9069 can read leases, events and metrics there";
    assert!(
        problems.iter().any(|problem| problem.what == told),
        "{problems}"
    );
}

#[test]
fn https_is_off_unless_a_certificate_is_named() {
    assert_eq!(good("n.json", GUIDE).tls, None);
    let mut table = json!({ "cert": "/etc/netboot/cert.pem", "key": "/etc/netboot/key.pem" });
    for port in [443, 8443] {
        let (config, problems) = read_json(&guide_with("tls", table.clone()));
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        let tls = config.tls.clone().expect("HTTPS");
        assert_eq!(tls.cert.to_str(), Some("/etc/netboot/cert.pem"));
        assert_eq!(tls.key.to_str(), Some("/etc/netboot/key.pem"));
        assert_eq!(tls.port.get(), port);
        same_again(&config);
        table["port"] = json!(8443);
    }
}

#[test]
fn a_proxy_needs_no_ranges_and_delays_are_milliseconds_or_text() {
    let network = |more: &[(&str, Value)]| {
        let mut network = json!({ "interface": "eth1", "server": "192.168.100.1" });
        for (key, value) in more {
            network[*key] = value.clone();
        }
        let document = json!({ "netboot": { "networks": [network] } }).to_string();
        good("n.json", &document).networks.remove(0)
    };
    let plain = network(&[]);
    assert_eq!(plain.mode, Mode::Authoritative);
    assert_eq!((plain.probe, plain.reply_delay.as_millis()), (true, 0));
    let proxy = network(&[
        ("mode", json!("proxy")),
        ("probe", json!(false)),
        ("reply_delay", json!("1s")),
    ]);
    assert_eq!(proxy.mode, Mode::Proxy);
    assert_eq!((proxy.probe, proxy.reply_delay.as_millis()), (false, 1000));
    // Written out, the mode says that there is no other server; the key itself says it first.
    let written = [("mode", json!("authoritative"))];
    let yes = [("authoritative", json!(true))];
    let no = [written[0].clone(), ("authoritative", json!(false))];
    for (more, authoritative) in [
        (&[][..], false),
        (&written, true),
        (&yes, true),
        (&no, false),
    ] {
        assert_eq!(network(more).authoritative, authoritative, "{more:?}");
    }
    let delayed = network(&[("reply_delay", json!(250))]);
    assert_eq!(delayed.reply_delay.as_millis(), 250);
}

#[test]
fn what_is_wrong_is_said_without_what_would_move_a_terminals_cursor() {
    let text = "[netboot]\nserver = \"\u{1b}[2J\"\n\u{1b}]0;title\u{7}";
    let (config, problems) = read("netboot.toml", text);
    assert!(config.is_none());
    let said = problems.to_string();
    assert!(said.contains("\\u{1b}"), "{said:?}");
    assert!(
        !said.contains(|c: char| c.is_control() && c != '\n'),
        "{said:?}"
    );
}

#[test]
fn a_problem_has_the_line_of_its_key_in_json_and_toml() {
    let toml = "\
[netboot.server]
ip = \"192.168.100.1\"
interface = \"eth1\"
dhcp_range = { start = \"10.0.0.1\", end = \"192.168.100.200\" }
gateway = \"10.0.0.1\"

[netboot.groups.\"a.b\"]
cmdline = [
  \"quiet\",
  \"init=/x\",
]

[[netboot.targets]]
name = \"a\"
mac = \"nonsense\"
[[netboot.targets]]
name = \"b\"
colour = \"red\"
";
    let json = "{ \"netboot\": {
  \"server\": { \"ip\": \"192.168.100.1\", \"interface\": \"eth1\",
    \"gateway\": \"10.0.0.1\" },
  \"targets\": [
    { \"name\": \"a\", \"mac\":
      5 },
    { \"name\": \"b\",
      \"colour\": 5 }
  ]
} }";
    let places = |name: &str, text: &str| {
        let (_, problems) = read(name, text);
        let errors = problems.iter().filter(|it| it.severity == Severity::Error);
        let mut places: Vec<_> = errors.map(|it| it.place.clone()).collect();
        places.sort();
        places
    };
    assert_eq!(
        places("n.toml", toml),
        [
            "n.toml:15: netboot.targets[0].mac",
            // What is missing has the line of the table that it is missing in.
            "n.toml:16: netboot.targets[1].mac",
            "n.toml:18: netboot.targets[1].colour",
            "n.toml:4: netboot.server.dhcp_range.start",
            "n.toml:5: netboot.server.gateway",
            "n.toml:8: netboot.groups.a.b.cmdline",
        ]
    );
    assert_eq!(
        places("n.json", json),
        [
            "n.json:3: netboot.server.gateway",
            "n.json:6: netboot.targets[0].mac",
            "n.json:7: netboot.targets[1].mac",
            "n.json:8: netboot.targets[1].colour",
        ]
    );
}

#[test]
fn the_cure_of_a_list_or_a_range_in_another_form_is_the_right_form() {
    let cure = |name: &str, text: &str| {
        let (_, problems) = read(name, text);
        let errors = problems.iter().filter(|it| it.severity == Severity::Error);
        let cures: Vec<_> = errors.map(|it| it.cure.clone()).collect();
        assert_eq!(cures.len(), 1, "{problems}");
        cures.concat()
    };
    let server = "[netboot.server]\nip = \"192.168.100.1\"\ninterface = \"eth1\"\n";
    let table = "[netboot.targets]\nname = \"a\"\nmac = \"52:54:00:12:34:56\"\n";
    let said = cure("n.toml", &format!("{server}{table}"));
    assert_eq!(
        said,
        "write [[netboot.targets]], with two brackets, for each"
    );
    let range = |text: &str| cure("n.toml", &format!("{server}dhcp_range = \"{text}\"\n"));
    let written = "write { start = \"192.168.100.10\", end = \"192.168.100.20\" }";
    assert_eq!(range("192.168.100.10-192.168.100.20"), written);
    assert_eq!(range("192.168.100.10,192.168.100.20,12h"), written);
    assert_eq!(range("all"), "write { start = \"FIRST\", end = \"LAST\" }");
    let document = |key: &str| {
        format!(
            "{{ \"netboot\": {{ \"server\": {{ \"ip\": \"192.168.100.1\", \"interface\": \
             \"eth1\" }}, {key} }} }}"
        )
    };
    let said = cure("n.json", &document("\"targets\": { \"name\": \"a\" }"));
    assert_eq!(said, "write a list of tables: \"targets\": [{ … }, { … }]");
}

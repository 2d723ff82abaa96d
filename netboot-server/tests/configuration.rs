//! Configurations as people write them: right, wrong in every way that the schema knows, and
//! nonsense.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use netboot_dhcp::MacAddr;
use netboot_server::config::{self, Config, Flags, Host, MenuAction, Mode, Problems, Severity};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The document of the guide, word for word.
const GUIDE: &str = r#"{ "version": "1.0",
  "netboot": {
    "server":  { "ip": "192.168.100.1", "interface": "eth1",
                 "dhcp_range": { "start": "192.168.100.100", "end": "192.168.100.200" } },
    "targets": [ { "name": "proxmox-node-01", "mac": "52:54:00:12:34:56", "ip": "192.168.100.101",
                   "config": "proxmox-host", "state": { "plugins": { } } } ] } }"#;

fn host() -> Host {
    Host::default().with("eth1", Ipv4Addr::new(192, 168, 100, 1), 24)
}

fn read(name: &str, text: &str) -> (Option<Config>, Problems) {
    let json = name.ends_with(".json");
    config::load_text(name, text, json, &Flags::default(), &host())
}

fn read_json(netboot: &Value) -> (Option<Config>, Problems) {
    read("n.json", &json!({ "netboot": netboot }).to_string())
}

fn good(name: &str, text: &str) -> Config {
    let (config, problems) = read(name, text);
    config.unwrap_or_else(|| panic!("refused:\n{problems}"))
}

/// The errors of a document, each as `place | what | cure`, the file's name left out.
fn errors(netboot: &Value) -> Vec<String> {
    let (config, problems) = read_json(netboot);
    let errors: Vec<_> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| {
            assert!(!problem.cure.is_empty(), "{problem}");
            let place = problem.place.replace("n.json: ", "");
            format!("{place} | {} | {}", problem.what, problem.cure)
        })
        .collect();
    assert_eq!(config.is_none(), !errors.is_empty(), "{problems}");
    errors
}

/// The one error of the guide's document with a value put at a place.
#[track_caller]
fn error_with(pointer: &str, value: Value) -> String {
    let errors = errors(&guide_with(pointer, value));
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.concat()
}

fn guide_with(pointer: &str, value: Value) -> Value {
    let mut document: Value = serde_json::from_str(GUIDE).expect("the guide's document");
    let mut at = &mut document["netboot"];
    for key in pointer.split('/') {
        at = match key.parse::<usize>() {
            Ok(index) => {
                let list = at.as_array_mut().expect("a list");
                if index == list.len() {
                    list.push(Value::Null);
                }
                &mut list[index]
            }
            Err(_) => &mut at[key],
        };
    }
    *at = value;
    document["netboot"].take()
}

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
        "note: netboot.json: plugins: is not netboot's and is passed over\n"
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
            .starts_with("note: n.json: netboot.server.subnet: is taken to be a /24"),
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
fn an_unknown_key_is_named_with_the_nearest_known_one_at_every_level() {
    for (pointer, near) in [
        ("severs", Some("server")),
        ("server/interfac", Some("interface")),
        ("server/dhcp_range/strat", Some("start")),
        ("ports/htpp", Some("http")),
        ("menu/titel", Some("title")),
        ("menu/items/0/lable", Some("label")),
        ("networks/0/gatway", Some("gateway")),
        ("networks/0/ranges/0/ende", Some("end")),
        ("images/debian/labl", Some("label")),
        ("groups/rack/confg", Some("config")),
        ("targets/0/macc", Some("mac")),
        ("targets/0/uid", Some("uuid")),
        ("targets/0/option", Some("options")),
        ("targets/0/install/imag", Some("image")),
        ("groups/rack/install/than", Some("then")),
        ("targets/0/zzzzzzzzzz", None),
    ] {
        let mut document: Value = serde_json::from_str(GUIDE).expect("the guide's document");
        let netboot = &mut document["netboot"];
        netboot["menu"] = json!({ "items": [{ "shell": true }] });
        netboot["targets"][0]["install"] = json!({ "image": "debian" });
        netboot["groups"]["rack"]["install"] = json!({ "image": "debian" });
        netboot["networks"] = json!([{
            "server": "10.0.0.1", "subnet": "10.0.0.0/24",
            "ranges": [{ "start": "10.0.0.5", "end": "10.0.0.9" }],
        }]);
        let mut at = netboot;
        for key in pointer.split('/') {
            at = match key.parse::<usize>() {
                Ok(index) => &mut at[index],
                Err(_) => &mut at[key],
            };
        }
        *at = json!("x");
        let errors = errors(&document["netboot"]);
        let mut place = String::from("netboot");
        for key in pointer.split('/') {
            match key.parse::<usize>() {
                Ok(index) => place.push_str(&format!("[{index}]")),
                Err(_) => place.push_str(&format!(".{key}")),
            }
        }
        let cure = match near {
            Some(near) => format!("did you mean `{near}`? else remove it"),
            None => "remove it".into(),
        };
        assert_eq!(
            errors,
            [format!("{place} | no such key is known | {cure}")],
            "{pointer}"
        );
    }
}

#[test]
fn one_wrong_value_is_told_with_its_place_and_its_cure() {
    for (pointer, value, expected) in [
        (
            "server/ip",
            json!("192.168.100.300"),
            "netboot.server.ip | \"192.168.100.300\" cannot be read: invalid IPv4 address syntax \
             | write an IPv4 address such as 192.168.100.1",
        ),
        (
            "server/interface",
            json!(""),
            "netboot.server.interface | \"\" is no name of an interface \
             | write one that `ip link` shows, such as eth1",
        ),
        (
            "server/gateway",
            json!("10.0.0.1"),
            "netboot.server.gateway | 10.0.0.1 is not a host address in 192.168.100.0/24 \
             | write an address from 192.168.100.1 to 192.168.100.254, or leave it out",
        ),
        (
            "server/gateway",
            json!("192.168.100.150"),
            "netboot.server.dhcp_range | 192.168.100.100 to 192.168.100.200 holds the gateway's \
             address 192.168.100.150 | end the range before it or start it behind it",
        ),
        (
            "server/domain",
            json!("no domain"),
            "netboot.server.domain | \"no domain\" is not a domain \
             | write host names with dots between them, such as example.org",
        ),
        (
            "server/dhcp_range/start",
            json!("192.168.100.1"),
            "netboot.server.dhcp_range | 192.168.100.1 to 192.168.100.200 holds the server's own \
             address 192.168.100.1 | end the range before it or start it behind it",
        ),
        (
            "server/dhcp_range/start",
            json!("192.168.100.201"),
            "netboot.server.dhcp_range | starts at 192.168.100.201 and ends before that, at \
             192.168.100.200 | exchange start and end",
        ),
        (
            "server/dhcp_range/end",
            json!("192.168.101.5"),
            "netboot.server.dhcp_range.end | 192.168.101.5 is outside 192.168.100.0/24 \
             | write an address from 192.168.100.1 to 192.168.100.254",
        ),
        (
            "targets/0/mac",
            json!("52:54:00:12:34"),
            "netboot.targets[0].mac | \"52:54:00:12:34\" cannot be read:",
        ),
        (
            "targets/0/ip",
            json!("192.168.101.5"),
            "netboot.targets[0].ip | 192.168.101.5 is outside 192.168.100.0/24 | write an address \
             from 192.168.100.1 to 192.168.100.254, or leave it out to have one lent",
        ),
        (
            "targets/0/ip",
            json!("192.168.100.1"),
            "netboot.targets[0].ip | 192.168.100.1 is this server's own address \
             | give the machine another one",
        ),
        (
            "targets/0/ip",
            json!("192.168.100.255"),
            "netboot.targets[0].ip | 192.168.100.255 is the network or broadcast address of \
             192.168.100.0/24 | write an address from 192.168.100.1 to 192.168.100.254",
        ),
        (
            "targets/0/config",
            json!("../etc"),
            "netboot.targets[0].config | \"../etc\" cannot be read:",
        ),
        (
            "targets/0/group",
            json!("rack"),
            "netboot.targets[0].group | \"rack\" is no group \
             | add it under `netboot.groups`, or correct the name",
        ),
        (
            "targets/0/program",
            json!("../../etc/shadow"),
            "netboot.targets[0].program | \"../../etc/shadow\" is no file name",
        ),
        (
            "targets/0/cmdline",
            json!("quiet x={host}"),
            "netboot.targets[0].cmdline | \"x={host}\" holds the placeholder {host}, which is not \
             known | use {mac}, {mac-dash}, {ip}, {server}, {name}, {arch}, {report} or {state-digest}",
        ),
        (
            "targets/0/cmdline",
            json!(["init=/bin/sh"]),
            "netboot.targets[0].cmdline | \"init=/bin/sh\" would alter how the image starts",
        ),
        (
            "targets/0/cmdline",
            json!("dyndbg=\"file"),
            "netboot.targets[0].cmdline | \"dyndbg=\\\"file\" has double quotes",
        ),
        (
            "menu/title",
            json!("two\nlines"),
            "netboot.menu.title | \"two\\nlines\" holds the control character U+000A \
             | write one line of plain text",
        ),
        (
            "menu/timeout",
            json!(70000),
            "netboot.menu.timeout | 70000 cannot be read:",
        ),
        (
            "menu/unknown",
            json!("reboot"),
            "netboot.menu.unknown | \"reboot\" cannot be read:",
        ),
        (
            "menu/items",
            json!([{ "image": "a", "shell": true }]),
            "netboot.menu.items[0] | does not say one thing to do | write exactly one of",
        ),
        (
            "menu/items",
            json!([{ "chain": "" }]),
            "netboot.menu.items[0].chain | \"\" is empty | write a URL",
        ),
        (
            "menu",
            json!({ "default": "x", "items": [{ "shell": true }] }),
            "netboot.menu.default | \"x\" is none of the items",
        ),
        (
            "images",
            json!({ "a": { "nix": "a.nix", "flake": "b#c" } }),
            "netboot.images.a | is built from a file and from a flake, too | write one of",
        ),
        (
            "images",
            json!({ "a": { "nix": "" } }),
            "netboot.images.a.nix | \"\" is no path",
        ),
        (
            "images",
            json!({ "a": { "flake": "github:me/machines" } }),
            "netboot.images.a.flake | \"github:me/machines\" names no configuration of a flake",
        ),
        (
            "images",
            json!({ "a": { "flake": "--help#x" } }),
            "netboot.images.a.flake | \"--help#x\" names no",
        ),
        (
            "images",
            json!({ "a/b": { "label": "x" } }),
            "netboot.images.a/b | \"a/b\" is no image name:",
        ),
        (
            "ports/tftp",
            json!(0),
            "netboot.ports.tftp | 0 cannot be read:",
        ),
        (
            "ports",
            json!({ "dhcp": 6767, "tftp": 6767 }),
            "netboot.ports.tftp | 6767 is the port of DHCP, too",
        ),
        (
            "ports",
            json!({ "boot_server": 67 }),
            "netboot.ports.boot_server | 67 is the port of DHCP, too",
        ),
        (
            "server/mode",
            json!("relay"),
            "netboot.server.mode | \"relay\" cannot be read:",
        ),
        (
            "server/mode",
            json!("proxy"),
            "netboot.server | is in proxy mode and has ranges, though a proxy gives no addresses",
        ),
        (
            "server/probe",
            json!("no"),
            "netboot.server.probe | \"no\" cannot be read:",
        ),
        (
            "server/reply_delay",
            json!("11s"),
            "netboot.server.reply_delay | \"11s\" cannot be read: it is more than 10 seconds",
        ),
        (
            "server/lease_time",
            json!("1 second"),
            "netboot.server.lease_time | \"1 second\" cannot be read:",
        ),
        (
            "admin_listen",
            json!("localhost:9069"),
            "netboot.admin_listen | \"localhost:9069\" cannot be read: invalid socket address syntax | \
             write an address and port such as \"127.0.0.1:9069\", or \"off\"",
        ),
        (
            "admin_listen",
            json!("127.0.0.1:0"),
            "netboot.admin_listen | \"127.0.0.1:0\" cannot be read: 0 is no port",
        ),
        (
            "tls",
            json!({ "cert": "/etc/netboot/cert.pem" }),
            "netboot.tls.key | names no file | write the whole path of a file in PEM",
        ),
        (
            "tls",
            json!({ "cert": "/c", "key": "/k", "prot": 443 }),
            "netboot.tls.prot | no such key is known | did you mean `port`?",
        ),
        (
            "tls",
            json!({ "cert": "cert.pem", "key": "/k" }),
            "netboot.tls.cert | names no file",
        ),
        (
            "tls",
            json!({ "cert": "/c", "key": "/k", "port": 80 }),
            "netboot.tls.port | 80 is the port of HTTP, too",
        ),
        (
            "tls",
            json!({ "cert": "/c", "key": "/k", "port": "https" }),
            "netboot.tls.port | \"https\" cannot be read:",
        ),
        (
            "state_dir",
            json!(""),
            "netboot.state_dir | is empty | write a folder",
        ),
        (
            "program_dirs",
            json!(["/usr/lib/ipxe", "ipxe"]),
            "netboot.program_dirs[1] | \"ipxe\" is no absolute path | write the whole path",
        ),
    ] {
        let error = error_with(pointer, value);
        assert!(
            error.starts_with(expected),
            "{pointer}\n{error}\n{expected}"
        );
    }
}

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
                "netboot.targets[1].name | proxmox-node-01 {owner} | give each target name of its own"
            ),
            format!(
                "netboot.targets[1].mac | 52:54:00:12:34:56 {owner} | give each target mac of its own"
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
            "netboot.targets[0].circuit | \"0x0\" cannot be read: it is neither a text nor `0x` and \
             pairs of hex digits | write the circuit as the relay agent says it, a text or its bytes \
             such as \"0x000401f40003\"",
        ),
        (
            "targets/0/install",
            json!({}),
            "netboot.targets[0].install.image | is missing | write the image that installs the machine",
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
            "netboot.targets[0].program | \"../secret\" is no file name | write the name of a file in \
             the folder tftp/, such as snponly.efi",
        ),
        (
            "targets/0/program",
            json!({ "amiga": "x" }),
            "netboot.targets[0].program | {\"amiga\":\"x\"} cannot be read: it is neither a text nor \
             a table of platforms (bios, x86, x64, arm32, arm64, riscv64, loongarch64, raspberry-pi) \
             and texts | write the name of a file in the folder tftp/, such as \"snponly.efi\", or \
             one a platform, such as { bios = \"undionly.kpxe\", x64 = \"snponly.efi\" }",
        ),
        (
            "targets/0/options",
            json!({ "mtu": "big" }),
            "netboot.targets[0].options.mtu | \"big\" is not a number from 0 to 65535 | write that, or \
             its bytes as { hex = \"…\" }",
        ),
        (
            "server/options",
            json!({ "nonsense": 1 }),
            "netboot.server.options.nonsense | is no DHCP option | write its number from 1 to 254, or \
             dnsmasq's name for it",
        ),
        (
            "server/options",
            json!({ "67": "x" }),
            "netboot.server.options.67 | is said by what the machine boots | leave it out; `program` \
             and `config` say what is booted",
        ),
        (
            "server/options",
            json!({ "26": 1500, "mtu": 1500 }),
            "netboot.server.options.mtu | is option 26, which stands here already | write each option \
             once",
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
            json!({ "name": "a", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232", "ip": "192.168.100.9" }),
            "netboot.targets[1].ip | is kept for a MAC address, and the target has none | write the \
             target's `mac` too, or leave `ip` out",
        ),
        (
            "targets/1",
            json!({ "name": "a" }),
            "netboot.targets[1].mac | is missing | write a MAC address such as 52:54:00:12:34:56, or \
             the machine's `uuid` or `circuit`",
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

#[test]
fn networks_that_collide_are_refused() {
    let network = |name: &str, interface: &str, subnet: &str, server: &str| json!({ "name": name, "interface": interface, "subnet": subnet, "server": server });
    let netboot = json!({ "networks": [
        network("a", "eth1", "10.0.0.0/16", "10.0.0.1"),
        network("a", "eth2", "10.1.0.0/16", "10.1.0.1"),
        network("c", "eth3", "10.1.2.0/24", "10.1.2.1"),
        network("d", "eth1", "10.9.0.0/16", "10.9.0.1"),
    ]});
    assert_eq!(
        errors(&netboot),
        [
            "netboot.networks[1] | is the second network called a | give one of them another `name`",
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
            "netboot.networks[0].ranges[1] | 10.0.0.20 to 10.0.0.30 overlaps 10.0.0.10 to 10.0.0.20 \
             | make one range of them",
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
            "netboot.menu.items[2].local",
            "netboot.ports",
            "netboot.server.dhcp_range",
            "netboot.server.interface",
            "netboot.targets[0]",
            "netboot.targets[1].name",
            "netboot.sever",
            "netboot.menu.items[2]",
            "netboot.targets[1].mac",
            "netboot.targets[2].name",
            "netboot.targets[2].ip",
        ],
        "{:#?}",
        errors(&netboot)
    );
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_the_right_one() {
    for (pointer, value, expected) in [
        (
            "server",
            json!("192.168.100.1"),
            "netboot.server | invalid type: string \"192.168.100.1\", expected a table \
             | write a table, or leave it out",
        ),
        (
            "server",
            json!([]),
            "netboot.server | invalid type: sequence, expected a table",
        ),
        (
            "targets",
            json!({}),
            "netboot.targets | invalid type: map, expected a sequence | write a list",
        ),
        (
            "networks",
            json!(5),
            "netboot.networks | invalid type: integer `5`, expected a sequence | write a list",
        ),
        (
            "images/debian",
            json!([]),
            "netboot.images.debian | invalid type: sequence, expected a table",
        ),
        (
            "groups",
            json!([]),
            "netboot.groups | invalid type: sequence, expected a map | write a table",
        ),
        (
            "targets/0/name",
            json!(5),
            "netboot.targets[0].name | invalid type: integer `5`, expected a string | write a text",
        ),
        (
            "targets/0",
            json!(["a", "52:54:00:12:34:56"]),
            "netboot.targets[0] | invalid type: sequence, expected a table",
        ),
    ] {
        let error = error_with(pointer, value);
        assert!(
            error.starts_with(expected),
            "{pointer}\n{error}\n{expected}"
        );
    }
    assert_eq!(
        errors(&json!(5)),
        ["netboot | invalid type: integer `5`, expected a table | write a table, or leave it out"]
    );
}

#[test]
fn a_network_that_cannot_be_read_blames_no_target() {
    let error = error_with("server/ip", json!("nonsense"));
    assert!(error.starts_with("netboot.server.ip | "), "{error}");
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
            "error: n.json: netboot: says nothing of a server or a network\n",
        ),
        (
            "n.json",
            r#"{ "version": "2.0", "netboot": { "networks": [5] } }"#,
            "error: n.json: version: \"2.0\" is not a version that this program reads\n",
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
            { "name": "a", "mac": "02:00:00:00:00:01", "group": "rack", "cmdline": "x={name}" } ] } }"#,
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
            "error: {}: netboot.targets[0].mac: 02:00:00:00:00:01 belongs to {}: \
             netboot.targets[0] already\n  cure: give each target mac of its own\n",
            again.display(),
            machines.display()
        ),
        "the menu of a later file wins whole"
    );
    let files = [menu.clone(), again];
    let (_, problems) = config::load(&files, &Flags::default(), &host());
    assert!(
        problems
            .to_string()
            .contains(&format!("error: {}: netboot.menu.title: ", menu.display())),
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
    let delayed = network(&[("reply_delay", json!(250))]);
    assert_eq!(delayed.reply_delay.as_millis(), 250);
}

/// Reads both normal forms back.
fn same_again(config: &Config) {
    let mut forms = vec![("again.json", config.to_json().to_string())];
    forms.extend(config.to_toml().map(|toml| ("again.toml", toml)));
    for (name, text) in forms {
        // Nothing is left to be derived from the host.
        let flags = Flags::default();
        let json = name.ends_with(".json");
        let (again, problems) = config::load_text(name, &text, json, &flags, &Host::default());
        assert_eq!(problems.to_string(), "", "{text}");
        let mut again = again.expect("no problem, so a configuration");
        for (again, target) in again.targets.iter_mut().zip(&config.targets) {
            again.place.clone_from(&target.place);
        }
        assert_eq!(&again, config, "{text}");
    }
}

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
            "state_dir", "server", "networks", "ports", "admin_listen", "tls", "menu", "images", "groups", "targets", "ip",
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

//! One value that is wrong, by its place and its cure.

use super::*;

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
fn values_are_taken_as_people_write_them() {
    let with = |pointer: &str, value: Value| {
        let (config, problems) = read_json(&guide_with(pointer, value));
        let config = config.unwrap_or_else(|| panic!("{pointer}: {problems}"));
        same_again(&config);
        config
    };
    // RFC 2131 section 3.3 for "infinite", and dnsmasq's manual for the units (`--dhcp-range`).
    for (written, seconds) in [
        (json!("3600"), 3600),
        (json!(3600), 3600),
        (json!("45m"), 45 * 60),
        (json!("12h"), 12 * 3600),
        (json!("1d"), 24 * 3600),
        (json!("2w"), 14 * 24 * 3600),
        (json!("1d 12h"), 36 * 3600),
        (json!("infinite"), 0xffff_ffff),
        (json!(0xffff_ffff_u32), 0xffff_ffff),
    ] {
        let config = with("server/lease_time", written.clone());
        let lasts = config.networks[0].lease_time.as_secs();
        assert_eq!(lasts, seconds, "{written}");
    }
    let delay = |written| {
        with("server/reply_delay", written).networks[0]
            .reply_delay
            .as_millis()
    };
    assert_eq!([delay(json!("500")), delay(json!("2s"))], [500, 2000]);
    let timeout = |written| with("menu", json!({ "timeout": written })).menu.timeout_s;
    assert_eq!(
        [json!("30"), json!("1m"), json!(5)].map(timeout),
        [30, 60, 5]
    );
    let port = with("ports", json!({ "http": "8080" })).ports.http.get();
    assert_eq!(port, 8080);
    let options = with(
        "server/options",
        json!({ "mtu": "9000", "time-offset": "-3600" }),
    );
    let sent = options.networks[0].options.iter();
    let sent: Vec<_> = sent.map(|it| it.data.to_vec()).collect();
    // RFC 2132 sections 3.4 and 5.1.
    assert_eq!(sent, [vec![0xff, 0xff, 0xf1, 0xf0], vec![0x23, 0x28]]);
    let items = with(
        "menu",
        json!({ "items": [{ "shell": "true", "local": "false" }] }),
    )
    .menu
    .items;
    assert_eq!(items.expect("items")[0].action, MenuAction::Shell);
    for (written, is) in [("true", true), ("false", false)] {
        let tftp = with("tftp", json!({ "single_port": written })).tftp;
        assert_eq!(tftp.single_port, is);
        let options = with("server/options", json!({ "ip-forward-enable": written }));
        // RFC 2132 section 4.1.
        assert_eq!(options.networks[0].options[0].data.to_vec(), [u8::from(is)]);
    }
    let cmdline = "quiet dyndbg=\"file x +p\" console=ttyS0";
    let config = with("targets/0/cmdline", json!(cmdline));
    // One parameter, as `next_arg` in Linux' lib/cmdline.c takes it.
    let words = ["quiet", "dyndbg=\"file x +p\"", "console=ttyS0"];
    assert_eq!(config.targets[0].cmdline, words);
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
        // IEEE 802-2014 section 8.2.2: the first bit on the wire, of the first byte the lowest.
        (
            "targets/0/mac",
            json!("01:00:5e:00:00:01"),
            "netboot.targets[0].mac | 01:00:5e:00:00:01 is the address of a group (multicast or \
             broadcast), which no network card has | write the one that the card's label",
        ),
        (
            "targets/0/mac",
            json!("ff:ff:ff:ff:ff:ff"),
            "netboot.targets[0].mac | ff:ff:ff:ff:ff:ff is the address of a group",
        ),
        (
            "targets/0/mac",
            json!("00:00:00:00:00:00"),
            "netboot.targets[0].mac | 00:00:00:00:00:00 is all zeros, which no network card has",
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
             known | use one of {mac}, {mac-dash}, {ip}, {server}, {name}, {arch}, {report}, \
             {state-digest}",
        ),
        (
            "targets/0/cmdline",
            json!("x={nmae}"),
            "netboot.targets[0].cmdline | \"x={nmae}\" holds the placeholder {nmae}, which is not \
             known | did you mean {name}?",
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
            json!([{ "shell": "yes" }]),
            "netboot.menu.items[0].shell | \"yes\" cannot be read: invalid type: string \"yes\", \
             expected a boolean | write true or false",
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
            "netboot.admin_listen | \"localhost:9069\" cannot be read: invalid socket address \
             syntax | write an address and port such as \"127.0.0.1:9069\", or \"off\"",
        ),
        (
            "admin_listen",
            json!("127.0.0.1:0"),
            "netboot.admin_listen | \"127.0.0.1:0\" cannot be read: 0 is no port",
        ),
        (
            "admin_names",
            json!(["boot.example.org", "boot:9069"]),
            "netboot.admin_names[1] | \"boot:9069\" is no name of a host | write a name such as \
             \"boot.example.org\", without a port",
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

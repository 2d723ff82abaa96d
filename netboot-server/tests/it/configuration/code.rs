//! Configurations that are made in code: the same as those that are read, right and wrong.

use std::time::Duration;

use netboot_server::config::document::{
    Document, Group, Image, Install, Menu, MenuItem, Network, Ports, Target, Tftp, Tls,
};
use netboot_server::config::platform::Platform;
use netboot_server::config::{
    Allow, Circuit, Identify, LocalBoot, ProgramChoice, Secrets, Then, Unknown,
};

use super::*;

/// A document that has every key.
const WRITTEN: &str = r#"
    [netboot]
    state_dir = "/srv/netboot"
    program_dirs = ["/srv/ipxe"]
    user = "netboot"
    admin_listen = "off"
    admin_names = ["boot.example.org"]
    [netboot.ports]
    dhcp = 6700
    dhcp_client = 6800
    tftp = 6900
    http = 8080
    boot_server = 40110
    [netboot.tftp]
    max_transfers = 8000
    max_transfers_per_client = 200
    max_blksize = 8192
    max_windowsize = 16
    single_port = true
    [netboot.tls]
    cert = "/srv/cert.pem"
    key = "/srv/key.pem"
    port = 8443
    [netboot.menu]
    title = "Lab"
    default = "debian"
    timeout = 5
    unknown = "local"
    items = [
        { image = "debian", label = "Debian" },
        { chain = "http://192.168.100.9/other.ipxe" },
        { local = true },
        { shell = true },
    ]
    [netboot.images.debian]
    label = "Debian 13"
    cmdline = ["console=ttyS0", "quiet"]
    nix = "configs/debian.nix"
    [netboot.images.other]
    menu = false
    flake = "github:me/machines#nixosConfigurations.other"
    [netboot.groups.rack]
    config = "debian"
    install = { image = "installer", then = "config" }
    program = { x64 = "snponly.efi" }
    local = "exit"
    cmdline = "rack=7"
    options = { mtu = 9000 }
    [[netboot.networks]]
    name = "lab"
    interface = "eth1"
    server = "192.168.100.1"
    subnet = "192.168.100.0/24"
    ranges = [{ start = "192.168.100.100", end = "192.168.100.200" }]
    exclude = ["192.168.100.150"]
    gateway = "192.168.100.254"
    dns = ["192.168.100.2", "192.168.100.3"]
    domain = "example.org"
    lease_time = "1h"
    allow = "known"
    identify = "neighbour"
    program = "ipxe.efi"
    options = { ntp-server = ["192.168.100.4"] }
    mode = "authoritative"
    authoritative = false
    relays = ["192.168.100.7"]
    trust_option_82 = true
    probe = false
    reply_delay = "1s"
    [[netboot.networks]]
    subnet = "10.0.0.0/24"
    server = "192.168.100.1"
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
    uuid = "4c4c4544-0042-3510-8052-b4c04f4d3232"
    circuit = "eth0/1:100"
    secrets = "proven"
    ip = "192.168.100.101"
    group = "rack"
    config = "other"
    install = { image = "installer" }
    program = "undionly.kpxe"
    local = "sanboot"
    cmdline = "quiet"
    options = { mtu = 1400 }
    state = { plugins = {} }
"#;

fn image(name: &str) -> netboot_image::ImageName {
    name.parse().expect("an image name")
}

fn address(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

/// What [`WRITTEN`] says, in code.
fn made() -> Document {
    let menu = Menu::new()
        .title("Lab")
        .default_item("debian")
        .timeout(5)
        .unknown(Unknown::Local)
        .item(MenuItem::image(image("debian")).label("Debian"))
        .item(MenuItem::chain("http://192.168.100.9/other.ipxe"))
        .item(MenuItem::local())
        .item(MenuItem::shell());
    let for_x64 = (Platform::X64, "snponly.efi".to_owned());
    let rack = Group::new()
        .config(image("debian"))
        .install(Install::new(image("installer")).then(Then::Config))
        .program(ProgramChoice::ByPlatform([for_x64].into()))
        .local(LocalBoot::Exit)
        .cmdline(["rack=7"])
        .option("mtu", 9000);
    let lab = Network::on("eth1", address("192.168.100.1"))
        .name("lab")
        .subnet("192.168.100.0/24".parse().expect("a subnet"))
        .range(address("192.168.100.100"), address("192.168.100.200"))
        .exclude(address("192.168.100.150"))
        .gateway(address("192.168.100.254"))
        .dns([address("192.168.100.2"), address("192.168.100.3")])
        .domain("example.org")
        .lease_time(Duration::from_secs(3600))
        .allow(Allow::Known)
        .identify(Identify::Neighbour)
        .program(ProgramChoice::Any("ipxe.efi".into()))
        .option("ntp-server", vec!["192.168.100.4"])
        .mode(Mode::Authoritative)
        .authoritative(false)
        .relays([address("192.168.100.7")])
        .trust_option_82(true)
        .probe(false)
        .reply_delay(Duration::from_secs(1));
    let subnet = "10.0.0.0/24".parse().expect("a subnet");
    let uuid = "4c4c4544-0042-3510-8052-b4c04f4d3232";
    let circuit: Circuit = "eth0/1:100".parse().expect("a circuit");
    let node = Target::new("node-01")
        .mac("52:54:00:12:34:56".parse().expect("an address"))
        .uuid(uuid.parse().expect("a UUID"))
        .circuit(circuit)
        .secrets(Secrets::Proven)
        .ip(address("192.168.100.101"))
        .group("rack")
        .config(image("other"))
        .install(Install::new(image("installer")))
        .program(ProgramChoice::Any("undionly.kpxe".into()))
        .local(LocalBoot::Sanboot)
        .cmdline(["quiet"])
        .option("mtu", 1400)
        .state(json!({ "plugins": {} }));
    let debian = Image::new()
        .label("Debian 13")
        .cmdline(["console=ttyS0", "quiet"])
        .nix("configs/debian.nix");
    let other = Image::new()
        .menu(false)
        .flake("github:me/machines#nixosConfigurations.other");
    let ports = Ports::new()
        .dhcp(6700)
        .dhcp_client(6800)
        .tftp(6900)
        .http(8080)
        .boot_server(40110);
    let tftp = Tftp::new()
        .max_transfers(8000)
        .max_transfers_per_client(200)
        .max_blksize(8192)
        .max_windowsize(16)
        .single_port(true);
    Document::new()
        .state_dir("/srv/netboot")
        .program_dirs(["/srv/ipxe"])
        .user("netboot")
        .ports(ports)
        .tftp(tftp)
        .admin_listen(None)
        .admin_names(["boot.example.org"])
        .tls(Tls::new("/srv/cert.pem", "/srv/key.pem").port(8443))
        .menu(menu)
        .image("debian", debian)
        .image("other", other)
        .group("rack", rack)
        .network(lab)
        .network(Network::relayed(subnet, address("192.168.100.1")))
        .target(node)
}

#[test]
fn a_configuration_in_code_is_the_one_that_is_written_with_the_same_keys() {
    let mut written = good("n.toml", WRITTEN);
    for target in &mut written.targets {
        target.place = target.place.replace("n.toml: ", "");
    }
    let (config, problems) = made().check(&host());
    assert_eq!(problems.to_string(), "");
    assert_eq!(config, Some(written));
}

#[test]
fn who_may_have_a_targets_secrets_is_written_in_code() {
    let uuid = "4c4c4544-0042-3510-8052-b4c04f4d3232";
    let claimable = Target::new("node")
        .uuid(uuid.parse().expect("a UUID"))
        .secrets(Secrets::Claimable);
    let far = Network::relayed(
        "10.0.0.0/24".parse().expect("a subnet"),
        address("10.0.0.1"),
    );
    let document = Document::new().network(far).target(claimable);
    let (config, problems) = document.check(&host());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    assert_eq!(config.targets[0].secrets, Secrets::Claimable);
}

#[test]
fn what_is_wrong_in_code_is_told_as_it_is_of_a_file_and_all_of_it() {
    let written = json!({
        "state_dir": "",
        "admin_listen": "127.0.0.1:0",
        "program_dirs": ["ipxe"],
        "ports": { "http": 0, "tftp": 67 },
        "tftp": { "max_transfers": 0, "max_blksize": 7 },
        "tls": { "cert": "cert.pem", "key": "/srv/key.pem" },
        "menu": { "title": "a\nb", "default": "debian", "items": [{ "shell": true }] },
        "images": { "a b": { "cmdline": ["init=/bin/sh"], "nix": "x", "flake": "y#z" } },
        "groups": { "rack": { "program": "../x", "options": { "nonsense": 1 } } },
        "networks": [
            { "interface": "eth1", "server": "192.168.100.1", "lease_time": 12,
              "reply_delay": 60_000, "gateway": "10.0.0.1", "domain": "-",
              "ranges": [{ "start": "192.168.100.9", "end": "192.168.100.8" }] },
            { "subnet": "192.168.100.0/25", "server": "192.168.100.1", "mode": "proxy",
              "authoritative": true },
        ],
        "targets": [
            { "name": "node", "ip": "192.168.100.1", "group": "gone" },
            { "name": "node", "mac": "02:00:00:00:00:01", "ip": "10.0.0.9" },
        ],
    });
    let bad = Network::on("eth1", address("192.168.100.1"))
        .lease_time(Duration::from_secs(12))
        .reply_delay(Duration::from_secs(60))
        .gateway(address("10.0.0.1"))
        .domain("-")
        .range(address("192.168.100.9"), address("192.168.100.8"));
    let subnet = "192.168.100.0/25".parse().expect("a subnet");
    let proxy = Network::relayed(subnet, address("192.168.100.1"))
        .mode(Mode::Proxy)
        .authoritative(true);
    let group = Group::new()
        .program(ProgramChoice::Any("../x".into()))
        .option("nonsense", 1);
    let nobody = Target::new("node")
        .ip(address("192.168.100.1"))
        .group("gone");
    let second = Target::new("node")
        .mac(MacAddr([2, 0, 0, 0, 0, 1]))
        .ip(address("10.0.0.9"));
    let menu = Menu::new()
        .title("a\nb")
        .default_item("debian")
        .item(MenuItem::shell());
    let doubly_built = Image::new().cmdline(["init=/bin/sh"]).nix("x").flake("y#z");
    let (config, found) = Document::new()
        .state_dir("")
        .admin_listen("127.0.0.1:0".parse().ok())
        .program_dirs(["ipxe"])
        .ports(Ports::new().http(0).tftp(67))
        .tftp(Tftp::new().max_transfers(0).max_blksize(7))
        .tls(Tls::new("cert.pem", "/srv/key.pem"))
        .menu(menu)
        .image("a b", doubly_built)
        .group("rack", group)
        .network(bad)
        .network(proxy)
        .target(nobody)
        .target(second)
        .check(&host());
    assert_eq!(config, None);
    let (_, expected) = read_json(&written);
    let expected = expected.to_string().replace("n.json:1: ", "");
    let expected = expected.replace("n.json: ", "");
    assert!(found.count(Severity::Error) >= 24, "{found}");
    assert_eq!(found.to_string(), expected);
}

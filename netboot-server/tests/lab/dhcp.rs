//! DHCP between hosts: proxy mode, relays, several interfaces, clients without an address,
//! addresses in use, other servers, and interfaces that come and go.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use netboot_server::lab::{Console, Firmware, Namespace};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, setsockopt, socket,
    sockopt,
};

use tempfile::TempDir;

use crate::firmware::{assert_image_served, assert_shell_with, power_on, print_steps};
use crate::lan::{Ends, Switch};
use crate::program::{self, Program};
use crate::relay;
use crate::server::{MAC, PATIENCE, Server, TAP, add_debian};

const PROXY: &str = r#"
    [[netboot.networks]]
    interface = "eth1"
    server = "192.168.100.1"
    subnet = "192.168.100.0/24"
    mode = "proxy"
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
    config = "debian"
"#;
const AUTHORITATIVE: &str = r#"
    [netboot.server]
    ip = "192.168.100.1"
    interface = "eth1"
    dhcp_range = { start = "192.168.100.100", end = "192.168.100.101" }
"#;
const SERVER: &str = "192.168.100.1/24";
const DNSMASQ: &str = "192.168.100.2/24";

/// DHCP by hand (RFC 2131 figure 1): this op, Ethernet, this machine, the cookie, these options.
fn message(op: u8, mac: [u8; 6], yiaddr: Ipv4Addr, options: &[u8]) -> Vec<u8> {
    let mut message = vec![op, 1, 6, 0, 1, 2, 3, 4];
    message.resize(16, 0);
    message.extend(yiaddr.octets());
    message.resize(28, 0);
    message.extend(mac);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99]);
    message.extend(options);
    message.push(255);
    message.resize(300.max(message.len()), 0);
    message
}

fn discover(mac: [u8; 6]) -> Vec<u8> {
    message(1, mac, Ipv4Addr::UNSPECIFIED, &[53, 1, 1, 55, 2, 1, 3])
}

/// A socket in a namespace that may broadcast on this interface without an address.
fn port(namespace: &Namespace, interface: &'static str, port: u16) -> UdpSocket {
    namespace.run(move || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None);
        let socket = socket.expect("a socket");
        socket
            .bind_device(Some(interface.as_bytes()))
            .expect("it is there");
        socket.set_broadcast(true).expect("broadcast");
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
        socket.bind(&any.into()).expect("a free port");
        socket.into()
    })
}

/// Whole frames as they come by an interface.
fn frames(namespace: &Namespace, interface: &'static str) -> std::os::fd::OwnedFd {
    namespace.run(move || {
        let all = SockProtocol::EthAll;
        let opened = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), all);
        let opened = opened.expect("a packet socket");
        let mut links = nix::ifaddrs::getifaddrs().expect("interfaces");
        let link = links.find_map(|one| {
            let link = one.address?.as_link_addr().copied()?;
            (one.interface_name == interface).then_some(link)
        });
        bind(opened.as_raw_fd(), &link.expect("the interface")).expect("its packets");
        opened
    })
}

fn broadcast(from: &UdpSocket, to: u16, bytes: &[u8]) {
    from.send_to(bytes, (Ipv4Addr::BROADCAST, to))
        .expect("sent");
}

/// The next frame that carries a DHCP reply.
fn next_reply(frames: &std::os::fd::OwnedFd) -> Vec<u8> {
    let mut bytes = [0; 2048];
    loop {
        let length = recv(frames.as_raw_fd(), &mut bytes, MsgFlags::empty()).expect("a frame");
        let frame = &bytes[..length];
        let udp = frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&17);
        // From port 67, and a BOOTREPLY.
        if udp && frame.get(34..36) == Some(&[0, 67]) && frame.get(42) == Some(&2) {
            return frame.to_vec();
        }
    }
}

fn udhcpc(namespace: &Namespace, interface: &str) -> String {
    let line = [
        "20",
        "udhcpc",
        "-i",
        interface,
        "-n",
        "-q",
        "-f",
        "-s",
        "/bin/true",
    ];
    let output = namespace.output("timeout", line).expect("udhcpc");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
#[ignore = "needs root"]
fn a_client_without_an_address_is_answered_at_its_mac_address_unless_it_asks_for_broadcast() {
    let switch = Switch::new();
    let servers = switch.host("eth1", Some(SERVER));
    let clients = switch.host("eth0", None);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let _server = Server::start(&servers, scratch.path(), AUTHORITATIVE, 3);
    let frames = frames(&clients, "eth0");
    let client = port(&clients, "eth0", 68);
    let mac = [2, 0, 0, 0, 0, 7];
    broadcast(&client, 67, &discover(mac));
    let frame = next_reply(&frames);
    assert_eq!(frame[..6], mac, "to the client's MAC address");
    assert_eq!(frame[30..34], frame[58..62], "at the address that it gives");
    assert_eq!(frame[26..30], [192, 168, 100, 1]);
    let mut asks = discover(mac);
    asks[10] = 0x80;
    broadcast(&client, 67, &asks);
    let frame = next_reply(&frames);
    assert_eq!(frame[..6], [0xff; 6]);
    assert_eq!(frame[30..34], [255; 4]);
    // And one that others wrote, which takes its replies off the wire.
    let printed = udhcpc(&clients, "eth0");
    assert!(printed.contains("lease of 192.168.100.10"), "{printed}");
}

#[test]
#[ignore = "needs root"]
fn an_address_that_answers_is_not_offered() {
    let switch = Switch::new();
    let servers = switch.host("eth1", Some(SERVER));
    let _squatter = switch.host("eth2", Some("192.168.100.100/24"));
    let clients = switch.host("eth0", None);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&servers, scratch.path(), AUTHORITATIVE, 3);
    let frames = frames(&clients, "eth0");
    broadcast(
        &port(&clients, "eth0", 68),
        67,
        &discover([2, 0, 0, 0, 0, 7]),
    );
    let offer = next_reply(&frames);
    assert_eq!(offer[58..62], [192, 168, 100, 101]);
    server.wait_for(|log| log.contains("192.168.100.100 is in use"));
}

/// What a DISCOVER of [`NODE`]'s is offered.
fn offered(client: &UdpSocket, frames: &std::os::fd::OwnedFd) -> Ipv4Addr {
    broadcast(client, 67, &discover(NODE));
    address_given(&next_reply(frames), 2)
}

/// The address in a reply of this type, whose option 53 is first.
fn address_given(frame: &[u8], kind: u8) -> Ipv4Addr {
    assert_eq!(frame[284], kind);
    let address: [u8; 4] = frame[58..62].try_into().expect("four bytes");
    address.into()
}

const NODE: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

/// Gives the host's `eth0` the machine's MAC address.
fn become_machine(host: &Namespace) {
    for words in [
        "link set eth0 down",
        &format!("link set eth0 address {MAC}"),
        "link set eth0 up",
    ] {
        host.ip(words).expect("ip of iproute2");
    }
}

#[test]
#[ignore = "needs root"]
fn a_reserved_address_is_declined_by_its_machine_alone_and_given_again_when_nobody_has_it() {
    let switch = Switch::new();
    let servers = switch.host("eth1", Some(SERVER));
    let clients = switch.host("eth0", None);
    let strangers = switch.host("eth2", None);
    become_machine(&clients);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let reserved = Ipv4Addr::new(192, 168, 100, 50);
    let config = format!(
        "{AUTHORITATIVE}\n[[netboot.targets]]\nname = \"node-01\"\nmac = \"{MAC}\"\n\
         ip = \"{reserved}\"\n"
    );
    let server = Server::start(&servers, scratch.path(), &config, 3);
    // ARP goes on asking for who did not answer, and asks anew within the time of a probe.
    servers
        .ip("ntable change name arp_cache dev eth1 retrans 50")
        .expect("ip of iproute2");
    let frames = frames(&clients, "eth0");
    let (client, stranger) = (port(&clients, "eth0", 68), port(&strangers, "eth2", 68));
    let names = |kind: u8| {
        let options = [
            53, 1, kind, 54, 4, 192, 168, 100, 1, 50, 4, 192, 168, 100, 50,
        ];
        message(1, NODE, Ipv4Addr::UNSPECIFIED, &options)
    };
    let (request, decline) = (names(3), names(4));
    let takes = || {
        broadcast(&client, 67, &request);
        assert_eq!(address_given(&next_reply(&frames), 5), reserved);
    };
    let declined = |times: usize| {
        let line = "ignored: declined, in quarantine";
        server.wait_for(|log| log.matches(line).count() == times);
    };
    assert_eq!(offered(&client, &frames), reserved);
    takes();

    // Word by word what the machine would say, but in a stranger's frame.
    broadcast(&stranger, 67, &decline);
    server.wait_for(|log| log.contains("neither in a frame of the client's own nor by"));
    assert_eq!(offered(&client, &frames), reserved);

    // Its own, though nobody has the address.
    broadcast(&client, 67, &decline);
    declined(1);
    assert_eq!(offered(&client, &frames), reserved);
    takes();

    // And where somebody has it.
    let squats = format!("addr add {reserved}/24 dev eth2");
    strangers.ip(&squats).expect("ip of iproute2");
    broadcast(&client, 67, &decline);
    declined(2);
    assert_eq!(offered(&client, &frames), Ipv4Addr::new(192, 168, 100, 100));
    server.wait_for(|log| log.contains("192.168.100.50 is in use"));
}

#[test]
#[ignore = "needs root"]
fn a_pool_that_is_full_and_another_server_are_told() {
    let switch = Switch::new();
    let servers = switch.host("eth1", Some(SERVER));
    let clients = switch.host("eth0", Some("192.168.100.9/24"));
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let ten = AUTHORITATIVE.replace("192.168.100.101", "192.168.100.109");
    let server = Server::start(&servers, scratch.path(), &ten, 3);
    let client = port(&clients, "eth0", 68);
    let frames = frames(&clients, "eth0");
    for last in 1..=10 {
        let mac = [2, 0, 0, 0, 0, last];
        broadcast(&client, 67, &discover(mac));
        let offer = next_reply(&frames);
        let mut options = vec![53, 1, 3, 54, 4, 192, 168, 100, 1, 50, 4];
        options.extend(&offer[58..62]);
        let request = message(1, mac, Ipv4Addr::UNSPECIFIED, &options);
        broadcast(&client, 67, &request);
        assert_eq!(next_reply(&frames)[284], 5, "an ACK, option 53 first");
    }
    for word in ["nearly full, 9", "full, 10"] {
        let line = format!("its ranges are {word} of 10 addresses are taken");
        server.wait_for(|log| log.contains(&line));
    }
    broadcast(&client, 67, &discover([2, 0, 0, 0, 0, 11]));
    server.wait_for(|log| log.contains("02:00:00:00:00:0b ignored: no address available"));
    // Somebody else offers an address, by broadcast.
    let other = port(&clients, "eth0", 67);
    let given = Ipv4Addr::new(192, 168, 100, 150);
    let options = [53, 1, 2, 54, 4, 192, 168, 100, 9, 51, 4, 0, 0, 14, 16];
    let offer = message(2, [2, 0, 0, 0, 0, 11], given, &options);
    broadcast(&other, 68, &offer);
    server
        .wait_for(|log| log.contains("another server, 192.168.100.9, answered 02:00:00:00:00:0b"));
}

#[test]
#[ignore = "needs root"]
fn an_interface_that_goes_comes_or_loses_its_address_is_followed() {
    let switch = Switch::new();
    let servers = switch.host("eth1", Some(SERVER));
    let clients = switch.host("eth0", None);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&servers, scratch.path(), AUTHORITATIVE, 3);
    let times =
        |what: &'static str, wanted: usize| move |log: &str| log.matches(what).count() >= wanted;
    let run = |words: &str| servers.ip(words).expect("ip of iproute2");
    run("addr del 192.168.100.1/24 dev eth1");
    server.wait_for(times("DHCP on eth1: is gone", 1));
    run("addr add 192.168.100.1/24 dev eth1");
    server.wait_for(times("DHCP on eth1: listening", 2));
    assert!(udhcpc(&clients, "eth0").contains("lease of 192.168.100.10"));
    run("link del eth1");
    server.wait_for(times("DHCP on eth1: is gone", 2));
    switch.plug(&servers, "eth1", Some(SERVER));
    server.wait_for(times("DHCP on eth1: listening", 3));
    assert!(udhcpc(&clients, "eth0").contains("lease of 192.168.100.10"));
}

#[test]
#[ignore = "needs root"]
fn two_interfaces_are_served_at_once_each_with_its_own_addresses() {
    let servers = Namespace::new().expect("a network namespace; this test needs root");
    let mut machines = Vec::new();
    for number in [1, 2] {
        let machine = Namespace::new().expect("a network namespace");
        let interface = format!("eth{number}");
        servers
            .link(&interface, &machine, "eth0")
            .expect("a veth pair");
        for words in [
            format!("addr add 10.0.{number}.1/24 dev {interface}"),
            format!("link set {interface} up"),
        ] {
            servers.ip(&words).expect("ip of iproute2");
        }
        machine.ip("link set eth0 up").expect("ip of iproute2");
        machines.push(machine);
    }
    let network = |number: u8| {
        format!(
            "[[netboot.networks]]\ninterface = \"eth{number}\"\nserver = \"10.0.{number}.1\"\n\
             subnet = \"10.0.{number}.0/24\"\n\
             ranges = [{{ start = \"10.0.{number}.50\", end = \"10.0.{number}.60\" }}]\n"
        )
    };
    let config = network(1) + &network(2);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&servers, scratch.path(), &config, 6);
    for (machine, number) in machines.iter().zip([1, 2]) {
        let printed = udhcpc(machine, "eth0");
        let lease = format!("lease of 10.0.{number}.5");
        assert!(printed.contains(&lease), "{printed}\n{}", server.log());
        server.assert_logged(&[&format!("DHCPACK(eth{number}) 10.0.{number}.5")]);
    }
}

#[test]
#[ignore = "needs root, and the Debian package isc-dhcp-relay"]
fn machines_behind_debians_relay_get_addresses_of_their_network() {
    let (servers, relays, machines) = (
        Namespace::new().expect("a network namespace; this test needs root"),
        Namespace::new().expect("a network namespace"),
        Namespace::new().expect("a network namespace"),
    );
    servers.link("up0", &relays, "down0").expect("a veth pair");
    relays.link("lab0", &machines, "eth0").expect("a veth pair");
    for (namespace, words) in [
        (&servers, "addr add 10.0.0.1/24 dev up0"),
        (&servers, "link set up0 up"),
        (&relays, "addr add 10.0.0.2/24 dev down0"),
        (&relays, "link set down0 up"),
        (&relays, "addr add 192.168.50.1/24 dev lab0"),
        (&relays, "link set lab0 up"),
        (&machines, "link set eth0 up"),
        (&servers, "route add 192.168.50.0/24 via 10.0.0.2"),
    ] {
        namespace.ip(words).expect("ip of iproute2");
    }
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&servers, scratch.path(), relay::NETWORKS, 3);
    let _relay = Ends::start(&relays, "dhcrelay -4 -d -a -id lab0 -iu down0 10.0.0.1");
    let printed = udhcpc(&machines, "eth0");
    assert!(
        printed.contains("lease of 192.168.50.10"),
        "{printed}\n{}",
        server.log()
    );
    server.assert_logged(&["DHCPACK(up0) 192.168.50.10"]);
}

/// A machine boots beside dnsmasq, which gives it its address and knows of no boot.
fn boots_beside_dnsmasq(
    firmware: Firmware,
    programs: &[(&str, Program)],
    token: &str,
    logged: &[&[&str]],
) {
    let named = programs.first();
    let named = named.map(|(name, _)| format!("program = \"{name}\""));
    let config = [PROXY, &named.unwrap_or_default()].concat();
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, token);
    let folder = state.join("tftp");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, program) in programs {
        program.put(&folder.join(name));
    }
    let switch = Switch::new();
    switch.tap(TAP);
    let servers = switch.host("eth1", Some(SERVER));
    let others = switch.host("eth2", Some(DNSMASQ));
    let leases = scratch.path().join("dnsmasq.leases");
    let _dnsmasq = Ends::dnsmasq(&others, "eth2", &leases.display().to_string(), "");
    let server = Server::start(&servers, &state, &config, 3);
    let console = power_on(&switch.namespace, firmware, scratch.path());
    assert_shell_with(&console, token);
    console.power_off();
    for parts in logged {
        server.assert_logged(parts);
    }
    server.assert_logged(&["HTTP", MAC, "image debian @1"]);
    assert_image_served(&server);
    print_steps(&server);
    let lent = std::fs::read_to_string(&leases).expect("dnsmasq's leases");
    assert!(lent.contains(MAC), "{lent}");
    assert_eq!(server.stop(), [], "a proxy gives no address");
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, seabios, ipxe-qemu, dnsmasq-base \
            and debian-installer-12-netboot-amd64"]
fn bios_boots_in_proxy_mode_beside_dnsmasq() {
    boots_beside_dnsmasq(
        Firmware::BIOS,
        &[],
        "bios-proxy-3d1c",
        &[&[
            "DHCPOFFER(eth1)",
            MAC,
            "boots http://192.168.100.1/boot.ipxe",
        ]],
    );
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, ipxe, dnsmasq-base and \
            debian-installer-12-netboot-amd64"]
fn uefi_boots_in_proxy_mode_beside_dnsmasq() {
    boots_beside_dnsmasq(
        Firmware::UEFI,
        program::IPXE_2019,
        "uefi-proxy-92ab",
        &[
            // On port 4011, when it has its address.
            &["DHCPACK(eth1) 192.168.100.1", MAC, "boots ipxe.efi"],
            &["TFTP", MAC, "sent ipxe.efi"],
        ],
    );
}

/// Before it has an address this iPXE runs `autoexec.ipxe`.
#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-x86, ovmf, dnsmasq-base \
            and debian-installer-12-netboot-amd64"]
fn uefi_boots_with_ipxe_of_2025_in_proxy_mode_beside_dnsmasq() {
    boots_beside_dnsmasq(
        Firmware::UEFI,
        program::IPXE_2025,
        "uefi-proxy-2025-6f0e",
        &[
            &["DHCPACK(eth1) 192.168.100.1", MAC, "boots ipxe.efi"],
            &["TFTP", MAC, "sent autoexec.ipxe"],
        ],
    );
}

/// Over HTTP GRUB of 2.12 takes its server from the URL that the firmware was offered.
#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-x86, ovmf, dnsmasq-base \
            and debian-installer-12-netboot-amd64"]
fn in_proxy_mode_secure_boot_loads_shim_and_grub_by_http() {
    boots_beside_dnsmasq(
        Firmware::UEFI_SECURE_BOOT.by_http(),
        program::SHIM_16,
        "proxy-http-grub-27e4",
        &[&["HTTP", MAC, "grub.cfg"]],
    );
}

/// shim and GRUB beside dnsmasq, which says this of the boot.
fn by_shim_beside_dnsmasq(
    token: &str,
    more: &str,
) -> (Console, Server, (Switch, [Namespace; 2], Ends, TempDir)) {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, token);
    let switch = Switch::new();
    switch.tap(TAP);
    let servers = switch.host("eth1", Some(SERVER));
    let others = switch.host("eth2", Some(DNSMASQ));
    let leases = scratch.path().join("dnsmasq.leases").display().to_string();
    let dnsmasq = Ends::dnsmasq(&others, "eth2", &leases, more);
    let config = [PROXY, "program = \"shimx64.efi\""].concat();
    let server = Server::start(&servers, &state, &config, 3);
    let console = power_on(
        &switch.namespace,
        Firmware::UEFI_SECURE_BOOT,
        scratch.path(),
    );
    (
        console,
        server,
        (switch, [servers, others], dnsmasq, scratch),
    )
}

/// GRUB takes its server from the DHCP server's ACK alone (`grub_efi_net_config_real` of 2.06 and
/// 2.12 gives `dhcp_ack` of UEFI's PXE to `grub_net_configure_by_dhcp_ack`, and never
/// `proxy_offer`).
#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, shim-signed, \
            grub-efi-amd64-signed, dnsmasq-base and debian-installer-12-netboot-amd64"]
fn in_proxy_mode_grub_finds_no_configuration_and_the_log_says_so() {
    // So that GRUB hears at once that what it asks for is not there.
    let without_files = "--enable-tftp --tftp-root=/srv";
    let (console, server, _kept) = by_shim_beside_dnsmasq("proxy-grub-1a70", without_files);
    let prompt = console.wait_for("grub> ", PATIENCE);
    assert!(prompt, "no prompt; the console:\n{}", console.text());
    console.power_off();
    print_steps(&server);
    server.assert_logged(&["TFTP", MAC, "sent grubx64.efi"]);
    server.assert_logged(&["shimx64.efi", MAC, "GRUB", "other server"]);
    assert!(!server.log().contains("grub.cfg"), "{}", server.log());
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, shim-signed, \
            grub-efi-amd64-signed, dnsmasq-base and debian-installer-12-netboot-amd64"]
fn in_proxy_mode_grub_boots_where_the_other_server_names_this_one() {
    let token = "proxy-grub-58fe";
    let siaddr = "--dhcp-boot=shimx64.efi,,192.168.100.1";
    let (console, server, _kept) = by_shim_beside_dnsmasq(token, siaddr);
    assert_shell_with(&console, token);
    console.power_off();
    print_steps(&server);
    server.assert_logged(&["TFTP", MAC, "grub.cfg: image debian @1"]);
}

/// The REQUEST by which a machine takes dnsmasq's offer of this address, as iPXE sends it (its
/// `dhcp_request_options_data`, with the user class as it stands there).
fn ipxe_takes(last: u8) -> Vec<u8> {
    let mut options = vec![
        53, 1, 3, 54, 4, 192, 168, 100, 2, 50, 4, 192, 168, 100, last,
    ];
    options.extend(b"\x4d\x04iPXE");
    let mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
    message(1, mac, Ipv4Addr::UNSPECIFIED, &options)
}

#[test]
#[ignore = "needs root"]
fn in_proxy_mode_ipxe_that_takes_an_address_is_told_that_there_is_no_ipv6_router() {
    let switch = Switch::new();
    let servers = switch.host("eth1", Some(SERVER));
    let clients = switch.host("eth0", None);
    // Its link-local address is made of this, as iPXE's is.
    become_machine(&clients);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let _server = Server::start(&servers, scratch.path(), PROXY, 3);
    let frames = frames(&clients, "eth0");
    let moment = nix::sys::time::TimeVal::new(0, 200_000);
    setsockopt(&frames, sockopt::ReceiveTimeout, &moment).expect("a time");
    let client = port(&clients, "eth0", 68);
    let mut bytes = [0; 2048];
    loop {
        // Both ends have no address of IPv6 before they know that nobody else has it.
        broadcast(&client, 67, &ipxe_takes(101));
        let Ok(length) = recv(frames.as_raw_fd(), &mut bytes, MsgFlags::empty()) else {
            continue;
        };
        let frame = &bytes[..length];
        // ICMPv6, type 134: a router advertisement (RFC 4861 section 4.2), of no lifetime.
        if frame[12..14] == [0x86, 0xdd] && frame[20] == 58 && frame[54] == 134 {
            assert_eq!(frame[..6], [0x52, 0x54, 0, 0x12, 0x34, 0x56]);
            assert_eq!(frame[60..62], [0, 0]);
            return;
        }
    }
}

#[test]
#[ignore = "needs root, and the Debian package curl"]
fn in_proxy_mode_a_download_is_booked_to_the_machine_that_was_heard_with_the_address() {
    let switch = Switch::new();
    let servers = switch.host("eth1", Some(SERVER));
    let machine = switch.host("eth0", Some("192.168.100.101/24"));
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&servers, scratch.path(), PROXY, 3);
    broadcast(&port(&machine, "eth0", 68), 67, &ipxe_takes(101));
    server.wait_for(|log| log.contains(&format!("DHCPREQUEST(eth1) 192.168.100.101 {MAC}")));
    let line = [
        "-s",
        "-o",
        "/dev/null",
        "http://192.168.100.1/images/nothing/bzImage",
    ];
    machine.output("curl", line).expect("curl");
    let booked = format!("HTTP {MAC} 192.168.100.101 /images/nothing/bzImage: 404");
    server.wait_for(|log| log.contains(&booked));
}

#[test]
#[ignore = "needs root, and the Debian package curl"]
fn beside_another_server_a_state_is_for_the_machine_that_the_neighbour_table_names() {
    const STATE: &str = "http://192.168.100.1/states/node-01.json";
    let switch = Switch::new();
    let servers = switch.host("eth1", Some(SERVER));
    let node = switch.host("eth0", Some("192.168.100.101/24"));
    let stranger = switch.host("eth2", Some("192.168.100.102/24"));
    let set = node.ip(&format!("link set eth0 address {MAC}"));
    set.expect("ip of iproute2");
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let asked = |by: &Namespace| {
        let line = ["-s", "-o", "/dev/null", "-w", "%{http_code}", STATE];
        let output = by.output("curl", line).expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let with_state = PROXY.replace("config = \"debian\"", "state = { secret = 1 }");
    for (identify, expected) in [("lease", "404"), ("neighbour", "200")] {
        let mode = format!("mode = \"proxy\"\n    identify = \"{identify}\"");
        let config = with_state.replace("mode = \"proxy\"", &mode);
        let state = scratch.path().join(identify);
        let _server = Server::start(&servers, &state, &config, 3);
        assert_eq!(asked(&node), expected, "identify = {identify}");
        assert_eq!(asked(&stranger), "404", "identify = {identify}");
    }
}

//! Clients that others wrote ask this server, in network namespaces.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process;

use netboot_dhcp::Timestamp;
use netboot_dhcp::client::{Client, Output, Profile};
use netboot_dhcp::value::Arch;
use netboot_dhcp::wire::MessageView;
use netboot_server::lab::Namespace;
use tempfile::TempDir;

use crate::server::{INSTALLER, MAC, PATIENCE, Server, add_debian};

const CONFIG: &str = r#"
    [netboot.server]
    ip = "192.168.100.1"
    interface = "eth1"
    dns = ["192.168.100.1"]
    domain = "lab.example"
    dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
    [[netboot.targets]]
    name = "proxmox-node-01"
    mac = "52:54:00:12:34:56"
    ip = "192.168.100.101"
"#;

/// A server on one end of a cable, and a host with clients on the other.
struct Cable {
    server: Server,
    clients: Namespace,
    // A namespace takes its programs and cables with it.
    _servers: Namespace,
    scratch: TempDir,
}

/// What the host with the clients starts from.
#[derive(PartialEq)]
enum Address {
    None,
    Static,
}

impl Cable {
    fn new(address: Address) -> Self {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let state = scratch.path().join("state");
        add_debian(&state, "interop");
        let servers = Namespace::new().expect("a network namespace; this test needs root");
        let clients = Namespace::new().expect("a network namespace");
        servers.link("eth1", &clients, "eth0").expect("a veth pair");
        // Link-local addresses at once, not after a second of looking for another owner.
        for (namespace, interface) in [(&servers, "eth1"), (&clients, "eth0")] {
            let setting = format!("/proc/sys/net/ipv6/conf/{interface}/accept_dad");
            let written = namespace.run(|| std::fs::write(setting, "0"));
            written.expect("IPv6 in the kernel");
        }
        for (namespace, words) in [
            (&servers, "addr add 192.168.100.1/24 dev eth1"),
            (&servers, "link set eth1 up"),
            (&clients, "link set eth0 address 52:54:00:12:34:56"),
            (&clients, "link set eth0 up"),
        ] {
            namespace.ip(words).expect("ip of iproute2");
        }
        if address == Address::Static {
            let add = "addr add 192.168.100.101/24 dev eth0";
            clients.ip(add).expect("ip of iproute2");
        }
        let server = Server::start(&servers, &state, CONFIG, 3);
        Self {
            server,
            clients,
            _servers: servers,
            scratch,
        }
    }

    /// Runs a client to its end, as a shell has it, in the scratch folder; gives both its outputs.
    fn run(&self, line: &str) -> (process::Output, String) {
        let line = format!("cd {} && {line}", self.scratch.path().display());
        let output = self
            .clients
            .output("timeout", ["60", "sh", "-c", &line])
            .expect("a shell");
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        (output, String::from_utf8_lossy(&text).into_owned())
    }

    /// The same, for a client that has to succeed.
    fn succeed(&self, line: &str) -> String {
        let (output, text) = self.run(line);
        assert!(
            output.status.success(),
            "{line}: {}\n{text}\nthe server's log:\n{}",
            output.status,
            self.server.log()
        );
        text
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.scratch.path().join(file)).expect("the client wrote it")
    }
}

fn distribution(program: &str) -> Vec<u8> {
    std::fs::read(Path::new("/usr/lib/ipxe").join(program)).expect("the Debian package ipxe")
}

fn assert_same(what: &str, got: &[u8], expected: &[u8]) {
    assert!(
        got == expected,
        "{what}: {} bytes that differ from the {} expected",
        got.len(),
        expected.len()
    );
}

#[test]
#[ignore = "needs root, and the Debian packages udhcpc and debian-installer-12-netboot-amd64"]
fn udhcpc_gets_its_reservation_and_releases_it() {
    let cable = Cable::new(Address::None);
    // Once bound it is told to end, and with -R releases its lease then.
    let script = "#!/bin/sh\n\
        echo \"$1 ip=$ip mask=$mask router=$router dns=$dns domain=$domain serverid=$serverid\" \
        \"lease=$lease hostname=$hostname\"\n\
        [ \"$1\" != bound ] || { ip addr add $ip/$mask dev $interface; kill $PPID; }\n";
    let path = cable.scratch.path().join("script");
    std::fs::write(&path, script).expect("a script");
    let printed = cable.succeed("chmod +x script && udhcpc -i eth0 -n -f -R -O 12 -s ./script");
    for part in [
        "bound ip=192.168.100.101 mask=24",
        "router=192.168.100.1",
        "dns=192.168.100.1",
        "domain=lab.example",
        "serverid=192.168.100.1",
        "lease=43200",
        "hostname=proxmox-node-01",
    ] {
        assert!(printed.contains(part), "no {part} in:\n{printed}");
    }
    let log = |wanted: &'static str| {
        move |log: &str| {
            log.lines()
                .any(|line| line.contains(wanted) && line.contains("52:54:00:12:34:56"))
        }
    };
    cable.server.wait_for(log("DHCPACK(eth1) 192.168.100.101"));
    cable.server.wait_for(log("DHCPRELEASE(eth1)"));
}

#[test]
#[ignore = "needs root, and the Debian packages isc-dhcp-client and \
            debian-installer-12-netboot-amd64"]
fn dhclient_binds_and_asks_again_for_the_same_address() {
    let cable = Cable::new(Address::None);
    let dhclient = "dhclient -4 -1 -v -d -sf /bin/true -lf ./leases -pf ./pid eth0";
    let bound = format!("touch leases; timeout 15 {dhclient} 2>&1 | sed '/^bound to/q'");
    let printed = cable.succeed(&bound);
    assert!(
        printed.contains("bound to 192.168.100.101"),
        "{printed}\n{}",
        cable.server.log()
    );
    let lease = String::from_utf8(cable.read("leases")).expect("a lease file");
    for part in [
        "fixed-address 192.168.100.101",
        "option routers 192.168.100.1",
        "option domain-name \"lab.example\"",
        "option dhcp-server-identifier 192.168.100.1",
        "option host-name \"proxmox-node-01\"",
    ] {
        assert!(lease.contains(part), "no {part} in:\n{lease}");
    }
    // With its lease file there it starts in INIT-REBOOT and sends no DISCOVER.
    let again = cable.succeed(&bound);
    assert!(again.contains("DHCPACK of 192.168.100.101"), "{again}");
    assert!(!again.contains("DHCPDISCOVER"), "{again}");
}

#[test]
#[ignore = "needs root, and the Debian packages nmap and debian-installer-12-netboot-amd64"]
fn nmap_is_offered_an_address_of_the_range() {
    let cable = Cable::new(Address::Static);
    let printed = cable.succeed("nmap --script broadcast-dhcp-discover -e eth0");
    for part in [
        "IP Offered: 192.168.100.1",
        "DHCP Message Type: DHCPOFFER",
        "Server Identifier: 192.168.100.1",
        "Subnet Mask: 255.255.255.0",
        "Router: 192.168.100.1",
    ] {
        assert!(printed.contains(part), "no {part} in:\n{printed}");
    }
}

#[test]
#[ignore = "needs root, and the Debian packages tftp-hpa, atftp, curl, busybox, ipxe and \
            debian-installer-12-netboot-amd64"]
fn tftp_clients_fetch_a_boot_program_whole() {
    let cable = Cable::new(Address::Static);
    let expected = distribution("ipxe.efi");
    for (index, line) in [
        "tftp 192.168.100.1 -c get ipxe.efi out",
        "tftp 192.168.100.1 -m binary -c get ipxe.efi out",
        "tftp -m binary 192.168.100.1 -c get ipxe.efi out",
        "atftp --get -r ipxe.efi -l out 192.168.100.1",
        "atftp --option 'blksize 1428' --option 'tsize 0' --get -r ipxe.efi -l out 192.168.100.1",
        "atftp --option 'blksize 1428' --option 'windowsize 16' --get -r ipxe.efi -l out \
         192.168.100.1",
        "atftp --option 'blksize 512' --option 'timeout 3' --get -r /ipxe.efi -l out 192.168.100.1",
        "curl -sS -o out tftp://192.168.100.1/ipxe.efi",
        "curl -sS --tftp-blksize 1024 -o out tftp://192.168.100.1/ipxe.efi",
        "curl -sS --tftp-no-options -o out tftp://192.168.100.1/ipxe.efi",
        "busybox tftp -g -r ipxe.efi -l out 192.168.100.1",
        "busybox tftp -g -b 1428 -r ipxe.efi -l out 192.168.100.1",
    ]
    .into_iter()
    .enumerate()
    {
        cable.succeed(&format!("rm -f out && {line}"));
        assert_same(line, &cable.read("out"), &expected);
        let sent = |log: &str| {
            log.matches("sent ipxe.efi: ").count() + log.matches("sent /ipxe.efi: ").count()
        };
        cable.server.wait_for(|log| sent(log) > index);
    }
    cable
        .server
        .assert_logged(&["sent ipxe.efi", "blksize 1428, windowsize 16"]);
}

#[test]
#[ignore = "needs root, and the Debian packages tftp-hpa, curl and \
            debian-installer-12-netboot-amd64"]
fn names_that_lead_out_are_refused_by_tftp_and_http() {
    let cable = Cable::new(Address::Static);
    let state = cable.scratch.path().join("state");
    std::os::unix::fs::symlink("../leases", state.join("tftp/leak")).expect("a link");
    for name in [
        "../leases",
        "/etc/passwd",
        "leak",
        "..\\leases",
        "x/../../leases",
    ] {
        let (_, text) = cable.run(&format!(
            "rm -f out && tftp 192.168.100.1 -c get '{name}' out"
        ));
        assert!(text.contains("Error code"), "{name}: {text}");
        let length =
            std::fs::metadata(cable.scratch.path().join("out")).map_or(0, |data| data.len());
        assert_eq!(length, 0, "{name}");
    }
    for path in [
        "/../leases",
        "/images/../../../leases",
        "/images/%2e%2e/%2e%2e/leases",
        "/leak",
        "//etc/passwd",
        "/images/debian/../../../leases",
    ] {
        let status = cable.succeed(&format!(
            "curl -s --path-as-is -o out -w '%{{http_code}}' 'http://192.168.100.1{path}'"
        ));
        assert!(
            ["400", "404"].contains(&status.as_str()),
            "{path}: {status}"
        );
    }
}

#[test]
#[ignore = "needs root, and the Debian packages tftp-hpa, curl, ipxe and \
            debian-installer-12-netboot-amd64"]
fn the_guides_check_commands_work_word_for_word() {
    let cable = Cable::new(Address::Static);
    cable.succeed("tftp 192.168.100.1 -c get ipxe.efi FILE");
    assert_same("FILE", &cable.read("FILE"), &distribution("ipxe.efi"));
    let menu = cable.succeed("curl -sS http://192.168.100.1/boot.ipxe");
    assert!(menu.starts_with("#!ipxe\n"), "{menu}");
    let kernel = "http://192.168.100.1/images/debian/@1/bzImage";
    assert!(menu.contains(kernel), "{menu}");
    let head = cable.succeed("curl -sS -I http://192.168.100.1/images/debian/bzImage");
    let size = std::fs::metadata(format!("{INSTALLER}/linux"))
        .expect("the kernel")
        .len();
    for part in [
        "HTTP/1.1 200 OK".to_owned(),
        format!("Content-Length: {size}"),
        "Accept-Ranges: bytes".to_owned(),
        "Etag: \"".to_owned(),
    ] {
        assert!(head.contains(&part), "no {part} in:\n{head}");
    }
    let store = cable.scratch.path().join("state/http/images/debian");
    let summed = cable.succeed(&format!(
        "cd {} && sha256sum -c SHA256SUMS",
        store.display()
    ));
    assert_eq!(summed, "bzImage: OK\ninitrd: OK\nmanifest.json: OK\n");
    // And over the network, the kernel in two halves.
    let base = "http://192.168.100.1/images/debian";
    cable.succeed(&format!(
        "curl -sS -O {base}/SHA256SUMS -O {base}/manifest.json -O {base}/initrd && \
         curl -sS -r 0-999999 -o bzImage {base}/bzImage && curl -sS -C - -o bzImage {base}/bzImage"
    ));
    let summed = cable.succeed("sha256sum -c SHA256SUMS");
    assert_eq!(summed, "bzImage: OK\ninitrd: OK\nmanifest.json: OK\n");
}

/// DISCOVER to ACK as iPXE asks, over a socket in the clients' namespace.
fn ipxe_gets_its_lease(cable: &Cable) {
    let socket = cable.clients.run(|| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)
            .expect("a socket");
        socket.bind_device(Some(b"eth0")).expect("the interface");
        socket.set_broadcast(true).expect("broadcast");
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
        socket.bind(&any.into()).expect("port 68");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        UdpSocket::from(socket)
    });
    let mut profile = Profile::ipxe(MAC.parse().expect("a MAC address"), Arch::X86_BIOS);
    // What is sent to the address that it does not have yet passes by this host's sockets.
    profile.broadcast = true;
    let mut client = Client::new(Timestamp(0), profile, 0x5eed);
    let mut buffer = [0; 2048];
    loop {
        match client
            .poll_output(Timestamp(0))
            .expect("a message that fits")
        {
            Output::Transmit(message) => {
                let sent = socket.send_to(&message.bytes, message.destination);
                sent.expect("the cable is plugged in");
            }
            Output::Wait(_) => {
                let (length, from) = socket.recv_from(&mut buffer).expect("an answer");
                let SocketAddr::V4(from) = from else {
                    unreachable!("an IPv4 socket")
                };
                let message = MessageView::decode(&buffer[..length]).expect("a DHCP message");
                client.handle_input(Timestamp(0), from, &message);
            }
            Output::Done(_) => return,
            Output::Failed(failure) => panic!("{failure}"),
        }
    }
}

#[test]
#[ignore = "needs root and the Debian package debian-installer-12-netboot-amd64"]
fn ipxe_is_told_that_there_is_no_ipv6_router() {
    let cable = Cable::new(Address::None);
    let icmp = cable.clients.run(|| {
        let (kind, protocol) = (socket2::Type::RAW, socket2::Protocol::ICMPV6);
        let socket = socket2::Socket::new(socket2::Domain::IPV6, kind, Some(protocol))
            .expect("a raw socket");
        socket.bind_device(Some(b"eth0")).expect("the interface");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    });
    ipxe_gets_its_lease(&cable);
    let mut packet = [0; 256];
    let length = loop {
        let length = (&icmp)
            .read(&mut packet)
            .expect("a router advertisement in time");
        if packet[0] == 134 {
            break length;
        }
    };
    // Type and code, the checksum, then a router lifetime of zero and no option behind the header.
    assert_eq!(packet[..2], [134, 0]);
    assert_eq!(packet[4..length], [0; 12]);
}

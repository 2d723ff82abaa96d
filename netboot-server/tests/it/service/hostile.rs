//! Datagrams and log lines that strangers make up.

use super::*;
use crate::support::PATIENCE;

/// Numbers that are the same in every run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let length = self.next() % (most + 1);
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

#[test]
fn hostile_datagrams_stop_nothing_and_flood_nothing() {
    let site = site();
    let mut serving = Running::serve(&site);
    let socket = UdpSocket::bind((STRANGER, 0)).expect("a loopback address");
    let send = |port: u16, bytes: &[u8]| {
        socket.send_to(bytes, (SERVER, port)).expect("a datagram");
    };
    let good = discover(&[12, 5, b'h', b'e', b'l', b'l', b'o', 93, 2, 0, 7]);
    let request = b"\0\x01undionly.kpxe\0octet\0blksize\x001428\0tsize\x000\0windowsize\x0016\0";
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..1500_usize {
        send(site.ports.dhcp, &numbers.bytes(600));
        send(site.ports.tftp, &numbers.bytes(100));
        // Cut off, and with one byte wrong.
        send(site.ports.dhcp, &good[..round % good.len()]);
        send(site.ports.tftp, &request[..round % request.len()]);
        let mut wrong = good.clone();
        let at = round % wrong.len();
        wrong[at] = numbers.next().to_le_bytes()[0];
        send(site.ports.dhcp, &wrong);
        if round % 50 == 0 {
            // It is still there, and what was sent does not pile up.
            assert_eq!(get(&site, STRANGER, "/healthz").status, 200);
        }
    }
    let bound = lease_as(&site, Profile::pxe_bios(mac(1)));
    assert_eq!(bound.address, NODE);
    let program = tftp(&site, NODE, b"undionly.kpxe").expect("a program");
    assert_eq!(program.len(), 1400);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code(), Some(0));
    let log = serving.seen.join("\n");
    assert!(!log.contains("panicked"), "{log}");
    let warnings = serving
        .seen
        .iter()
        .filter(|line| line.contains(" WARN "))
        .count();
    assert!(warnings < 200, "{warnings} lines:\n{log}");
    assert!(
        log.contains("DHCP") && log.contains("malformed dropped"),
        "{log}"
    );
}

#[test]
fn a_stranger_cannot_forge_lines_of_the_log() {
    let site = site();
    let mut serving = Running::serve(&site);
    let socket = UdpSocket::bind((STRANGER, 0)).expect("a loopback address");
    let evil = b"x\n2026-01-01T00:00:00Z  INFO forged\x1b[31m";
    let mut options = vec![12, u8::try_from(evil.len()).expect("short")];
    options.extend(evil);
    options.extend([60, u8::try_from(evil.len()).expect("short")]);
    options.extend(evil);
    socket
        .send_to(&discover(&options), (SERVER, site.ports.dhcp))
        .expect("a datagram");
    let mut name = evil.to_vec();
    let _ = tftp(&site, STRANGER, &name);
    name.splice(1..2, "\u{2028}".bytes());
    let _ = tftp(&site, STRANGER, &name);
    let _ = tftp(&site, STRANGER, &b"long/".repeat(80));
    let long = "a".repeat(10_000);
    for path in [
        "/x%0aforged",
        "/x%1b[31mforged",
        "/x%e2%80%a8forged%e2%80%ae",
        "/images/x%e2%80%a8forged/y",
        &format!("/images/{long}/{long}"),
        &format!("/{long}"),
        "/states/x%e2%80%a8forged.json",
    ] {
        get(&site, STRANGER, path);
    }
    let mut request = b"\0\x01".to_vec();
    request.extend(b"n".repeat(60_000));
    request.extend(b"\0octet\0");
    socket
        .send_to(&request, (SERVER, site.ports.tftp))
        .expect("a datagram");
    serving.line("nnnnnnnn");
    assert!(tftp(&site, STRANGER, b"the-end").is_err());
    serving.line("the-end");
    serving.signal(Signal::SIGTERM);
    serving.end();
    for line in &serving.seen {
        let words: Vec<_> = line.split(' ').take(3).collect();
        let time: Result<jiff::Timestamp, _> = match words[..] {
            [date, time, offset] => format!("{date}T{time}{offset}").parse(),
            _ => panic!("{line}"),
        };
        assert!(time.is_ok() && !line.starts_with("2026-01-01"), "{line}");
        assert!(!line.contains(['\x1b', '\u{2028}', '\u{202e}']), "{line}");
        assert!(line.len() < 1000, "{} bytes: {line}", line.len());
    }
}

#[test]
fn each_step_of_a_boot_is_one_line_with_the_machine() {
    let site = site();
    site.add("debian", "one");
    let mut serving = Running::serve(&site);
    serving.seen.clear();
    let firmware = lease_as(&site, Profile::pxe_bios(mac(1)));
    // The client is through a step before its line is there: each is waited for.
    serving.line("DHCPACK");
    tftp(&site, firmware.address, b"undionly.kpxe").expect("a program");
    serving.line("sent undionly.kpxe");
    let ipxe = lease_as(&site, Profile::ipxe(mac(1), Arch::X86_BIOS));
    serving.line("DHCPACK");
    let url = ipxe.file.expect("a script's URL");
    let (_, path) = url.rsplit_once('/').expect("a path");
    get(&site, ipxe.address, &format!("/{path}"));
    serving.line("/boot.ipxe: 200");
    for file in ["bzImage", "initrd"] {
        get(&site, ipxe.address, &format!("/images/debian/@1/{file}"));
        serving.line(&format!("@1/{file}: 200"));
    }
    let lines: Vec<String> = serving
        .seen
        .iter()
        .filter_map(|line| line.split_once("  INFO "))
        .map(|(_, line)| without_times(line))
        .filter(|line| !line.starts_with("netboot."))
        .filter(|line| !line.ends_with(": listening") && !line.ends_with(": serving"))
        .filter(|line| !line.contains(": holds no boot program for "))
        .collect();
    let script = format!(
        "http://127.0.0.1:{}/boot.ipxe?mac=02-00-00-00-00-01",
        site.ports.http
    );
    assert_eq!(url, script);
    let dhcp =
        |message: &str, tail: &str| format!("{message}(lo) 127.0.0.50 02:00:00:00:00:01{tail}");
    assert_eq!(
        lines,
        [
            "DHCPDISCOVER(lo) 127.0.0.50 02:00:00:00:00:01".into(),
            dhcp("DHCPOFFER", " boots undionly.kpxe"),
            dhcp("DHCPREQUEST", " node-01"),
            dhcp("DHCPACK", " node-01 boots undionly.kpxe"),
            "TFTP 02:00:00:00:00:01 127.0.0.50 sent undionly.kpxe: 1400 bytes in N ms, blksize \
             512, windowsize 1, N retransmitted"
                .into(),
            "DHCPDISCOVER(lo) 127.0.0.50 02:00:00:00:00:01".into(),
            dhcp("DHCPOFFER", &format!(" boots {script}")),
            dhcp("DHCPREQUEST", " node-01"),
            dhcp("DHCPACK", &format!(" node-01 boots {script}")),
            format!(
                "HTTP 02:00:00:00:00:01 127.0.0.50 /boot.ipxe: image debian @1: it is target \
                 node-01 ({}: netboot.targets[0]); its target names image debian",
                site.config().display()
            ),
            "HTTP 02:00:00:00:00:01 127.0.0.50 /boot.ipxe: 200, N bytes in N ms".into(),
            "HTTP 02:00:00:00:00:01 127.0.0.50 /images/debian/@1/bzImage: 200, 1088 bytes in N ms"
                .into(),
            "HTTP 02:00:00:00:00:01 127.0.0.50 /images/debian/@1/initrd: 200, 10 bytes in N ms"
                .into(),
        ],
        "{:#?}",
        serving.seen
    );
}

/// A line with its milliseconds, what a busy machine sent again, and the script's length, as N.
fn without_times(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let words = words.iter().enumerate().map(|(index, word)| {
        let next = words.get(index + 1).copied().unwrap_or_default();
        let script = line.contains("/boot.ipxe: 200");
        match next {
            "ms" | "ms," | "retransmitted" => "N",
            "bytes" if script => "N",
            _ => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A server, and the pipe that its log goes to.
fn serve_with_log(site: &Site) -> (std::process::Child, std::process::ChildStderr) {
    let mut child = netboot(site.arguments(["serve"]))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the command");
    let log = child.stderr.take().expect("a pipe");
    (child, log)
}

#[test]
fn a_server_whose_log_nobody_reads_goes_on() {
    let site = site();
    let (mut child, log) = serve_with_log(&site);
    drop(log);
    crate::support::wait_until("it listens", || {
        std::net::TcpStream::connect((SERVER, site.ports.http)).is_ok()
    });
    assert_eq!(lease(&site, 1).address, NODE);
    assert_eq!(get(&site, NODE, "/states/node-01.json").status, 200);
    let pid = i32::try_from(child.id()).expect("a process number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM).expect("a process");
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}

#[test]
fn an_address_without_a_lease_is_sent_the_start_of_a_file_twice_and_no_more() {
    let site = site();
    let _serving = Running::serve(&site);
    let node = lease_as(&site, Profile::pxe_bios(mac(1))).address;
    let ask = |from: Ipv4Addr| {
        let socket = UdpSocket::bind((from, 0)).expect("a loopback address");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        let request = b"\0\x01undionly.kpxe\0octet\0";
        socket
            .send_to(request, (SERVER, site.ports.tftp))
            .expect("a datagram");
        socket
    };
    let block = |socket: &UdpSocket| {
        let mut bytes = [0; 1024];
        let length = socket.recv(&mut bytes)?;
        assert_eq!(bytes[..4], [0, 3, 0, 1], "{length} bytes");
        std::io::Result::Ok(())
    };
    let stranger = ask(STRANGER);
    block(&stranger).expect("block 1");
    // Asks later, and so has each of its packets after the stranger would have had it.
    let machine = ask(node);
    for _ in 0..5 {
        block(&machine).expect("block 1 again");
    }
    block(&stranger).expect("block 1 once more");
    stranger.set_nonblocking(true).expect("an option");
    let more = block(&stranger).map_err(|error| error.kind());
    assert_eq!(more, Err(std::io::ErrorKind::WouldBlock));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a rate of a running server")]
fn an_address_of_another_link_is_sent_so_many_replies_a_second_whoever_asks() {
    let site = site();
    // The second is reached through relay agents, of which none is listed.
    let more = json!({
        "server": {
            "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/24",
            "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" },
        },
        "networks": [{
            "name": "far", "server": SERVER, "subnet": "127.7.0.0/16",
            "ranges": [{ "start": "127.7.1.0", "end": "127.7.9.255" }],
        }],
    });
    site.configure(&targets(), more);
    let mut serving = Running::serve(&site);
    let socket = UdpSocket::bind((STRANGER, 0)).expect("a loopback address");
    let began = std::time::Instant::now();
    for number in 0..2000_u16 {
        let mut message = discover(&[]);
        message[24..28].copy_from_slice(&[127, 7, 0, 66]);
        message[32..34].copy_from_slice(&number.to_be_bytes());
        let sent = socket.send_to(&message, (SERVER, site.ports.dhcp));
        sent.expect("a datagram");
        if number % 100 == 0 {
            // What was sent is looked at by then, and none of it dropped.
            lease(&site, 1);
        }
    }
    let seconds = began.elapsed().as_secs() + 2;
    serving.said("too many replies to one address of another link");
    let metrics = Connection::to(STRANGER, site.ports.admin).ask("GET", "/metrics", &[]);
    let offers = "netboot_dhcp_messages_total{outcome=\"sent\",type=\"DHCPOFFER\"} ";
    let mut lines = metrics.text().lines();
    let offers = lines.find_map(|line| line.strip_prefix(offers));
    let offers: u64 = offers.expect("a number").parse().expect("a number");
    // Beside them each lease had one.
    assert!(
        (64..=64 * seconds + 20).contains(&offers),
        "{offers} in {seconds} seconds"
    );
}

#[test]
fn a_server_whose_log_is_not_read_gives_addresses_and_ends_when_it_is_told() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let site = site();
        let (mut child, unread) = serve_with_log(&site);
        // A pipe holds 64 KiB, unless it is told to hold a page.
        let page = nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096);
        nix::fcntl::fcntl(&unread, page).expect("a smaller pipe");
        crate::support::wait_until("it listens", || {
            std::net::TcpStream::connect((SERVER, site.ports.http)).is_ok()
        });
        for last in 1..50 {
            let client = Ipv4Addr::new(127, 0, 3, last);
            for _ in 0..4 {
                assert_eq!(get(&site, client, "/healthz").status, 200);
            }
        }
        assert_eq!(lease(&site, 1).address, NODE);
        assert_eq!(get(&site, NODE, "/states/node-01.json").status, 200);
        let pid = i32::try_from(child.id()).expect("a process number");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("a process");
        crate::support::wait_until("it ends", || child.try_wait().expect("a child").is_some());
        assert_eq!(child.wait().expect("a child").code(), Some(0));
        drop(unread);
    }
}

#[test]
fn a_flood_of_discovers_hides_no_word_of_an_install() {
    let install = json!([{ "name": "node-01", "mac": mac(1), "install": { "image": "debian" } }]);
    let site = Site::new(&install);
    let mut serving = Running::serve(&site);
    serving.said("API and metrics on");
    let flood = {
        let (http, dhcp) = (site.ports.http, site.ports.dhcp);
        let (over, is_over) = std::sync::mpsc::channel::<()>();
        let sent = std::thread::spawn(move || {
            let socket = UdpSocket::bind((STRANGER, 0)).expect("a loopback address");
            let mut message = discover(&[]);
            let mut number = 0_u32;
            // It ends with the test, however that does.
            while is_over.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                number += 1;
                message[30..34].copy_from_slice(&number.to_be_bytes());
                let _ = socket.send_to(&message, (SERVER, dhcp));
                // So that as much is answered as is sent.
                if number.is_multiple_of(200) {
                    Connection::to(STRANGER, http).ask("GET", "/healthz", &[]);
                }
            }
        });
        (over, sent)
    };
    serving.line("were left out, as they were too many");
    let done = site.run(["machine", "node-01", "installed"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    serving.line("install 1: node-01 is installed, as the operator says");
    serving.line("were left out, as they were too many");
    drop(flood.0);
    flood.1.join().expect("a flood");
    let events = site.run(["events", "--json"]);
    assert!(
        events.out.contains("\"kind\":\"install\""),
        "{}",
        events.out
    );
}

//! The running server over real sockets, on the loopback interface and unprivileged ports: HTTP,
//! TFTP, DHCP, who is who, what survives, and what strangers can do.

mod support;

use std::io::Read;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::symlink;

use netboot_dhcp::client::Profile;
use netboot_dhcp::value::Arch;
use netboot_image::Digest;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::client::{Connection, get, lease, lease_as, mac, tftp};
use support::{Reads, Running, SERVER, Site, netboot, write};

/// Machine 1 is a target with an address of its own.
const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 50);
/// An address that nobody has leased.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

fn targets() -> Value {
    json!([
        { "name": "node-01", "mac": mac(1), "ip": NODE, "config": "debian",
          "cmdline": "host={name} ip={ip} state={state-digest}",
          "state": { "plugins": { "net": ["eth0"] } } },
        { "name": "node-02", "mac": mac(2), "config": "missing", "state": { "secret": 2 } },
    ])
}

fn site() -> Site {
    let site = Site::new(&targets());
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    write(&programs, "undionly.kpxe", &b"a boot program".repeat(100));
    write(&programs, "snponly.efi", b"another");
    site
}

#[test]
fn http_gives_an_image_whole_in_part_or_not_again() {
    let site = site();
    let (kernel, initrd) = site.add("debian", "one");
    let _serving = Running::serve(&site);
    // All of it over one connection, so that every answer ends exactly where it says.
    let mut http = Connection::from(&site, STRANGER);
    let path = "/images/debian/bzImage";
    let whole = http.ask("GET", path, &[]);
    assert_eq!(whole.status, 200);
    assert_eq!(whole.body, kernel);
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("cache-control"), "no-cache");
    let etag = whole.header("etag").to_owned();
    assert!(etag.len() == 66 && etag.starts_with('"'), "{etag}");

    let head = http.ask("HEAD", path, &[]);
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), kernel.len().to_string());
    assert_eq!(head.header("etag"), etag);

    let part = http.ask("GET", path, &[("Range", "bytes=1024-1026")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &b"one"[..]));
    assert_eq!(part.header("content-range"), "bytes 1024-1026/1088");

    let held = [("Range", "bytes=1024-1026"), ("If-Range", etag.as_str())];
    assert_eq!(http.ask("GET", path, &held).body, b"one");
    let stale = [("Range", "bytes=1024-1026"), ("If-Range", "\"other\"")];
    let answer = http.ask("GET", path, &stale);
    assert_eq!((answer.status, answer.body), (200, kernel.clone()));

    let behind = http.ask("GET", path, &[("Range", "bytes=1088-")]);
    assert_eq!(behind.status, 416);
    assert_eq!(behind.header("content-range"), "bytes */1088");
    let known = http.ask("GET", path, &[("If-None-Match", &etag)]);
    assert_eq!((known.status, known.header("etag")), (304, etag.as_str()));
    let other = http.ask("GET", path, &[("If-Match", "\"other\"")]);
    assert_eq!(other.status, 412);

    let post = http.ask("POST", path, &[("Content-Length", "0")]);
    assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"));
    assert_eq!(http.ask("HEAD", "/nothing", &[]).status, 404);
    assert_eq!(http.ask("GET", "/healthz", &[]).body, b"ok\n");
    assert_eq!(http.ask("GET", "/images/debian/initrd", &[]).body, initrd);
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let site = site();
    let (kernel, _) = site.add("debian", "one");
    let _serving = Running::serve(&site);
    let mut http = Connection::from(&site, STRANGER);
    http.send(b"GET /images/debian/bzImage HTTP/1.0\r\n\r\n");
    let answer = http.answer(false);
    assert_eq!((answer.status, answer.body), (200, kernel));
    assert_eq!(http.rest(), b"");
}

#[test]
fn text_is_compressed_for_who_takes_it_and_images_never_are() {
    let site = site();
    let (kernel, _) = site.add("debian", "one");
    let _serving = Running::serve(&site);
    let mut http = Connection::from(&site, STRANGER);
    let plain = http.ask("GET", "/boot.ipxe", &[]);
    assert!(plain.body.len() > 1024, "{}", plain.text());
    assert_eq!(plain.header("content-encoding"), "");
    let takes = ("Accept-Encoding", "br, gzip;q=0.5");
    let gzip = http.ask("GET", "/boot.ipxe", &[takes]);
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert!(gzip.body.len() < plain.body.len() / 2);
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(gzip.body.as_slice())
        .read_to_end(&mut text)
        .expect("gzip");
    assert_eq!(text, plain.body);
    // A cache between must not give one form in place of the other.
    let etag = gzip.header("etag").to_owned();
    assert_ne!(etag, plain.header("etag"));
    for answer in [&plain, &gzip] {
        assert_eq!(answer.header("vary"), "accept-encoding");
    }
    let head = http.ask("HEAD", "/boot.ipxe", &[takes]);
    assert_eq!(head.header("content-length"), gzip.body.len().to_string());
    let known = http.ask("GET", "/boot.ipxe", &[takes, ("If-None-Match", &etag)]);
    assert_eq!(known.status, 304);
    // Parts are of the text as it is.
    let part = http.ask("GET", "/boot.ipxe", &[takes, ("Range", "bytes=0-5")]);
    assert_eq!((part.status, part.text()), (206, "#!ipxe"));
    assert_eq!(part.header("content-encoding"), "");

    for path in ["/images/debian/bzImage", "/undionly.kpxe"] {
        let image = http.ask("GET", path, &[takes]);
        assert_eq!(image.header("content-encoding"), "", "{path}");
        assert_eq!(image.header("vary"), "", "{path}");
    }
    let image = http.ask("GET", "/images/debian/bzImage", &[takes]);
    assert_eq!(image.body, kernel);
}

#[test]
fn double_slashes_are_folded_without_a_redirect_and_types_are_told() {
    let site = site();
    site.add("debian", "one");
    let _serving = Running::serve(&site);
    for (path, media_type) in [
        ("//boot.ipxe", "text/plain; charset=utf-8"),
        ("/autoexec.ipxe", "text/plain; charset=utf-8"),
        ("//images///debian//@1/bzImage", "application/octet-stream"),
        ("/images/debian/%401/manifest.json", "application/json"),
        ("/images/debian/SHA256SUMS", "text/plain; charset=utf-8"),
        ("//snponly.efi", "application/efi"),
        ("/undionly.kpxe", "application/octet-stream"),
    ] {
        let answer = get(&site, STRANGER, path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), media_type, "{path}");
    }
}

#[test]
fn what_is_no_http_is_refused_and_the_next_client_is_served() {
    let site = site();
    let mut serving = Running::serve(&site);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    for request in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"GET /\n\0 HTTP/1.1\r\n\r\n",
        many.as_bytes(),
        long.as_bytes(),
    ] {
        let mut http = Connection::from(&site, STRANGER);
        http.send(request);
        let status = http.answer(false).status;
        assert!((400..500).contains(&status), "{status}");
    }
    assert_eq!(get(&site, STRANGER, "/healthz").status, 200);
    let told = serving.line("HTTP 1 malformed dropped");
    assert!(told.contains(" WARN "), "{told}");
}

#[test]
fn nothing_outside_what_is_served_comes_out() {
    const SECRET: &[u8] = b"what nobody may read";
    let site = site();
    site.add("debian", "one");
    let state = site.state();
    let images = state.join("http/images");
    let image = images.join("debian").canonicalize().expect("an image");
    let secret = write(site.folder.path(), "secret", SECRET);
    write(&images, "planted", SECRET);
    write(&image, "planted", SECRET);
    for (target, link) in [
        (secret.as_str(), image.join("link")),
        (&secret, images.join("link")),
        ("../../..", images.join("folder")),
        (&secret, state.join("tftp/link")),
        ("..", state.join("tftp/folder")),
    ] {
        symlink(target, link).expect("a link");
    }
    std::fs::create_dir(state.join("tftp/below")).expect("a folder");
    symlink(&secret, state.join("tftp/below/link")).expect("a link");
    let mut serving = Running::serve(&site);
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/%2E%2e%2fsecret",
        "/images/../../../secret",
        "/images/debian/../../../../secret",
        "/images/debian/..%2f..%2f..%2f..%2fsecret",
        "/images/debian/link",
        "/images/debian/planted",
        "/images/debian/@1/planted",
        "/images/link",
        "/images/planted",
        "/images/folder/secret",
        "/images/.store/images/debian/1/planted",
        "/images/.store/revision",
        "/images/debian/@1/../planted",
        "/images/debian%2fplanted",
        "/images/debian%00/planted",
        "/link",
        "/folder/secret",
        "/below/link",
        "/tftp/link",
        "/leases",
        "/configs/boot.ipxe",
        "/etc/passwd",
        "//etc/passwd",
        "/..\\secret",
        "/link%00.efi",
    ] {
        let answer = get(&site, STRANGER, path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        // Neither the secret nor where it is.
        let text = answer.text();
        let shown = site.folder.path().display().to_string();
        assert!(
            !text.contains("nobody") && !text.contains(&shown),
            "{path}: {text}"
        );
    }
    // A request line may hold a whole URL, or what is no path.
    for target in [
        format!("http://x{secret}"),
        format!("file://{secret}"),
        "*".into(),
    ] {
        let answer = get(&site, STRANGER, &target);
        assert!(matches!(answer.status, 400 | 404), "{target}: {answer:?}");
    }
    for name in [
        &b"../secret"[..],
        b"../../secret",
        b"..\\secret",
        b"below/../../secret",
        b"link",
        b"folder/secret",
        b"folder/leases",
        b"below/link",
        b"/etc/passwd",
        b"leases",
        b"",
        b"below",
        secret.as_bytes(),
    ] {
        let (code, text) = tftp(&site, STRANGER, name).expect_err("a refusal");
        assert!(matches!(code, 1 | 2), "{name:?}: {code} {text}");
        assert!(!text.contains('/'), "{name:?}: {text}");
    }
    let program = tftp(&site, STRANGER, b"undionly.kpxe").expect("a program");
    assert_eq!(program, b"a boot program".repeat(100));
    serving.line("undionly.kpxe: 1400 bytes");
}

#[test]
fn an_image_that_another_process_adds_is_served_at_once() {
    let site = site();
    let _serving = Running::serve(&site);
    let menu = || get(&site, STRANGER, "/boot.ipxe").text().to_owned();
    assert!(!menu().contains("/images/"), "{}", menu());
    let (first, _) = site.add("debian", "one");
    assert!(menu().contains("/images/debian/@1/bzImage"), "{}", menu());
    let (second, _) = site.add("debian", "two");
    assert!(menu().contains("/images/debian/@2/bzImage"), "{}", menu());
    assert!(!menu().contains("@1"), "{}", menu());
    let kernel = |path: &str| get(&site, STRANGER, path).body;
    assert_eq!(kernel("/images/debian/@1/bzImage"), first);
    assert_eq!(kernel("/images/debian/@2/bzImage"), second);
    assert_eq!(kernel("/images/debian/bzImage"), second);
    let shown = std::fs::read_to_string(site.state().join("configs/boot.ipxe"));
    assert!(
        shown
            .expect("the menu for people")
            .contains("/images/debian/@2/bzImage"),
        "the file is as the last menu"
    );
    let generation = Connection::from(&site, STRANGER).ask("HEAD", "/images/debian/@1/initrd", &[]);
    assert!(generation.header("cache-control").contains("immutable"));
}

#[test]
fn a_machine_is_known_by_its_lease_and_gets_its_image() {
    let site = site();
    site.add("debian", "one");
    let _serving = Running::serve(&site);
    let script = |from, path: &str| {
        let answer = get(&site, from, path);
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    };
    let is_menu = |script: &str| script.contains("choose ");
    let boots = "host=node-01 ip=127.0.0.50";
    // Before its lease it is a stranger.
    assert!(is_menu(&script(NODE, "/boot.ipxe")));
    assert_eq!(lease(&site, 1).address, NODE);
    for (from, path) in [
        (NODE, "/boot.ipxe"),
        (NODE, "/autoexec.ipxe"),
        (STRANGER, "/boot.ipxe?mac=02-00-00-00-00-01"),
        (STRANGER, "/boot.ipxe?mac=02%3A00%3A00%3A00%3A00%3A01"),
    ] {
        let script = script(from, path);
        assert!(
            script.contains("/images/debian/@1/bzImage"),
            "{path}: {script}"
        );
        assert!(!is_menu(&script), "{path}: {script}");
        assert!(script.contains("host=node-01"), "{path}: {script}");
    }
    assert!(script(NODE, "/boot.ipxe").contains(boots));
    let by_tftp = tftp(&site, NODE, b"autoexec.ipxe").expect("a script");
    assert!(String::from_utf8_lossy(&by_tftp).contains(boots));

    let unknown = lease(&site, 3).address;
    assert!(is_menu(&script(unknown, "/boot.ipxe")));
    assert!(is_menu(&script(STRANGER, "/boot.ipxe?mac=nonsense")));
    assert!(is_menu(&script(
        STRANGER,
        "/boot.ipxe?mac=02-00-00-00-00-03"
    )));
}

#[test]
fn a_machine_whose_image_is_missing_gets_an_address_and_a_script_that_says_so() {
    let site = site();
    let mut serving = Running::serve(&site);
    serving.said("image missing is not in the store; node-02 gets a script that says so");
    let bound = lease_as(&site, Profile::pxe_bios(mac(2)));
    assert_eq!(bound.file.as_deref(), Some("undionly.kpxe"));
    let script = get(&site, bound.address, "/boot.ipxe");
    assert!(
        script
            .text()
            .contains("netboot image add missing --kernel FILE --initrd FILE"),
        "{}",
        script.text()
    );
    site.add("missing", "found");
    let script = get(&site, bound.address, "/boot.ipxe");
    assert!(
        script.text().contains("/images/missing/@1/bzImage"),
        "{}",
        script.text()
    );
}

#[test]
fn a_state_is_for_the_machine_that_holds_the_lease_and_for_nobody_else() {
    let site = site();
    site.add("debian", "Debian");
    let _serving = Running::serve(&site);
    let names = [
        "/states/node-01.json",
        "/states/02-00-00-00-00-01.json",
        "/states/02:00:00:00:00:01.json",
    ];
    let status = |from, path: &str| get(&site, from, path).status;
    for path in names {
        assert_eq!(status(NODE, path), 404, "{path} before the lease");
    }
    assert_eq!(lease(&site, 1).address, NODE);
    let other = lease(&site, 2).address;
    for path in names {
        let answer = get(&site, NODE, path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
        let state: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(state, json!({ "plugins": { "net": ["eth0"] } }));
        let script = get(&site, NODE, "/boot.ipxe");
        let script = script.text();
        let digest = Digest::of(&answer.body);
        assert!(script.contains(&format!(" state={digest}")), "{script}");
        for from in [other, STRANGER, SERVER] {
            assert_eq!(status(from, path), 404, "{path} from {from}");
            let claimed = format!("{path}?mac=02-00-00-00-00-01");
            assert_eq!(status(from, &claimed), 404, "{claimed} from {from}");
        }
    }
    assert_eq!(status(NODE, "/states/node-02.json"), 404);
    assert_eq!(status(NODE, "/states/"), 404);
    assert_eq!(
        get(&site, other, "/states/node-02.json").text(),
        "{\n  \"secret\": 2\n}\n"
    );
}

#[test]
fn leases_survive_a_restart() {
    let site = site();
    site.add("debian", "one");
    let mut serving = Running::serve(&site);
    let first: Vec<_> = (1..=5).map(|last| lease(&site, last).address).collect();
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code(), Some(0));
    drop(serving);
    let _serving = Running::serve(&site);
    // Known before it has asked for anything.
    assert_eq!(get(&site, NODE, "/states/node-01.json").status, 200);
    let mut again: Vec<_> = (1..=5)
        .rev()
        .map(|last| lease(&site, last).address)
        .collect();
    again.reverse();
    assert_eq!(again, first);
}

/// Kills the server right behind an ACK, round by round; every lease that was told must be there.
fn kill_rounds(rounds: u8) {
    let site = site();
    let targets: Vec<_> = (1..=rounds)
        .map(|last| {
            json!({ "name": format!("m{last}"), "mac": mac(last), "state": { "number": last } })
        })
        .collect();
    site.configure(&json!(targets), json!({}));
    let mut told = Vec::new();
    for last in 1..=rounds {
        let mut serving = Running::serve(&site);
        told.push((last, lease(&site, last).address));
        serving.signal(Signal::SIGKILL);
        assert_eq!(serving.end().code(), None);
    }
    let _serving = Running::serve(&site);
    for (last, address) in told {
        let state = get(&site, address, &format!("/states/m{last}.json"));
        assert_eq!(state.text(), format!("{{\n  \"number\": {last}\n}}\n"));
    }
}

#[test]
fn a_lease_that_was_acknowledged_survives_kill_9() {
    kill_rounds(8);
}

#[test]
#[ignore = "takes half a minute and more; the soak runs it"]
fn every_lease_survives_a_long_row_of_kill_9() {
    for _ in 0..10 {
        kill_rounds(90);
    }
}

#[test]
fn one_address_cannot_take_every_connection() {
    let site = site();
    let mut serving = Running::serve(&site);
    let held: Vec<_> = (0..780)
        .map(|_| Connection::from(&site, STRANGER))
        .collect();
    serving.line("it has 768 connections already");
    assert_eq!(get(&site, SERVER, "/healthz").status, 200);
    drop(held);
    support::wait_until("its places are free again", || {
        let mut http = Connection::from(&site, STRANGER);
        http.send(b"GET /healthz HTTP/1.0\r\n\r\n");
        !http.rest().is_empty()
    });
}

#[test]
fn a_program_that_is_replaced_has_another_validator_and_its_own_bytes() {
    let site = site();
    let _serving = Running::serve(&site);
    let ask = || get(&site, STRANGER, "/snponly.efi");
    let (first, again) = (ask(), ask());
    assert_eq!(first.body, b"another");
    assert_eq!(first.header("etag"), again.header("etag"));
    write(&site.state().join("tftp"), "snponly.efi", b"changed");
    let changed = ask();
    assert_eq!(changed.body, b"changed");
    assert_ne!(first.header("etag"), changed.header("etag"));
    write(&site.state().join("tftp"), "new.efi", b"new");
    assert_eq!(get(&site, STRANGER, "/new.efi").body, b"new");
    std::fs::remove_file(site.state().join("tftp/new.efi")).expect("one's own file");
    assert_eq!(get(&site, STRANGER, "/new.efi").status, 404);
}

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

/// A DHCPDISCOVER by hand, RFC 2131 figure 1: BOOTREQUEST, Ethernet, machine 7, the cookie, option 53
/// and these options.
fn discover(options: &[u8]) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 1, 2, 3, 4];
    message.resize(28, 0);
    message.extend([2, 0, 0, 0, 0, 7]);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 1]);
    message.extend(options);
    message.push(255);
    message
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
        let time = line.split(' ').next().unwrap_or_default();
        assert!(
            time.len() == 27 && time.ends_with('Z') && !line.starts_with("2026-01-01"),
            "{line}"
        );
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
            "TFTP 02:00:00:00:00:01 127.0.0.50 sent undionly.kpxe: 1400 bytes in N ms, blksize 512, \
             windowsize 1, N retransmitted"
                .into(),
            "DHCPDISCOVER(lo) 127.0.0.50 02:00:00:00:00:01".into(),
            dhcp("DHCPOFFER", &format!(" boots {script}")),
            dhcp("DHCPREQUEST", " node-01"),
            dhcp("DHCPACK", &format!(" node-01 boots {script}")),
            format!(
                "HTTP 02:00:00:00:00:01 127.0.0.50 /boot.ipxe: image debian @1: it is target node-01 \
                 ({}: netboot.targets[0]); its target names image debian",
                site.config().display()
            ),
            "HTTP 02:00:00:00:00:01 127.0.0.50 /boot.ipxe: 200, N bytes in N ms".into(),
            "HTTP 02:00:00:00:00:01 127.0.0.50 /images/debian/@1/bzImage: 200, 1088 bytes in N ms".into(),
            "HTTP 02:00:00:00:00:01 127.0.0.50 /images/debian/@1/initrd: 200, 10 bytes in N ms".into(),
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

#[test]
fn a_server_whose_log_nobody_reads_goes_on() {
    let site = site();
    let mut child = netboot(site.arguments(["serve"]))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the command");
    drop(child.stderr.take());
    support::wait_until("it listens", || {
        std::net::TcpStream::connect((SERVER, site.ports.http)).is_ok()
    });
    assert_eq!(lease(&site, 1).address, NODE);
    assert_eq!(get(&site, NODE, "/states/node-01.json").status, 200);
    let pid = i32::try_from(child.id()).expect("a process number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM).expect("a process");
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}

#[test]
fn a_machine_that_releases_its_lease_is_a_stranger_again() {
    let site = site();
    let _serving = Running::serve(&site);
    assert_eq!(lease(&site, 1).address, NODE);
    assert_eq!(get(&site, NODE, "/states/node-01.json").status, 200);
    // DHCPRELEASE by hand: ciaddr is the address, option 54 the server.
    let mut release = discover(&[54, 4, 127, 0, 0, 1]);
    release[12..16].copy_from_slice(&NODE.octets());
    release[28..34].copy_from_slice(&mac(1).0);
    release[242] = 7;
    let socket = UdpSocket::bind((NODE, 0)).expect("a loopback address");
    socket
        .send_to(&release, (SERVER, site.ports.dhcp))
        .expect("a datagram");
    support::wait_until("the lease ends", || {
        get(&site, NODE, "/states/node-01.json").status == 404
    });
}

#[test]
fn a_download_under_way_is_finished_when_the_server_is_told_to_end() {
    let site = site();
    let kernel = support::kernel("large");
    let kernel = write(site.folder.path(), "kernel", &kernel);
    let large: Vec<u8> = (0..8_u32 << 20).map(|at| at.to_le_bytes()[1]).collect();
    let initrd = write(site.folder.path(), "initrd", &large);
    let done = site.run([
        "image", "add", "large", "--kernel", &kernel, "--initrd", &initrd,
    ]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let mut serving = Running::serve(&site);
    let mut http = Connection::from(&site, STRANGER);
    http.send(b"GET /images/large/initrd HTTP/1.1\r\nHost: x\r\n\r\n");
    http.begun();
    serving.signal(Signal::SIGTERM);
    serving.line("stopping");
    let answer = http.answer(false);
    assert_eq!(answer.body.len(), large.len());
    assert!(answer.body == large);
    assert_eq!(serving.end().code(), Some(0));
    assert!(
        serving
            .seen
            .iter()
            .any(|line| line.contains("/images/large/initrd: 200, 8388608 bytes")),
        "its line is in the log: {:#?}",
        serving.seen
    );
}

#[test]
fn the_demo_and_a_server_do_not_disturb_each_other() {
    let site = site();
    let _serving = Running::serve(&site);
    let mut demo = Running::start(netboot(["demo"]), Reads::Output);
    demo.line("booted: ");
    assert_eq!(demo.end().code(), Some(0));
    assert_eq!(lease(&site, 1).address, NODE);
}

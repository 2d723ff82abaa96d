//! HTTP as firmware, iPXE and strangers speak it.

use super::*;

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

/// RFC 9112, 9.6: a client may shut its side of a connection when it has asked, as `nc -N` does, and
/// waits for the rest. Over the API and as a file as well.
#[test]
fn a_client_that_shuts_its_side_when_it_has_asked_gets_the_whole_answer() {
    let site = site();
    let large: Vec<u8> = (0..1_u32 << 23).map(|at| at.to_le_bytes()[1]).collect();
    write(&site.state().join("tftp"), "large.efi", &large);
    let mut serving = Running::serve(&site);
    serving.said("API and metrics on");
    for (port, path, ends) in [
        (site.ports.http, "/large.efi", &large[large.len() - 9..]),
        (site.ports.http, "/healthz", b"ok\n"),
        (site.ports.admin, "/api/v1/images", b"[]"),
    ] {
        for _ in 0..40 {
            let mut http = Connection::to(STRANGER, port);
            http.send(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes());
            http.shut();
            let answer = http.answer(false);
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.body.ends_with(ends), "{path}");
            assert!(http.is_ended(), "{path}");
        }
    }
}

/// RFC 9112, 3.2: HTTP/1.1 without a `Host`, and any request with two of them or with what is none,
/// is answered by 400.
#[test]
fn a_request_names_one_host() {
    let site = site();
    let mut serving = Running::serve(&site);
    serving.said("API and metrics on");
    for port in [site.ports.http, site.ports.admin] {
        for (version, hosts, status) in [
            ("1.1", &["127.0.0.1"][..], 200),
            ("1.1", &["[::1]:80"], 200),
            ("1.0", &[], 200),
            ("1.1", &[], 400),
            ("1.1", &["127.0.0.1", "127.0.0.1"], 400),
            ("1.0", &["127.0.0.1", "127.0.0.1"], 400),
            ("1.1", &["a b"], 400),
            ("1.1", &["me@127.0.0.1"], 400),
        ] {
            let path = if port == site.ports.http {
                "/healthz"
            } else {
                "/metrics"
            };
            let hosts: String = hosts.iter().map(|it| format!("Host: {it}\r\n")).collect();
            let mut http = Connection::to(STRANGER, port);
            http.send(format!("GET {path} HTTP/{version}\r\n{hosts}\r\n").as_bytes());
            assert_eq!(
                http.answer(false).status,
                status,
                "{path} {version} {hosts:?}"
            );
        }
    }
    serving.line("HTTP 1 malformed dropped");
}

/// What a client in firmware reads of an answer's length. GRUB 2.06 and 2.12 (`parse_line` in
/// `grub-core/net/http.c`) compare lines with `Content-Length: ` as bytes, and of a refusal they
/// take the second line for another status. lwIP (`http_wait_headers` in `http_client.c`), and with
/// it U-Boot since 2024.10, looks for the same bytes; U-Boot's own client (`net/wget.c`) looks for
/// the name without its colon.
fn literal_length(head: &str) -> Option<usize> {
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?;
    if !matches!(status, "200" | "206") {
        lines.next();
    }
    let length = lines.find_map(|line| line.strip_prefix("Content-Length: "))?;
    let again = lines.any(|line| line.starts_with("Content-Length"));
    assert!(!again, "{head}");
    Some(length.parse().expect("digits and no more"))
}

#[test]
fn every_kind_of_answer_is_to_the_letter_what_clients_in_firmware_look_for() {
    let site = site();
    let (kernel, _) = site.add("debian", "one");
    let _serving = Running::serve(&site);
    let file = "/images/debian/bzImage";
    let etag = get(&site, STRANGER, file).header("etag").to_owned();
    let known = format!("If-None-Match: {etag}\r\n");
    let many = "a: b\r\n".repeat(99);
    for (request, lines, status) in [
        ("GET /images/debian/bzImage", "", "200 OK"),
        ("GET //images/debian/bzImage", "", "200 OK"),
        (
            "GET /images/debian/bzImage",
            "Range: bytes=0-2\r\n",
            "206 Partial Content",
        ),
        (
            "GET /images/debian/bzImage",
            "Range: bytes=9999-\r\n",
            "416 Range Not Satisfiable",
        ),
        ("GET /images/debian/bzImage", &known, "304 Not Modified"),
        (
            "GET /images/debian/bzImage",
            "If-Match: \"x\"\r\n",
            "412 Precondition Failed",
        ),
        ("GET /boot.ipxe", "", "200 OK"),
        ("GET /boot.ipxe", "Accept-Encoding: gzip\r\n", "200 OK"),
        ("GET /grub/grub.cfg", "", "200 OK"),
        ("GET /healthz", "", "200 OK"),
        ("GET /nothing", "", "404 Not Found"),
        ("GET /../x", "", "400 Bad Request"),
        ("GET /boot.ipxe", "Host: y\r\n", "400 Bad Request"),
        (
            "PUT /boot.ipxe",
            "Content-Length: 0\r\n",
            "405 Method Not Allowed",
        ),
        ("POST /machines/a/installed", "", "400 Bad Request"),
        // These two are hyper's own.
        (
            "GET /boot.ipxe",
            &many,
            "431 Request Header Fields Too Large",
        ),
        ("GET", "", "400 Bad Request"),
    ] {
        let asked = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n{lines}\r\n");
        let (head, body) = raw(&site, &asked);
        let shown = format!("{asked}{head}");
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{shown}"
        );
        // An answer that has nothing new ends with its head (RFC 9110, section 15.4.5).
        let length = (status != "304 Not Modified").then_some(body.len());
        assert_eq!(literal_length(&head), length, "{shown}");
    }
    for path in [file, "/boot.ipxe", "/nothing"] {
        let ask =
            |method| format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n");
        let (head, nothing) = raw(&site, &ask("HEAD"));
        let (_, body) = raw(&site, &ask("GET"));
        assert_eq!(literal_length(&head), Some(body.len()), "{head}");
        assert_eq!(nothing, b"");
    }
    // U-Boot's own client is of HTTP/1.0, and names no host.
    let (head, body) = raw(&site, &format!("GET {file} HTTP/1.0\r\n\r\n"));
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    assert_eq!((literal_length(&head), body), (Some(kernel.len()), kernel));
}

/// The bytes of an answer's head with the blank line, and those behind it until the server closes.
fn raw(site: &Site, request: &str) -> (String, Vec<u8>) {
    let mut http = Connection::from(site, STRANGER);
    http.send(request.as_bytes());
    let answer = http.rest();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.expect("the end of a head") + 4);
    let head = String::from_utf8(head.to_vec()).expect("text");
    // None of these clients knows a chunk, nor where else to look.
    for unknown in ["transfer-encoding:", "location:", "trailer:"] {
        assert!(!head.to_ascii_lowercase().contains(unknown), "{head}");
    }
    (head, body.to_vec())
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
    let many = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "a: b\r\n".repeat(1000)
    );
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    for request in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"GET /\n\0 HTTP/1.1\r\nHost: x\r\n\r\n",
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

/// The names are those that Windows' `bootmgfw.efi` asks for, and those on its installation disc.
#[test]
fn the_operators_files_are_served_by_http_as_by_tftp_however_deep_and_in_any_case() {
    let site = site();
    let programs = site.state().join("tftp");
    for (path, bytes) in [
        ("Boot/BCD", "the store"),
        ("a/b/c/d/wgl4_boot.ttf", "a font"),
        ("a/b/c/grub.cfg", "set own=1"),
    ] {
        let path = programs.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, bytes).expect("a file");
    }
    let _serving = Running::serve(&site);
    for (name, bytes) in [
        (r"Boot/BCD", "the store"),
        (r"\boot\bcd", "the store"),
        (r"BOOT/bcd", "the store"),
        (r"a/b/c/d/wgl4_boot.ttf", "a font"),
        (r"\A\b\c\D\WGL4_boot.ttf", "a font"),
        (r"a/b/c/grub.cfg", "set own=1"),
    ] {
        let by_tftp = tftp(&site, STRANGER, name.as_bytes());
        assert_eq!(by_tftp, Ok(bytes.as_bytes().to_vec()), "{name}");
        let answer = get(&site, STRANGER, &format!("/{name}"));
        assert_eq!((answer.status, answer.text()), (200, bytes), "{name}");
        let head = Connection::from(&site, STRANGER).ask("HEAD", &format!("/{name}"), &[]);
        assert_eq!(head.header("etag"), answer.header("etag"));
    }
    // A script is there to the letter, so that none of another case is looked for.
    std::fs::write(programs.join("BOOT.IPXE"), "own").expect("a file");
    let script = get(&site, STRANGER, "/boot.ipxe");
    assert!(script.text().starts_with("#!ipxe"));
    assert_eq!(tftp(&site, STRANGER, b"boot.ipxe"), Ok(script.body));
    assert_eq!(get(&site, STRANGER, "/a/b/c/grub.cfg-x").status, 404);
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
    crate::support::wait_until("its places are free again", || {
        let mut http = Connection::from(&site, STRANGER);
        http.send(b"GET /healthz HTTP/1.0\r\n\r\n");
        !http.rest().is_empty()
    });
}

#[test]
#[ignore = "needs 5,000 open files in a process, which root may allow"]
fn connections_beyond_the_cap_wait_for_a_place_and_those_within_it_go_on() {
    const PLACES: usize = 4096;
    allow_open_files(5_000);
    let site = site();
    let mut serving = Running::serve(&site);
    serving.said("API and metrics on");
    // Each follows the events, as nothing but its client ends that.
    let follow = |number: usize| {
        let client = u8::try_from(number / 768).expect("few clients");
        let mut connection = Connection::to(Ipv4Addr::new(127, 0, 1, client), site.ports.admin);
        connection.end_by_reset();
        connection.send(b"GET /api/v1/events?follow&since=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        connection
    };
    assert_eq!(get(&site, STRANGER, "/first").status, 404);
    let mut held: Vec<_> = (0..PLACES).map(follow).collect();
    for connection in &mut held {
        assert!(connection.first_line().contains("/first"));
    }
    let [mut next, mut last] = [PLACES, PLACES + 1].map(follow);
    // Another port has places of its own.
    assert_eq!(get(&site, STRANGER, "/second").status, 404);
    for connection in &mut held {
        assert!(connection.chunk().contains("/second"));
    }
    assert!(next.is_silent() && last.is_silent());
    held.pop();
    assert!(next.first_line().contains("/first"));
    assert!(last.is_silent());
    held.pop();
    assert!(last.first_line().contains("/first"));
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

#[test]
fn a_head_of_too_many_lines_or_bytes_is_refused_as_such() {
    let site = site();
    let _serving = Running::serve(&site);
    let head = |more: String| format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{more}\r\n");
    let lines = |count: usize| head("a: b\r\n".repeat(count - 1));
    let bytes = |count: usize| head(format!("a: {}\r\n", "b".repeat(count)));
    for (request, status) in [
        (lines(100), 200),
        (lines(101), 431),
        (bytes(15 << 10), 200),
        (bytes(17 << 10), 431),
    ] {
        let mut http = Connection::from(&site, STRANGER);
        http.send(request.as_bytes());
        assert_eq!(http.answer(false).status, status, "{} bytes", request.len());
    }
}

#[test]
#[ignore = "takes half a minute"]
fn who_never_ends_a_request_or_begins_none_is_closed() {
    let site = site();
    let _serving = Running::serve(&site);
    let mut half = Connection::from(&site, STRANGER);
    half.send(b"GET /healthz HTTP/1.1\r\nHost: net");
    let mut kept = Connection::from(&site, STRANGER);
    assert_eq!(kept.ask("GET", "/healthz", &[]).status, 200);
    let mut silent = Connection::from(&site, STRANGER);
    for connection in [&mut half, &mut kept, &mut silent] {
        assert!(connection.is_ended());
    }
}

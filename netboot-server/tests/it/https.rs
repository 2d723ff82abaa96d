//! HTTPS beside HTTP: what a client with the right authority gets, certificates that are exchanged,
//! and files that are wrong.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Connection, get};
use crate::support::{Reads, Running, SERVER, Site, netboot, write};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// An authority, and what it certifies for this host.
struct Authority(PathBuf);

impl Authority {
    /// Makes one in a folder of its own.
    fn new(site: &Site, name: &str) -> Self {
        let folder = site.folder.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let authority = Self(folder);
        authority.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
             -subj /CN={name} -keyout ca.key -out ca.pem"
        ));
        authority.openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=netboot \
             -keyout key.pem -out request.pem",
        );
        write(&authority.0, "names", b"subjectAltName=IP:127.0.0.1\n");
        authority.openssl(
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile names -out cert.pem",
        );
        authority
    }

    fn openssl(&self, arguments: &str) {
        let made = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{made:?}");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Has a site serve with its certificate.
    fn certify(&self, site: &Site) {
        configure(site, &self.file("cert.pem"), &self.file("key.pem"));
    }

    /// What curl says of a URL, trusting this authority alone.
    fn curl(&self, site: &Site, path: &str, more: &[&str]) -> Output {
        Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--noproxy",
                "*",
                "--max-time",
                "60",
                "--cacert",
            ])
            .arg(self.file("ca.pem"))
            .args(more)
            .arg(format!("https://127.0.0.1:{}{path}", site.ports.https))
            .output()
            .expect("curl runs")
    }

    #[track_caller]
    fn get(&self, site: &Site, path: &str, more: &[&str]) -> Vec<u8> {
        let output = self.curl(site, path, more);
        assert!(output.status.success(), "{path}: {output:?}");
        output.stdout
    }

    fn is_trusted(&self, site: &Site) -> bool {
        let output = self.curl(site, "/healthz", &[]);
        // curl's own number for a certificate that it does not trust.
        assert!(matches!(output.status.code(), Some(0 | 60)), "{output:?}");
        output.status.success()
    }
}

fn configure(site: &Site, cert: &Path, key: &Path) {
    let tls = json!({ "cert": cert, "key": key, "port": site.ports.https });
    site.configure(&json!([]), json!({ "tls": tls }));
}

fn site() -> Site {
    Site::new(&json!([]))
}

fn serve(site: &Site) -> Running {
    let mut serving = Running::serve(site);
    serving.said("HTTPS on 127.0.0.1: listening");
    serving
}

#[test]
#[ignore = "needs the Debian packages curl and openssl"]
fn curl_gets_over_https_what_it_gets_over_http_with_urls_of_https() {
    let site = site();
    let (kernel, _) = site.add("debian", "one");
    let authority = Authority::new(&site, "ours");
    let other = Authority::new(&site, "other");
    authority.certify(&site);
    let _serving = serve(&site);
    let image = "/images/debian/@1/bzImage";
    assert_eq!(authority.get(&site, image, &[]), kernel);
    assert_eq!(
        authority.get(&site, image, &["--range", "1024-1026"]),
        b"one"
    );
    for version in ["--tlsv1.3", "--tls-max 1.2"] {
        let version: Vec<_> = version.split(' ').collect();
        assert_eq!(authority.get(&site, "/healthz", &version), b"ok\n");
    }
    let script = |bytes| String::from_utf8(bytes).expect("text");
    let secure = script(authority.get(&site, "/boot.ipxe", &[]));
    let base = format!("https://127.0.0.1:{}{image}", site.ports.https);
    assert!(secure.contains(&base), "{secure}");
    // Each goes on by what it was asked by.
    let plain = script(get(&site, STRANGER, "/boot.ipxe").body);
    let base = format!("http://127.0.0.1:{}{image}", site.ports.http);
    assert!(
        plain.contains(&base) && !plain.contains("https:"),
        "{plain}"
    );
    assert!(!other.is_trusted(&site));
}

#[test]
#[ignore = "needs the Debian packages curl and openssl"]
fn a_file_larger_than_every_buffer_comes_whole_over_https() {
    let site = site();
    let initrd: Vec<u8> = (0..5_000_011_u32).flat_map(|n| n.to_le_bytes()).collect();
    let folder = site.folder.path();
    let kernel = write(folder, "k", &crate::support::kernel("big"));
    let file = write(folder, "i", &initrd);
    let done = site.run([
        "image", "add", "big", "--kernel", &kernel, "--initrd", &file,
    ]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let authority = Authority::new(&site, "ours");
    authority.certify(&site);
    let _serving = serve(&site);
    let got = authority.get(&site, "/images/big/initrd", &[]);
    assert!(got == initrd, "{} of {} bytes", got.len(), initrd.len());
}

#[test]
#[ignore = "needs the Debian packages curl and openssl"]
fn a_reload_takes_the_certificate_anew_or_goes_on_with_the_one_before() {
    let site = site();
    let (first, second) = (
        Authority::new(&site, "first"),
        Authority::new(&site, "second"),
    );
    let (cert, key) = (
        site.folder.path().join("cert.pem"),
        site.folder.path().join("key.pem"),
    );
    let renew = |authority: &Authority| {
        std::fs::copy(authority.file("cert.pem"), &cert).expect("a file");
        std::fs::copy(authority.file("key.pem"), &key).expect("a file");
    };
    renew(&first);
    configure(&site, &cert, &key);
    let mut serving = serve(&site);
    let reload = |serving: &mut Running, line: &str| {
        serving.signal(Signal::SIGHUP);
        serving.line(line)
    };
    assert!(first.is_trusted(&site));
    renew(&second);
    assert!(first.is_trusted(&site), "nobody has asked for the new one");
    reload(&mut serving, "INFO reloaded the configuration");
    assert!(second.is_trusted(&site) && !first.is_trusted(&site));

    // Half of a renewal.
    std::fs::copy(first.file("key.pem"), &key).expect("a file");
    reload(&mut serving, "the configuration was not reloaded");
    serving.said("they do not belong together; name a certificate and the key");
    assert!(second.is_trusted(&site));

    // Without the table, HTTPS ends and HTTP goes on.
    site.configure(&json!([]), json!({}));
    reload(&mut serving, "INFO reloaded the configuration");
    assert_eq!(second.curl(&site, "/healthz", &[]).status.code(), Some(7));
    assert_eq!(get(&site, STRANGER, "/healthz").status, 200);
}

#[test]
#[ignore = "needs the Debian packages curl and openssl"]
fn what_is_no_tls_is_counted_and_the_next_client_is_served() {
    let site = site();
    let authority = Authority::new(&site, "ours");
    authority.certify(&site);
    let mut serving = serve(&site);
    let mut http = Connection::to(STRANGER, site.ports.https);
    http.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = http.rest();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    serving.said("TLS 1 malformed dropped");
    assert_eq!(authority.get(&site, "/healthz", &[]), b"ok\n");
}

#[test]
#[ignore = "needs the Debian package openssl"]
fn check_and_doctor_warn_of_a_key_that_everybody_may_read() {
    let site = site();
    let authority = Authority::new(&site, "ours");
    authority.certify(&site);
    let key = authority.file("key.pem");
    let open_to = |mode| {
        std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).expect("a file of ours");
    };
    let warning = format!("every user of this host may read {}", key.display());
    open_to(0o640);
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(!done.err.contains(&warning), "{}", done.err);
    open_to(0o644);
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.err.contains(&warning), "{}", done.err);
    let shown: Value = serde_json::from_str(&site.run(["doctor", "--json"]).out).expect("JSON");
    let findings = shown["findings"].as_array().expect("a list");
    let about = |one: &Value| one["about"].as_str().map(str::to_owned);
    let is_key = |one: &&Value| about(one).is_some_and(|it| it.ends_with(":1: netboot.tls.key"));
    let found = findings.iter().find(is_key);
    let found = found.unwrap_or_else(|| panic!("{findings:?}"));
    assert_eq!(
        (&found["state"], &found["what"]),
        (&json!("warning"), &json!(warning))
    );
    let port = format!("port {} (HTTPS on 127.0.0.1)", site.ports.https);
    assert!(
        findings.iter().any(|one| one["about"] == port.as_str()),
        "{findings:?}"
    );
}

#[test]
fn a_file_that_cannot_be_served_with_is_named_by_check_and_nothing_starts() {
    let site = site();
    let folder = site.folder.path();
    let file = |name: &str, content: &str| PathBuf::from(write(folder, name, content.as_bytes()));
    let garbled = "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n";
    let empty = "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n";
    let pipe = folder.join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let (text, garbled, empty) = (file("text", "no PEM"), file("g", garbled), file("e", empty));
    for (cert, key, said) in [
        (
            folder.join("missing"),
            &text,
            "missing: No such file or directory",
        ),
        (folder.to_owned(), &text, "it is no regular file"),
        // Nobody writes to it, and the other has no end.
        (pipe, &text, "pipe: it is no regular file"),
        (
            "/dev/zero".into(),
            &text,
            "/dev/zero: it is no regular file",
        ),
        (text.clone(), &text, "text: it holds no certificate in PEM"),
        (garbled, &text, "g: it is no PEM"),
        (empty, &text, "text: it holds no key in PEM"),
    ] {
        configure(&site, &cert, key);
        let done = site.run(["check"]);
        assert_eq!(done.code, Some(1), "{said}: {}", done.err);
        assert!(done.err.contains(said), "{said}: {}", done.err);
        assert!(
            done.err.contains("cure: name a file in PEM"),
            "{}",
            done.err
        );
        let mut serving = Running::start(netboot(site.arguments(["serve"])), Reads::Errors);
        serving.line(said);
        assert_eq!(serving.end().code(), Some(1));
    }
    assert!(std::net::TcpStream::connect((SERVER, site.ports.http)).is_err());
}

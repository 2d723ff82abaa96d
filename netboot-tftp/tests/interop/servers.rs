//! Our client against their servers.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netboot_tftp::Options;
use netboot_tftp::client::{Client, Content};
use tempfile::TempDir;

use crate::namespace::{Running, SIZES, content, in_namespace, run, text};

/// A folder that any user may read and write, with files named by their sizes.
fn root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for size in SIZES {
        std::fs::write(root.path().join(size.to_string()), content(size)).unwrap();
    }
    std::fs::write(root.path().join("text"), text()).unwrap();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(root.path(), open).unwrap();
    root
}

/// Reads everything, and writes it if the server takes files, with the options of RFC 1350, 2348
/// and 7440. The server may still be starting: the client asks until it answers.
fn ours(root: &Path, writes: bool, netascii: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let plain = Client::new("127.0.0.1:69".parse().unwrap());
    let clients = [
        plain.clone().options(Options::default()),
        plain.clone(),
        plain.clone().blksize(1428).windowsize(16),
    ];
    runtime.block_on(async {
        for (c, client) in clients.iter().enumerate() {
            for size in SIZES {
                let got = client.get_bytes(size.to_string(), 1 << 21).await.unwrap();
                assert!(got == content(size), "{size} by {client:?}");
                if writes {
                    let name = format!("put-{c}-{size}");
                    let put = client.put(&name, Content::Bytes(got), |_| {});
                    put.await.unwrap_or_else(|error| panic!("{name}: {error}"));
                    kept(&root.join(&name), &content(size)).await;
                }
            }
        }
        if netascii {
            let client = plain.netascii();
            let got = client.get_bytes("text", 1 << 21).await.unwrap();
            assert!(got == text());
            let put = client.put("put-text", Content::Bytes(got), |_| {});
            put.await.unwrap();
            kept(&root.join("put-text"), &text()).await;
        }
    });
}

/// Waits until a file holds this: some servers acknowledge the last block before they write it.
async fn kept(file: &Path, expected: &[u8]) {
    let written = async {
        while std::fs::read(file).unwrap() != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let written = tokio::time::timeout(Duration::from_secs(10), written).await;
    assert!(written.is_ok(), "{}", file.display());
}

#[test]
#[ignore = "needs root and the Debian packages iproute2 and tftpd-hpa"]
fn tftpd_hpa_is_read_and_written() {
    in_namespace(|| {
        let root = root();
        let folder = root.path().to_str().unwrap();
        let arguments = ["-L", "-c", "-a", "127.0.0.1:69", "-u", "root", "-s", folder];
        let _server = Running::start("/usr/sbin/in.tftpd", &arguments);
        ours(root.path(), true, true);
    });
}

#[test]
#[ignore = "needs root and the Debian package iproute2; fetches the Debian package atftpd, which conflicts with tftpd-hpa"]
fn atftpd_is_read_and_written_in_windows() {
    let place = tempfile::tempdir().unwrap();
    let program = atftpd(place.path());
    in_namespace(move || {
        let root = root();
        let folder = root.path().to_str().unwrap();
        let daemon = ["--daemon", "--no-fork", "--user", "root.root"];
        let address = ["--port", "69", "--bind-address", "127.0.0.1", folder];
        let _server = Running::start(program, &[&daemon[..], &address].concat());
        // Its netascii differs from RFC 1350: CR LF stays what it is.
        ours(root.path(), true, false);
    });
}

/// The program out of its package, without installing that.
fn atftpd(place: &Path) -> PathBuf {
    let installed = PathBuf::from("/usr/sbin/atftpd");
    if installed.exists() {
        return installed;
    }
    run(place, &["apt-get", "download", "atftpd"]);
    run(place, &["sh", "-c", "dpkg -x atftpd_*.deb ."]);
    place.join("usr/sbin/atftpd")
}

#[test]
#[ignore = "needs root and the Debian packages iproute2 and dnsmasq-base"]
fn dnsmasq_is_read() {
    in_namespace(|| {
        let root = root();
        let folder = format!("--tftp-root={}", root.path().display());
        let listen = ["--bind-interfaces", "--listen-address=127.0.0.1"];
        let service = ["--no-daemon", "--port=0", "--enable-tftp", "--user=root"];
        let files = ["--conf-file=/dev/null", &folder];
        let arguments = [&service[..], &listen, &files].concat();
        let _server = Running::start("/usr/sbin/dnsmasq", &arguments);
        ours(root.path(), false, false);
    });
}

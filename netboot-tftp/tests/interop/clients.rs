//! Their clients against our server.

use std::path::Path;

use netboot_tftp::server::{Directory, Server, Settings, Writing};
use tokio::task::{LocalSet, spawn_blocking};

use crate::namespace::{SIZES, content, in_namespace, run, text};

/// Has `client` work in a folder against a server at 127.0.0.1 that serves files named by their
/// sizes and takes others; in both modes.
fn against_ours(client: fn(&Path)) {
    for single_port in [false, true] {
        in_namespace(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            LocalSet::new().block_on(&runtime, serve(single_port, client));
        });
    }
}

async fn serve(single_port: bool, client: fn(&Path)) {
    let (root, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for size in SIZES {
        std::fs::write(root.path().join(size.to_string()), content(size)).unwrap();
    }
    std::fs::write(root.path().join("text"), text()).unwrap();
    let directory = Directory::new(root.path())
        .unwrap()
        .writable(Writing::default());
    let settings = Settings::default()
        .single_port(single_port)
        .max_transfers_per_client(100);
    let server = Server::bind("127.0.0.1:69".parse().unwrap(), settings, directory).unwrap();
    let serving = tokio::task::spawn_local(server.serve(std::future::pending()));
    let folder = local.path().to_owned();
    spawn_blocking(move || client(&folder)).await.unwrap();
    serving.abort();
    // What the client wrote is what it read.
    for size in SIZES {
        let name = format!("put-{size}");
        if local.path().join(&name).exists() {
            assert!(std::fs::read(root.path().join(name)).unwrap() == content(size));
        }
    }
    if local.path().join("put-text").exists() {
        assert!(std::fs::read(root.path().join("put-text")).unwrap() == text());
    }
}

/// Reads each file by `get`, checks it, and writes it under another name by `put`.
fn both_ways(folder: &Path, get: impl Fn(&str, &str), put: impl Fn(&str, &str)) {
    for size in SIZES {
        let (name, local) = (size.to_string(), format!("put-{size}"));
        get(&name, &local);
        let got = std::fs::read(folder.join(&local)).unwrap();
        assert!(got == content(size), "{size}: {} bytes", got.len());
        put(&local, &local);
    }
}

#[test]
#[ignore = "needs root and the Debian packages iproute2 and tftp-hpa"]
fn tftp_hpa_reads_and_writes() {
    against_ours(|folder| {
        let tftp = |mode, verb, from: &str, to: &str| {
            run(
                folder,
                &["tftp", "-m", mode, "127.0.0.1", "-c", verb, from, to],
            );
        };
        let get = |name: &str, local: &str| tftp("octet", "get", name, local);
        both_ways(folder, get, |local, name| tftp("octet", "put", local, name));

        tftp("netascii", "get", "text", "put-text");
        assert!(std::fs::read(folder.join("put-text")).unwrap() == text());
        tftp("netascii", "put", "put-text", "put-text");
    });
}

#[test]
#[ignore = "needs root and the Debian packages iproute2 and atftp"]
fn atftp_reads_and_writes_in_windows() {
    against_ours(|folder| {
        let option = |words| ["--option", words];
        let words = [
            option("blksize 1428"),
            option("windowsize 16"),
            option("tsize 0"),
        ]
        .concat();
        let atftp = |verb, local: &str, name: &str| {
            let files = [verb, "-l", local, "-r", name, "127.0.0.1", "69"];
            run(folder, &[&["atftp"], &words[..], &files].concat());
        };
        let get = |name: &str, local: &str| atftp("-g", local, name);
        both_ways(folder, get, |local, name| atftp("-p", local, name));
    });
}

#[test]
#[ignore = "needs root and the Debian packages iproute2 and curl"]
fn curl_reads_and_writes() {
    against_ours(|folder| {
        let curl = |verb, local: &str, name: &str| {
            let url = format!("tftp://127.0.0.1/{name}");
            let block = ["curl", "-sS", "--tftp-blksize", "1428"];
            run(folder, &[&block[..], &[verb, local, &url]].concat());
        };
        let get = |name: &str, local: &str| curl("-o", local, name);
        both_ways(folder, get, |local, name| curl("-T", local, name));
    });
}

#[test]
#[ignore = "needs root and the Debian packages iproute2 and busybox"]
fn busybox_reads_and_writes() {
    against_ours(|folder| {
        let busybox = |verb, local: &str, name: &str| {
            let block = ["busybox", "tftp", verb, "-b", "1428"];
            let files = ["-l", local, "-r", name, "127.0.0.1"];
            run(folder, &[&block[..], &files].concat());
        };
        let get = |name: &str, local: &str| busybox("-g", local, name);
        both_ways(folder, get, |local, name| busybox("-p", local, name));
    });
}

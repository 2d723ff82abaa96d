//! Files that are written, and how they fail to be.

use std::path::Path;
use std::time::Duration;

use netboot_tftp::client::{Client, ClientError, Content};
use netboot_tftp::server::{Directory, Settings, Writing};
use netboot_tftp::{ErrorCode, Limits, Options, TransferError, TransferSettings};
use tempfile::TempDir;
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, content, files, unhurried};

fn inbox(settings: Settings, writing: Writing) -> (TempDir, Running) {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::new(root.path()).unwrap().writable(writing);
    (root, Running::start(settings, directory))
}

fn unhurried_settings() -> Settings {
    Settings::default().transfer(unhurried())
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn files_are_written_whole_in_lockstep_and_in_windows() {
    let (root, server) = inbox(Settings::default(), Writing::default());
    let lockstep = Client::new(server.addr);
    let clients = [
        lockstep.clone().options(Options::default()),
        lockstep.clone(),
        lockstep.clone().blksize(8).windowsize(64),
        lockstep.clone().blksize(1428).windowsize(16),
    ];
    for (c, client) in clients.iter().enumerate() {
        for len in [0, 5, 1428 * 16, 512 * 64, 100_000] {
            let (name, bytes) = (format!("{c}-{len}"), content(len));
            let mut last = None;
            let content = Content::Bytes(bytes.clone().into());
            let put = client.put(&name, content, |progress| last = Some(progress));
            let done = timeout(PATIENCE, put).await.unwrap().unwrap();
            assert_eq!(done.stats.bytes, len as u64);
            let last = last.unwrap();
            assert_eq!((last.bytes, last.size), (len as u64, Some(len as u64)));
            assert!(std::fs::read(root.path().join(&name)).unwrap() == bytes);
        }
    }
    server.event("finished 100000").await;
}

#[tokio::test]
async fn a_file_of_a_client_is_read_as_it_is_sent() {
    let (root, server) = inbox(
        Settings::default().limits(Limits::default().max_blksize(65464)),
        Writing::default(),
    );
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), content(300_000)).unwrap();
    for (name, blksize) in [("small blocks", 1468), ("large blocks", 32_000)] {
        let file = local.reopen().unwrap();
        let client = Client::new(server.addr).blksize(blksize).windowsize(4);
        let put = client.put(name, Content::from_file(file).unwrap(), |_| {});
        timeout(PATIENCE, put).await.unwrap().unwrap();
        assert!(std::fs::read(root.path().join(name)).unwrap() == content(300_000));
    }
}

#[tokio::test]
async fn the_last_block_is_acknowledged_when_the_file_has_its_name() {
    let (root, server) = inbox(unhurried_settings(), Writing::default());
    let client = Bare::new().await;
    client.send(server.addr, b"\x00\x02dir\0octet\0").await;
    let (answer, tid) = client.recv().await;
    assert_eq!(answer, [0, 4, 0, 0]);
    let name = root.path().join("dir");
    client
        .send(tid, &[&[0, 3, 0, 1][..], &[7; 512]].concat())
        .await;
    assert_eq!(client.recv().await.0, [0, 4, 0, 1]);
    assert!(!name.exists());
    client.send(tid, b"\x00\x03\x00\x02end").await;
    assert_eq!(client.recv().await.0, [0, 4, 0, 2]);
    assert_eq!(std::fs::read(&name).unwrap().len(), 515);
    // The ACK was lost: it comes again, and nothing is written twice.
    client.send(tid, b"\x00\x03\x00\x02end").await;
    assert_eq!(client.recv().await.0, [0, 4, 0, 2]);
    server.event("finished 515").await;
    assert_eq!(entries(root.path()), 1);
}

#[tokio::test]
async fn writes_that_are_complete_are_in_nobodys_way() {
    // A client that has written a file is waited for a while, in case that its last ACK was lost.
    let settings = Settings::default()
        .max_transfers(2)
        .max_transfers_per_client(2)
        .transfer(unhurried().dally(Duration::from_secs(3600)));
    let (root, server) = inbox(settings, Writing::default());
    let client = Bare::new().await;
    for name in ["a", "b", "c", "d"] {
        let request = [b"\x00\x02", name.as_bytes(), b"\0octet\0"].concat();
        client.send(server.addr, &request).await;
        let (answer, tid) = client.recv().await;
        assert_eq!(answer, [0, 4, 0, 0]);
        client.send(tid, b"\x00\x03\x00\x01end").await;
        assert_eq!(client.recv().await.0, [0, 4, 0, 1]);
    }
    assert_eq!(entries(root.path()), 4);
    server.event("finished 3").await;
    assert_eq!(server.count("failed"), 0);
}

#[tokio::test]
async fn a_write_that_ends_early_leaves_nothing() {
    let settings = Settings::default().transfer(
        TransferSettings::default()
            .initial_rto(Duration::from_millis(20))
            .max_retries(1),
    );
    let (root, server) = inbox(settings, Writing::default());
    let block = [&[0, 3, 0, 1][..], &[7; 512]].concat();
    for end in [Some(&b"\x00\x05\x00\x00changed my mind\0"[..]), None] {
        let client = Bare::new().await;
        client.send(server.addr, b"\x00\x02f\0octet\0").await;
        let (_, tid) = client.recv().await;
        client.send(tid, &block).await;
        client.recv().await;
        if let Some(end) = end {
            client.send(tid, end).await;
        }
    }
    server.event("failed the peer ended").await;
    server.event("failed no answer").await;
    assert_eq!(entries(root.path()), 0);
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_no_half_of_a_file() {
    let (root, server) = inbox(unhurried_settings(), Writing::default());
    let client = Bare::new().await;
    client.send(server.addr, b"\x00\x02f\0octet\0").await;
    let (_, tid) = client.recv().await;
    client
        .send(tid, &[&[0, 3, 0, 1][..], &[7; 512]].concat())
        .await;
    client.recv().await;
    assert_eq!(entries(root.path()), 1);
    server.stop().await;
    assert_eq!(entries(root.path()), 0);
}

#[tokio::test]
async fn what_may_not_be_written_is_refused_with_its_code() {
    let (root, server) = inbox(Settings::default(), Writing::default().max_len(1000));
    std::fs::write(root.path().join("old"), b"old").unwrap();
    let client = Client::new(server.addr);
    let untold = client.clone().options(Options::default());
    for (client, name, len, code) in [
        (&client, "old", 5, ErrorCode::FILE_EXISTS),
        (&client, "../new", 5, ErrorCode::ACCESS_VIOLATION),
        (&client, "missing/new", 5, ErrorCode::FILE_NOT_FOUND),
        (&client, "large", 1001, ErrorCode::DISK_FULL),
        (&untold, "large", 1001, ErrorCode::DISK_FULL),
    ] {
        let put = client.put(name, Content::Bytes(content(len).into()), |_| {});
        let error = timeout(PATIENCE, put).await.unwrap().unwrap_err();
        let ClientError::Transfer(TransferError::Peer { code: told, .. }) = error else {
            panic!("{name}: {error}");
        };
        assert_eq!(told, code, "{name}");
    }
    assert_eq!(std::fs::read(root.path().join("old")).unwrap(), b"old");
    assert_eq!(entries(root.path()), 1);

    let readable = Running::start(Settings::default(), files());
    let client = Client::new(readable.addr);
    let put = client.put("new", Content::Bytes(content(5).into()), |_| {});
    let error = put.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the peer ended the transfer with error 2 (access violation): writing is not allowed"
    );
    let error = client.get_bytes("../new", 5).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the peer ended the transfer with error 2: access violation"
    );
}

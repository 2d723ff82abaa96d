//! How many transfers there may be at once, of one client and in all.

use netboot_tftp::client::Client;
use netboot_tftp::server::Settings;
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, content, files, unhurried};

#[tokio::test]
async fn transfers_of_one_client_are_capped_by_an_error_and_all_transfers_by_silence() {
    let settings = Settings::default()
        .max_transfers(2)
        .max_transfers_per_client(1)
        .transfer(unhurried());
    let server = Running::start(settings, files());
    let (first, second) = (Bare::new().await, Bare::new().await);
    first.send(server.addr, b"\x00\x01big\0octet\0").await;
    let (_, tid) = first.recv().await;
    second.send(server.addr, b"\x00\x01big\0octet\0").await;
    assert_eq!(
        second.recv().await.0,
        b"\x00\x05\x00\x00too many transfers at once\0"
    );
    server.event("over cap of client").await;

    // A place is free again as soon as a transfer has ended.
    first.send(tid, b"\x00\x05\x00\x00bye\0").await;
    server.event("failed").await;
    let served = async {
        loop {
            second.send(server.addr, b"\x00\x01small\0octet\0").await;
            if second.recv().await.0 == b"\x00\x03\x00\x01hello" {
                return;
            }
        }
    };
    timeout(PATIENCE, served).await.unwrap();

    let full = Settings::default().max_transfers(1).transfer(unhurried());
    let server = Running::start(full, files());
    first.send(server.addr, b"\x00\x01big\0octet\0").await;
    first.recv().await;
    second.send(server.addr, b"\x00\x01big\0octet\0").await;
    server.event("over cap").await;
    assert_eq!(server.count("over cap of client"), 0);
}

#[tokio::test]
async fn a_transfer_that_is_over_does_not_count_against_its_client() {
    for single_port in [false, true] {
        let settings = Settings::default()
            .max_transfers_per_client(1)
            .transfer(unhurried())
            .single_port(single_port);
        let server = Running::start(settings, files());
        // Each from a port of its own, as behind a router that translates addresses.
        for _ in 0..50 {
            let client = Bare::new().await;
            client.send(server.addr, b"\x00\x01small\0octet\0").await;
            let (data, tid) = client.recv().await;
            assert_eq!(data, b"\x00\x03\x00\x01hello");
            client.send(tid, b"\x00\x04\x00\x01").await;
        }
        assert_eq!(server.count("over cap of client"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_at_once_all_get_everything() {
    let settings = Settings::default().max_transfers_per_client(1000);
    let server = Running::start(settings, files());
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let client = Client::new(server.addr).windowsize(16);
        clients.spawn(async move { client.get_bytes("big", 1 << 20).await });
    }
    let expected = content(300_000);
    while let Some(got) = timeout(PATIENCE, clients.join_next()).await.unwrap() {
        assert!(got.unwrap().unwrap() == expected);
    }
}

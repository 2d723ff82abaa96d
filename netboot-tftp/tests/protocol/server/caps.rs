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

/// Has a client read a file without end to it: it asks, and takes so many blocks.
async fn takes(server: &Running, client: &Bare, blocks: u16) -> std::net::SocketAddr {
    client.send(server.addr, b"\x00\x01big\0octet\0").await;
    let (_, tid) = client.recv().await;
    for block in 1..=blocks {
        let [high, low] = block.to_be_bytes();
        client.send(tid, &[0, 4, high, low]).await;
        client.recv().await;
    }
    tid
}

#[tokio::test]
async fn a_full_house_gives_the_slowest_place_of_who_has_most_to_an_address_that_has_none() {
    let settings = Settings::default()
        .max_transfers(5)
        .max_transfers_per_client(3)
        .transfer(unhurried());
    let server = Running::start(settings, files());
    let (a, b, c) = (Bare::at(2).await, Bare::at(2).await, Bare::at(2).await);
    let (d, e) = (Bare::at(3).await, Bare::at(3).await);
    let (fast, slow, other) = (
        takes(&server, &a, 100).await,
        takes(&server, &b, 1).await,
        takes(&server, &c, 100).await,
    );
    takes(&server, &d, 0).await;
    takes(&server, &e, 0).await;

    let newcomer = Bare::at(4).await;
    takes(&server, &newcomer, 3).await;
    server
        .event("failed its place went to another client")
        .await;
    // The others of that address go on, and so do those of the one that has fewer.
    for (client, tid) in [(&a, fast), (&c, other)] {
        client.send(tid, b"\x00\x04\x00\x65").await;
        assert_eq!(client.recv().await.0[..4], [0, 3, 0, 0x66]);
    }
    b.send(slow, b"\x00\x04\x00\x02").await;
    // Who has a place has no claim to that of another.
    let again = Bare::at(4).await;
    again.send(server.addr, b"\x00\x01big\0octet\0").await;
    server.event("over cap").await;
    assert_eq!(server.count("failed"), 1);
}

#[tokio::test]
async fn where_each_address_has_one_transfer_only_a_preferred_one_gets_a_place() {
    let settings = Settings::default().max_transfers(3).transfer(unhurried());
    let preferred = |ip: std::net::IpAddr| ip == std::net::IpAddr::from([127, 0, 0, 8]);
    let server = Running::start_preferring(settings, files(), preferred);
    let mut held = Vec::new();
    for last in 2..=4 {
        let client = Bare::at(last).await;
        takes(&server, &client, u16::from(last)).await;
        held.push(client);
    }
    let stranger = Bare::at(5).await;
    stranger.send(server.addr, b"\x00\x01big\0octet\0").await;
    server.event("over cap").await;
    assert_eq!(server.count("failed"), 0);
    takes(&server, &Bare::at(8).await, 3).await;
    server
        .event("failed its place went to another client")
        .await;
}

//! Every packet of every transfer through the listening port.

use netboot_tftp::Limits;
use netboot_tftp::client::{Client, Content};
use netboot_tftp::server::{Directory, Settings, Writing};
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, content, files, unhurried};

fn single_port() -> Settings {
    Settings::default()
        .single_port(true)
        .limits(Limits::default().max_blksize(65464))
        .max_transfers_per_client(1000)
}

fn unhurried_single_port() -> Settings {
    single_port().transfer(unhurried())
}

#[tokio::test]
async fn every_answer_leaves_from_the_port_that_was_asked() {
    let server = Running::start(unhurried_single_port(), files());
    let client = Bare::new().await;
    let request = b"\x00\x01big\0octet\0windowsize\x002\0";
    client.send(server.addr, request).await;
    let oack = client.recv().await;
    assert_eq!(oack, (b"\x00\x06windowsize\x002\0".to_vec(), server.addr));
    client.send(server.addr, &[0, 4, 0, 0]).await;
    for block in 1..=2 {
        let (packet, from) = client.recv().await;
        assert_eq!((&packet[..4], from), (&[0, 3, 0, block][..], server.addr));
    }
    // The same request again joins the transfer, which goes on.
    client.send(server.addr, request).await;
    server.event("repeated").await;
    client.send(server.addr, &[0, 4, 0, 2]).await;
    assert_eq!(client.recv().await.0[..4], [0, 3, 0, 3]);
    assert_eq!(server.count("started"), 1);
}

#[tokio::test]
async fn answers_leave_from_the_address_that_was_asked() {
    // Linux has all of 127.0.0.0/8 on its loopback interface.
    if !cfg!(target_os = "linux") {
        return;
    }
    let server = Running::start_on("0.0.0.0:0", unhurried_single_port(), files());
    let client = Bare::new().await;
    let asked = std::net::SocketAddr::from(([127, 0, 0, 77], server.addr.port()));
    client
        .send(asked, b"\x00\x01big\0octet\0windowsize\x002\0")
        .await;
    assert_eq!(client.recv().await.1, asked);
    client.send(asked, &[0, 4, 0, 0]).await;
    for _ in 0..2 {
        assert_eq!(client.recv().await.1, asked);
    }
}

#[tokio::test]
async fn another_request_from_the_same_port_takes_the_place_of_the_first() {
    let server = Running::start(unhurried_single_port(), files());
    let client = Bare::new().await;
    client.send(server.addr, b"\x00\x01big\0octet\0").await;
    assert_eq!(client.recv().await.0[..4], [0, 3, 0, 1]);
    client.send(server.addr, b"\x00\x01small\0octet\0").await;
    server.event("failed the client asked again").await;
    assert_eq!(client.recv().await.0, b"\x00\x03\x00\x01hello");
    client.send(server.addr, &[0, 4, 0, 1]).await;
    server.event("finished 5").await;
    // Nobody waits for this one any more.
    client.send(server.addr, &[0, 4, 0, 1]).await;
    server.event("stray").await;
}

#[tokio::test]
async fn files_come_through_both_ways_in_lockstep_and_in_windows() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("big"), content(300_000)).unwrap();
    let writing = Writing::default().overwrite(true);
    let directory = Directory::new(root.path()).unwrap().writable(writing);
    for listen in ["127.0.0.1:0", "[::]:0"] {
        let server = Running::start_on(listen, single_port(), directory.clone());
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], server.addr.port()));
        for (blksize, windowsize) in [(512, 1), (1468, 16), (1468, 64), (32_000, 4)] {
            let client = Client::new(addr).blksize(blksize).windowsize(windowsize);
            let got = client.get_bytes("big", 1 << 20);
            assert!(timeout(PATIENCE, got).await.unwrap().unwrap() == content(300_000));
            let put = client.put("new", Content::Bytes(content(300_000).into()), |_| {});
            let done = timeout(PATIENCE, put).await.unwrap().unwrap();
            assert_eq!(done.server, addr);
            assert!(std::fs::read(root.path().join("new")).unwrap() == content(300_000));
        }
    }
}

#[tokio::test]
async fn blocks_are_no_larger_than_the_mtu_allows() {
    // The loopback interface of Linux has an MTU of 65536, less headers of 20, 8 and 4 bytes; its
    // IPv6 headers are 20 bytes longer.
    if !cfg!(target_os = "linux") {
        return;
    }
    let server = Running::start_on("[::]:0", single_port(), files());
    for (host, most) in [("127.0.0.1", 65464), ("[::1]", 65464)] {
        let addr = format!("{host}:{}", server.addr.port()).parse().unwrap();
        let client = Client::new(addr).blksize(65464);
        let mut file = Vec::new();
        let done = timeout(PATIENCE, client.get("big", &mut file, |_| {})).await;
        assert_eq!(done.unwrap().unwrap().agreed.blksize(), most);
        assert!(file == content(300_000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_at_once_all_get_everything() {
    let server = Running::start(single_port(), files());
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

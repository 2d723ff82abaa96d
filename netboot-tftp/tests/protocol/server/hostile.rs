//! Clients that mean harm: whatever they send, the others are served and the server stays within
//! its caps.

use std::time::Duration;

use netboot_tftp::client::Client;
use netboot_tftp::server::{Content, Memory, Refusal, Request, Settings, Source};
use netboot_tftp::{Packet, TransferSettings};
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, content, files, unhurried};

/// What a well-behaved client gets while all of it goes on.
async fn assert_served(server: &Running) {
    let client = Client::new(server.addr).windowsize(8);
    let got = timeout(PATIENCE, client.get_bytes("big", 1 << 20)).await;
    assert!(got.unwrap().unwrap() == content(300_000));
    // It has the file before the server has its last ACK.
    server.event("finished 300000").await;
}

#[tokio::test]
async fn requests_with_forged_addresses_do_not_keep_a_client_out() {
    for single_port in [false, true] {
        let settings = Settings::default()
            .max_transfers(4)
            .single_port(single_port);
        let server = Running::start(settings, files());
        let forged = Bare::new_many(4).await;
        for client in &forged {
            client
                .send(server.addr, b"\x00\x01big\0octet\0tsize\x000\0")
                .await;
            client.recv().await;
        }
        // It asks again as often as it takes until the first retries of the others are over.
        assert_served(&server).await;
        server
            .event("failed its place went to another client")
            .await;
        let totals = server.counters.totals();
        assert!(totals.over_cap > 0, "{totals:?}");
        assert_eq!(totals.failed, 1);
    }
}

#[tokio::test]
async fn a_client_that_answers_keeps_its_place() {
    let settings = Settings::default().max_transfers(1).transfer(unhurried());
    let server = Running::start(settings, files());
    let (first, second) = (Bare::new().await, Bare::new().await);
    first.send(server.addr, b"\x00\x01big\0octet\0").await;
    let (_, tid) = first.recv().await;
    for block in 1..100 {
        first.send(tid, &[0, 4, 0, block]).await;
        first.recv().await;
        second.send(server.addr, b"\x00\x01small\0octet\0").await;
    }
    server.event("over cap").await;
    assert_eq!(server.counters.totals().started, 1);
    assert_eq!(server.counters.totals().running(), 1);
}

#[tokio::test]
async fn the_largest_blocks_and_windows_that_can_be_asked_for_are_cut_to_the_limits() {
    let settings = Settings::default().transfer(unhurried());
    let server = Running::start(settings, files());
    let client = Bare::new().await;
    let request = b"\x00\x01big\0octet\0blksize\x0065464\0windowsize\x0065535\0";
    client.send(server.addr, request).await;
    let (oack, tid) = client.recv().await;
    assert_eq!(oack, b"\x00\x06blksize\x001468\0windowsize\x0064\0");
    client.send(tid, &[0, 4, 0, 0]).await;
    for block in 1..=64 {
        let (packet, _) = client.recv().await;
        assert_eq!((packet.len(), &packet[..4]), (1472, &[0, 3, 0, block][..]));
    }
    // The window is out, and nothing more comes before an ACK.
    client.send(tid, b"\x00\x05\x00\x00enough\0").await;
    server.event("failed").await;
    let mut buf = [0; 16];
    assert!(client.socket.try_recv_from(&mut buf).is_err());
}

#[tokio::test]
async fn a_request_that_is_repeated_for_ever_is_one_transfer() {
    let settings = Settings::default().transfer(unhurried());
    let server = Running::start(settings, files());
    let client = Bare::new().await;
    for _ in 0..500 {
        client.send(server.addr, b"\x00\x01big\0octet\0").await;
    }
    let (_, tid) = client.recv().await;
    assert_served(&server).await;
    client.send(tid, b"\x00\x05\x00\x00enough\0").await;
    server.event("failed").await;
    let totals = server.counters.totals();
    assert_eq!((totals.started, totals.running()), (2, 0));
    assert!(totals.repeated > 0, "{totals:?}");
    let mut buf = [0; 16];
    assert!(client.socket.try_recv_from(&mut buf).is_err());
}

#[tokio::test]
async fn ever_new_requests_from_one_port_leave_one_transfer() {
    let settings = Settings::default().transfer(unhurried());
    let server = Running::start(settings, files());
    let client = Bare::new().await;
    for i in 0..300 {
        let request = format!("\0\u{1}big\0octet\0timeout\0{}\0", i % 255 + 1);
        client.send(server.addr, request.as_bytes()).await;
        client.recv().await;
    }
    assert_served(&server).await;
    let totals = server.counters.totals();
    assert_eq!(totals.started, 301);
    assert_eq!(totals.running(), 1);
}

#[tokio::test]
async fn a_flood_of_acks_draws_no_flood_of_blocks() {
    let settings = Settings::default().transfer(unhurried());
    let server = Running::start(settings, files());
    let (client, stranger) = (Bare::new().await, Bare::new().await);
    let request = b"\x00\x01big\0octet\0windowsize\x004\0";
    client.send(server.addr, request).await;
    let (_, tid) = client.recv().await;
    for ack in [0_u8, 0, 9, 200, 255].repeat(100) {
        client.send(tid, &[0, 4, ack, ack]).await;
        stranger.send(tid, &[0, 4, 0, 4]).await;
    }
    assert_served(&server).await;
    client.send(tid, b"\x00\x05\x00\x00enough\0").await;
    server.event("failed").await;
    // One window for the first ACK, and once more for one that repeats it.
    let (mut blocks, mut errors, mut buf) = (0, 0, [0; 1024]);
    while client.socket.try_recv_from(&mut buf).is_ok() {
        blocks += 1;
    }
    assert!((4..=8).contains(&blocks), "{blocks}");
    while let Ok((len, _)) = stranger.socket.try_recv_from(&mut buf) {
        assert!(matches!(
            Packet::decode(&buf[..len]),
            Ok(Packet::Error { .. })
        ));
        errors += 1;
    }
    assert!((1..=16).contains(&errors), "{errors}");
    assert_eq!(server.counters.totals().wrong_tid, 1);
}

#[tokio::test]
async fn a_client_that_never_gets_done_is_ended_in_time() {
    let settings = Settings::default()
        .transfer(TransferSettings::default().max_duration(Duration::from_millis(200)));
    let server = Running::start(settings, Memory::from_iter([("huge", vec![7; 1 << 29])]));
    let client = Bare::new().await;
    client
        .send(server.addr, b"\x00\x01huge\0octet\0blksize\x008\0")
        .await;
    let mut acked = 0_u16;
    let (mut packet, tid) = client.recv().await;
    while packet[1] != 5 {
        let [high, low] = acked.to_be_bytes();
        client.send(tid, &[0, 4, high, low]).await;
        packet = client.recv().await.0;
        acked = acked.wrapping_add(1);
    }
    assert_eq!(
        packet,
        b"\x00\x05\x00\x00the transfer exceeded its time limit\0"
    );
    server
        .event("failed the transfer exceeded its time limit")
        .await;
}

#[tokio::test]
async fn what_is_no_packet_is_counted_and_not_answered() {
    let server = Running::start(Settings::default(), files());
    let client = Bare::new().await;
    for noise in [
        &b""[..],
        b"\x00",
        b"\x00\x01",
        b"\x00\x07\x00\x00",
        &[0xff; 1400],
    ] {
        client.send(server.addr, noise).await;
    }
    client.send(server.addr, &[0, 4, 0, 1]).await;
    server.event("stray").await;
    let totals = server.counters.totals();
    assert_eq!((totals.malformed, totals.stray), (5, 1));
    let mut buf = [0; 16];
    assert!(client.socket.try_recv_from(&mut buf).is_err());
    assert_served(&server).await;
}

/// Is sparing with clients that it does not know: with all of them.
struct Sparing(Memory);

impl Source for Sparing {
    async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
        self.0.open(request).await
    }

    fn patience(&self, _: &Request<'_>, settings: TransferSettings) -> TransferSettings {
        settings.max_first_retries(1)
    }
}

#[tokio::test]
async fn a_client_that_acknowledges_nothing_is_sent_two_packets_for_each_time_it_asks() {
    let tick = Duration::from_millis(1);
    let brief = TransferSettings::default().initial_rto(tick).min_rto(tick);
    let settings = Settings::default().transfer(brief.max_rto(tick));
    let server = Running::start(settings, Sparing(files()));
    let client = Bare::new().await;
    for asked in 1..=2 {
        client.send(server.addr, b"\x00\x01big\0octet\0").await;
        for _ in 0..2 {
            assert!(client.recv().await.0.starts_with(b"\x00\x03\x00\x01"));
        }
        let given_up = |lines: &[String]| {
            let what = "failed no answer from the peer after 1 retries";
            lines.iter().filter(|line| line.starts_with(what)).count()
        };
        let mut events = server.events.subscribe();
        let given_up = events.wait_for(|lines| given_up(lines) >= asked);
        timeout(PATIENCE, given_up).await.unwrap().unwrap();
    }
    // What comes next is the answer to this.
    client.send(server.addr, b"\x00\x01small\0octet\0").await;
    assert_eq!(client.recv().await.0, b"\x00\x03\x00\x01hello");
}

//! Files that are read, and what may come in between.

use std::net::SocketAddr;
use std::time::Duration;

use netboot_tftp::client::{Client, ClientError};
use netboot_tftp::server::{Content, Directory, Event, Refusal, Request, Server, Settings, Source};
use netboot_tftp::{
    Direction, ErrorCode, Limits, Options, TransferError, TransferMode, TransferSettings,
};
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, content, files, unhurried};

#[tokio::test]
async fn files_arrive_whole_in_lockstep_and_in_windows() {
    let server = Running::start(Settings::default(), files());
    for client in [
        Client::new(server.addr),
        Client::new(server.addr).options(Options::default()),
        Client::new(server.addr).blksize(1428).windowsize(16),
        Client::new(server.addr).blksize(8).windowsize(64),
        Client::new(server.addr).blksize(1468).windowsize(64),
    ] {
        for (name, expected) in [
            ("small", b"hello".to_vec()),
            ("big", content(300_000)),
            ("multiple", content(1468 * 7)),
            ("empty", vec![]),
        ] {
            let got = timeout(PATIENCE, client.get_bytes(name, 1 << 20))
                .await
                .unwrap()
                .unwrap();
            assert!(got == expected, "{name} by {client:?}");
        }
    }
    server.event("finished 300000").await;
}

#[tokio::test]
async fn files_of_a_directory_arrive_whole_and_progress_is_told() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("big"), content(300_001)).unwrap();
    let server = Running::start(Settings::default(), Directory::new(root.path()).unwrap());
    let client = Client::new(server.addr).windowsize(16);
    let mut out = Vec::new();
    let mut last = None;
    let fetched = client
        .get("big", &mut out, |progress| last = Some(progress))
        .await
        .unwrap();
    assert!(out == content(300_001));
    assert_eq!(fetched.stats.bytes, 300_001);
    assert_eq!(fetched.agreed.windowsize(), 16);
    let last = last.unwrap();
    assert_eq!((last.bytes, last.size), (300_001, Some(300_001)));
}

#[tokio::test]
async fn blocks_larger_than_the_link_allows_in_one_piece_are_served() {
    let settings = Settings::default().limits(Limits::default().max_blksize(65464));
    let server = Running::start(settings, files());
    for blksize in [8192, 32_768, 65464] {
        let client = Client::new(server.addr).blksize(blksize).windowsize(4);
        let got = timeout(PATIENCE, client.get_bytes("big", 1 << 20))
            .await
            .unwrap()
            .unwrap();
        assert!(got == content(300_000), "{blksize}");
    }
}

#[tokio::test]
async fn a_size_probe_is_its_own_kind_of_end() {
    let server = Running::start(Settings::default(), files());
    assert_eq!(Client::new(server.addr).size("big").await.unwrap(), 300_000);
    server.event("probe 300000").await;
    assert_eq!(server.count("failed"), 0);
}

#[tokio::test]
async fn a_missing_file_is_error_1_without_a_path_of_the_server() {
    let root = tempfile::tempdir().unwrap();
    let server = Running::start(Settings::default(), Directory::new(root.path()).unwrap());
    let client = Bare::new().await;
    client
        .send(server.addr, b"\x00\x01revocations.efi\0octet\0")
        .await;
    assert_eq!(client.recv().await.0, b"\x00\x05\x00\x01file not found\0");
    client
        .send(server.addr, b"\x00\x01../etc/passwd\0octet\0")
        .await;
    assert_eq!(client.recv().await.0, b"\x00\x05\x00\x02access violation\0");
    server.event("refused Some(1)").await;
    server.event("refused Some(2)").await;
}

#[tokio::test]
async fn writing_and_unknown_modes_are_refused_in_words() {
    let server = Running::start(Settings::default(), files());
    let client = Bare::new().await;
    for (request, answer) in [
        (
            &b"\x00\x02f\0octet\0"[..],
            &b"\x00\x05\x00\x02writing is not allowed\0"[..],
        ),
        (
            b"\x00\x01small\0mail\0",
            b"\x00\x05\x00\x04unknown transfer mode, use octet or netascii\0",
        ),
    ] {
        client.send(server.addr, request).await;
        assert_eq!(client.recv().await.0, answer);
    }
}

#[tokio::test]
async fn a_repeated_request_joins_the_transfer_that_runs() {
    let server = Running::start(Settings::default(), files());
    let client = Bare::new().await;
    let request = b"\x00\x01big\0octet\0";
    client.send(server.addr, request).await;
    let (block, tid) = client.recv().await;
    assert_eq!(block[..4], [0, 3, 0, 1]);
    client.send(server.addr, request).await;
    server.event("repeated").await;
    // Block 1 comes again from the same port, by its timer, and the transfer goes on.
    assert_eq!(client.recv().await, (block, tid));
    client.send(tid, &[0, 4, 0, 1]).await;
    assert_eq!(client.recv().await.0[..4], [0, 3, 0, 2]);
    assert_eq!(server.count("started"), 1);
}

#[tokio::test]
async fn a_client_that_has_the_file_and_asks_again_at_once_is_served_again() {
    for single_port in [false, true] {
        let settings = Settings::default()
            .transfer(unhurried())
            .single_port(single_port);
        let server = Running::start(settings, files());
        let client = Bare::new().await;
        let request = b"\x00\x01small\0octet\0";
        client.send(server.addr, request).await;
        for _ in 0..50 {
            let (block, tid) = client.recv().await;
            assert_eq!(block, b"\x00\x03\x00\x01hello");
            // Both are there when the server is next run.
            client.socket.try_send_to(&[0, 4, 0, 1], tid).unwrap();
            client.socket.try_send_to(request, server.addr).unwrap();
        }
        client.recv().await;
        assert_eq!(server.counters.totals().finished, 50);
    }
}

#[tokio::test]
async fn another_request_from_the_same_port_takes_the_place_of_the_first() {
    let server = Running::start(Settings::default(), files());
    let client = Bare::new().await;
    client.send(server.addr, b"\x00\x01big\0octet\0").await;
    let (_, first) = client.recv().await;
    client.send(server.addr, b"\x00\x01small\0octet\0").await;
    server.event("failed the client asked again").await;
    let (packet, second) = client.recv().await;
    assert_eq!(packet, b"\x00\x03\x00\x01hello");
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_packet_from_a_wrong_tid_draws_error_5_and_disturbs_nothing() {
    let server = Running::start(Settings::default(), files());
    let client = Bare::new().await;
    client.send(server.addr, b"\x00\x01big\0octet\0").await;
    let (_, tid) = client.recv().await;
    let stranger = Bare::new().await;
    stranger.send(tid, b"\x00\x05\x00\x00stop\0").await;
    assert_eq!(
        stranger.recv().await,
        (b"\x00\x05\x00\x05unknown transfer id\0".to_vec(), tid)
    );
    client.send(tid, &[0, 4, 0, 1]).await;
    assert_eq!(client.recv().await.0[..4], [0, 3, 0, 2]);
    server.event("wrong tid").await;
}

#[tokio::test]
async fn an_error_of_the_client_ends_its_transfer_at_once() {
    let server = Running::start(Settings::default(), files());
    let client = Bare::new().await;
    client.send(server.addr, b"\x00\x01big\0octet\0").await;
    let (_, tid) = client.recv().await;
    client.send(tid, b"\x00\x05\x00\x03disk full\0").await;
    let line = server.event("failed").await;
    assert_eq!(
        line,
        "failed the peer ended the transfer with error 3: disk full"
    );
}

#[tokio::test]
async fn an_error_right_behind_an_ack_is_heard() {
    let server = Running::start(Settings::default(), files());
    for options in ["", "windowsize\x002\0"] {
        let client = Bare::new().await;
        let request = format!("\0\u{1}big\0octet\0{options}");
        client.send(server.addr, request.as_bytes()).await;
        let (_, tid) = client.recv().await;
        // Both are there when the server is next run.
        let ack = u8::from(options.is_empty());
        client.socket.try_send_to(&[0, 4, 0, ack], tid).unwrap();
        let error = b"\x00\x05\x00\x03disk full\0";
        client.socket.try_send_to(error, tid).unwrap();
    }
    let mut events = server.events.subscribe();
    let failed =
        |lines: &Vec<String>| lines.iter().filter(|l| l.starts_with("failed")).count() == 2;
    let ended = timeout(PATIENCE, events.wait_for(failed)).await;
    let lines = ended.expect("two ends").unwrap().clone();
    let failures = lines.iter().filter(|line| line.starts_with("failed"));
    for line in failures {
        assert!(line.contains("disk full"), "{line}");
    }
}

#[tokio::test]
async fn a_client_that_goes_without_its_last_ack_is_no_failure_but_one_that_was_never_heard_is() {
    let settings = Settings::default().transfer(
        TransferSettings::default()
            .initial_rto(Duration::from_millis(20))
            .max_retries(1),
    );
    let server = Running::start(settings, files());
    let (gone, never) = (Bare::new().await, Bare::new().await);
    gone.send(server.addr, b"\x00\x01small\0octet\0tsize\x000\0")
        .await;
    let (_, tid) = gone.recv().await;
    gone.send(tid, &[0, 4, 0, 0]).await;
    assert_eq!(gone.recv().await.0, b"\x00\x03\x00\x01hello");
    server.event("unconfirmed 0").await;
    assert_eq!(server.count("failed"), 0);
    never.send(server.addr, b"\x00\x01small\0octet\0").await;
    server
        .event("failed no answer from the peer after 1 retries")
        .await;
}

#[tokio::test]
async fn what_is_no_request_is_dropped_and_told() {
    let server = Running::start(Settings::default(), files());
    let client = Bare::new().await;
    client.send(server.addr, b"\x00\x01cut").await;
    client.send(server.addr, b"").await;
    client.send(server.addr, &[0, 4, 0, 1]).await;
    server.event("malformed file name at offset 2").await;
    server.event("malformed opcode cut off at offset 0").await;
    server.event("stray").await;
    client.send(server.addr, b"\x00\x01small\0octet\0").await;
    assert_eq!(client.recv().await.0, b"\x00\x03\x00\x01hello");
}

#[tokio::test]
async fn events_say_who_got_what_how_and_how_often_it_was_sent() {
    let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
    let addr = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(addr, Settings::default(), files())
        .unwrap()
        .observe(move |event| match event {
            Event::Started { transfer } => told.send(((*transfer).clone(), None)).unwrap(),
            Event::Finished { transfer, stats } => {
                told.send(((*transfer).clone(), Some(**stats))).unwrap();
            }
            _ => {}
        });
    let (addr, client) = (server.local_addr().unwrap(), Bare::new().await);
    let serving = tokio::spawn(server.serve(std::future::pending()));
    let request = b"\x00\x01small\0octet\0blksize\x009000\0";
    client.send(addr, request).await;
    let (oack, tid) = client.recv().await;
    client.send(tid, &[0, 4, 0, 0]).await;
    client.recv().await;
    // Without an ACK block 1 comes again.
    while client.recv().await.0[1] != 3 {}
    client.send(tid, &[0, 4, 0, 1]).await;

    let (started, none) = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
    assert!(none.is_none());
    assert_eq!(started.client, client.socket.local_addr().unwrap());
    assert_eq!(
        (&*started.name, started.size, started.id),
        (&b"small"[..], 5, 1)
    );
    assert_eq!(
        (started.direction, started.mode),
        (Direction::Read, TransferMode::Octet)
    );
    assert_eq!(started.asked.blksize, Some(9000));
    assert_eq!(started.agreed.blksize(), 1468);
    assert_eq!(oack, b"\x00\x06blksize\x001468\0");
    if cfg!(target_os = "linux") {
        assert_eq!(started.local, Some(addr.ip()));
    }
    let (finished, stats) = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
    let stats = stats.unwrap();
    assert_eq!((finished.id, stats.bytes), (1, 5));
    assert!(
        stats.retransmissions >= 1 && stats.timeouts >= 1,
        "{stats:?}"
    );
    assert!(stats.elapsed > Duration::ZERO);
    serving.abort();
}

#[tokio::test]
async fn answers_leave_from_the_address_that_was_asked() {
    // Linux has all of 127.0.0.0/8 on its loopback interface.
    if !cfg!(target_os = "linux") {
        return;
    }
    let server = Running::start_on("0.0.0.0:0", Settings::default(), files());
    let client = Bare::new().await;
    let asked = SocketAddr::from(([127, 0, 0, 77], server.addr.port()));
    client.send(asked, b"\x00\x01small\0octet\0").await;
    let (packet, from) = client.recv().await;
    assert_eq!(packet, b"\x00\x03\x00\x01hello");
    assert_eq!(from.ip(), asked.ip());
    client.send(asked, b"\x00\x01missing\0octet\0").await;
    assert_eq!(client.recv().await.1, asked);
}

#[tokio::test]
async fn a_client_that_is_bound_to_an_address_asks_from_it() {
    struct WhoAsks;
    impl Source for WhoAsks {
        async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
            Ok(Content::Bytes(request.client.ip().to_string().into()))
        }
    }
    if !cfg!(target_os = "linux") {
        return;
    }
    let server = Running::start(Settings::default(), WhoAsks);
    let client = Client::new(server.addr).bind("127.0.0.9:0".parse().unwrap());
    assert_eq!(client.get_bytes("x", 64).await.unwrap(), "127.0.0.9");
}

#[tokio::test]
async fn ipv6_and_ipv4_clients_are_served_by_one_socket() {
    let server = Running::start_on("[::]:0", Settings::default(), files());
    let port = server.addr.port();
    for addr in [
        SocketAddr::from(([127, 0, 0, 1], port)),
        format!("[::1]:{port}").parse().unwrap(),
    ] {
        let client = Client::new(addr).windowsize(8);
        let got = timeout(PATIENCE, client.get_bytes("big", 1 << 20))
            .await
            .unwrap()
            .unwrap();
        assert!(got == content(300_000), "{addr}");
        let missing = client.get_bytes("missing", 64).await.unwrap_err();
        assert!(
            matches!(
                &missing,
                ClientError::Transfer(TransferError::Peer {
                    code: ErrorCode(1),
                    ..
                })
            ),
            "{missing}"
        );
    }
}

#[tokio::test]
async fn a_file_that_becomes_shorter_fails_with_an_error_to_the_client() {
    struct Liar(std::path::PathBuf);
    impl Source for Liar {
        async fn open(&self, _: &Request<'_>) -> Result<Content, Refusal> {
            let file = std::fs::File::open(&self.0).map_err(|_| Refusal::not_found())?;
            Ok(Content::File {
                file,
                len: 1_000_000,
            })
        }
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content(5000)).unwrap();
    let server = Running::start(Settings::default(), Liar(file.path().to_owned()));
    let error = Client::new(server.addr)
        .get_bytes("x", 1 << 21)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the peer ended the transfer with error 0 (not defined): the file cannot be read"
    );
    server.event("failed reading UnexpectedEof").await;
}

#[tokio::test]
async fn a_source_that_wants_silence_gets_it() {
    struct Mute;
    impl Source for Mute {
        async fn open(&self, _: &Request<'_>) -> Result<Content, Refusal> {
            Err(Refusal::silent().with_detail("unknown machine"))
        }
    }
    let server = Running::start(Settings::default(), Mute);
    let patience = TransferSettings::default()
        .initial_rto(Duration::from_millis(20))
        .max_retries(1);
    let error = Client::new(server.addr)
        .settings(patience)
        .get_bytes("x", 64)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::Transfer(TransferError::TimedOut { .. })),
        "{error}"
    );
    server.event("refused None").await;
}

#[tokio::test]
async fn a_file_over_the_clients_limit_is_not_fetched() {
    let server = Running::start(Settings::default(), files());
    let error = Client::new(server.addr)
        .get_bytes("big", 1000)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Transfer(TransferError::TooLarge { limit: 1000 })
        ),
        "{error}"
    );
    server
        .event("failed the peer ended the transfer with error 3")
        .await;
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_its_port_free() {
    let server =
        Server::bind("127.0.0.1:0".parse().unwrap(), Settings::default(), files()).unwrap();
    let addr = server.local_addr().unwrap();
    let client = Bare::new().await;
    {
        let serving = server.serve(std::future::pending());
        let first_block = async {
            client.send(addr, b"\x00\x01big\0octet\0").await;
            client.recv().await
        };
        tokio::select! {
            _ = serving => panic!("served for ever"),
            _ = first_block => {}
        }
    }
    // The tasks of its transfers end when the runtime next runs them.
    tokio::task::yield_now().await;
    let again = Server::bind(addr, Settings::default(), files());
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test]
async fn shutdown_ends_serving() {
    let server =
        Server::bind("127.0.0.1:0".parse().unwrap(), Settings::default(), files()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(server.serve(async { drop(stopped.await) }));
    drop(stop);
    timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
}

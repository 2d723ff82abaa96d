//! The client, and a server that these tests play with bare sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use netboot_tftp::client::{Client, Content};
use netboot_tftp::{Options, TransferSettings};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A test that hangs has failed; this says so before the harness loses patience.
const PATIENCE: Duration = Duration::from_secs(20);

async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

async fn recv(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buf = [0; 2048];
    let received = timeout(PATIENCE, socket.recv_from(&mut buf));
    let (len, from) = received.await.expect("a packet").unwrap();
    (buf[..len].to_vec(), from)
}

/// A client that asks for nothing but the file, and whose timers never run out within a test.
fn client(server: &UdpSocket) -> Client {
    let hour = Duration::from_secs(3600);
    let settings = TransferSettings::default()
        .initial_rto(hour)
        .min_rto(hour)
        .max_rto(hour);
    Client::new(server.local_addr().unwrap())
        .options(Options::default())
        .settings(settings)
}

const UNKNOWN_TID: &[u8] = b"\x00\x05\x00\x05unknown transfer id\0";

#[tokio::test]
async fn a_stranger_draws_error_5_and_the_read_goes_on() {
    let (server, transfer, stranger) = (socket().await, socket().await, socket().await);
    let client = client(&server);
    let reading = tokio::spawn(async move { client.get_bytes("f", 1 << 20).await });
    let (request, there) = recv(&server).await;
    assert_eq!(request, b"\x00\x01f\0octet\0");

    let first = [&[0, 3, 0, 1][..], &[b'a'; 512]].concat();
    transfer.send_to(&first, there).await.unwrap();
    assert_eq!(recv(&transfer).await.0, [0, 4, 0, 1]);
    stranger
        .send_to(b"\x00\x03\x00\x02evil", there)
        .await
        .unwrap();
    assert_eq!(recv(&stranger).await, (UNKNOWN_TID.to_vec(), there));

    transfer
        .send_to(b"\x00\x03\x00\x02end", there)
        .await
        .unwrap();
    assert_eq!(recv(&transfer).await.0, [0, 4, 0, 2]);
    let file = timeout(PATIENCE, reading).await.unwrap().unwrap().unwrap();
    assert_eq!(file, [&[b'a'; 512][..], b"end"].concat());
}

#[tokio::test]
async fn a_stranger_draws_error_5_and_the_write_goes_on() {
    let (server, transfer, stranger) = (socket().await, socket().await, socket().await);
    let client = client(&server);
    let content = Content::Bytes("text".into());
    let writing = tokio::spawn(async move { client.put("f", content, |_| {}).await });
    let (request, there) = recv(&server).await;
    assert_eq!(request, b"\x00\x02f\0octet\0");

    transfer.send_to(&[0, 4, 0, 0], there).await.unwrap();
    assert_eq!(recv(&transfer).await.0, b"\x00\x03\x00\x01text");
    stranger.send_to(&[0, 4, 0, 1], there).await.unwrap();
    assert_eq!(recv(&stranger).await, (UNKNOWN_TID.to_vec(), there));

    assert!(!writing.is_finished());
    transfer.send_to(&[0, 4, 0, 1], there).await.unwrap();
    let done = timeout(PATIENCE, writing).await.unwrap().unwrap().unwrap();
    assert_eq!(done.server, transfer.local_addr().unwrap());
}

#[tokio::test]
async fn an_error_of_the_server_in_the_middle_ends_the_read_with_its_text() {
    let server = socket().await;
    let client = client(&server);
    let reading = tokio::spawn(async move { client.get_bytes("f", 1 << 20).await });
    let (_, there) = recv(&server).await;
    let first = [&[0, 3, 0, 1][..], &[b'a'; 512]].concat();
    server.send_to(&first, there).await.unwrap();
    recv(&server).await;
    let error = b"\x00\x05\x00\x00the disk is gone\0";
    server.send_to(error, there).await.unwrap();
    let ended = timeout(PATIENCE, reading).await.unwrap().unwrap();
    let said = ended.unwrap_err().to_string();
    assert!(said.contains("the disk is gone"), "{said}");
}

#[tokio::test]
async fn a_file_is_there_before_the_client_is_done_answering_a_server_that_missed_the_last_ack() {
    let server = socket().await;
    let client = client(&server);
    let settings = TransferSettings::default().dally(Duration::from_secs(3600));
    let client = client.settings(settings);
    let reading = tokio::spawn(async move { client.get_bytes("f", 1 << 20).await });
    let (_, there) = recv(&server).await;
    let last = b"\x00\x03\x00\x01text";
    server.send_to(last, there).await.unwrap();
    assert_eq!(recv(&server).await, (vec![0, 4, 0, 1], there));
    let file = timeout(PATIENCE, reading).await.unwrap().unwrap().unwrap();
    assert_eq!(file, "text");
    for _ in 0..2 {
        server.send_to(last, there).await.unwrap();
        assert_eq!(recv(&server).await, (vec![0, 4, 0, 1], there));
    }
}

#[tokio::test]
async fn a_port_of_the_callers_choice_is_free_when_the_file_is_there() {
    let server = socket().await;
    let here = socket().await.local_addr().unwrap();
    let client = client(&server).bind(here);
    for _ in 0..2 {
        let client = client.clone();
        let reading = tokio::spawn(async move { client.get_bytes("f", 1 << 20).await });
        assert_eq!(recv(&server).await.1, here);
        server.send_to(b"\x00\x03\x00\x01text", here).await.unwrap();
        assert_eq!(recv(&server).await.0, [0, 4, 0, 1]);
        let file = timeout(PATIENCE, reading).await.unwrap().unwrap();
        assert_eq!(file.unwrap(), "text");
    }
}

#[tokio::test]
async fn a_read_that_is_dropped_leaves_no_socket() {
    let server = socket().await;
    let client = client(&server);
    let reading = tokio::spawn(async move { client.get_bytes("f", 1 << 20).await });
    let (_, there) = recv(&server).await;
    reading.abort();
    assert!(reading.await.unwrap_err().is_cancelled());
    if cfg!(target_os = "linux") {
        // A port that nobody has answers by ICMP, which a connected socket is told.
        server.connect(there).await.unwrap();
        server.send(&[0, 3, 0, 1]).await.unwrap();
        let refused = timeout(PATIENCE, server.recv(&mut [0; 16])).await.unwrap();
        assert_eq!(
            refused.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
    }
}

//! Text in netascii mode, both ways.

use netboot_tftp::Options;
use netboot_tftp::client::{Client, Content};
use netboot_tftp::server::{Directory, Memory, Settings, Writing};
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, unhurried};

/// Lines of every length up to 200, with a CR here and there.
fn text(len: usize) -> Vec<u8> {
    let lines = (0..).flat_map(|n: usize| {
        let line = (0..n % 200).map(|i| if i % 37 == 36 { b'\r' } else { b'x' });
        line.chain([b'\n'])
    });
    lines.take(len).collect()
}

#[tokio::test]
async fn lines_end_with_cr_lf_on_the_wire_and_the_size_is_not_told() {
    let files = Memory::from_iter([("text", "one\ntwo\rthree\n")]);
    let server = Running::start(Settings::default(), files);
    let client = Bare::new().await;
    let request = b"\x00\x01text\0netascii\0tsize\x000\0blksize\x0010\0";
    client.send(server.addr, request).await;
    let (oack, tid) = client.recv().await;
    assert_eq!(oack, b"\x00\x06blksize\x0010\0");
    client.send(tid, &[0, 4, 0, 0]).await;
    assert_eq!(client.recv().await.0, b"\x00\x03\x00\x01one\r\ntwo\r\0");
    client.send(tid, &[0, 4, 0, 1]).await;
    assert_eq!(client.recv().await.0, b"\x00\x03\x00\x02three\r\n");
    client.send(tid, &[0, 4, 0, 2]).await;
    // 17 bytes on the wire of 14 in the file.
    server.event("started 14 blksize=10").await;
    server.event("finished 17").await;
}

#[tokio::test]
async fn a_block_that_is_sent_again_is_the_same_block() {
    // Large enough that the way back to a block goes by a mark far behind the start.
    let file = text(400_000);
    let files = Memory::from_iter([("text", file)]);
    let settings = Settings::default().transfer(unhurried());
    let server = Running::start(settings, files);
    let client = Bare::new().await;
    let request = b"\x00\x01text\0netascii\0blksize\x001000\0windowsize\x004\0";
    client.send(server.addr, request).await;
    let (_, tid) = client.recv().await;
    let mut acked = 0_u16;
    for _ in 0..60 {
        let [high, low] = acked.to_be_bytes();
        client.send(tid, &[0, 4, high, low]).await;
        let mut window = Vec::new();
        for _ in 0..4 {
            window.push(client.recv().await.0);
        }
        // Only the first has arrived: the sender goes on from the second.
        let [high, low] = (acked + 1).to_be_bytes();
        client.send(tid, &[0, 4, high, low]).await;
        for before in &window[1..] {
            assert!(client.recv().await.0 == *before);
        }
        client.recv().await;
        acked += 5;
    }
}

#[tokio::test]
async fn a_text_comes_through_both_ways_in_any_shape() {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::new(root.path()).unwrap();
    let server = Running::start(Settings::default(), directory.writable(Writing::default()));
    for (i, (len, blksize, windowsize)) in [
        (0, 512, 1),
        (1, 8, 1),
        (5_000, 8, 64),
        (300_000, 1468, 16),
        (300_001, 512, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let client = Client::new(server.addr)
            .netascii()
            .blksize(blksize)
            .windowsize(windowsize);
        let (name, text) = (format!("text{i}"), text(len));
        let put = client.put(&name, Content::Bytes(text.clone().into()), |_| {});
        timeout(PATIENCE, put).await.unwrap().unwrap();
        assert!(std::fs::read(root.path().join(&name)).unwrap() == text);
        let got = client.get_bytes(&name, 1 << 20);
        assert!(timeout(PATIENCE, got).await.unwrap().unwrap() == text);
    }
    // Without options it is blocks of 512.
    let plain = Client::new(server.addr)
        .netascii()
        .options(Options::default());
    assert!(plain.get_bytes("text3", 1 << 20).await.unwrap() == text(300_000));
}

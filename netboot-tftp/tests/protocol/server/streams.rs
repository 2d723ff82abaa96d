//! Contents that come in as they go out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use netboot_tftp::Options;
use netboot_tftp::client::{Client, ClientError};
use netboot_tftp::server::{Content, Directory, Refusal, Request, Settings, Source, Writing};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, content, unhurried};

/// Gives what a name says: as many bytes, and as many said to come.
struct Streams;

impl Source for Streams {
    async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
        let name = str::from_utf8(request.name).unwrap();
        let (there, said) = name.split_once(" of ").unwrap();
        let bytes = io::Cursor::new(content(there.parse().unwrap()));
        Ok(Content::stream(bytes, said.parse().unwrap()))
    }
}

/// One content, for the first who asks.
struct Once<R>(Mutex<Option<(R, u64)>>);

impl<R: AsyncRead + Send + 'static> Once<R> {
    fn new(reader: R, len: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some((reader, len)))))
    }
}

impl<R: AsyncRead + Send + 'static> Source for Once<R> {
    async fn open(&self, _: &Request<'_>) -> Result<Content, Refusal> {
        let (reader, len) = self.0.lock().await.take().ok_or_else(Refusal::silent)?;
        Ok(Content::stream(reader, len))
    }
}

fn pipe(len: u64) -> (DuplexStream, Arc<Once<DuplexStream>>) {
    let (upstream, reader) = tokio::io::duplex(1 << 20);
    (upstream, Once::new(reader, len))
}

#[tokio::test]
async fn streams_arrive_whole_in_lockstep_and_in_windows_and_as_netascii() {
    let server = Running::start(Settings::default(), Streams);
    let lockstep = Client::new(server.addr);
    for client in [
        lockstep.clone(),
        lockstep.clone().options(Options::default()),
        lockstep.clone().blksize(8).windowsize(64),
        lockstep.clone().blksize(1468).windowsize(64),
        lockstep.clone().windowsize(16).netascii(),
    ] {
        for len in [0, 5, 512, 1468 * 7, 300_000] {
            let name = format!("{len} of {len}");
            let got = timeout(PATIENCE, client.get_bytes(name, 1 << 20)).await;
            assert!(got.unwrap().unwrap() == content(len), "{len} by {client:?}");
        }
    }
    let got = lockstep.get_bytes("700 of 600", 1 << 20).await.unwrap();
    assert!(got == content(600));
}

#[tokio::test]
async fn a_stream_of_a_client_is_sent_as_it_comes_in() {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::new(root.path())
        .unwrap()
        .writable(Writing::default());
    let server = Running::start(Settings::default(), directory);
    let client = Client::new(server.addr).windowsize(16);
    let bytes = Content::stream(io::Cursor::new(content(300_000)), 300_000);
    let put = client.put("whole", bytes, |_| {});
    timeout(PATIENCE, put).await.unwrap().unwrap();
    assert!(std::fs::read(root.path().join("whole")).unwrap() == content(300_000));

    let short = Content::stream(io::Cursor::new(content(200_000)), 300_000);
    let error = timeout(PATIENCE, client.put("short", short, |_| {})).await;
    assert!(matches!(error.unwrap(), Err(ClientError::Read(_))));
    server.event("failed the peer ended").await;
    assert!(!root.path().join("short").exists());
}

#[tokio::test]
async fn a_stream_that_ends_early_fails_with_an_error_to_the_client() {
    let server = Running::start(Settings::default(), Streams);
    for windowsize in [1, 16] {
        let client = Client::new(server.addr).windowsize(windowsize);
        let error = timeout(PATIENCE, client.get_bytes("100000 of 100001", 1 << 20)).await;
        let error = error.unwrap().unwrap_err();
        assert!(error.to_string().ends_with("the file cannot be read"));
    }
    server.event("failed reading UnexpectedEof").await;
}

#[tokio::test]
async fn each_window_is_sent_when_it_has_come_in() {
    let (mut upstream, source) = pipe(3000);
    let server = Running::start(Settings::default().transfer(unhurried()), source);
    let client = Bare::new().await;
    let request = b"\x00\x01any\0octet\0blksize\x001000\0windowsize\x002\0";
    client.send(server.addr, request).await;
    let (oack, tid) = client.recv().await;
    assert_eq!(oack, b"\x00\x06blksize\x001000\0windowsize\x002\0");
    client.send(tid, &[0, 4, 0, 0]).await;
    upstream.write_all(&content(2500)[..1999]).await.unwrap();
    upstream.write_all(&content(2500)[1999..]).await.unwrap();
    for block in 1..=2 {
        assert_eq!(client.recv().await.0[..4], [0, 3, 0, block]);
    }
    // The second is lost: it comes again, though the stream has gone by.
    client.send(tid, &[0, 4, 0, 1]).await;
    let (again, _) = client.recv().await;
    assert_eq!(
        (&again[..4], &again[4..]),
        (&[0, 3, 0, 2][..], &content(2000)[1000..])
    );
    client.send(tid, &[0, 4, 0, 2]).await;
    upstream.write_all(&content(3000)[2500..]).await.unwrap();
    let (last, _) = client.recv().await;
    assert_eq!(
        (&last[..4], &last[4..]),
        (&[0, 3, 0, 3][..], &content(3000)[2000..])
    );
}

/// A reader that must not be read.
struct Untouched;

impl AsyncRead for Untouched {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        panic!("it was read");
    }
}

#[tokio::test]
async fn a_stream_is_not_read_for_a_client_that_asks_for_the_size_only() {
    let server = Running::start(Settings::default(), Once::new(Untouched, 3000));
    let size = Client::new(server.addr).size("any").await.unwrap();
    assert_eq!(size, 3000);
    server.event("probe 3000").await;
}

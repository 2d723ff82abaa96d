//! Sinks of the caller's own.

use std::io;
use std::sync::mpsc;

use netboot_tftp::client::{Client, ClientError};
use netboot_tftp::server::{Content, Memory, Refusal, Request, Settings, Sink, Source, Upload};
use netboot_tftp::{ErrorCode, TransferError};
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, content, unhurried};

/// What has become of an upload.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Committed(Vec<u8>),
    Dropped,
}

struct Kept {
    bytes: Vec<u8>,
    fails: Option<io::ErrorKind>,
    fate: Option<mpsc::Sender<Fate>>,
}

impl Sink for Kept {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        match self.fails {
            Some(kind) if self.bytes.starts_with(b"refuse") => Err(kind.into()),
            _ => Ok(()),
        }
    }

    async fn commit(mut self) -> io::Result<()> {
        if let Some(kind) = self.fails {
            return Err(kind.into());
        }
        let (bytes, fate) = (std::mem::take(&mut self.bytes), self.fate.take());
        let told = fate.unwrap().send(Fate::Committed(bytes));
        told.map_err(io::Error::other)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(fate) = self.fate.take() {
            fate.send(Fate::Dropped).unwrap();
        }
    }
}

struct Inbox(mpsc::Sender<Fate>);

impl Source for Inbox {
    async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
        Memory::default().open(request).await
    }

    async fn create(&self, request: &Request<'_>) -> Result<Upload, Refusal> {
        let sink = Kept {
            bytes: Vec::new(),
            fails: (request.name == b"full").then_some(io::ErrorKind::StorageFull),
            fate: Some(self.0.clone()),
        };
        Ok(Upload::new(sink, 1 << 20))
    }
}

#[tokio::test]
async fn a_sink_of_the_callers_gets_whole_files_and_is_dropped_with_others() {
    let (told, fates) = mpsc::channel();
    let server = Running::start(Settings::default(), Inbox(told));
    let client = Client::new(server.addr).windowsize(4);
    for len in [0, 5, 100_000] {
        let put = client.put("log", Content::Bytes(content(len).into()), |_| {});
        timeout(PATIENCE, put).await.unwrap().unwrap();
        // The client has its last ACK, so the file has been committed.
        assert!(
            fates.try_recv() == Ok(Fate::Committed(content(len))),
            "{len}"
        );
    }
    let early = Content::stream(io::Cursor::new(content(50_000)), 100_000);
    let error = timeout(PATIENCE, client.put("log", early, |_| {})).await;
    assert!(error.unwrap().is_err());
    server.event("failed the peer ended").await;
    assert_eq!(fates.try_recv(), Ok(Fate::Dropped));
}

#[tokio::test]
async fn a_sink_that_fails_is_dropped_and_the_client_is_told_why() {
    let (told, fates) = mpsc::channel();
    let server = Running::start(Settings::default(), Inbox(told));
    let client = Client::new(server.addr).windowsize(4);
    // While it is written, and when it is to be committed.
    for bytes in [[&b"refuse"[..], &content(100_000)].concat(), content(5)] {
        let put = client.put("full", Content::Bytes(bytes.into()), |_| {});
        let error = timeout(PATIENCE, put).await.unwrap().unwrap_err();
        let ClientError::Transfer(TransferError::Peer { code, .. }) = error else {
            panic!("{error}");
        };
        assert_eq!(code, ErrorCode::DISK_FULL);
        assert_eq!(fates.try_recv(), Ok(Fate::Dropped));
    }
}

#[tokio::test]
async fn a_server_that_is_dropped_drops_its_sinks() {
    let (told, fates) = mpsc::channel();
    let server = Running::start(Settings::default().transfer(unhurried()), Inbox(told));
    let client = Bare::new().await;
    client.send(server.addr, b"\x00\x02log\0octet\0").await;
    let (_, tid) = client.recv().await;
    client
        .send(tid, &[&[0, 3, 0, 1][..], &[7; 512]].concat())
        .await;
    client.recv().await;
    server.stop().await;
    assert_eq!(fates.try_recv(), Ok(Fate::Dropped));
}

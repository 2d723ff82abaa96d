//! What all these tests share: a server whose events can be waited for, a client made of a bare
//! socket, and files.

use std::net::SocketAddr;
use std::time::Duration;

use netboot_tftp::TransferSettings;
use netboot_tftp::server::{Cap, Counters, Event, Failure, Memory, Server, Settings, Source};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A test that hangs has failed; this says so before the harness loses patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Timers that never run out within a test: each packet then comes once, however slow the machine
/// is.
pub(crate) fn unhurried() -> TransferSettings {
    let hour = Duration::from_secs(3600);
    TransferSettings::default()
        .initial_rto(hour)
        .min_rto(hour)
        .max_rto(hour)
}

/// A server in a task, and its events as short lines.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) events: watch::Sender<Vec<String>>,
    pub(crate) counters: Counters,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    pub(crate) fn start(settings: Settings, source: impl Source) -> Self {
        Self::start_on("127.0.0.1:0", settings, source)
    }

    pub(crate) fn start_on(addr: &str, settings: Settings, source: impl Source) -> Self {
        Self::start_by(addr, settings, source, |_| false)
    }

    /// A server that has some addresses go before others.
    pub(crate) fn start_preferring(
        settings: Settings,
        source: impl Source,
        preference: fn(std::net::IpAddr) -> bool,
    ) -> Self {
        Self::start_by("127.0.0.1:0", settings, source, preference)
    }

    fn start_by(
        addr: &str,
        settings: Settings,
        source: impl Source,
        preference: fn(std::net::IpAddr) -> bool,
    ) -> Self {
        let events = watch::Sender::new(Vec::new());
        let log = events.clone();
        let server = Server::bind(addr.parse().unwrap(), settings, source)
            .unwrap()
            .prefer(preference)
            .observe(move |event| log.send_modify(|lines| lines.push(line(event))));
        Self {
            addr: server.local_addr().unwrap(),
            events,
            counters: server.counters(),
            task: tokio::spawn(server.serve(std::future::pending())),
        }
    }

    /// Ends the server as a runtime does that drops its future, and waits until that is done.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        let ended = timeout(PATIENCE, &mut self.task).await.expect("an end");
        assert!(ended.unwrap_err().is_cancelled());
        // The tasks of its transfers end when the runtime next runs them.
        tokio::task::yield_now().await;
    }

    /// Waits until an event line starts so, and gives it.
    pub(crate) async fn event(&self, start: &str) -> String {
        let mut events = self.events.subscribe();
        let find = |lines: &[String]| lines.iter().find(|l| l.starts_with(start)).cloned();
        let lines = timeout(PATIENCE, events.wait_for(|lines| find(lines).is_some()))
            .await
            .unwrap_or_else(|_| panic!("no {start:?} in {:?}", self.events.borrow()))
            .unwrap();
        find(&lines).unwrap()
    }

    pub(crate) fn count(&self, start: &str) -> usize {
        let events = self.events.borrow();
        events.iter().filter(|l| l.starts_with(start)).count()
    }
}

pub(crate) fn line(event: &Event<'_>) -> String {
    match event {
        Event::Started { transfer } => {
            format!("started {} {}", transfer.size, transfer.agreed.options())
        }
        Event::Finished { stats, .. } => format!("finished {}", stats.bytes),
        Event::Unconfirmed { stats, .. } => format!("unconfirmed {}", stats.bytes),
        Event::SizeProbe { transfer, .. } => format!("probe {}", transfer.size),
        Event::Failed { failure, .. } => match failure {
            Failure::Read(error) => format!("failed reading {:?}", error.kind()),
            other => format!("failed {other}"),
        },
        Event::Refused { code, message, .. } => {
            format!("refused {:?} {message}", code.map(|c| c.0))
        }
        Event::OverCap {
            cap: Cap::Transfers,
            ..
        } => "over cap".into(),
        Event::OverCap { .. } => "over cap of client".into(),
        Event::Repeated { .. } => "repeated".into(),
        Event::Malformed { error, .. } => format!("malformed {error}"),
        Event::Stray { .. } => "stray".into(),
        Event::WrongTid { .. } => "wrong tid".into(),
        Event::OffloadRefused { datagram_len, .. } => format!("offload refused {datagram_len}"),
        other => format!("{other:?}"),
    }
}

/// A client made of a bare socket.
pub(crate) struct Bare {
    pub(crate) socket: UdpSocket,
}

impl Bare {
    pub(crate) async fn new() -> Self {
        Self {
            socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    /// A client at an address of the loopback network.
    pub(crate) async fn at(last: u8) -> Self {
        Self {
            socket: UdpSocket::bind((std::net::Ipv4Addr::new(127, 0, 0, last), 0))
                .await
                .unwrap(),
        }
    }

    pub(crate) async fn new_many(count: usize) -> Vec<Self> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(Self::new().await);
        }
        clients
    }

    pub(crate) async fn send(&self, to: SocketAddr, packet: &[u8]) {
        self.socket.send_to(packet, to).await.unwrap();
    }

    pub(crate) async fn recv(&self) -> (Vec<u8>, SocketAddr) {
        let mut buf = [0; 2048];
        let (len, from) = timeout(PATIENCE, self.socket.recv_from(&mut buf))
            .await
            .expect("an answer")
            .unwrap();
        (buf[..len].to_vec(), from)
    }
}

pub(crate) fn files() -> Memory {
    Memory::from_iter([
        ("small", b"hello".to_vec()),
        ("big", content(300_000)),
        ("multiple", content(1468 * 7)),
        ("empty", vec![]),
    ])
}

pub(crate) fn content(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| u8::try_from(i * 31 % 251).unwrap())
        .collect()
}

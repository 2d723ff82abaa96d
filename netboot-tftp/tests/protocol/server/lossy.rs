//! Real sockets with a bad link between them: a relay that loses packets and holds them up, by
//! seed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use netboot_tftp::client::{Client, ClientError, Content};
use netboot_tftp::server::{Directory, Settings, Writing};
use netboot_tftp::{Packet, TransferError, TransferSettings};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::support::{PATIENCE, Running, content};

/// How bad the link is.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// Packets lost of a thousand, each way.
    loss: u64,
    /// Time on the way, each way.
    delay: Duration,
}

/// Chance, the same for the same seed (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// Starts a relay to a server and gives the address that clients ask. It runs as long as its set of
/// tasks.
async fn relay(tasks: &mut JoinSet<()>, server: SocketAddr, link: Link, odd: u64) -> SocketAddr {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let addr = front.local_addr().unwrap();
    let mut seed = odd | 1;
    tasks.spawn(async move {
        let mut clients: HashMap<SocketAddr, tokio::sync::mpsc::Sender<Vec<u8>>> = HashMap::new();
        let mut ways = JoinSet::new();
        let mut buf = vec![0; 65536];
        loop {
            let (len, client) = front.recv_from(&mut buf).await.unwrap();
            let way = clients.entry(client).or_insert_with(|| {
                let (send, packets) = tokio::sync::mpsc::channel(1024);
                seed += 2;
                let (chance, front) = (Chance(seed), Arc::clone(&front));
                ways.spawn(way(front, client, packets, server, link, chance));
                send
            });
            // A way that is full loses packets as well.
            let _lost = way.try_send(buf[..len].to_vec());
        }
    });
    addr
}

/// One client's way to the server and back, by a socket of its own.
async fn way(
    front: Arc<UdpSocket>,
    client: SocketAddr,
    mut packets: tokio::sync::mpsc::Receiver<Vec<u8>>,
    server: SocketAddr,
    link: Link,
    mut chance: Chance,
) {
    let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let mut peer = server;
    let mut in_flight = JoinSet::new();
    let mut buf = vec![0; 65536];
    loop {
        let (from, to, packet) = tokio::select! {
            packet = packets.recv() => {
                let Some(packet) = packet else { return };
                let asks = matches!(Packet::decode(&packet), Ok(Packet::Rrq(_) | Packet::Wrq(_)));
                (&back, if asks { server } else { peer }, packet)
            }
            received = back.recv_from(&mut buf) => {
                let (len, from) = received.unwrap();
                peer = from;
                (&front, client, buf[..len].to_vec())
            }
            Some(_) = in_flight.join_next() => continue,
        };
        if chance.below(1000) >= link.loss {
            let socket = Arc::clone(from);
            in_flight.spawn(async move {
                tokio::time::sleep(link.delay).await;
                // The other end may be gone by now.
                let _unheard = socket.send_to(&packet, to).await;
            });
        }
    }
}

#[tokio::test]
async fn files_come_through_a_bad_link_both_ways() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("big"), content(100_000)).unwrap();
    let writing = Writing::default().overwrite(true);
    let directory = Directory::new(root.path()).unwrap().writable(writing);
    for single_port in [false, true] {
        // An end that has lost all of the last ACKs gives up after two seconds.
        let transfer = TransferSettings::default().max_rto(Duration::from_millis(200));
        let settings = Settings::default()
            .single_port(single_port)
            .transfer(transfer.clone())
            .max_transfers_per_client(1000);
        let server = Running::start(settings, directory.clone());
        for (loss, windowsize) in [(10, 16), (50, 16), (50, 1), (200, 64)] {
            let link = Link {
                loss,
                delay: Duration::from_micros(500),
            };
            let mut tasks = JoinSet::new();
            let addr = relay(&mut tasks, server.addr, link, loss * 7 + 3).await;
            let client = Client::new(addr)
                .windowsize(windowsize)
                .settings(transfer.clone());
            let got = timeout(PATIENCE, client.get_bytes("big", 1 << 20)).await;
            assert!(got.unwrap().unwrap() == content(100_000));
            let put = client.put("new", Content::Bytes(content(100_000).into()), |_| {});
            match timeout(PATIENCE, put).await.unwrap() {
                Ok(_) => {}
                // Every one of the last ACKs may be lost: the client cannot know.
                Err(ClientError::Transfer(TransferError::TimedOut { all_sent: true, .. })) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(std::fs::read(root.path().join("new")).unwrap() == content(100_000));
            std::fs::remove_file(root.path().join("new")).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes about a minute of two cores and 4,000 open files: for the soak"]
async fn a_thousand_clients_over_a_bad_link_all_get_everything() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("big"), content(300_000)).unwrap();
    for single_port in [false, true] {
        let settings = Settings::default()
            .single_port(single_port)
            .max_transfers_per_client(1000);
        let server = Running::start(settings, Directory::new(root.path()).unwrap());
        let link = Link {
            loss: 10,
            delay: Duration::from_millis(1),
        };
        let mut tasks = JoinSet::new();
        let addr = relay(&mut tasks, server.addr, link, 11).await;
        let mut clients = JoinSet::new();
        for _ in 0..1000 {
            let client = Client::new(addr).windowsize(16);
            clients.spawn(async move { client.get_bytes("big", 1 << 20).await });
        }
        let expected = content(300_000);
        while let Some(got) = clients.join_next().await {
            assert!(got.unwrap().unwrap() == expected);
        }
        assert_eq!(server.count("started"), 1000);
    }
}

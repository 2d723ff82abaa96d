//! The driver on the loopback interface: what waits for what, and what does not.
#![cfg(target_os = "linux")]

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netboot_dhcp::MacAddr;
use netboot_dhcp::driver::{BootPolicy, Driver, Event, LeaseStore, MemoryStore, SharedServer};
use netboot_dhcp::server::{
    AddressRange, Boot, Claim, ClaimResult, Lease, Link, Network, NetworkId, Requester, Server,
    Settings, SilenceReason,
};
use netboot_dhcp::value::{MessageType, key};
use netboot_dhcp::wire::{Message, MessageView};
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, mpsc};

const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SLOW: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const QUICK: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// A driver that serves `lo` on ports of its own, and what it reports.
struct Site {
    client: UdpSocket,
    to: SocketAddrV4,
    events: mpsc::UnboundedReceiver<String>,
}

fn server(ports: [u16; 3]) -> SharedServer {
    let subnet = "127.0.0.0/24".parse().expect("a subnet");
    let mut network = Network::new(NetworkId(1), Link::Interface(1), subnet, SERVER);
    let (first, last) = (Ipv4Addr::new(127, 0, 0, 50), Ipv4Addr::new(127, 0, 0, 60));
    network.ranges = vec![AddressRange::new(first, last)];
    let mut settings = Settings::new(vec![network]);
    [
        settings.server_port,
        settings.client_port,
        settings.boot_server_port,
    ] = ports;
    SharedServer::new(Server::new(settings).expect("right settings"))
}

impl Site {
    async fn serve<P: BootPolicy, S: LeaseStore>(policy: P, store: S) -> Self {
        let port = || {
            let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
            let address = socket.and_then(|socket| socket.local_addr());
            address.expect("a free port").port()
        };
        let ports = [port(), port(), port()];
        let server = server(ports);
        let (report, events) = mpsc::unbounded_channel();
        let looks_at = server.clone();
        let driver = Driver::new(server, policy, store).observe(move |interface, event| {
            // Would wait for ever if it were called while the server is locked.
            let leases = looks_at.lock().leases().count();
            let counts = matches!(event, Event::Received { .. } | Event::Answered { .. });
            if counts || matches!(event, Event::Silent { .. } | Event::PolicyFailed { .. }) {
                let _ = report.send(format!("{} ({leases} leases)", event.line(interface)));
            }
        });
        let client = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, ports[1])).await;
        let listener = driver.bind("lo", 1).expect("ports of its own");
        tokio::spawn(async move { driver.serve(listener, std::future::pending()).await });
        Self {
            client: client.expect("the client's port"),
            to: SocketAddrV4::new(SERVER, ports[0]),
            events,
        }
    }

    async fn send(&self, mac: MacAddr, kind: MessageType, wanted: Option<Ipv4Addr>) {
        let mut message = Message::request(u32::from(mac.0[5]), mac.into());
        message.options.put(key::MESSAGE_TYPE, &kind);
        if let Some(wanted) = wanted {
            message.options.put(key::REQUESTED_ADDRESS, &wanted);
            message.options.put(key::SERVER_ID, &SERVER);
        }
        let bytes = message.to_bytes().expect("a message");
        let sent = self.client.send_to(&bytes, self.to).await;
        sent.expect("the loopback interface");
    }

    /// The next reply: its type, whose it is, and the address.
    async fn reply(&self) -> (MessageType, MacAddr, Ipv4Addr) {
        let mut buffer = [0; 2048];
        let length = self.client.recv(&mut buffer).await.expect("a reply");
        let view = MessageView::decode(&buffer[..length]).expect("a message");
        let kind = view.message_type().expect("a message type");
        (kind, view.mac().expect("a MAC address"), view.yiaddr())
    }

    async fn event(&mut self) -> String {
        self.events.recv().await.expect("a driver that serves")
    }
}

const fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// Answers [`SLOW`] when it is let; all others at once.
struct Waits(Arc<Semaphore>);

impl BootPolicy for Waits {
    async fn boot(&self, requester: &Requester<'_>) -> Boot {
        if requester.mac() == Some(SLOW) {
            let _ = self.0.acquire().await;
        }
        Boot::file("ipxe.efi")
    }
}

#[tokio::test]
async fn a_policy_that_takes_its_time_delays_no_other_machine() {
    let gate = Arc::new(Semaphore::new(0));
    let mut site = Site::serve(Waits(Arc::clone(&gate)), MemoryStore::default()).await;
    site.send(SLOW, MessageType::DISCOVER, None).await;
    assert_eq!(
        site.event().await,
        "DHCPDISCOVER(lo) 127.0.0.50 02:00:00:00:00:01 (0 leases)"
    );
    site.send(QUICK, MessageType::DISCOVER, None).await;
    assert_eq!(
        site.reply().await,
        (MessageType::OFFER, QUICK, address(50)),
        "nothing is held for the other yet"
    );
    gate.add_permits(1);
    assert_eq!(site.reply().await, (MessageType::OFFER, SLOW, address(51)));
    assert_eq!(
        [site.event().await, site.event().await, site.event().await],
        [
            "DHCPDISCOVER(lo) 127.0.0.50 02:00:00:00:00:02 (0 leases)",
            "DHCPOFFER(lo) 127.0.0.50 02:00:00:00:00:02 boots ipxe.efi (0 leases)",
            "DHCPOFFER(lo) 127.0.0.51 02:00:00:00:00:01 boots ipxe.efi (0 leases)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_never_answers_is_reported_and_the_next_message_is_served() {
    let gate = Arc::new(Semaphore::new(0));
    let mut site = Site::serve(Waits(gate), MemoryStore::default()).await;
    site.send(SLOW, MessageType::DISCOVER, None).await;
    assert!(site.event().await.starts_with("DHCPDISCOVER(lo)"));
    assert_eq!(
        site.event().await,
        "DHCPDISCOVER(lo) 127.0.0.50 02:00:00:00:00:01 the boot policy is late (0 leases)"
    );
    site.send(QUICK, MessageType::DISCOVER, None).await;
    assert_eq!(site.reply().await, (MessageType::OFFER, QUICK, address(50)));
}

/// Stores what it is let.
#[derive(Clone)]
struct Gated(Arc<Semaphore>, MemoryStore);

impl LeaseStore for Gated {
    async fn claim(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let _ = self.0.acquire().await;
        self.1.claim(claims).await
    }

    async fn load(&self) -> io::Result<Vec<Lease>> {
        self.1.load().await
    }
}

#[tokio::test]
async fn an_ack_leaves_when_its_lease_is_stored_and_others_are_served_meanwhile() {
    let gate = Arc::new(Semaphore::new(0));
    let store = Gated(Arc::clone(&gate), MemoryStore::default());
    let policy = |_: &Requester<'_>| Boot::default();
    let mut site = Site::serve(policy, store.clone()).await;
    let wanted = Some(address(55));
    site.send(SLOW, MessageType::REQUEST, wanted).await;
    assert!(site.event().await.starts_with("DHCPREQUEST(lo) 127.0.0.55"));
    site.send(QUICK, MessageType::DISCOVER, None).await;
    let offer = (MessageType::OFFER, QUICK, address(50));
    assert_eq!(site.reply().await, offer);
    assert_eq!(stored(&store).await, []);

    gate.add_permits(1);
    let ack = (MessageType::ACK, SLOW, address(55));
    assert_eq!(site.reply().await, ack);
    let [lease] = &*stored(&store).await else {
        panic!("one lease");
    };
    assert_eq!(lease.address, address(55));

    // Another server on the same store knows of it; one without its network leaves it be.
    let again = server([1067, 1068, 1011]);
    let driver = Driver::new(again.clone(), policy, store.clone());
    assert_eq!(driver.restore().await.expect("a store"), []);
    assert_eq!(again.lock().lease(address(55)), Some(lease));
    let nothing = SharedServer::new(Server::new(Settings::default()).expect("right settings"));
    let driver = Driver::new(nothing, policy, store.clone());
    assert_eq!(
        driver.restore().await.expect("a store"),
        std::slice::from_ref(lease)
    );
}

async fn stored(store: &impl LeaseStore) -> Vec<Lease> {
    store.load().await.expect("a store that works")
}

struct Broken;

impl LeaseStore for Broken {
    /// No result is one, too.
    async fn claim(&self, _: Vec<Claim>) -> Vec<ClaimResult> {
        Vec::new()
    }

    async fn load(&self) -> io::Result<Vec<Lease>> {
        Err(io::Error::other("no database"))
    }
}

#[tokio::test]
async fn a_store_without_results_confirms_nothing() {
    let policy = |_: &Requester<'_>| Boot::default();
    let mut site = Site::serve(policy, Broken).await;
    site.send(QUICK, MessageType::REQUEST, Some(address(55)))
        .await;
    assert!(site.event().await.starts_with("DHCPREQUEST(lo)"));
    assert_eq!(
        site.event().await,
        format!(
            "DHCPREQUEST(lo) 127.0.0.55 02:00:00:00:00:02 {} (0 leases)",
            SilenceReason::StoreDown
        )
    );
}

#[tokio::test]
async fn an_interface_that_is_not_there_is_waited_for_and_not_after_the_end() {
    let policy = |_: &Requester<'_>| Boot::default();
    let (report, mut events) = mpsc::unbounded_channel();
    let driver = Driver::new(server([1067, 1068, 1011]), policy, MemoryStore::default());
    let driver = driver.observe(move |interface, event| {
        let _ = report.send(event.line(interface).to_string());
    });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move {
        let until = async { drop(stopped.await) };
        driver.run("none-such", 1, until).await
    });
    let waits = events.recv().await.expect("a driver that waits");
    let said = "DHCP(none-such) the interface or its address is waited for: ";
    assert!(waits.starts_with(said), "{waits}");
    drop(stop);
    let ended = tokio::time::timeout(Duration::from_secs(60), run).await;
    assert!(matches!(ended, Ok(Ok(Ok(())))), "{ended:?}");
    assert!(events.recv().await.is_none(), "it is said once");
}

/// Panics for [`SLOW`]: at once, or when it is let.
struct Panics(Option<Arc<Semaphore>>);

impl BootPolicy for Panics {
    async fn boot(&self, requester: &Requester<'_>) -> Boot {
        if let Some(gate) = &self.0 {
            gate.acquire().await.expect("an open gate").forget();
        }
        assert!(requester.mac() != Some(SLOW), "a fault of the policy");
        Boot::default()
    }
}

#[tokio::test]
async fn a_policy_that_panics_costs_its_own_client_only() {
    for gate in [None, Some(Arc::new(Semaphore::new(0)))] {
        let mut site = Site::serve(Panics(gate.clone()), MemoryStore::default()).await;
        site.send(SLOW, MessageType::DISCOVER, None).await;
        site.send(QUICK, MessageType::DISCOVER, None).await;
        if let Some(gate) = gate {
            // Both wait for it.
            assert!(site.event().await.starts_with("DHCPDISCOVER(lo)"));
            assert!(site.event().await.starts_with("DHCPDISCOVER(lo)"));
            gate.add_permits(2);
        }
        while !site.event().await.contains("the boot policy panicked") {}
        assert_eq!(site.reply().await.1, QUICK);
    }
}

/// Panics for the first batch, once it is let.
struct PanicsOnce(Arc<Semaphore>, MemoryStore, AtomicBool);

impl LeaseStore for PanicsOnce {
    async fn claim(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let is_first = !self.2.swap(true, Ordering::Relaxed);
        let _ = self.0.acquire().await;
        assert!(!is_first, "a fault of the store");
        self.1.claim(claims).await
    }

    async fn load(&self) -> io::Result<Vec<Lease>> {
        self.1.load().await
    }
}

#[tokio::test]
async fn a_store_that_panics_costs_its_batch_only_and_a_busy_one_keeps_no_discover_out() {
    let gate = Arc::new(Semaphore::new(0));
    let store = PanicsOnce(
        Arc::clone(&gate),
        MemoryStore::default(),
        AtomicBool::new(false),
    );
    let mut site = Site::serve(|_: &Requester<'_>| Boot::default(), store).await;
    // Each comes alone, and is a batch.
    for _ in 0..200 {
        site.send(SLOW, MessageType::REQUEST, Some(address(55)))
            .await;
        assert!(site.event().await.starts_with("DHCPREQUEST(lo)"));
    }
    site.send(QUICK, MessageType::DISCOVER, None).await;
    assert_eq!(site.reply().await, (MessageType::OFFER, QUICK, address(50)));
    gate.add_permits(1);
    let down = SilenceReason::StoreDown.to_string();
    while !site.event().await.contains(&down) {}
    assert_eq!(site.reply().await, (MessageType::ACK, SLOW, address(55)));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_reported_as_down() {
    let store = Gated(Arc::new(Semaphore::new(0)), MemoryStore::default());
    let mut site = Site::serve(|_: &Requester<'_>| Boot::default(), store).await;
    site.send(QUICK, MessageType::REQUEST, Some(address(55)))
        .await;
    assert!(site.event().await.starts_with("DHCPREQUEST(lo)"));
    let said = site.event().await;
    assert!(
        said.contains(&SilenceReason::StoreDown.to_string()),
        "{said}"
    );
}

#[tokio::test]
async fn a_machine_that_repeats_itself_takes_no_others_place_at_a_slow_policy() {
    let gate = Arc::new(Semaphore::new(0));
    let mut site = Site::serve(Waits(gate), MemoryStore::default()).await;
    for asked in 0..1100 {
        site.send(SLOW, MessageType::DISCOVER, None).await;
        assert!(site.event().await.starts_with("DHCPDISCOVER(lo)"));
        if asked >= 4 {
            assert!(site.event().await.contains("too many messages wait"));
        }
    }
    site.send(QUICK, MessageType::DISCOVER, None).await;
    assert_eq!(site.reply().await.1, QUICK);
}

//! The service within a program: a policy and routes of its own, over real sockets.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use netboot_dhcp::client::Profile;
use netboot_dhcp::driver::{LeaseStore, MemoryStore};
use netboot_server::Service;
use netboot_server::admin::explain::explain;
use netboot_server::config::Host;
use netboot_server::config::document::{Document, Network, Ports, Target};
use netboot_server::policy::Choice;
use netboot_server::route::{Body, Request, Response, StatusCode};
use netboot_server::world::programs::Programs;
use netboot_server::world::{Machine, World};
use serde_json::json;

use crate::support::client::{Connection, discover, get, lease, lease_as, mac, tftp};
use crate::support::{SERVER, Site, write};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

fn document(site: &Site) -> Document {
    let ports = Ports::new()
        .dhcp(site.ports.dhcp)
        .dhcp_client(site.ports.dhcp_client)
        .tftp(site.ports.tftp)
        .http(site.ports.http)
        .boot_server(site.ports.boot_server);
    let network = Network::on("lo", SERVER)
        .subnet("127.0.0.0/8".parse().expect("a subnet"))
        .range([127, 0, 0, 100].into(), [127, 0, 0, 200].into());
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    write(&programs, "undionly.kpxe", b"a boot program");
    Document::new()
        .state_dir(site.state())
        .program_dirs(Vec::<String>::new())
        .admin_listen(None)
        .ports(ports)
        .network(network)
        .target(Target::new("node-01").mac(mac(1)))
}

/// What a client does meanwhile, which blocks.
async fn meanwhile<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it ends")
}

fn said(status: u16, what: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::bytes(what.into()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_in_code_is_asked_by_dhcp_tftp_and_http_until_it_has_changed() {
    let site = Arc::new(Site::new(&json!([])));
    let (config, problems) = document(&site).check(&Host::default());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    let is_retired = Arc::new(AtomicBool::new(true));
    let retired = Arc::clone(&is_retired);
    let service = Service::builder(config)
        .policy(move |world: &World, machine: &Machine| {
            let is_known = world.find(machine).is_some();
            let retired = retired.load(Ordering::Relaxed) && !is_known;
            // What iPXE's scripts cannot hold must not keep one from being written.
            retired.then(|| Choice::nothing("it is\nretired: ${net0/mac}"))
        })
        .start()
        .await
        .expect("it starts");

    let by_each = |site: &Arc<Site>| {
        let site = Arc::clone(site);
        meanwhile(move || {
            let bound = lease_as(&site, Profile::pxe_bios(mac(2)));
            let by_http = get(&site, bound.address, "/boot.ipxe").text().to_owned();
            let by_tftp = tftp(&site, bound.address, b"boot.ipxe").expect("a script");
            (bound.file, by_http, by_tftp)
        })
    };
    let (file, by_http, by_tftp) = by_each(&site).await;
    assert_eq!(file, None);
    assert!(
        by_http.contains("nothing to boot for this machine"),
        "{by_http}"
    );
    assert_eq!(by_tftp, by_http.as_bytes());
    let known = Arc::clone(&site);
    let known = meanwhile(move || lease_as(&known, Profile::pxe_bios(mac(1)))).await;
    assert_eq!(known.file.as_deref(), Some("undionly.kpxe"));

    is_retired.store(false, Ordering::Relaxed);
    service.policy_changed().await;
    let (file, by_http, _) = by_each(&site).await;
    assert_eq!(file.as_deref(), Some("undionly.kpxe"));
    assert!(by_http.contains("choose "), "{by_http}");
    service.stop().await;
}

/// As long as HTTP sends much to many, the runtime that it is served on looks at no other socket.
#[tokio::test]
async fn dhcp_and_tftp_answer_while_the_runtime_of_the_program_does_something_else() {
    let site = Site::new(&json!([]));
    let (config, problems) = document(&site).check(&Host::default());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    let service = Service::builder(config).start().await;
    let service = service.expect("it starts");
    // The client blocks the only thread of this runtime.
    let bound = lease(&site, 1);
    let program = tftp(&site, bound.address, b"undionly.kpxe");
    assert_eq!(program.as_deref(), Ok(&b"a boot program"[..]));
    service.stop().await;
}

#[test]
fn explain_says_what_a_policy_in_code_has_a_machine_do() {
    let network = Network::on("lo", SERVER);
    let (config, problems) = Document::new().network(network).check(&Host::default());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    let world = World::new(Arc::new(config), Vec::new(), Programs::from(["ipxe.efi"]))
        .with_policy(|_: &World, _: &Machine| Some(Choice::nothing("it is retired")));
    let explained = explain(&world, &Machine::with_mac(mac(2)));
    let because = "the policy in code has it so: it is retired";
    assert_eq!(explained.reasons.last().map(String::as_str), Some(because));
    assert!(
        explained.decision.starts_with("nothing: "),
        "{}",
        explained.decision
    );
    assert!(explained.firmware.iter().all(|stage| stage.file.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_of_its_own_knows_who_asks_and_is_asked_before_the_servers() {
    let site = Arc::new(Site::new(&json!([])));
    let (config, problems) = document(&site).check(&Host::default());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    let who = async |request: Request| {
        let target = request.machine.and_then(|mac| request.world.target(mac));
        let name = target.map_or("a stranger", |(_, target)| target.name.as_str());
        let Request {
            method,
            path,
            query,
            ..
        } = &request;
        let body = String::from_utf8_lossy(&request.body);
        said(200, format!("{method} {path} {query} {body} of {name}"))
    };
    let service = Service::builder(config)
        .route("/who", who)
        .route("/healthz", async |_: Request| said(503, "not yet"))
        .start()
        .await
        .expect("it starts");
    let client = Arc::clone(&site);
    meanwhile(move || {
        let site = &client;
        let node = lease(site, 1).address;
        let text = |from, path: &str| get(site, from, path).text().to_owned();
        assert_eq!(
            text(node, "//who//am%20I?x=%20"),
            "GET /who/am I x=%20  of node-01"
        );
        assert_eq!(text(STRANGER, "/who"), "GET /who   of a stranger");
        assert_eq!(get(site, node, "/whoever").status, 404);
        assert_eq!(get(site, node, "/who/../x").status, 400);
        assert_eq!(get(site, node, "/healthz").status, 503);
        assert!(text(node, "/boot.ipxe").contains("choose "));

        let mut connection = Connection::from(site, STRANGER);
        let length = "GET /who   of a stranger".len() + 1;
        let head = connection.ask("HEAD", "/who", &[]);
        assert_eq!(head.header("content-length"), length.to_string());
        connection.send(b"POST /who HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(
            connection.answer(false).text(),
            "POST /who  abc of a stranger"
        );
        connection.send(b"POST /who HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n");
        connection.send(&[b'a'; 65_537]);
        assert_eq!(connection.answer(false).status, 413);
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_kept_in_a_store_of_its_own_which_the_next_service_goes_on_with() {
    let site = Arc::new(Site::new(&json!([])));
    let store = MemoryStore::default();
    let start = async || {
        let (config, problems) = document(&site).check(&Host::default());
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        let service = Service::builder(config).leases(store.clone()).start();
        service.await.expect("it starts")
    };
    let take = async |last: u8| {
        let site = Arc::clone(&site);
        meanwhile(move || lease(&site, last).address).await
    };
    let service = start().await;
    let first = take(7).await;
    let stored = store.load().await.expect("a store");
    let stored: Vec<Ipv4Addr> = stored.iter().map(|lease| lease.address).collect();
    assert_eq!(stored, [first]);
    service.stop().await;

    let service = start().await;
    assert_ne!(take(8).await, first, "it is another's");
    assert_eq!(take(7).await, first);
    service.stop().await;
    let in_the_state = std::fs::read_dir(site.state()).expect("the state folder");
    let names: Vec<_> = in_the_state
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().contains("lease")),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_panics_for_one_machine_leaves_dhcp_for_the_others() {
    let site = Arc::new(Site::new(&json!([])));
    let (config, problems) = document(&site).check(&Host::default());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    let service = Service::builder(config)
        .policy(|_: &World, machine: &Machine| {
            assert!(machine.mac != Some(mac(2)), "a fault of the policy");
            None
        })
        .start()
        .await
        .expect("it starts");
    let client = Arc::clone(&site);
    meanwhile(move || {
        assert_eq!(discover(&client, Profile::pxe_bios(mac(2))), None);
        lease(&client, 3);
    })
    .await;
    service.stop().await;
}

#[tokio::test]
async fn a_reload_reads_a_store_of_its_own_in_a_runtime_of_one_thread() {
    let site = Arc::new(Site::new(&json!([])));
    let (config, problems) = document(&site).check(&Host::default());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    let again = Arc::clone(&site);
    let service = Service::builder(config)
        .leases(MemoryStore::default())
        .reread_by(move || document(&again).check(&Host::default()))
        .start()
        .await
        .expect("it starts");
    let reloaded = service.reload().await;
    assert!(reloaded.is_ok(), "{reloaded:?}");
    service.stop().await;
}

/// A store that can be full.
#[derive(Default, Clone)]
struct Disk {
    leases: MemoryStore,
    is_full: Arc<AtomicBool>,
}

impl LeaseStore for Disk {
    async fn claim(
        &self,
        claims: Vec<netboot_dhcp::server::Claim>,
    ) -> Vec<netboot_dhcp::server::ClaimResult> {
        self.leases.claim(claims).await
    }

    async fn load(&self) -> std::io::Result<Vec<netboot_dhcp::server::Lease>> {
        self.leases.load().await
    }

    async fn check(&self) -> std::io::Result<()> {
        match self.is_full.load(Ordering::Relaxed) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

/// Asks again and again, since an answer holds for two seconds.
async fn answers(site: &Arc<Site>, status: u16) {
    let site = Arc::clone(site);
    meanwhile(move || {
        crate::support::wait_until("/healthz says otherwise", || {
            get(&site, STRANGER, "/healthz").status == status
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn healthz_asks_whether_leases_can_be_written() {
    let site = Arc::new(Site::new(&json!([])));
    let (config, problems) = document(&site).check(&Host::default());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    let disk = Disk::default();
    let service = Service::builder(config)
        .leases(disk.clone())
        .start()
        .await
        .expect("it starts");
    answers(&site, 200).await;
    assert_eq!(service.health().check().await, Ok(()));
    disk.is_full.store(true, Ordering::Relaxed);
    answers(&site, 503).await;
    let unwell = service.health().check().await.expect_err("a full disk");
    assert_eq!(unwell.failure.tried, "writing leases");
    assert!(!unwell.is_stuck, "no restart would mend it");
    disk.is_full.store(false, Ordering::Relaxed);
    answers(&site, 200).await;
    let health = service.health();
    service.stop().await;
    assert!(health.check().await.is_err());
}

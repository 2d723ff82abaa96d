//! DHCP of the running server under what does not end: strangers, kills, addresses that are
//! refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::{MessageType, key};
use netboot_dhcp::wire::MessageView;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Connection, client_socket, lease, mac, machine, message};
use crate::support::traced::Traced;
use crate::support::{Running, SERVER, Site, wait_until};

const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 50);

fn site() -> Site {
    Site::new(&json!([{ "name": "node-01", "mac": mac(1), "ip": NODE }]))
}

fn listed(site: &Site) -> Vec<(Ipv4Addr, String, String)> {
    let done = site.run(["leases", "--json"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let list: Vec<Value> = serde_json::from_str(&done.out).expect("a list in JSON");
    let text = |one: &Value, key: &str| one[key].as_str().expect("text").to_owned();
    list.iter()
        .map(|one| {
            let address = text(one, "address").parse().expect("an address");
            (address, text(one, "client"), text(one, "state"))
        })
        .collect()
}

#[test]
fn an_address_that_its_machine_declines_is_lent_to_nobody_also_behind_a_kill() {
    let site = site();
    let mut serving = Running::serve(&site);
    let first = lease(&site, 2).address;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let decline = message(MessageType::DECLINE, mac(2), Some(first));
    let server = (SERVER, site.ports.dhcp);
    socket.send_to(&decline, server).expect("a datagram");
    let declined =
        |(address, _, state): &(Ipv4Addr, String, String)| *address == first && state == "declined";
    wait_until("it is on the disk", || listed(&site).iter().any(declined));
    assert_ne!(lease(&site, 2).address, first);
    serving.signal(Signal::SIGKILL);
    serving.end();
    let _serving = Running::serve(&site);
    assert!(listed(&site).iter().any(declined));
    assert_ne!(lease(&site, 3).address, first);
}

fn resident_kb(serving: &Running) -> u64 {
    let status = format!("/proc/{}/status", serving.child.id());
    let status = std::fs::read_to_string(status).expect("a process that runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let mut words = line.expect("a line").split_whitespace();
    words.nth(1).expect("a number").parse().expect("a number")
}

#[test]
#[ignore = "takes half a minute"]
fn a_hundred_thousand_strangers_cost_bounded_memory_and_the_known_machine_is_served() {
    let site = site();
    let serving = Running::serve(&site);
    let flood = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let mut resident = Vec::new();
    for hundred in 0..1000_u32 {
        for number in 0..100 {
            // Spread over all that a MAC address can be.
            let number = (hundred * 100 + number).wrapping_mul(0x9e37_79b9);
            let discover = message(MessageType::DISCOVER, machine(number), None);
            let server = (SERVER, site.ports.dhcp);
            flood.send_to(&discover, server).expect("a datagram");
        }
        // Answered behind these, so that none of them is left.
        assert_eq!(lease(&site, 1).address, NODE);
        resident.push(resident_kb(&serving));
    }
    // By then all that has a cap is full.
    let (half, whole) = (resident[499], resident[999]);
    assert!(whole < half + 8 * 1024, "{half} kB, {whole} kB");
    let metrics = Connection::to(SERVER, site.ports.admin).ask("GET", "/metrics", &[]);
    let received = "netboot_dhcp_messages_total{outcome=\"received\",type=\"DHCPDISCOVER\"} ";
    let mut lines = metrics.text().lines();
    let received = lines.find_map(|line| line.strip_prefix(received));
    let received: u32 = received.expect("a counter").parse().expect("a number");
    // And one of the known machine's for each hundred.
    assert!(received >= 101_000, "{received}");
    // The range is as free as before.
    let lent = listed(&site);
    assert_eq!(lent.len(), 1, "{lent:?}");
}

/// Exchanges of many machines at a time.
struct Load<'s> {
    site: &'s Site,
    socket: UdpSocket,
    next: u32,
    acknowledged: BTreeMap<MacAddr, Ipv4Addr>,
}

/// A site with more addresses than any test here lends.
fn wide_site() -> Site {
    let site = site();
    let server = json!({
        "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/8",
        "dhcp_range": { "start": "127.1.0.0", "end": "127.1.255.255" },
    });
    site.configure(&json!([]), json!({ "server": server }));
    site
}

impl<'s> Load<'s> {
    fn new(site: &'s Site) -> Self {
        let socket = client_socket(site);
        socket.set_nonblocking(true).expect("an option");
        Self {
            site,
            socket,
            next: 0,
            acknowledged: BTreeMap::new(),
        }
    }

    fn send(&self, message: &[u8]) {
        let server = (SERVER, self.site.ports.dhcp);
        // Refused where the server was killed.
        let _ = self.socket.send_to(message, server);
    }

    fn begin_one(&mut self) {
        self.next += 1;
        self.send(&message(MessageType::DISCOVER, machine(self.next), None));
    }

    /// Takes a reply, and sends what follows it.
    fn go_on(&mut self, bytes: &[u8]) {
        let reply = MessageView::decode(bytes).expect("a message");
        let machine = reply.hardware().mac().expect("a MAC address");
        let address = reply.yiaddr();
        match reply.read(key::MESSAGE_TYPE).expect("a type") {
            Some(MessageType::OFFER) => {
                self.send(&message(MessageType::REQUEST, machine, Some(address)));
            }
            Some(MessageType::ACK) => {
                self.acknowledged.insert(machine, address);
                self.begin_one();
            }
            other => panic!("{other:?}"),
        }
    }

    /// Takes what has come.
    fn take(&mut self) {
        let mut bytes = [0; 2048];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            self.go_on(&bytes[..length]);
        }
    }

    /// Every lease that was told is on the disk, and no address was told twice.
    fn assert_stored(&self) {
        let told: BTreeSet<_> = self.acknowledged.values().collect();
        assert_eq!(
            told.len(),
            self.acknowledged.len(),
            "an address was given twice"
        );
        let stored = listed(self.site).into_iter();
        let stored: BTreeMap<_, _> = stored
            .map(|(address, client, state)| (client, (address, state)))
            .collect();
        for (machine, address) in &self.acknowledged {
            let kept = stored.get(&machine.to_string());
            assert_eq!(kept, Some(&(*address, "bound".to_owned())), "{machine}");
        }
    }
}

/// A small file system of its own below a folder.
struct Disk(PathBuf);

impl Disk {
    fn below(folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
            .arg(&folder)
            .status();
        assert!(mounted.expect("mount").success());
        Self(folder)
    }

    /// Fills it up; gives what takes the room.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("other");
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[7; 512]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_is_told_costs_no_lease_that_was_told_and_is_over_when_there_is_room() {
    let site = wide_site();
    let disk = Disk::below(site.state());
    let mut serving = Running::serve(&site);
    let other = disk.fill();
    let mut load = Load::new(&site);
    (0..16).for_each(|_| load.begin_one());
    let full = "writing the lease database";
    wait_until("it is told", || {
        load.take();
        serving.has_said(full)
    });
    let told = serving.said(full);
    assert!(told.contains("No space left"), "{told}");
    std::fs::remove_file(other).expect("one's own file");
    let before = load.acknowledged.len();
    assert!(before > 0, "there was room for some");
    (0..16).for_each(|_| load.begin_one());
    wait_until("leases are told again", || {
        load.take();
        load.acknowledged.len() > before + 100
    });
    serving.signal(Signal::SIGKILL);
    serving.end();
    load.assert_stored();
}

#[test]
#[ignore = "needs strace"]
fn a_flush_that_fails_is_told_and_costs_no_lease_that_was_told() {
    let site = wide_site();
    let fails = "--inject=fdatasync:error=EIO:when=20..30";
    let server = Traced::serve(&site, &["--trace=execve,fdatasync", fails]);
    let mut load = Load::new(&site);
    (0..16).for_each(|_| load.begin_one());
    // Whose lease was not stored is not answered, and others come in its place.
    let mut begun = 0;
    wait_until("leases are told behind it", || {
        load.take();
        if server.calls_that_failed() > begun {
            begun += 1;
            (0..16).for_each(|_| load.begin_one());
        }
        begun == 11 && load.acknowledged.len() > 1000
    });
    server.signal(Signal::SIGKILL);
    drop(server);
    load.assert_stored();
}

/// Kills the server under load, round by round: every lease that was told must be there, and no
/// address may be told twice.
fn kill_rounds(rounds: usize) {
    let site = wide_site();
    let mut load = Load::new(&site);
    for round in 1..=rounds {
        let mut serving = Running::serve(&site);
        let before = load.acknowledged.len();
        (0..16).for_each(|_| load.begin_one());
        wait_until("leases are told", || {
            load.take();
            load.acknowledged.len() > before + 10 + round % 37
        });
        serving.signal(Signal::SIGKILL);
        serving.end();
        // What had left before counts, too.
        load.take();
    }
    load.assert_stored();
}

#[test]
fn leases_told_under_load_survive_kill_9_and_no_address_is_given_twice() {
    kill_rounds(20);
}

#[test]
#[ignore = "takes minutes; the soak runs it"]
fn leases_told_under_load_survive_kill_9_again_and_again() {
    kill_rounds(300);
}

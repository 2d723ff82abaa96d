//! The server on a host whose clock is set. What the server takes for the time of day is Debian's
//! libfaketime's to say; the time since the host was started goes on, as it does on such a host.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use netboot_dhcp::client::Profile;
use netboot_dhcp::value::{MessageType, key};
use netboot_dhcp::wire::{Message, MessageView};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{client_socket, discover, lease, mac};
use crate::support::{PATIENCE, Running, SERVER, Site, netboot, write};

/// Machines that have all addresses there are.
const MACHINES: u8 = 3;
/// For how long they have them.
const LEASE_TIME: SignedDuration = SignedDuration::from_hours(12);
/// Longer than a test lasts, and shorter than any step.
const A_WHILE: SignedDuration = SignedDuration::from_hours(6);

const RIGHT: SignedDuration = SignedDuration::ZERO;
const A_DAY_BACK: SignedDuration = SignedDuration::from_hours(-24);
const A_YEAR_AHEAD: SignedDuration = SignedDuration::from_hours(365 * 24);

/// A site whose addresses are all taken by its machines.
fn site() -> Site {
    let site = Site::new(&json!([]));
    let server = json!({
        "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/8", "lease_time": "12h",
        "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.102" },
    });
    site.configure(&json!([]), json!({ "server": server }));
    site
}

/// The clock of the server's host.
struct HostClock {
    offset: PathBuf,
}

impl HostClock {
    fn of(site: &Site) -> Self {
        let offset = site.folder.path().join("offset");
        let clock = Self { offset };
        clock.set(RIGHT);
        clock
    }

    /// Sets it off the right time by so much.
    fn set(&self, off: SignedDuration) {
        // It is read with each look at the clock, so that it must never be half there.
        let next = self.offset.with_extension("next");
        std::fs::write(&next, format!("{:+}", off.as_secs())).expect("a file");
        std::fs::rename(next, &self.offset).expect("a file");
    }

    fn serve(&self, site: &Site) -> Running {
        let mut command = netboot(site.arguments(["serve"]));
        command
            // The loader puts the folder of Debian's libraries in `$LIB`'s place.
            .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1")
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        let serving = Running::serve_by(command);
        // What the library shares with children, of which there are none, outlives a kill, and then
        // is in the way of the next process of this number.
        let pid = serving.child.id();
        for shared in [
            format!("faketime_shm_{pid}"),
            format!("sem.faketime_sem_{pid}"),
        ] {
            std::fs::remove_file(Path::new("/dev/shm").join(shared))
                .expect("a file of libfaketime's");
        }
        serving
    }
}

/// What a machine that has an address is told when it asks for more time, RFC 2131 section 4.3.2.
fn renew(site: &Site, last: u8, address: Ipv4Addr) -> Option<MessageType> {
    let socket = client_socket(site);
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let mut request = Message::request(u32::from(last), mac(last).into());
    request.ciaddr = address;
    request
        .options
        .put(key::MESSAGE_TYPE, &MessageType::REQUEST);
    let request = request.to_bytes().expect("a message");
    socket
        .send_to(&request, (SERVER, site.ports.dhcp))
        .expect("a datagram");
    let mut bytes = [0; 2048];
    let (length, _) = socket.recv_from(&mut bytes).expect("an answer");
    let reply = MessageView::decode(&bytes[..length]).expect("a message");
    assert_eq!(reply.yiaddr(), address);
    reply.read(key::MESSAGE_TYPE).expect("a type")
}

/// Waits for a line that the server wrote by a clock that is off by so much.
fn wait_for_line(serving: &mut Running, off: SignedDuration) {
    loop {
        let line = serving.line("DHCPACK");
        let words: Vec<_> = line.split_whitespace().take(3).collect();
        let [date, time, offset] = words[..] else {
            panic!("{line}");
        };
        let time: Timestamp = format!("{date}T{time}{offset}").parse().expect("a time");
        if (time.duration_since(host_time()) - off).abs() < A_WHILE {
            return;
        }
    }
}

/// Each machine gets its lease, and so the whole range is lent.
fn lend(site: &Site) -> Vec<Ipv4Addr> {
    (1..=MACHINES)
        .map(|last| lease(site, last).address)
        .collect()
}

fn listed(site: &Site) -> Vec<Value> {
    let done = site.run(["leases", "--json"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    serde_json::from_str(&done.out).expect("a list in JSON")
}

/// The machines, and nobody else, are listed with what they were told, on a host whose clock is off
/// by so much: for `LEASE_TIME` from a moment ago.
fn assert_listed(site: &Site, lent: &[Ipv4Addr], off: SignedDuration) {
    let listed = listed(site);
    assert_eq!(listed.len(), lent.len(), "{listed:?}");
    let time = |of: &Value| -> Timestamp { of.as_str().expect("text").parse().expect("a time") };
    for (last, address) in (1..).zip(lent) {
        let address = address.to_string();
        let lease = listed.iter().find(|lease| lease["address"] == *address);
        let lease = lease.expect("the lease");
        assert_eq!(lease["client"], mac(last).to_string(), "{lease}");
        assert_eq!(lease["state"], "bound", "{lease}");
        let updated = time(&lease["updated"]);
        let ago = (host_time() + off).duration_since(updated);
        assert!(ago.abs() < A_WHILE, "{off:?}: {lease}");
        assert_eq!(time(&lease["expires"]), updated + LEASE_TIME, "{lease}");
    }
}

/// Each machine has what it was told and may keep it, and nobody else is given it, on a host whose
/// clock is off by so much.
fn assert_kept(site: &Site, lent: &[Ipv4Addr], off: SignedDuration) {
    assert_listed(site, lent, off);
    let newcomer = Profile::plain(mac(MACHINES + 1).into());
    assert_eq!(discover(site, newcomer), None, "it was offered another's");
    for (last, address) in (1..).zip(lent) {
        assert_eq!(renew(site, last, *address), Some(MessageType::ACK));
    }
    assert_listed(site, lent, off);
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_that_is_set_while_the_server_runs_ends_no_lease_and_lengthens_none() {
    let site = site();
    let clock = HostClock::of(&site);
    let mut serving = clock.serve(&site);
    let lent = lend(&site);
    for off in [A_DAY_BACK, A_YEAR_AHEAD, RIGHT] {
        clock.set(off);
        assert_kept(&site, &lent, off);
        wait_for_line(&mut serving, off);
    }
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_that_is_set_between_two_runs_ends_no_lease_and_lengthens_none() {
    let site = site();
    let clock = HostClock::of(&site);
    let mut serving = clock.serve(&site);
    let lent = lend(&site);
    for off in [A_DAY_BACK, A_YEAR_AHEAD, RIGHT] {
        serving.signal(Signal::SIGKILL);
        serving.end();
        // The command that looks by itself has the right clock.
        assert_listed(&site, &lent, RIGHT);
        clock.set(off);
        serving = clock.serve(&site);
        assert_kept(&site, &lent, off);
        wait_for_line(&mut serving, off);
    }
}

#[test]
#[ignore = "needs faketime"]
fn leases_of_dnsmasq_end_when_it_says_by_a_clock_that_was_set() {
    let site = site();
    let clock = HostClock::of(&site);
    let _serving = clock.serve(&site);
    for off in [A_DAY_BACK, A_YEAR_AHEAD] {
        clock.set(off);
        let end = (host_time() + off + LEASE_TIME).as_second();
        let line = format!("{end} {} 127.0.0.102 * *\n", mac(1));
        let file = write(site.folder.path(), "dnsmasq.leases", line.as_bytes());
        let done = site.run(["leases", "import", &file]);
        assert_eq!(done.out, "1 leases taken\n", "{}", done.err);
        let end = Timestamp::from_second(end).expect("a time").to_string();
        assert_eq!(listed(&site)[0]["expires"], end);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server is held against the host's clock"
)]
fn host_time() -> Timestamp {
    Timestamp::now()
}

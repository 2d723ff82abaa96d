//! The lease database: what survives, what is said of damage, and the command that works on it.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;

use netboot_dhcp::value::{MessageType, key};
use netboot_dhcp::wire::Message;
use nix::sys::signal::Signal;
use redb::TableDefinition;
use serde_json::{Value, json};

use crate::support::client::{lease, mac};
use crate::support::{Running, SERVER, Site, write};

fn site() -> Site {
    Site::new(&json!([{ "name": "node-01", "mac": mac(1) }]))
}

fn listed(site: &Site) -> Vec<Value> {
    let done = site.run(["leases", "--json"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    serde_json::from_str(&done.out).expect("a list in JSON")
}

/// Serves once, so that machines 1 to 5 have leases; gives their addresses.
fn lend_five(site: &Site) -> Vec<Ipv4Addr> {
    let mut serving = Running::serve(site);
    let lent = (1..=5).map(|last| lease(site, last).address).collect();
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code(), Some(0));
    lent
}

#[test]
fn leases_are_listed_and_ended_while_no_server_runs() {
    let site = site();
    let none = site.run(["leases"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("it is not there"), "{}", none.err);
    let lent = lend_five(&site);
    let list = listed(&site);
    assert_eq!(list.len(), 5);
    for one in &list {
        assert_eq!(one["state"], "bound", "{one}");
    }
    let first = lent[0].to_string();
    let named = list.iter().find(|one| one["address"] == first.as_str());
    assert_eq!(named.expect("the first")["host_name"], "node-01");
    let done = site.run(["leases", "remove", &first]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let done = site.run(["leases", "remove", "10.9.9.9"]);
    assert_eq!(done.code, Some(1));
    let ended = listed(&site);
    let ended = ended.iter().filter(|one| one["state"] == "released");
    assert_eq!(ended.count(), 1);
}

#[test]
fn leases_are_listed_and_ended_through_the_server_that_runs() {
    let site = site();
    let mut serving = Running::serve(&site);
    let (one, two) = (lease(&site, 1).address, lease(&site, 2).address);
    let list = listed(&site);
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["state"], "bound");
    let done = site.run(["leases", "remove", &two.to_string()]);
    let told = format!("{two} is no longer lent to {}\n", mac(2));
    assert_eq!((done.code, done.out), (Some(0), told), "{}", done.err);
    let none = site.run(["leases", "remove", "127.0.0.199"]);
    assert_eq!(none.code, Some(1));
    assert!(
        none.err.contains("127.0.0.199 has no lease"),
        "{}",
        none.err
    );
    let states = |site: &Site| -> Vec<(String, String)> {
        let list = listed(site);
        let text = |one: &Value, key: &str| one[key].as_str().expect("text").to_owned();
        let mut states: Vec<_> = list
            .iter()
            .map(|one| (text(one, "address"), text(one, "state")))
            .collect();
        states.sort();
        states
    };
    let now = states(&site);
    assert!(now.contains(&(one.to_string(), "bound".into())), "{now:?}");
    assert!(
        now.contains(&(two.to_string(), "released".into())),
        "{now:?}"
    );
    // It is on the disk, too.
    serving.signal(Signal::SIGKILL);
    serving.end();
    assert_eq!(states(&site), now);
}

#[test]
fn dnsmasqs_leases_are_taken_by_the_server_that_runs() {
    let site = site();
    let _serving = Running::serve(&site);
    let held = lease(&site, 7).address;
    let lines = format!(
        "0 02:00:00:00:00:01 127.0.0.150 node-01 *\n\
         0 02:00:00:00:00:02 {held} * *\n\
         0 02:00:00:00:00:03 192.168.7.7 * *\n\
         0 02:00:00:00:00:04 127.0.0.1 * *\n"
    );
    let file = write(site.folder.path(), "dnsmasq.leases", lines.as_bytes());
    let done = site.run(["leases", "import", &file]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "1 leases taken\n")
    );
    for expected in [
        "line 3: left out: 192.168.7.7 is in no network".to_owned(),
        "line 4: left out: 127.0.0.1 is no address for 02:00:00:00:00:04".to_owned(),
        format!(
            "{held}: left out for {}: another machine has it here",
            mac(2)
        ),
    ] {
        assert!(done.err.contains(&expected), "{}", done.err);
    }
    let list = listed(&site);
    let taken = list.iter().find(|one| one["address"] == "127.0.0.150");
    assert_eq!(
        taken.expect("the lease")["expires"],
        Value::Null,
        "for ever"
    );
    assert_eq!(lease(&site, 1).address, Ipv4Addr::new(127, 0, 0, 150));
    assert_eq!(lease(&site, 7).address, held);
}

#[test]
fn a_lease_file_without_an_end_is_refused() {
    let done = site().run(["leases", "import", "/dev/zero"]);
    assert_eq!(done.code, Some(1));
    let why = "reading /dev/zero: it is longer than 16 MiB";
    assert!(done.err.contains(why), "{}", done.err);
}

#[test]
fn dnsmasqs_leases_are_taken_over_with_their_addresses() {
    let site = site();
    let file = write(
        site.folder.path(),
        "dnsmasq.leases",
        b"0 02:00:00:00:00:01 127.0.0.150 node-01 *\n\
          0 02:00:00:00:00:02 127.0.0.151 * 01:02:00:00:00:00:02\n\
          0 02:00:00:00:00:03 192.168.7.7 * *\n\
          5 02:00:00:00:00:04 127.0.0.153 * *\n\
          0 02:00:00:00:00:05 127.0.0.1 * *\n",
    );
    let done = site.run(["leases", "import", &file]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(done.out, "2 leases taken\n");
    assert!(
        done.err
            .contains("line 3: left out: 192.168.7.7 is in no network")
    );
    assert!(
        done.err
            .contains("line 4: left out: the lease of 127.0.0.153 is over")
    );
    let own = "line 5: left out: 127.0.0.1 is no address for 02:00:00:00:00:05";
    assert!(done.err.contains(own), "{}", done.err);
    let _serving = Running::serve(&site);
    assert_eq!(lease(&site, 1).address, Ipv4Addr::new(127, 0, 0, 150));
    assert_eq!(lease(&site, 2).address, Ipv4Addr::new(127, 0, 0, 151));
}

#[test]
fn a_damaged_database_is_set_aside_with_a_word_and_the_service_starts() {
    for damage in [
        &(|bytes: &mut Vec<u8>| bytes.clear()) as &dyn Fn(&mut Vec<u8>),
        &|bytes| bytes.truncate(bytes.len() / 2),
        &|bytes| bytes.fill(0xa5),
        &|bytes| bytes[..64].fill(0),
        &|bytes| {
            let length = bytes.len();
            bytes[512..length.min(70_000)].fill(0x5a);
        },
    ] {
        let site = site();
        let lent = lend_five(&site);
        let path = site.state().join("leases");
        let mut bytes = std::fs::read(&path).expect("the database");
        damage(&mut bytes);
        std::fs::write(&path, &bytes).expect("one's own file");
        let mut serving = Running::serve(&site);
        let told = serving.said("the lease database was damaged");
        assert!(told.contains(" WARN "), "{told}");
        let aside = std::fs::read_dir(site.state()).expect("a folder");
        let aside: Vec<_> = aside
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.display().to_string().contains("leases.damaged-"))
            .collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert_eq!(std::fs::read(&aside[0]).expect("the damaged one"), bytes);
        assert!(told.contains(&aside[0].display().to_string()), "{told}");
        // Who asks anew has an address again, and it is stored.
        let again: Vec<_> = (1..=5).map(|last| lease(&site, last).address).collect();
        assert_eq!(again.len(), lent.len());
        serving.signal(Signal::SIGTERM);
        assert_eq!(serving.end().code(), Some(0));
        assert_eq!(listed(&site).len(), 5);
    }
}

/// Writes a lease database without the server's own code: what is said about it, and its leases.
fn write_database(site: &Site, about: &[(&str, u64)], leases: &[(u32, Ipv4Addr, &str)]) -> PathBuf {
    const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
    const LEASES: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("leases");
    std::fs::create_dir_all(site.state()).expect("the state folder");
    let path = site.state().join("leases");
    let database = redb::Database::create(&path).expect("a database");
    let write = database.begin_write().expect("a transaction");
    {
        let mut table = write.open_table(ABOUT).expect("a table");
        for (key, value) in about {
            table.insert(key, value).expect("room");
        }
        let mut table = write.open_table(LEASES).expect("a table");
        for (network, address, lease) in leases {
            let key = (*network, address.to_bits());
            table.insert(key, lease.as_bytes()).expect("room");
        }
    }
    write.commit().expect("a disk");
    path
}

#[test]
fn a_database_from_before_formats_had_numbers_is_read_as_it_is() {
    let site = site();
    // As the version at commit f1e084a wrote them.
    let node = r#"{"network":2130706432,"address":"127.0.0.150","client":{"hardware":"02:00:00:00:00:01"},"client_id":"01020000000001","host_name":"node-01","state":"bound","expires":18446744073709551615,"updated":1700000000000,"version":3}"#;
    let id = r#"{"network":3232261120,"address":"192.168.100.101","client":{"id":"ff0001"},"client_id":null,"host_name":null,"state":"declined","expires":1700003600000,"updated":1700000000000,"version":1}"#;
    write_database(
        &site,
        &[("begun", 1_690_000_000_000)],
        &[
            (0x7f00_0000, Ipv4Addr::new(127, 0, 0, 150), node),
            (0xc0a8_6400, Ipv4Addr::new(192, 168, 100, 101), id),
        ],
    );
    let list = listed(&site);
    let shown = |at: usize, key: &str| list[at][key].as_str().expect("text").to_owned();
    assert_eq!(list.len(), 2, "{list:?}");
    assert_eq!(shown(0, "address"), "127.0.0.150");
    assert_eq!(
        (shown(0, "state"), shown(0, "host_name")),
        ("bound".into(), "node-01".into())
    );
    assert_eq!(
        (shown(1, "state"), shown(1, "client")),
        ("declined".into(), "id ff:00:01".into())
    );
    // The machine keeps its address, and what it is given next is stored beside the old ones.
    let _serving = Running::serve(&site);
    assert_eq!(lease(&site, 1).address, Ipv4Addr::new(127, 0, 0, 150));
}

/// INIT-REBOOT (RFC 2131 table 4): a client asks whether the address that it had is still its own.
fn reboot(site: &Site, last: u8, had: Ipv4Addr) {
    let mut message = Message::request(u32::from(last), mac(last).into());
    let options = &mut message.options;
    options.put(key::MESSAGE_TYPE, &MessageType::REQUEST);
    options.put(key::REQUESTED_ADDRESS, &had);
    let bytes = message.to_bytes().expect("a message");
    let socket = UdpSocket::bind((SERVER, 0)).expect("a port");
    let sent = socket.send_to(&bytes, (SERVER, site.ports.dhcp));
    sent.expect("the loopback interface");
}

#[test]
fn a_client_is_believed_that_it_had_a_free_address_only_while_a_database_is_new() {
    let had = Ipv4Addr::new(127, 0, 0, 160);
    let new = site();
    let mut serving = Running::serve(&new);
    reboot(&new, 9, had);
    serving.said(&format!("DHCPACK(lo) {had} 02:00:00:00:00:09"));
    reboot(&new, 10, had);
    // What is said of it comes before this.
    lease(&new, 1);
    assert_eq!(listed(&new).len(), 2, "what it had is another's now");

    let old = site();
    write_database(&old, &[("begun", 1_690_000_000_000)], &[]);
    let _serving = Running::serve(&old);
    reboot(&old, 9, had);
    assert_ne!(lease(&old, 1).address, had);
    assert_eq!(listed(&old).len(), 1);
}

#[test]
fn a_database_of_a_later_format_is_left_as_it_is() {
    let site = site();
    let path = write_database(&site, &[("begun", 1), ("format", 2)], &[]);
    let done = site.run(["leases"]);
    assert_eq!(done.code, Some(1));
    for expected in ["a later version wrote it, in format 2", "run that version"] {
        assert!(done.err.contains(expected), "{}", done.err);
    }
    // It is not taken for a damaged one, which is set aside.
    assert!(path.exists());
    let entries = std::fs::read_dir(site.state()).expect("a folder");
    let aside = entries.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().contains("damaged")
    });
    assert_eq!(aside.count(), 0);
}

//! The lease database: what survives, what is said of damage, and the command that works on it.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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
    let shown = site.run(["leases"]).out;
    let lines: Vec<_> = shown.lines().collect();
    let head = "ADDRESS      CLIENT             STATE  UNTIL                       HOST";
    assert_eq!(lines[0], head, "{shown}");
    let row = lines
        .iter()
        .find(|line| line.starts_with(&first))
        .expect("the first");
    let words: Vec<_> = row.split_whitespace().collect();
    let [_, client, "bound", date, time, offset, "node-01"] = words[..] else {
        panic!("{shown}");
    };
    assert_eq!(client, mac(1).to_string());
    let until: jiff::Timestamp = format!("{date}T{time}{offset}")
        .parse()
        .expect("an instant");
    let expires = named.expect("the first")["expires"].as_str().expect("text");
    assert!(
        expires.ends_with('Z'),
        "for programs it is in UTC: {expires}"
    );
    let expires: jiff::Timestamp = expires.parse().expect("an instant");
    assert_eq!(until.as_second(), expires.as_second());
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
          1600000000 02:00:00:00:00:04 127.0.0.153 * *\n\
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

/// The bytes up to the zeros that were written ahead.
fn used(database: &[u8]) -> usize {
    let last = database.iter().rposition(|byte| *byte != 0);
    last.expect("it is not empty") + 1
}

/// Damages the lease of an address, and nothing else.
fn damage(path: &Path, address: Ipv4Addr) {
    let mut bytes = std::fs::read(path).expect("the database");
    let text = format!("\"address\":\"{address}\"");
    let mut windows = bytes.windows(text.len());
    let at = windows.position(|window| window == text.as_bytes());
    // Of the client's hardware address, behind that of the lease.
    bytes[at.expect("its record") + text.len() + 30] ^= 4;
    std::fs::write(path, bytes).expect("one's own file");
}

/// The entries of a state folder that begin so.
fn entries(site: &Site, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(site.state()).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let begins = |path: &PathBuf| {
        let of = path.file_name().expect("a name").to_string_lossy();
        of.starts_with(name)
    };
    paths.filter(begins).collect()
}

fn addresses(site: &Site) -> Vec<String> {
    let list = listed(site);
    let address = |one: &Value| one["address"].as_str().expect("text").to_owned();
    list.iter().map(address).collect()
}

fn shown(lent: &[Ipv4Addr]) -> Vec<String> {
    let mut shown: Vec<_> = lent.to_vec();
    shown.sort();
    shown.iter().map(ToString::to_string).collect()
}

#[test]
fn a_damaged_lease_is_lost_with_a_word_and_no_other_is() {
    let site = site();
    let mut lent = lend_five(&site);
    let path = site.state().join("leases");
    let lost = lent.remove(2);
    damage(&path, lost);
    let bytes = std::fs::read(&path).expect("the damaged one");
    let mut serving = Running::serve(&site);
    let told = serving.said("the lease database was damaged");
    let why = format!("1 record of {lost} cannot be read; 4 leases can be read");
    assert!(told.contains(&why), "{told}");
    assert_eq!(addresses(&site), shown(&lent));
    let aside = entries(&site, "leases.damaged-");
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(std::fs::read(&aside[0]).expect("a copy"), bytes);
    // Its machine, which still has it, gets it again.
    assert_eq!(lease(&site, 3).address, lost);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code(), Some(0));
    assert_eq!(addresses(&site).len(), 5);
}

/// All that is in a folder: path, owner, group, mode, time of change, content.
fn snapshot(folder: &Path) -> Vec<(PathBuf, [u32; 3], i128, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let about = path.symlink_metadata().expect("an entry");
        let time = i128::from(about.ctime()) * 1_000_000_000 + i128::from(about.ctime_nsec());
        let content = match about.is_file() {
            true => std::fs::read(&path).expect("a file"),
            false => Vec::new(),
        };
        let owner = [about.uid(), about.gid(), about.mode()];
        all.push((path.clone(), owner, time, content));
        if about.is_dir() {
            all.extend(snapshot(&path));
        }
    }
    all.sort();
    all
}

#[test]
fn commands_that_read_leave_every_database_as_it_is() {
    type Change<'c> = &'c dyn Fn(&Path, &[Ipv4Addr]);
    let cases: [(&str, Option<i32>, Change<'_>); 6] = [
        ("whole", Some(0), &|_, _| {}),
        ("missing", Some(1), &|path, _| {
            std::fs::remove_file(path).expect("it is there")
        }),
        ("damaged", Some(1), &|path, lent| damage(path, lent[1])),
        ("empty", Some(1), &|path, _| {
            std::fs::write(path, []).expect("one's own file")
        }),
        ("odd", Some(1), &|path, _| {
            let mut bytes = std::fs::read(path).expect("the database");
            bytes.extend([7; 33]);
            std::fs::write(path, bytes).expect("one's own file");
        }),
        ("torn", Some(0), &|path, _| {
            let mut bytes = std::fs::read(path).expect("the database");
            let end = used(&bytes);
            bytes[end - 40..].fill(0);
            std::fs::write(path, bytes).expect("one's own file");
        }),
    ];
    for (what, code, change) in cases {
        let site = site();
        let lent = lend_five(&site);
        change(&site.state().join("leases"), &lent);
        let before = snapshot(&site.state());
        let done = site.run(["leases"]);
        assert_eq!(done.code, code, "{what}: {}", done.err);
        let cured = done.err.contains("netboot leases salvage");
        assert_eq!(
            cured,
            code == Some(1) && what != "missing",
            "{what}: {}",
            done.err
        );
        for command in [
            "leases --json",
            "check",
            "doctor",
            "explain node-01",
            "status",
            "events",
        ] {
            site.run(command.split(' '));
            assert_eq!(snapshot(&site.state()), before, "{what}: {command}");
        }
        for command in ["leases remove 127.0.0.100", "leases import /dev/null"] {
            if cured {
                assert_eq!(
                    site.run(command.split(' ')).code,
                    Some(1),
                    "{what}: {command}"
                );
                assert_eq!(snapshot(&site.state()), before, "{what}: {command}");
            }
        }
    }
}

#[test]
fn what_can_be_read_of_a_damaged_database_is_salvaged() {
    let site = site();
    let lent = lend_five(&site);
    let path = site.state().join("leases");
    damage(&path, lent[0]);
    let done = site.run(["leases", "salvage"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(done.out, "4 leases are in the database\n");
    for expected in [
        format!(
            "1 record of {} cannot be read; 4 leases can be read",
            lent[0]
        ),
        entries(&site, "leases.damaged-")[0].display().to_string(),
    ] {
        assert!(done.err.contains(&expected), "{}", done.err);
    }
    assert_eq!(addresses(&site), shown(&lent[1..]));
    // There is nothing more to do.
    let done = site.run(["leases", "salvage"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(entries(&site, "leases.").len(), 1);
}

#[test]
fn a_database_that_was_set_aside_is_salvaged_into_the_one_that_was_begun() {
    let site = site();
    let lent = lend_five(&site);
    let path = site.state().join("leases");
    damage(&path, lent[4]);
    let aside = site.folder.path().join("aside");
    std::fs::rename(&path, &aside).expect("a file");
    // Another machine gets the address that machine 1 had.
    let file = write(
        site.folder.path(),
        "dnsmasq.leases",
        format!("0 02:00:00:00:00:09 {} * *\n", lent[0]).as_bytes(),
    );
    assert_eq!(site.run(["leases", "import", &file]).code, Some(0));
    let aside = aside.to_str().expect("text");
    let serving = Running::serve(&site);
    let before = snapshot(&site.state());
    let done = site.run(["leases", "salvage", aside]);
    assert_eq!(done.code, Some(1), "a server runs");
    assert!(done.err.contains("another netboot runs"), "{}", done.err);
    assert_eq!(snapshot(&site.state()), before);
    drop(serving);
    let done = site.run(["leases", "salvage", aside]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "3 leases taken\n")
    );
    let why = format!(
        "1 record of {} cannot be read; 4 leases can be read",
        lent[4]
    );
    assert!(done.err.contains(&why), "{}", done.err);
    let list = listed(&site);
    assert_eq!(list.len(), 4);
    let first = lent[0].to_string();
    let other = list.iter().find(|one| one["address"] == first.as_str());
    assert_eq!(other.expect("the lease")["client"], "02:00:00:00:00:09");
}

/// Runs a command under a mask.
fn run_under(mask: &str, site: &Site, arguments: &[&str]) -> Option<i32> {
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", &format!("umask {mask}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_netboot"))
        .args(site.arguments(arguments.iter().copied()));
    command.output().expect("a shell").status.code()
}

#[test]
fn modes_are_set_whatever_the_mask_is() {
    for mask in ["0", "077"] {
        let site = site();
        let file = write(site.folder.path(), "none", b"");
        assert_eq!(
            run_under(mask, &site, &["leases", "import", &file]),
            Some(0)
        );
        let mode = |path: &Path| path.metadata().expect("it is there").mode() & 0o7777;
        assert_eq!(mode(&site.state()) & 0o022, 0, "{mask}");
        assert_eq!(mode(&site.state().join("leases")), 0o640, "{mask}");
    }
}

#[test]
#[ignore = "needs root"]
fn what_roots_command_writes_is_the_folders_owners() {
    let site = site();
    lend_five(&site);
    for path in [site.state(), site.state().join("leases")] {
        std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).expect("root");
    }
    let path = site.state().join("leases");
    let mut bytes = std::fs::read(&path).expect("the database");
    bytes[0] ^= 1;
    std::fs::write(&path, bytes).expect("a file");
    assert_eq!(site.run(["leases", "salvage"]).code, Some(0));
    for path in entries(&site, "leases") {
        let about = path.metadata().expect("a file");
        assert_eq!((about.uid(), about.gid()), (65_534, 65_534), "{path:?}");
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let site = site();
    lend_five(&site);
    let path = site.state().join("leases");
    let elsewhere = site.folder.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).expect("a file");
    std::os::unix::fs::symlink(&elsewhere, &path).expect("a link");
    let before = std::fs::read(&elsewhere).expect("a file");
    for command in [
        "leases",
        "leases remove 127.0.0.100",
        "leases import /dev/null",
    ] {
        assert_eq!(site.run(command.split(' ')).code, Some(1), "{command}");
    }
    assert_eq!(std::fs::read(&elsewhere).expect("a file"), before);
}

#[test]
#[ignore = "needs strace, and takes minutes"]
fn whichever_call_fails_the_leases_that_were_stored_are_there() {
    let site = site();
    let lent = lend_five(&site);
    let path = site.state().join("leases");
    damage(&path, lent[4]);
    let damaged = std::fs::read(&path).expect("the database");
    let file = write(
        site.folder.path(),
        "dnsmasq.leases",
        b"0 02:00:00:00:00:09 127.0.0.150 * *\n",
    );
    let calls_made = site.folder.path().join("trace");
    // And whether the commands cannot do without.
    let calls = [
        ("openat", true),
        ("pwrite64", true),
        ("fsync", true),
        ("fdatasync", true),
        ("linkat", true),
        ("?rename,?renameat,?renameat2", true),
        ("flock", true),
        ("fchmod", true),
        ("pread64", true),
        ("statx", true),
        ("unlinkat", false),
    ];
    for (calls, needed) in calls {
        let mut failures = 0;
        for command in [vec!["leases", "salvage"], vec!["leases", "import", &file]] {
            let salvages = command[1] == "salvage";
            // Until there is no such call left.
            for when in 1..=100 {
                for old in entries(&site, "leases") {
                    std::fs::remove_file(old).expect("one's own file");
                }
                std::fs::write(&path, &damaged).expect("one's own file");
                if !salvages {
                    assert_eq!(site.run(["leases", "salvage"]).code, Some(0));
                }
                let (trace, inject) = (
                    format!("--trace={calls}"),
                    format!("--inject={calls}:error=EIO:when={when}"),
                );
                let done = std::process::Command::new("strace")
                    .args(["-f", "-qq", "-o"])
                    .arg(&calls_made)
                    .args([&trace, &inject])
                    .arg(env!("CARGO_BIN_EXE_netboot"))
                    .args(site.arguments(command.iter().copied()))
                    // In which the loader looks for libraries a hundred times.
                    .env_remove("LD_LIBRARY_PATH")
                    .output()
                    .expect("strace");
                let made = std::fs::read_to_string(&calls_made).expect("a trace");
                if !made.contains("(INJECTED)") {
                    break;
                }
                failures += u32::from(done.status.code() != Some(0));
                let what = format!("{calls} {when} {command:?}");
                if salvages {
                    // Whole before, or whole behind it.
                    assert_eq!(site.run(["leases", "salvage"]).code, Some(0), "{what}");
                }
                let now = addresses(&site);
                let taken = now.contains(&"127.0.0.150".to_owned());
                assert!(done.status.code() != Some(0) || taken != salvages, "{what}");
                let kept: Vec<_> = now.into_iter().filter(|one| one != "127.0.0.150").collect();
                assert_eq!(kept, shown(&lent[..4]), "{what}");
            }
        }
        assert_eq!(failures > 0, needed, "{calls}");
    }
}

#[test]
fn a_damaged_database_is_set_aside_with_a_word_and_the_service_starts() {
    for damage in [
        &(|bytes: &mut Vec<u8>| bytes.clear()) as &dyn Fn(&mut Vec<u8>),
        &|bytes| bytes.truncate(used(bytes) / 2),
        &|bytes| bytes.fill(0xa5),
        &|bytes| bytes[..64].fill(0),
        &|bytes| {
            let end = used(bytes);
            bytes[512..end].fill(0x5a);
        },
        &|bytes| bytes.extend([7; 1001]),
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
        assert!(listed(&site).len() >= 5);
    }
}

/// Writes a lease database of redb, as earlier versions did, without the server's own code: what is said about it, and its leases.
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

/// As the version at commit f1e084a wrote it.
const NODE: &str = r#"{"network":2130706432,"address":"127.0.0.150","client":{"hardware":"02:00:00:00:00:01"},"client_id":"01020000000001","host_name":"node-01","state":"bound","expires":18446744073709551615,"updated":1700000000000,"version":3}"#;

#[test]
fn a_database_from_before_formats_had_numbers_is_read_as_it_is() {
    let site = site();
    let id = r#"{"network":3232261120,"address":"192.168.100.101","client":{"id":"ff0001"},"client_id":null,"host_name":null,"state":"declined","expires":1700003600000,"updated":1700000000000,"version":1}"#;
    let path = write_database(
        &site,
        &[("begun", 1_690_000_000_000)],
        &[
            (0x7f00_0000, Ipv4Addr::new(127, 0, 0, 150), NODE),
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
    let bytes = std::fs::read(&path).expect("the database");
    let mut serving = Running::serve(&site);
    assert!(serving.has_said("an earlier version's database were taken over"));
    assert_eq!(lease(&site, 1).address, Ipv4Addr::new(127, 0, 0, 150));
    assert_eq!(lease(&site, 2).address.octets()[..3], [127, 0, 0]);
    let aside = entries(&site, "leases.redb-");
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(std::fs::read(&aside[0]).expect("the old one"), bytes);
    serving.signal(Signal::SIGKILL);
    serving.end();
    assert_eq!(listed(&site).len(), 3);
    assert_eq!(entries(&site, "leases").len(), 2);
}

#[test]
fn a_command_that_writes_takes_an_older_database_over_and_says_so() {
    let site = site();
    write_database(
        &site,
        &[],
        &[(0x7f00_0000, Ipv4Addr::new(127, 0, 0, 150), NODE)],
    );
    let done = site.run(["leases", "remove", "127.0.0.150"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.err.contains("leases.redb-"), "{}", done.err);
    assert_eq!(listed(&site)[0]["state"], "released");
}

#[test]
fn every_lease_that_can_be_read_is_salvaged_of_a_damaged_database_of_redb() {
    for damage in [
        &(|bytes: &mut Vec<u8>| bytes[9..320].fill(0x11)) as &dyn Fn(&mut Vec<u8>),
        &|bytes| bytes[..16].fill(0),
    ] {
        let site = site();
        let leases: Vec<_> = (1..=40)
            .map(|last| {
                let address = Ipv4Addr::new(127, 0, 0, last);
                (address, NODE.replace("127.0.0.150", &address.to_string()))
            })
            .collect();
        let rows: Vec<_> = leases
            .iter()
            .map(|(address, lease)| (0x7f00_0000, *address, lease.as_str()))
            .collect();
        let path = write_database(&site, &[], &rows);
        let mut bytes = std::fs::read(&path).expect("the database");
        damage(&mut bytes);
        std::fs::write(&path, &bytes).expect("one's own file");
        let done = site.run(["leases"]);
        assert_eq!(done.code, Some(1));
        assert!(done.err.contains("40 leases can be read"), "{}", done.err);
        let mut serving = Running::serve(&site);
        serving.said("the lease database was damaged");
        let mut wanted: Vec<_> = leases.iter().map(|(address, _)| *address).collect();
        wanted.sort();
        assert_eq!(addresses(&site), shown(&wanted));
    }
}

#[test]
fn odd_bytes_behind_a_database_of_redb_cost_nothing() {
    let site = site();
    let path = write_database(
        &site,
        &[],
        &[(0x7f00_0000, Ipv4Addr::new(127, 0, 0, 150), NODE)],
    );
    let mut bytes = std::fs::read(&path).expect("the database");
    bytes.extend([7; 4095]);
    std::fs::write(&path, &bytes).expect("one's own file");
    assert_eq!(addresses(&site), ["127.0.0.150"]);
}

#[test]
fn a_journal_of_a_later_format_is_left_as_it_is() {
    let site = site();
    std::fs::create_dir_all(site.state()).expect("the state folder");
    let mut bytes = b"netboot leases\n\0\x02\0\0\0".to_vec();
    // Python's `zlib.crc32` of these.
    bytes.extend(0x5d5f_acb7u32.to_le_bytes());
    bytes.resize(4096, 0);
    std::fs::write(site.state().join("leases"), &bytes).expect("a file");
    let before = snapshot(&site.state());
    for command in [
        "leases",
        "leases salvage",
        "leases import /dev/null",
        "serve",
    ] {
        let done = site.run(command.split(' '));
        assert_eq!(done.code, Some(1), "{command}");
        let why = "a later version wrote it, in format 2; this one reads 1";
        assert!(done.err.contains(why), "{}", done.err);
    }
    let left = snapshot(&site.state());
    assert!(before.iter().all(|entry| left.contains(entry)));
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

//! The records of boots: what `netboot why` and `netboot boots` say of machines that a server met,
//! and that a restart, a kill, and a store that is damaged or cannot be written leave of it.

use std::net::{Ipv4Addr, UdpSocket};

use netboot_dhcp::client::Profile;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Connection, discover, get, lease_as, mac, tftp};
use crate::support::{Running, SERVER, Site, wait_until};

const CAPTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/captures/ovmf_dnsmasq.pcap"
);

fn node() -> Value {
    json!([{ "name": "node-01", "mac": mac(1), "ip": "127.0.0.50", "config": "debian" }])
}

/// What `netboot why` says of a machine once this code is its first finding.
#[track_caller]
fn why(site: &Site, machine: &str, code: &str) -> Value {
    let mut document = Value::Null;
    let mut said = String::new();
    wait_until(&format!("{code} is found of {machine}"), || {
        let done = site.run(["why", machine, "--json"]);
        document = serde_json::from_str(&done.out).unwrap_or_default();
        let is_found = document["findings"][0]["code"] == code;
        assert!(!is_found || done.code == Some(3), "{:?}", done.code);
        said = format!("{}{}", done.out, done.err);
        is_found
    });
    assert_eq!(
        document["boot"]["machine"].as_str().map(str::len),
        Some(17),
        "{said}"
    );
    document
}

/// The boots that are recorded, once there are so many.
#[track_caller]
fn boots(site: &Site, count: usize) -> Vec<Value> {
    let mut boots = Vec::new();
    wait_until(&format!("{count} boots are recorded"), || {
        let done = site.run(["boots", "--json"]);
        let document: Value = serde_json::from_str(&done.out).unwrap_or_default();
        boots = document["boots"].as_array().cloned().unwrap_or_default();
        boots.len() == count
    });
    boots
}

fn firmware(last: u8) -> Profile {
    Profile::pxe_bios(mac(last))
}

/// The address of the `last`th machine, which firmware asks for.
fn lease(site: &Site, last: u8) -> Ipv4Addr {
    lease_as(site, firmware(last)).address
}

#[test]
fn a_boot_that_went_well_is_told_with_its_stages_and_its_events() {
    let site = Site::new(&node());
    let (kernel, initrd) = site.add("debian", "one");
    let _serving = Running::serve(&site);
    let address = lease(&site, 1);
    for path in [
        "/boot.ipxe",
        "/images/debian/@1/bzImage",
        "/images/debian/@1/initrd",
    ] {
        get(&site, address, path);
    }
    wait_until("all of it is recorded", || {
        boots(&site, 1)[0]["outcome"] == "handed_over"
    });
    let done = site.run(["why", "node-01", "--json"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    let document: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(document["findings"], json!([]));
    let boot = &document["boot"];
    assert_eq!((&boot["id"], &boot["name"]), (&json!(1), &json!("node-01")));
    assert_eq!(boot["address"], json!(address));
    assert_eq!(boot["interface"], "lo");
    let stages = document["stages"].as_array().expect("a list");
    let reached: Vec<_> = stages
        .iter()
        .filter_map(|it| it["reached"].as_str())
        .collect();
    assert_eq!(reached, ["leased", "script", "loading", "image"]);
    let bytes: u64 = stages.iter().filter_map(|it| it["bytes"].as_u64()).sum();
    assert!(bytes >= (kernel.len() + initrd.len()) as u64, "{stages:?}");
    let events = document["events"].as_array().expect("a list");
    assert_eq!(events[0]["after_ms"], 0);
    let lines = events.iter().filter_map(|it| it["line"].as_str());
    let lines: Vec<_> = lines.collect();
    assert!(lines[0].starts_with("DHCPDISCOVER(lo)"), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("/images/debian/@1/initrd: 200"))
    );

    // By each of its names, and for people.
    for machine in [mac(1).to_string(), address.to_string()] {
        let done = site.run(["why", &machine]);
        assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
        assert!(
            done.out
                .starts_with("node-01 (02:00:00:00:00:01), boot 1 of "),
            "{}",
            done.out
        );
        assert!(
            done.out
                .contains("has its image\n\nNothing was found that is wrong.\n")
        );
        assert!(done.out.contains("DHCPACK(lo) 127.0.0.50"), "{}", done.out);
    }
    let listed = site.run(["boots"]).out;
    assert!(
        listed.contains("02:00:00:00:00:01  node-01  has its image"),
        "{listed}"
    );
    let nobody = site.run(["why", "node-99"]);
    assert_eq!(nobody.code, Some(1));
    assert!(
        nobody.err.contains("the server has heard of none"),
        "{}",
        nobody.err
    );
}

#[test]
fn what_is_wrong_with_a_machine_is_told_with_its_cause() {
    let targets = json!([
        { "name": "node-01", "mac": mac(1), "ip": "127.0.0.50", "config": "debian" },
        { "name": "node-02", "mac": mac(2), "ip": "127.0.0.51", "config": "rescue" },
        { "name": "node-03", "mac": mac(0x13), "config": "debian" },
    ]);
    let site = Site::new(&targets);
    site.add("debian", "one");
    let _serving = Running::serve(&site);

    // Its image is not in the store.
    let address = lease(&site, 2);
    get(&site, address, "/boot.ipxe");
    let document = why(&site, "node-02", "image-missing");
    assert_eq!(document["outcome"], "failed");
    let cause = document["findings"][0]["cause"].as_str().expect("a text");
    assert!(
        cause.contains("image rescue is not in the store"),
        "{cause}"
    );
    let evidence = document["findings"][0]["evidence"][0]
        .as_u64()
        .expect("a place");
    let line = &document["events"][usize::try_from(evidence).expect("a place")]["line"];
    assert!(line.to_string().contains("/boot.ipxe"), "{line}");

    // A program that nobody has.
    let address = lease(&site, 1);
    tftp(&site, address, b"undionyl.kpxe").expect_err("there is none");
    let document = why(&site, "node-01", "program-missing");
    assert!(
        document["findings"][0]["cause"]
            .to_string()
            .contains("undionyl.kpxe")
    );

    // A kernel of which the machine takes no more.
    let other = lease(&site, 3);
    get(&site, other, "/images/debian/@9/bzImage");
    why(&site, &mac(3).to_string(), "image-missing");

    // A target whose MAC address has one wrong digit.
    why(&site, &mac(3).to_string(), "image-missing");
    let stranger = lease(&site, 0x12);
    get(&site, stranger, "/boot.ipxe");
    let document = why(&site, &mac(0x12).to_string(), "near-target");
    assert_eq!(document["outcome"], "menu");
    let cure = document["findings"][0]["cure"].as_str().expect("a text");
    assert!(
        cure.contains("write mac = \"02:00:00:00:00:12\" in target node-03"),
        "{cure}"
    );

    // All of them, and without a name the last.
    let nothing = site.run(["why", &mac(0x12).to_string(), "--all-failed"]);
    assert_eq!(nothing.code, Some(0), "{}", nothing.err);
    assert_eq!(nothing.err, "netboot: no boot that failed is recorded\n");
    let all = site.run(["why", "--all-failed", "--json"]);
    assert_eq!(all.code, Some(3), "{}", all.err);
    assert_eq!(all.out.lines().count(), 3, "{}", all.out);
    let last = site.run(["why"]);
    assert_eq!(last.code, Some(3), "{}", last.err);
    assert!(
        last.out.contains("image-missing (certain): "),
        "{}",
        last.out
    );
    assert!(last.out.contains("\nWhat to do: "), "{}", last.out);
    assert!(last.out.contains("\n->  "), "{}", last.out);
    let failed = site.run(["boots", "--failed"]).out;
    assert!(failed.contains("failed at image"), "{failed}");
}

#[test]
fn a_machine_that_gets_no_answer_by_dhcp_is_told_why() {
    let site = Site::new(&node());
    let server = json!({
        "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/8",
        "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.100" },
    });
    site.configure(&node(), json!({ "server": server }));
    let mut serving = Running::serve(&site);
    lease(&site, 3);
    assert_eq!(discover(&site, firmware(4)), None);
    let document = why(&site, &mac(4).to_string(), "no-offer");
    let cause = &document["findings"][0]["cause"];
    assert_eq!(cause, "No address of its network is free.");

    let server = json!({
        "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/8", "allow": "known",
        "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" },
    });
    site.configure(&node(), json!({ "server": server }));
    assert_eq!(site.run(["reload"]).code, Some(0));
    serving.said("reloaded");
    assert_eq!(discover(&site, firmware(5)), None);
    let document = why(&site, &mac(5).to_string(), "not-allowed");
    let cure = document["findings"][0]["cure"].as_str().expect("a text");
    assert!(cure.contains("mac = \"02:00:00:00:00:05\""), "{cure}");
}

#[test]
fn a_program_for_which_nothing_is_acknowledged_is_told() {
    let site = Site::new(&node());
    site.add("debian", "one");
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    std::fs::write(programs.join("undionly.kpxe"), vec![7; 70_000]).expect("a file");
    let _serving = Running::serve(&site);
    let address = lease(&site, 1);
    // As behind a firewall that lets port 69 pass alone: nothing comes back.
    let socket = UdpSocket::bind((address, 0)).expect("a loopback address");
    let request = b"\0\x01undionly.kpxe\0octet\0blksize\x001468\0timeout\x001\0";
    let server = (SERVER, site.ports.tftp);
    socket.send_to(request, server).expect("a datagram");
    // It gives up and asks from another port; the server ends the first attempt by and by.
    let document = why(&site, "node-01", "tftp-no-ack");
    let cause = document["findings"][0]["cause"].as_str().expect("a text");
    assert!(
        cause.contains("undionly.kpxe") && cause.contains("127.0.0.50"),
        "{cause}"
    );
    // What is larger than the way lets through: the options are acknowledged, and no block.
    let socket = UdpSocket::bind((address, 0)).expect("a loopback address");
    socket.send_to(request, server).expect("a datagram");
    let (_, transfer) = socket.recv_from(&mut [0; 2048]).expect("the options");
    socket.send_to(b"\0\x04\0\0", transfer).expect("a datagram");
    why(&site, "node-01", "tftp-blocks-lost");
    // It comes through at last.
    tftp(&site, address, b"undionly.kpxe").expect("the file");
    wait_until("the file that came through counts", || {
        let done = site.run(["why", "node-01", "--json"]);
        let document: Value = serde_json::from_str(&done.out).unwrap_or_default();
        document["findings"] == json!([])
    });
}

#[test]
fn a_download_that_ends_early_is_told_with_how_far_it_came() {
    let site = Site::new(&node());
    site.add("debian", "one");
    // More than sockets hold.
    let initrd = vec![b'x'; 64 << 20];
    let big = crate::support::write(site.folder.path(), "big", &initrd);
    let kernel = site.folder.path().join("debian.kernel");
    let kernel = kernel.to_string_lossy();
    let add = [
        "image", "add", "debian", "--kernel", &kernel, "--initrd", &big,
    ];
    let added = site.run(add);
    assert_eq!(added.code, Some(0), "{}", added.err);
    let _serving = Running::serve(&site);
    let address = lease(&site, 1);
    get(&site, address, "/boot.ipxe");
    let mut connection = Connection::from(&site, address);
    connection.send(b"GET /images/debian/@2/initrd HTTP/1.1\r\nhost: netboot\r\n\r\n");
    connection.begun();
    connection.end_by_reset();
    drop(connection);
    let document = why(&site, "node-01", "image-cut-off");
    let cause = document["findings"][0]["cause"].as_str().expect("a text");
    let all = initrd.len() + crate::support::kernel("one").len();
    assert!(
        cause.contains(&format!("files have {all} bytes together")),
        "{cause}"
    );
    assert!(cause.contains(" %, "), "{cause}");
}

#[test]
fn records_outlast_a_kill_and_go_on_behind_a_restart() {
    let site = Site::new(&node());
    site.add("debian", "one");
    let serving = Running::serve(&site);
    let address = lease(&site, 1);
    lease(&site, 7);
    boots(&site, 2);
    serving.signal(Signal::SIGKILL);
    drop(serving);

    let serving = Running::serve(&site);
    let again = boots(&site, 2);
    assert_eq!((&again[0]["id"], &again[1]["id"]), (&json!(2), &json!(1)));
    // The same boot goes on; another one begins with its own number.
    get(&site, address, "/boot.ipxe");
    wait_until("the boot has its script", || {
        boots(&site, 2)[1]["progress"] == "script"
    });
    lease(&site, 7);
    lease(&site, 7);
    let more = boots(&site, 4);
    let ids: Vec<_> = more.iter().filter_map(|boot| boot["id"].as_u64()).collect();
    assert_eq!(ids, [4, 3, 2, 1]);
    serving.signal(Signal::SIGTERM);
}

#[test]
fn a_system_that_runs_begins_no_boot_and_is_none_that_failed() {
    let site = Site::new(&node());
    site.add("debian", "one");
    let _serving = Running::serve(&site);
    let plain = |last: u8| {
        let hardware = netboot_dhcp::HardwareAddr::from(mac(last));
        lease_as(&site, netboot_dhcp::client::Profile::plain(hardware))
    };
    // A printer.
    plain(9);
    // A machine that boots, and whose system then asks for its address again and again.
    let address = lease(&site, 1);
    for path in [
        "/boot.ipxe",
        "/images/debian/@1/bzImage",
        "/images/debian/@1/initrd",
    ] {
        get(&site, address, path);
    }
    wait_until("it has its image", || {
        boots(&site, 1)[0]["outcome"] == "handed_over"
    });
    plain(1);
    wait_until("its system is heard", || {
        boots(&site, 1)[0]["system"] == true
    });
    let heard = boots(&site, 1)[0]["events"].clone();
    plain(1);
    // Written behind that.
    lease(&site, 3);
    let boots = boots(&site, 2);
    assert_eq!(boots[1]["events"], heard, "a renewal is no part of a boot");
}

#[test]
fn a_damaged_store_is_set_aside_and_one_that_cannot_be_written_costs_no_boot() {
    let site = Site::new(&node());
    site.add("debian", "one");
    let path = site.state().join("boots");
    std::fs::write(&path, b"redb? no: a file of somebody else's".repeat(300)).expect("a file");
    let mut serving = Running::serve(&site);
    serving.said("boots are recorded anew");
    lease(&site, 1);
    boots(&site, 1);
    assert!(path.with_extension("damaged").exists());
    drop(serving);

    std::fs::remove_file(&path).expect("it is there");
    std::fs::create_dir(&path).expect("a folder in its place");
    let mut serving = Running::serve(&site);
    serving.said("boots are not recorded");
    let address = lease(&site, 1);
    assert_eq!(get(&site, address, "/boot.ipxe").status, 200);
    let asked = site.run(["why", "node-01"]);
    assert_eq!(asked.code, Some(1));
    assert!(
        asked.err.contains("boots are not recorded"),
        "{}",
        asked.err
    );
}

#[test]
fn a_capture_is_read_without_a_server() {
    let run = |more: &[&str]| {
        let mut arguments = vec!["why", "--pcap", CAPTURE];
        arguments.extend(more);
        crate::support::run(arguments)
    };
    let done = run(&[]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert_eq!(done.err, "netboot: 414 of 424 packets are of boots\n");
    // The script names a kernel that the recorded server has not.
    assert!(
        done.out
            .contains("program-missing (certain): It asked for /missing.efi by HTTP"),
        "{}",
        done.out
    );
    // So the project's README has it, in the time zone of the test.
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    let (_, shown) = readme
        .split_once("$ netboot why --pcap netboot-server/tests/captures/ovmf_dnsmasq.pcap\n")
        .expect("the example");
    let (shown, _) = shown.split_once("```").expect("its end");
    for line in shown.lines().filter(|line| line.trim() != "…").skip(1) {
        assert!(
            done.out.lines().any(|it| it == line),
            "{line}\n{}",
            done.out
        );
    }
    let json = run(&["52:54:00:00:77:01", "--json"]);
    let document: Value = serde_json::from_str(&json.out).expect("one line of JSON");
    assert_eq!(document["boot"]["arch"], 7);
    assert_eq!(document["outcome"], "failed");
    assert_eq!(document["findings"][0]["code"], "program-missing");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.json");
    let name = file.to_string_lossy();
    let anonymized = run(&["--anonymize", &name]);
    assert!(
        anonymized.err.contains("look at it before you send it"),
        "{}",
        anonymized.err
    );
    let report = std::fs::read_to_string(&file).expect("the report");
    assert!(report.contains("program-missing") && report.contains("02:00:00:00:00:01"));
    for whose in ["52:54:00", "192.168.77"] {
        assert!(!report.contains(whose), "{whose}: {report}");
    }
    let again = run(&["--anonymize", &name]);
    assert_eq!(again.code, Some(1), "what is there is not written over");
    let nobody = run(&["52:54:00:00:77:99"]);
    assert_eq!(nobody.code, Some(0));
    assert!(
        nobody.err.contains("none of the boots in it is asked for"),
        "{}",
        nobody.err
    );
    let missing = crate::support::run(["why", "--pcap", "/nowhere.pcap"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("/nowhere.pcap"), "{}", missing.err);
    // With a configuration it is also said what would be booted here.
    let site = Site::new(&json!([]));
    let here = site.run(["why", "--pcap", CAPTURE]);
    assert!(
        here.out.contains("\nHere it would boot: "),
        "{}{}",
        here.out,
        here.err
    );
}

//! A machine, from its lease to its image and its state.

use super::*;

#[test]
fn an_image_that_another_process_adds_is_served_at_once() {
    let site = site();
    let _serving = Running::serve(&site);
    let menu = || get(&site, STRANGER, "/boot.ipxe").text().to_owned();
    assert!(!menu().contains("/images/"), "{}", menu());
    let (first, _) = site.add("debian", "one");
    assert!(menu().contains("/images/debian/@1/bzImage"), "{}", menu());
    let (second, _) = site.add("debian", "two");
    assert!(menu().contains("/images/debian/@2/bzImage"), "{}", menu());
    assert!(!menu().contains("@1"), "{}", menu());
    let kernel = |path: &str| get(&site, STRANGER, path).body;
    assert_eq!(kernel("/images/debian/@1/bzImage"), first);
    assert_eq!(kernel("/images/debian/@2/bzImage"), second);
    assert_eq!(kernel("/images/debian/bzImage"), second);
    let shown = std::fs::read_to_string(site.state().join("configs/boot.ipxe"));
    assert!(
        shown
            .expect("the menu for people")
            .contains("/images/debian/@2/bzImage"),
        "the file is as the last menu"
    );
    let generation = Connection::from(&site, STRANGER).ask("HEAD", "/images/debian/@1/initrd", &[]);
    assert!(generation.header("cache-control").contains("immutable"));
}

#[test]
fn what_another_process_changes_is_there_by_tftp_at_once() {
    let site = site();
    let programs = site.folder.path().join("programs");
    std::fs::create_dir(&programs).expect("a folder");
    let folder = std::fs::File::open(&programs).expect("a folder");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    folder.set_modified(long_ago).expect("one's own folder");
    site.configure(&json!([]), json!({ "program_dirs": [programs] }));
    let _serving = Running::serve(&site);
    let ask = |name: &str| {
        let file = tftp(&site, STRANGER, name.as_bytes());
        file.map(|file| String::from_utf8_lossy(&file).into_owned())
    };
    let config = || ask("pxelinux.cfg/default").expect("a configuration");
    assert!(!config().contains("images/"), "{}", config());
    site.add("debian", "one");
    assert!(config().contains("images/debian/@1/"), "{}", config());
    site.add("debian", "two");
    assert!(config().contains("images/debian/@2/"), "{}", config());
    assert!(ask("own.efi").is_err());
    let built = write(site.folder.path(), "built.efi", b"a program");
    let mut copy = std::process::Command::new("cp");
    let copied = copy.arg(built).arg(programs.join("own.efi")).status();
    assert!(copied.expect("cp of coreutils runs").success());
    assert_eq!(ask("own.efi").as_deref(), Ok("a program"));
}

#[test]
fn a_machine_is_known_by_its_lease_and_gets_its_image() {
    let site = site();
    site.add("debian", "one");
    let _serving = Running::serve(&site);
    let script = |from, path: &str| {
        let answer = get(&site, from, path);
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    };
    let is_menu = |script: &str| script.contains("choose ");
    let boots = "host=node-01 ip=127.0.0.50";
    // Before its lease it is a stranger.
    assert!(is_menu(&script(NODE, "/boot.ipxe")));
    assert_eq!(lease(&site, 1).address, NODE);
    for (from, path) in [
        (NODE, "/boot.ipxe"),
        (STRANGER, "/boot.ipxe?mac=02-00-00-00-00-01"),
        (STRANGER, "/boot.ipxe?mac=02%3A00%3A00%3A00%3A00%3A01"),
    ] {
        let script = script(from, path);
        assert!(
            script.contains("/images/debian/@1/bzImage"),
            "{path}: {script}"
        );
        assert!(!is_menu(&script), "{path}: {script}");
        assert!(script.contains("host=node-01"), "{path}: {script}");
    }
    assert!(script(NODE, "/boot.ipxe").contains(boots));
    let by_tftp = tftp(&site, NODE, b"boot.ipxe").expect("a script");
    assert!(String::from_utf8_lossy(&by_tftp).contains(boots));

    let unknown = lease(&site, 3).address;
    assert!(is_menu(&script(unknown, "/boot.ipxe")));
    assert!(is_menu(&script(STRANGER, "/boot.ipxe?mac=nonsense")));
    assert!(is_menu(&script(
        STRANGER,
        "/boot.ipxe?mac=02-00-00-00-00-03"
    )));
}

#[test]
fn a_machine_whose_image_is_missing_gets_an_address_and_a_script_that_says_so() {
    let site = site();
    let mut serving = Running::serve(&site);
    serving.said("image missing is not in the store; node-02 gets a script that says so");
    let bound = lease_as(&site, Profile::pxe_bios(mac(2)));
    assert_eq!(bound.file.as_deref(), Some("undionly.kpxe"));
    let script = get(&site, bound.address, "/boot.ipxe");
    assert!(
        script
            .text()
            .contains("netboot image add missing --kernel FILE --initrd FILE"),
        "{}",
        script.text()
    );
    site.add("missing", "found");
    let script = get(&site, bound.address, "/boot.ipxe");
    assert!(
        script.text().contains("/images/missing/@1/bzImage"),
        "{}",
        script.text()
    );
}

#[test]
fn a_state_is_for_the_machine_that_holds_the_lease_and_for_nobody_else() {
    let site = site();
    site.add("debian", "Debian");
    let _serving = Running::serve(&site);
    let names = [
        "/states/node-01.json",
        "/states/02-00-00-00-00-01.json",
        "/states/02:00:00:00:00:01.json",
    ];
    let status = |from, path: &str| get(&site, from, path).status;
    for path in names {
        assert_eq!(status(NODE, path), 404, "{path} before the lease");
    }
    assert_eq!(lease(&site, 1).address, NODE);
    let other = lease(&site, 2).address;
    for path in names {
        let answer = get(&site, NODE, path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
        let state: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(state, json!({ "plugins": { "net": ["eth0"] } }));
        let script = get(&site, NODE, "/boot.ipxe");
        let script = script.text();
        let digest = Digest::of(&answer.body);
        assert!(script.contains(&format!(" state={digest}")), "{script}");
        for from in [other, STRANGER, SERVER] {
            assert_eq!(status(from, path), 404, "{path} from {from}");
            let claimed = format!("{path}?mac=02-00-00-00-00-01");
            assert_eq!(status(from, &claimed), 404, "{claimed} from {from}");
        }
    }
    assert_eq!(status(NODE, "/states/node-02.json"), 404);
    assert_eq!(status(NODE, "/states/"), 404);
    assert_eq!(
        get(&site, other, "/states/node-02.json").text(),
        "{\n  \"secret\": 2\n}\n"
    );
}

#[test]
fn a_machine_that_releases_its_lease_is_a_stranger_again() {
    let site = site();
    let _serving = Running::serve(&site);
    assert_eq!(lease(&site, 1).address, NODE);
    assert_eq!(get(&site, NODE, "/states/node-01.json").status, 200);
    // DHCPRELEASE by hand: ciaddr is the address, option 54 the server.
    let mut release = discover(&[54, 4, 127, 0, 0, 1]);
    release[12..16].copy_from_slice(&NODE.octets());
    release[28..34].copy_from_slice(&mac(1).0);
    release[242] = 7;
    let socket = UdpSocket::bind((NODE, 0)).expect("a loopback address");
    socket
        .send_to(&release, (SERVER, site.ports.dhcp))
        .expect("a datagram");
    crate::support::wait_until("the lease ends", || {
        get(&site, NODE, "/states/node-01.json").status == 404
    });
}

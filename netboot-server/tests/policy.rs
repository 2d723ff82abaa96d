//! What machines get of a running `netboot serve`, over its sockets: by UUID, by platform, by
//! option, and installs that happen once.

mod support;

use std::net::Ipv4Addr;

use netboot_dhcp::client::{Bound, Profile};
use netboot_dhcp::value::{Arch, MachineId, UserClass, key};
use netboot_dhcp::wire::OptionCode;
use netboot_dhcp::{HardwareAddr, MacAddr};
use serde_json::{Value, json};

use support::client::{Answer, Connection, get, lease, lease_as, mac, tftp};
use support::{Running, Site, run};

const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 50);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

fn site(targets: Value, more: Value) -> Site {
    let site = Site::new(&targets);
    site.configure(&targets, more);
    for program in ["undionly.kpxe", "ipxe.efi", "snponly.efi"] {
        put(&site, program, program);
    }
    site
}

/// Puts a file into the operator's folder.
fn put(site: &Site, name: &str, content: &str) {
    let path = site.state().join("tftp").join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, content).expect("a file");
}

fn boot(site: &Site, mut profile: Profile) -> Bound {
    profile.collect_ms = 0;
    lease_as(site, profile)
}

fn post(site: &Site, from: Ipv4Addr, path: &str) -> Answer {
    Connection::from(site, from).ask("POST", path, &[("Content-Length", "0")])
}

fn script(site: &Site, from: Ipv4Addr, path: &str) -> String {
    let answer = get(site, from, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text().to_owned()
}

fn by_tftp(site: &Site, from: Ipv4Addr, name: &str) -> String {
    let file = tftp(site, from, name.as_bytes());
    let file = file.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    String::from_utf8(file).expect("text")
}

/// Runs `netboot machine` on a site.
fn machine(site: &Site, name: &str, word: &str) -> String {
    let done = site.run(["machine", name, word]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    done.out
}

/// A machine that installs itself, its address kept for it, and another one.
fn installing() -> Site {
    let install = json!({ "image": "installer" });
    let cmdline = "report={report}";
    let site = site(
        json!([
            { "name": "node-01", "mac": mac(1), "ip": NODE, "install": install, "cmdline": cmdline },
            { "name": "node-02", "mac": mac(2), "install": install, "cmdline": cmdline },
        ]),
        json!({}),
    );
    site.add("installer", "installer");
    site
}

/// The path of the report that a script holds, with its query.
fn report(script: &str) -> String {
    let (_, url) = script.split_once("report=http://").expect("a report");
    let url = url.split_whitespace().next().unwrap_or_default();
    let (_, path) = url.split_once('/').expect("a path");
    format!("/{path}")
}

fn installs(script: &str) -> bool {
    script.contains("/images/installer/")
}

#[test]
fn a_machine_installs_itself_once_and_again_only_when_the_operator_says_so() {
    let site = installing();
    let mut serving = Running::serve(&site);
    assert_eq!(lease(&site, 1).address, NODE);
    let first = script(&site, NODE, "/boot.ipxe?mac=02-00-00-00-00-01");
    assert!(installs(&first), "{first}");
    let reported = post(&site, NODE, &report(&first));
    assert_eq!(reported.status, 200, "{}", reported.text());
    serving.line("install 1: node-01 is installed, as it reports itself");
    let local = script(&site, NODE, "/boot.ipxe");
    assert!(!installs(&local), "{local}");
    // The right way for each firmware: the boot order under UEFI, the first drive under BIOS.
    assert!(
        local.contains("iseq ${platform} efi && exit 1 ||"),
        "{local}"
    );
    assert!(
        local.contains("sanboot --no-describe --drive 0x80"),
        "{local}"
    );
    let again = post(&site, NODE, &report(&first));
    assert_eq!(again.status, 409, "{}", again.text());
    serving.line("/machines/node-01/installed: 409, install 1 was reported already");

    drop(serving);
    let mut serving = Running::serve(&site);
    assert!(
        !installs(&script(&site, NODE, "/boot.ipxe")),
        "after a restart"
    );
    let said = machine(&site, "node-01", "reinstall");
    assert_eq!(
        said,
        "node-01 is to be installed at its next boot (install 2)\n"
    );
    let second = script(&site, NODE, "/boot.ipxe");
    assert!(installs(&second), "{second}");
    let old = post(&site, NODE, &report(&first));
    assert_eq!(
        old.status,
        409,
        "the token of the install before: {}",
        old.text()
    );
    assert!(installs(&script(&site, NODE, "/boot.ipxe")));
    assert_eq!(post(&site, NODE, &report(&second)).status, 200);
    assert!(!installs(&script(&site, NODE, "/boot.ipxe")));

    assert_eq!(
        machine(&site, "node-02", "installed"),
        "node-02 is installed (install 1)\n"
    );
    let twice = machine(&site, "node-02", "installed");
    assert_eq!(twice, "node-02 is installed already (install 1)\n");
    assert!(!installs(&script(
        &site,
        STRANGER,
        "/boot.ipxe?mac=02-00-00-00-00-02"
    )));
    serving.signal(nix::sys::signal::Signal::SIGTERM);
    serving.end();
    let (_, token) = report(&first)
        .split_once("token=")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a token");
    assert!(
        serving.seen.iter().all(|line| !line.contains(&token)),
        "a token is in the log"
    );
}

#[test]
fn nobody_else_can_have_or_make_up_a_machines_report() {
    let site = installing();
    let mut serving = Running::serve(&site);
    assert_eq!(lease(&site, 1).address, NODE);
    let other = lease(&site, 2).address;
    for (from, path) in [
        (STRANGER, "/boot.ipxe?mac=02-00-00-00-00-01"),
        (other, "/boot.ipxe?mac=02-00-00-00-00-01"),
        (other, "/autoexec.ipxe?mac=02-00-00-00-00-01"),
        (other, "/grub.cfg?mac=02-00-00-00-00-01"),
    ] {
        let script = script(&site, from, path);
        assert!(!script.contains("token="), "{path} from {from}: {script}");
        assert!(!installs(&script), "{path} from {from}: {script}");
    }
    let mine = report(&script(&site, NODE, "/boot.ipxe"));
    let others = report(&script(&site, other, "/boot.ipxe"));
    assert!(mine.starts_with("/machines/node-01/installed?number=1&token="));
    let token = |path: &str| path.rsplit_once('=').expect("a token").1.to_owned();
    let (my_token, other_token) = (token(&mine), token(&others));
    for (path, status) in [
        // Another machine's, another number's, one that was changed, cut, or left out.
        (
            format!("/machines/node-01/installed?number=1&token={other_token}"),
            403,
        ),
        (
            format!("/machines/node-02/installed?number=1&token={my_token}"),
            403,
        ),
        (
            format!("/machines/node-01/installed?number=2&token={my_token}"),
            403,
        ),
        (
            format!("/machines/nobody/installed?number=1&token={my_token}"),
            403,
        ),
        (
            format!(
                "/machines/node-01/installed?number=1&token={}",
                &my_token[1..]
            ),
            403,
        ),
        ("/machines/node-01/installed?number=1&token=".into(), 403),
        ("/machines/node-01/installed?number=1".into(), 400),
        (format!("/machines/node-01/installed?token={my_token}"), 400),
        (
            format!("/machines/node-01/reinstall?number=1&token={my_token}"),
            405,
        ),
        ("/boot.ipxe".into(), 405),
    ] {
        let answer = post(&site, NODE, &path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    serving.said("/machines/node-01/installed: 403, that is no token of this machine");
    let read = get(&site, NODE, &mine);
    assert_eq!((read.status, read.header("allow")), (405, "POST"));
    assert!(
        installs(&script(&site, NODE, "/boot.ipxe")),
        "nothing was believed"
    );
    assert_eq!(post(&site, NODE, &mine).status, 200);
}

#[test]
fn where_install_states_cannot_be_read_nothing_is_installed() {
    let site = installing();
    machine(&site, "node-01", "installed");
    std::fs::write(site.state().join("installs.json"), "{").expect("a file");
    let mut serving = Running::serve(&site);
    serving.said("reading the install states");
    let script = script(&site, STRANGER, "/boot.ipxe?mac=02-00-00-00-00-02");
    assert!(!installs(&script) && script.contains("sanboot"), "{script}");
    let done = site.run(["machine", "node-02", "reinstall"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("restore the file"), "{}", done.err);
}

#[test]
fn after_an_install_a_machine_may_boot_its_config() {
    let install = json!({ "image": "installer", "then": "config" });
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "group": "rack", "config": "debian" }]),
        json!({ "groups": { "rack": { "install": install, "local": "exit" } } }),
    );
    site.add("installer", "installer");
    site.add("debian", "debian");
    let _serving = Running::serve(&site);
    lease(&site, 1);
    machine(&site, "node-01", "installed");
    let script = script(&site, STRANGER, "/boot.ipxe?mac=02-00-00-00-00-01");
    assert!(script.contains("/images/debian/@1/"), "{script}");
}

const UUID: [u8; 16] = [
    0x4c, 0x4c, 0x45, 0x44, 0x00, 0x42, 0x35, 0x10, 0x80, 0x52, 0xb4, 0xc0, 0x4f, 0x4d, 0x32, 0x32,
];
/// The same as a PC's firmware may say it, its first three groups in the other order.
const SWAPPED: [u8; 16] = [
    0x44, 0x45, 0x4c, 0x4c, 0x42, 0x00, 0x10, 0x35, 0x80, 0x52, 0xb4, 0xc0, 0x4f, 0x4d, 0x32, 0x32,
];

#[test]
fn a_machine_is_known_by_its_uuid_through_every_stage() {
    for uuid in [UUID, SWAPPED] {
        let site = site(
            json!([{
                "name": "by-uuid", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232",
                "install": { "image": "installer" }, "cmdline": "report={report}",
                "program": "snponly.efi", "state": { "mine": true },
            }]),
            json!({}),
        );
        site.add("installer", "installer");
        let serving = Running::serve(&site);
        let firmware = boot(&site, Profile::pxe_uefi(mac(7)).with_uuid(uuid));
        assert_eq!(firmware.file.as_deref(), Some("snponly.efi"));
        let ipxe = boot(&site, Profile::ipxe(mac(7), Arch::X64_UEFI).with_uuid(uuid));
        let url = ipxe.file.expect("a URL");
        let (_, path) = url.split_once("/boot.ipxe").expect("the script");
        assert!(path.starts_with("?mac=02-00-00-00-00-07&uuid="), "{url}");
        let path = format!("/boot.ipxe{path}");
        let node = ipxe.address;
        assert!(report(&script(&site, node, &path)).contains("/by-uuid/"));
        assert!(installs(&by_tftp(&site, node, "autoexec.ipxe")));
        assert_eq!(get(&site, node, "/states/by-uuid.json").status, 200);
        // Another machine may claim the UUID in a URL, and gets nothing that is only this one's.
        let other = lease(&site, 8).address;
        let claim = "/boot.ipxe?uuid=4c4c4544-0042-3510-8052-b4c04f4d3232";
        assert!(!script(&site, other, claim).contains("token="));
        assert_eq!(get(&site, other, "/states/by-uuid.json").status, 404);
        // After a restart nobody remembers the UUID, and the URL still says it.
        drop(serving);
        let _serving = Running::serve(&site);
        let said = script(&site, node, &path);
        assert!(
            said.contains("installs image installer") || said.contains("only for the machine"),
            "{said}"
        );
        assert!(!said.contains("token="), "{said}");
    }
}

#[test]
fn only_targets_are_served_where_only_known_ones_are_allowed() {
    let site = site(
        json!([
            { "name": "by-mac", "mac": mac(1) },
            { "name": "by-uuid", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232" },
        ]),
        json!({}),
    );
    let document = std::fs::read_to_string(site.config()).expect("the configuration");
    let mut document: Value = serde_json::from_str(&document).expect("JSON");
    document["netboot"]["server"]["allow"] = json!("known");
    std::fs::write(site.config(), document.to_string()).expect("a file");
    let mut serving = Running::serve(&site);
    lease(&site, 1);
    boot(&site, Profile::pxe_uefi(mac(7)).with_uuid(UUID));
    // One that is none asks in vain, and the log says so.
    let stranger = support::client::discover(&site, Profile::pxe_uefi(mac(9)));
    assert_eq!(stranger, None);
    serving.line("02:00:00:00:00:09 is left out: nothing: no target has its MAC address; network lo serves targets only");
}

#[test]
fn options_are_the_networks_the_groups_and_the_targets_own() {
    let site = site(
        json!([{
            "name": "node-01", "mac": mac(1), "group": "rack", "options": { "mtu": 1400 },
        }]),
        json!({ "groups": { "rack": { "options": { "mtu": 9000, "224": "rack 7" } } } }),
    );
    let document = std::fs::read_to_string(site.config()).expect("the configuration");
    let mut document: Value = serde_json::from_str(&document).expect("JSON");
    document["netboot"]["server"]["options"] = json!({ "ntp-server": "10.0.0.9", "26": 1500 });
    std::fs::write(site.config(), document.to_string()).expect("a file");
    let _serving = Running::serve(&site);
    let option = |bound: &Bound, code| {
        let mut options = bound.options.iter();
        let found = options.find(|(known, _)| *known == OptionCode(code));
        found.map(|(_, data)| data.to_vec())
    };
    let node = lease(&site, 1);
    assert_eq!(option(&node, 42), Some(vec![10, 0, 0, 9]));
    assert_eq!(
        option(&node, 26),
        Some(vec![0x05, 0x78]),
        "the target's own"
    );
    assert_eq!(option(&node, 224), Some(b"rack 7".to_vec()));
    let other = lease(&site, 2);
    assert_eq!(option(&other, 26), Some(vec![0x05, 0xdc]));
    assert_eq!(option(&other, 224), None);
    // Who says what it wants gets no more of the network's.
    let firmware = boot(&site, Profile::pxe_bios(mac(3)));
    assert_eq!(option(&firmware, 42), None);
}

#[test]
fn ipxe_is_told_a_script_and_never_ipxe_again() {
    let site = site(json!([]), json!({}));
    let _serving = Running::serve(&site);
    let is_script = |bound: Bound| {
        bound
            .file
            .is_some_and(|file| file.contains("/boot.ipxe?mac="))
    };
    for arch in [Arch::X86_BIOS, Arch::X64_UEFI, Arch::ARM64_UEFI] {
        assert!(
            is_script(boot(&site, Profile::ipxe(mac(1), arch))),
            "{arch}"
        );
    }
    // A relay or a build may leave one of the two out.
    let mut by_77 = Profile::pxe_bios(mac(2));
    by_77
        .options
        .put(key::USER_CLASS, &UserClass::bare(b"iPXE"));
    assert!(is_script(boot(&site, by_77)));
    let mut by_175 = Profile::pxe_bios(mac(3));
    by_175.options.set(OptionCode::IPXE, &[0x13, 1, 1]);
    assert!(is_script(boot(&site, by_175)));
    let bios = boot(&site, Profile::pxe_bios(mac(4)));
    assert_eq!(bios.file.as_deref(), Some("undionly.kpxe"));
}

#[test]
fn each_platform_gets_its_program_and_what_is_not_at_hand_is_said() {
    let site = site(json!([]), json!({ "groups": {} }));
    put(&site, "arm64-efi/ipxe.efi", "arm64");
    let mut serving = Running::serve(&site);
    serving.said("holds no boot program for x86, arm32, riscv64, loongarch64, raspberry-pi");
    let arch = |last, mut profile: Profile, arch| {
        profile.hardware = HardwareAddr::from(mac(last));
        profile.options.put(key::CLIENT_ARCH, &vec![arch]);
        boot(&site, profile).file
    };
    let pxe = || Profile::pxe_uefi(mac(0));
    let http = || Profile::http_uefi(mac(0));
    let url = |name: &str| Some(format!("http://127.0.0.1:{}/{name}", site.ports.http));
    assert_eq!(arch(1, pxe(), Arch::X64_UEFI).as_deref(), Some("ipxe.efi"));
    assert_eq!(arch(2, pxe(), Arch::EBC).as_deref(), Some("ipxe.efi"));
    assert_eq!(
        arch(3, pxe(), Arch::ARM64_UEFI).as_deref(),
        Some("arm64-efi/ipxe.efi")
    );
    assert_eq!(arch(4, http(), Arch::X64_UEFI_HTTP), url("ipxe.efi"));
    assert_eq!(
        arch(5, http(), Arch::ARM64_UEFI_HTTP),
        url("arm64-efi/ipxe.efi")
    );
    assert_eq!(get(&site, STRANGER, "/arm64-efi/ipxe.efi").text(), "arm64");
    assert_eq!(by_tftp(&site, STRANGER, "arm64-efi/ipxe.efi"), "arm64");
    support::client::discover(&site, {
        let mut profile = Profile::pxe_uefi(mac(6));
        profile.options.put(key::CLIENT_ARCH, &vec![Arch::X86_UEFI]);
        profile
    });
    serving.line("gets no boot program: the menu: no target has its MAC address; machines that are no target get the menu (menu.unknown); no ipxe-i386.efi");
}

#[test]
fn a_raspberry_pi_finds_its_tree_by_serial_number_and_in_the_root() {
    let site = site(json!([]), json!({}));
    put(&site, "1a2b3c4d/config.txt", "own");
    put(&site, "start4.elf", "common");
    let _serving = Running::serve(&site);
    assert_eq!(by_tftp(&site, STRANGER, "1a2b3c4d/config.txt"), "own");
    // Where its own folder lacks a file, the board asks for it in the root.
    let missing = tftp(&site, STRANGER, b"1a2b3c4d/start4.elf");
    assert_eq!(missing.err().map(|(code, _)| code), Some(1));
    assert_eq!(by_tftp(&site, STRANGER, "start4.elf"), "common");
    let board = MacAddr([0xdc, 0xa6, 0x32, 1, 2, 3]);
    let offer = support::client::discover(&site, Profile::raspberry_pi_4(board));
    let offer = offer.expect("an offer");
    let menu = offer.windows(17).any(|bytes| bytes == b"Raspberry Pi Boot");
    assert!(menu, "the words that its ROM looks for");
}

#[test]
fn a_shim_gets_the_program_that_it_is_of_and_scripts_stand_beside_it() {
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "ip": NODE, "program": "sb/snponly-shim.efi" }]),
        json!({}),
    );
    for (name, content) in [
        ("sb/snponly-shim.efi", "shim"),
        ("sb/ipxe.efi", "signed ipxe"),
        ("sb/snponly.efi", "signed snponly"),
    ] {
        put(&site, name, content);
    }
    let _serving = Running::serve(&site);
    let firmware = boot(&site, Profile::pxe_uefi(mac(1)));
    assert_eq!(firmware.file.as_deref(), Some("sb/snponly-shim.efi"));
    assert_eq!(by_tftp(&site, NODE, "sb/snponly-shim.efi"), "shim");
    assert_eq!(by_tftp(&site, NODE, "sb/ipxe.efi"), "signed snponly");
    assert_eq!(get(&site, NODE, "/sb/ipxe.efi").text(), "signed snponly");
    // For anybody else a real program's name is that program.
    assert_eq!(by_tftp(&site, STRANGER, "sb/ipxe.efi"), "signed ipxe");
    assert_eq!(get(&site, STRANGER, "/sb/ipxe.efi").text(), "signed ipxe");
    assert!(by_tftp(&site, NODE, "sb/autoexec.ipxe").starts_with("#!ipxe\n"));
    assert!(script(&site, NODE, "/sb/autoexec.ipxe").starts_with("#!ipxe\n"));
    // What a shim may ask for besides is quickly not there.
    for name in [
        "sb/revocations.efi",
        "sb/grubx64.efi.x",
        "sb/shim_certificate.efi",
    ] {
        let refused = tftp(&site, NODE, name.as_bytes());
        assert_eq!(refused.err().map(|(code, _)| code), Some(1), "{name}");
    }
}

#[test]
fn grub_gets_a_configuration_for_each_machine_wherever_it_looks() {
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "ip": NODE, "config": "debian",
                 "cmdline": ["quiet", "a=$b", "c;d", "name={name}"] }]),
        json!({}),
    );
    site.add("debian", "one");
    let _serving = Running::serve(&site);
    lease(&site, 1);
    let port = site.ports.http;
    let head = format!(
        "set from='(tftp,127.0.0.1)'\nif [ -s '(http,127.0.0.1:{port})/healthz' ]\nthen\nset from='(http,127.0.0.1:{port})'\nfi\n"
    );
    let linux = "if linux \"$from\"/images/debian/@1/bzImage console=ttyS0 quiet 'a=$b' 'c;d' name=node-01\n";
    let initrd = "if initrd \"$from\"/images/debian/@1/initrd\n";
    for text in [
        script(&site, NODE, "/grub.cfg"),
        script(&site, STRANGER, "/grub.cfg?mac=02-00-00-00-00-01"),
        by_tftp(&site, NODE, "grub/grub.cfg"),
        by_tftp(&site, NODE, "debian-installer/amd64/grub/grub.cfg"),
    ] {
        assert!(text.starts_with(&head), "{text}");
        assert!(text.contains(linux), "{text}");
        assert!(text.contains(initrd), "{text}");
    }
    let by_tftp_too = by_tftp(&site, NODE, "/images/debian/@1/initrd");
    assert_eq!(by_tftp_too, "initrd one");
    assert!(script(&site, STRANGER, "/grub.cfg").contains("menuentry debian --id 0 {\n"));
    // A file of the operator's comes first, by TFTP and HTTP alike.
    put(&site, "grub/grub.cfg", "mine");
    assert_eq!(by_tftp(&site, NODE, "grub/grub.cfg"), "mine");
    assert_eq!(script(&site, NODE, "/grub/grub.cfg"), "mine");
}

#[test]
fn a_word_that_grub_would_change_is_a_notice() {
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "config": "debian", "cmdline": ["a=it's"] }]),
        json!({}),
    );
    site.add("debian", "one");
    let _serving = Running::serve(&site);
    let text = script(&site, STRANGER, "/grub.cfg?mac=02-00-00-00-00-01");
    assert!(!text.contains("linux "), "{text}");
    assert!(text.contains(r"the word a=it'\''s to the kernel"), "{text}");
}

#[test]
fn a_disc_is_booted_by_its_url() {
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "config": "rescue" }]),
        json!({}),
    );
    let mut disc = vec![0; 40 * 2048];
    disc[16 * 2048..16 * 2048 + 6].copy_from_slice(b"\x01CD001");
    let disc = support::write(site.folder.path(), "rescue.iso", &disc);
    let state = site.state();
    let state = state.to_str().expect("text");
    let done = run([
        "image",
        "add",
        "rescue",
        "--iso",
        &disc,
        "--state-dir",
        state,
    ]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let _serving = Running::serve(&site);
    let script = script(&site, STRANGER, "/boot.ipxe?mac=02-00-00-00-00-01");
    let url = format!(
        "http://127.0.0.1:{}/images/rescue/@1/disc.iso",
        site.ports.http
    );
    assert!(
        script.contains(&format!("sanboot --no-describe {url} ||")),
        "{script}"
    );
    let menu = script_of_menu(&site);
    assert!(
        menu.contains(&format!("sanboot --no-describe {url} ||")),
        "{menu}"
    );
}

fn script_of_menu(site: &Site) -> String {
    script(site, STRANGER, "/boot.ipxe")
}

#[test]
fn secrets_and_states_are_no_files_of_the_tree() {
    let site = installing();
    put(&site, "below/own.efi", "own");
    let link = site.state().join("tftp/below/leak.efi");
    std::os::unix::fs::symlink("../../secret", link).expect("a link");
    let _serving = Running::serve(&site);
    machine(&site, "node-01", "installed");
    assert_eq!(get(&site, STRANGER, "/below/own.efi").text(), "own");
    for name in [
        "secret",
        "installs.json",
        "installs.lock",
        "../secret",
        "below/../../secret",
        "below/leak.efi",
        "below/..%2f..%2fsecret",
        "/etc/passwd",
    ] {
        let refused = tftp(&site, STRANGER, name.as_bytes());
        let code = refused.as_ref().err().map(|(code, _)| *code);
        assert!(matches!(code, Some(1 | 2)), "{name}: {refused:?}");
        let status = get(&site, STRANGER, &format!("/{name}")).status;
        assert!(matches!(status, 400 | 404), "{name}: {status}");
    }
    let empty = MachineId::Empty;
    let mut profile = Profile::plain(HardwareAddr::from(mac(5)));
    profile.options.put(key::MACHINE_ID, &empty);
    boot(&site, profile);
}

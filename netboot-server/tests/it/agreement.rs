//! DHCP, TFTP, HTTP and `netboot explain` say the same of any machine under any configuration.

use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;
use netboot_dhcp::client::Profile;
use netboot_dhcp::value::Arch;
use netboot_dhcp::wire::OptionCode;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::client::{get, goes_on_with, lease_as, tftp};
use crate::support::{Running, Site};

const CONFIGURATIONS: usize = 12;
const MACHINES: u8 = 4;

fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, last])
}

fn uuid(last: u8) -> [u8; 16] {
    let mut uuid = [0x11; 16];
    uuid[15] = last;
    uuid
}

fn uuid_text(last: u8) -> String {
    format!("11111111-1111-1111-1111-1111111111{last:02x}")
}

fn program() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![
        json!(null),
        json!("snponly.efi"),
        json!("gone.efi"),
        json!({ "bios": "ipxe.pxe", "x64": "snponly.efi" }),
    ])
}

fn image() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![json!(null), json!("debian"), json!("missing")])
}

fn install() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![
        json!(null),
        json!({ "image": "debian" }),
        json!({ "image": "missing", "then": "config" }),
    ])
}

fn local() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![json!(null), json!("sanboot"), json!("exit")])
}

/// How a machine is known: by its MAC address, its UUID, both, or not at all.
fn target(last: u8) -> impl Strategy<Value = Option<Value>> {
    (
        0_u8..4,
        image(),
        install(),
        program(),
        local(),
        any::<bool>(),
    )
        .prop_map(move |(known, image, install, program, local, grouped)| {
            let by_mac = known & 1 == 1;
            let by_uuid = known & 2 == 2;
            (by_mac || by_uuid).then(|| {
                json!({
                    "name": format!("node-{last}"),
                    "mac": by_mac.then(|| mac(last).to_string()),
                    "uuid": by_uuid.then(|| uuid_text(last)),
                    "secrets": (!by_mac).then_some("claimable"),
                    "config": image, "install": install, "program": program, "local": local,
                    "group": grouped.then_some("rack"),
                    "cmdline": "mac={mac} name={name} server={server}",
                    "options": { "mtu": 1000 + u16::from(last) },
                })
            })
        })
}

fn configuration() -> impl Strategy<Value = (Vec<Value>, Value)> {
    let targets: Vec<_> = (0..MACHINES).map(target).collect();
    let unknown = proptest::sample::select(vec!["menu", "local", "silent"]);
    (targets, unknown, image(), install(), program()).prop_map(
        |(targets, unknown, image, install, program)| {
            let more = json!({
                "menu": { "unknown": unknown },
                "groups": { "rack": { "config": image, "install": install, "program": program } },
            });
            (targets.into_iter().flatten().collect(), more)
        },
    )
}

/// A script without what differs by who asks: addresses, and the token.
fn plain(script: &str) -> String {
    let words = script.split_inclusive(char::is_whitespace);
    words.filter(|word| !word.contains("token=")).collect()
}

fn explain(site: &Site, last: u8, arch: Arch) -> Value {
    let (mac, uuid, arch) = (mac(last).to_string(), uuid_text(last), arch.0.to_string());
    let done = site.run([
        "explain", "--json", "--mac", &mac, "--uuid", &uuid, "--arch", &arch,
    ]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    serde_json::from_str(&done.out).expect("JSON")
}

#[test]
fn every_protocol_and_explain_say_the_same_of_any_machine() {
    let mut runner = TestRunner::default();
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    for name in ["undionly.kpxe", "ipxe.pxe", "ipxe.efi", "snponly.efi"] {
        let folder = site.state().join("tftp");
        std::fs::create_dir_all(&folder).expect("a folder");
        crate::support::write(&folder, name, name.as_bytes());
    }
    for _ in 0..CONFIGURATIONS {
        let (targets, more) = configuration()
            .new_tree(&mut runner)
            .expect("a configuration")
            .current();
        site.configure(&json!(targets), more);
        let _serving = Running::serve(&site);
        for last in 0..MACHINES {
            for (firmware, arch) in [
                (Profile::pxe_bios(mac(last)), Arch::X86_BIOS),
                (Profile::pxe_uefi(mac(last)), Arch::X64_UEFI),
                (Profile::http_uefi(mac(last)), Arch::X64_UEFI_HTTP),
            ] {
                agree(&site, last, firmware, arch);
            }
        }
    }
}

fn agree(site: &Site, last: u8, firmware: Profile, arch: Arch) {
    let said = explain(site, last, arch);
    let config = std::fs::read_to_string(site.config()).expect("a file");
    let about = format!("machine {last}, {arch}, {config}");
    let boot = |profile: Profile| {
        let mut profile = profile.with_uuid(uuid(last));
        profile.collect_ms = 0;
        profile.model = netboot_dhcp::client::Model::Plain;
        lease_as(site, profile)
    };
    let bound = boot(firmware);
    let text = |value: &Value| value.as_str().map(String::from);
    assert_eq!(bound.file, text(&said["firmware"][0]["file"]), "{about}");
    let mut options = bound.options.iter();
    let mtu = options.find(|(code, _)| *code == OptionCode::INTERFACE_MTU);
    let mtu = mtu.map(|(_, data)| u16::from_be_bytes([data[0], data[1]]));
    let explained = said["options"].as_array().expect("a list");
    let explained = explained.iter().find(|option| option["name"] == "mtu");
    let explained = explained.and_then(|option| option["value"].as_u64());
    assert_eq!(mtu.map(u64::from), explained, "{about}");
    program_is_the_one(site, bound.file.as_deref(), &said);

    let bound = boot(Profile::ipxe(mac(last), arch));
    assert_eq!(bound.file, text(&said["ipxe"]), "{about}");
    let script = plain(said["script"]["text"].as_str().expect("a text"));
    let address = bound.address;
    let path = match &bound.file {
        Some(url) => format!(
            "/boot.ipxe{}",
            url.split_once("/boot.ipxe").expect("a script").1
        ),
        None => "/boot.ipxe".to_owned(),
    };
    for path in [path.as_str(), "/boot.ipxe"] {
        let answer = get(site, address, path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(plain(answer.text()), script, "{path}: {about}");
    }
    let grub = plain(said["grub"].as_str().expect("a text"));
    assert_eq!(
        plain(get(site, address, "/grub.cfg").text()),
        grub,
        "{about}"
    );
    let by_tftp = |name: &str| {
        let file = tftp(site, address, name.as_bytes()).expect("a file");
        String::from_utf8(file).expect("text")
    };
    for (name, expected) in [("boot.ipxe", &script), ("grub/grub.cfg", &grub)] {
        assert_eq!(&plain(&by_tftp(name)), expected, "{name} by TFTP: {about}");
    }
    let autoexec = by_tftp("autoexec.ipxe");
    assert_eq!(
        text(&said["autoexec"]["text"]),
        Some(autoexec.clone()),
        "{about}"
    );
    assert_eq!(
        get(site, address, "/sub/autoexec.ipxe").text(),
        autoexec,
        "{about}"
    );
    // What DHCP does not tell iPXE to boot, it says itself.
    match &bound.file {
        Some(url) => assert_eq!(&goes_on_with(&autoexec, &[&mac(last).to_string()]), url),
        None => assert_eq!(plain(&autoexec), script, "{about}"),
    }
}

/// The program that firmware loads is the file that `explain` names.
fn program_is_the_one(site: &Site, file: Option<&str>, said: &Value) {
    let Some(file) = file else {
        return;
    };
    let path = said["firmware"][0]["path"].as_str().expect("a path");
    let content = std::fs::read(path).expect("a file");
    let from = Ipv4Addr::new(127, 0, 0, 9);
    let sent = match file.strip_prefix("http://") {
        Some(url) => {
            let (_, path) = url.split_once('/').expect("a path");
            get(site, from, &format!("/{path}")).body
        }
        None => tftp(site, from, file.as_bytes()).expect("a file"),
    };
    assert_eq!(sent, content, "{file}");
}

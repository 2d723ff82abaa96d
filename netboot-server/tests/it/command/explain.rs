//! `netboot explain`: what it says of machines, and that a server that runs does the same.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::support::client::{get, mac};
use crate::support::{Done, Running, Site};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A site with programs of its own for PCs and for 64-bit ARM, and with the image `debian`.
fn site(targets: &Value, more: Value) -> Site {
    let site = Site::new(targets);
    site.configure(targets, more);
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    for program in ["undionly.kpxe", "ipxe.efi", "ipxe-arm64.efi"] {
        crate::support::write(&programs, program, b"a boot program");
    }
    site.add("debian", "one");
    site
}

fn explain(site: &Site, options: &[&str]) -> Done {
    site.run(["explain"].iter().chain(options).copied())
}

#[test]
fn each_stage_of_a_targets_boot_is_told_with_its_reasons() {
    let targets = json!([{
        "name": "node-01", "mac": mac(1), "ip": "127.0.0.50", "config": "debian",
        "options": { "ntp-server": ["10.0.0.1"] },
    }]);
    let site = site(&targets, json!({}));
    let (http, state) = (site.ports.http, site.state());
    let (file, state) = (site.config(), state.display());
    let expected = format!(
        "02:00:00:00:00:01 on network lo is target node-01

boots image debian @1, since
  it is target node-01 ({}: netboot.targets[0])
  its target names image debian

DHCP
  address       127.0.0.50, kept for it
  option 42     ntp-server = [\"10.0.0.1\"]
  bios          undionly.kpxe ({state}/tftp/undionly.kpxe)
  x64           ipxe.efi ({state}/tftp/ipxe.efi)
  x64 HTTP      http://127.0.0.1:{http}/ipxe.efi ({state}/tftp/ipxe.efi)
  arm64         ipxe-arm64.efi ({state}/tftp/ipxe-arm64.efi)
  iPXE          http://127.0.0.1:{http}/boot.ipxe?mac=02-00-00-00-00-01
                (one that lacks HTTP, or bzImage and EFI: its firmware's program first)

autoexec.ipxe, by which iPXE under UEFI comes to its script
  says \"Booting from 127.0.0.1\"
  asks for an address on net0
  loads http://127.0.0.1:{http}/boot.ipxe?mac=02-00-00-00-00-01
  boots boot.ipxe

the script
  says \"Booting debian (debian @1)\"
  loads http://127.0.0.1:{http}/images/debian/@1/bzImage
  loads http://127.0.0.1:{http}/images/debian/@1/initrd
  boots bzImage with initrd: initrd=initrd console=ttyS0
",
        file.display()
    );
    let done = explain(&site, &["--mac", "02:00:00:00:00:01"]);
    assert_eq!((done.code, done.out), (Some(0), expected));
}

#[test]
fn one_architecture_is_told_where_one_is_asked_for() {
    let site = site(&json!([]), json!({}));
    let done = explain(&site, &["--mac", "02:00:00:00:00:01", "--arch", "riscv64"]);
    let expected = "  riscv64       nothing\n                  no ";
    assert!(done.out.contains(expected), "{}", done.out);
    assert!(!done.out.contains("  bios "), "{}", done.out);
    // 16 is x64's HTTP boot.
    let done = explain(&site, &["--mac", "02:00:00:00:00:01", "--arch", "16"]);
    let expected = format!("  x64 HTTP      http://127.0.0.1:{}/", site.ports.http);
    assert!(done.out.contains(&expected), "{}", done.out);
    let done = explain(&site, &["--mac", "02:00:00:00:00:01", "--arch", "vax"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("a platform such as x64"), "{}", done.err);
}

#[test]
fn a_local_boot_is_told_as_each_firmware_does_it() {
    let targets = json!([{
        "name": "node-01", "mac": mac(1),
        "install": { "image": "debian" },
    }]);
    let site = site(&targets, json!({}));
    let before = explain(&site, &["--mac", "02:00:00:00:00:01"]).out;
    assert!(
        before.contains("its target installs image debian, install 1"),
        "{before}"
    );
    let done = site.run(["machine", "node-01", "installed"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let after = explain(&site, &["--mac", "02:00:00:00:00:01"]).out;
    for expected in [
        "it is installed, by install 1; its local disk comes then\n",
        "\nthe script, under BIOS\n  boots from drive 0x80\n",
        "\nthe script, under UEFI\n  leaves iPXE with status 1: the firmware goes on in its boot \
         order\n",
    ] {
        assert!(after.contains(expected), "{expected}\n{after}");
    }
}

#[test]
fn a_machine_that_is_left_out_is_told_so() {
    let server = json!({
        "ip": "127.0.0.1", "interface": "lo", "subnet": "127.0.0.0/8", "allow": "known",
        "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" },
    });
    let site = site(&json!([]), json!({ "server": server }));
    let done = explain(&site, &["--mac", "02:00:00:00:00:07"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out.ends_with("\nDHCP does not answer it.\n"),
        "{}",
        done.out
    );
}

#[test]
fn in_proxy_mode_the_address_is_another_servers() {
    let server = json!({
        "ip": "127.0.0.1", "interface": "lo", "subnet": "127.0.0.0/8", "mode": "proxy",
    });
    let targets = json!([{ "name": "node-01", "mac": mac(1), "ip": "127.0.0.50" }]);
    let site = site(&targets, json!({ "server": server }));
    for number in [1, 7] {
        let mac = mac(number).to_string();
        let done = explain(&site, &["--mac", &mac]);
        let address = "\nDHCP\n  address       another DHCP server's to give\n";
        assert!(done.out.contains(address), "{}", done.out);
        let done = explain(&site, &["--mac", &mac, "--json"]);
        let document: Value = serde_json::from_str(&done.out).expect("JSON");
        assert_eq!(document["proxy"], json!(true));
        assert_eq!(document["address"], json!(null));
    }
}

#[test]
fn a_network_that_is_not_there_is_told_with_those_that_are() {
    let site = site(&json!([]), json!({}));
    let done = explain(&site, &["--mac", "02:00:00:00:00:07", "--network", "eth7"]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.contains("name one of lo"), "{}", done.err);
}

#[test]
fn what_makes_a_machine_its_target_is_in_its_scripts_url_and_the_server_takes_it() {
    let uuid = "4c4c4544-0042-3510-8052-b4c04f4d3232";
    let targets = json!([
        { "name": "by-circuit", "circuit": "eth1/3", "config": "debian" },
        { "name": "by-uuid", "uuid": uuid, "config": "debian" },
    ]);
    let site = site(&targets, json!({}));
    let _serving = Running::serve(&site);
    for (option, value, in_url) in [
        // In hex: what a relay agent says is bytes.
        ("--circuit", "eth1/3", "&circuit=0x657468312f33"),
        ("--uuid", uuid, "&uuid=4c4c4544-0042-3510-8052-b4c04f4d3232"),
    ] {
        let options = ["--mac", "02:00:00:00:00:07", option, value, "--json"];
        let done = explain(&site, &options);
        let document: Value = serde_json::from_str(&done.out).expect("JSON");
        let url = document["ipxe"].as_str().expect("a URL");
        let (_, path) = url.split_once(&site.ports.http.to_string()).expect(url);
        assert_eq!(path, format!("/boot.ipxe?mac=02-00-00-00-00-07{in_url}"));
        let script = get(&site, STRANGER, path);
        assert_eq!(document["script"]["text"], script.text());
        assert!(script.text().contains("/images/debian/@1/"), "{path}");
    }
    // Without it the machine is a stranger.
    let menu = get(&site, STRANGER, "/boot.ipxe?mac=02-00-00-00-00-07");
    assert!(menu.text().contains("\nmenu "), "{}", menu.text());
}

#[test]
fn u_boot_is_told_its_server_and_what_it_boots_there() {
    let targets = json!([{ "name": "node-01", "mac": mac(1), "config": "debian" }]);
    let site = site(&targets, json!({}));
    let mac = mac(1).to_string();
    let done = explain(&site, &["--mac", &mac, "--arch", "22"]);
    let page = "\npxelinux.cfg/01-…, by which U-Boot boots without iPXE\n  DEFAULT 1\n";
    assert!(done.out.contains(page), "{}", done.out);
    assert!(
        done.out.contains("\n  LINUX images/debian/@1/bzImage\n"),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("\n  arm64         nothing\n"),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("iPXE would hang in U-Boot"),
        "{}",
        done.out
    );
}

//! `netboot probe` against `netboot serve`, on the loopback interface as an ordinary user.

use serde_json::{Value, json};

use crate::support::{Done, Running, Site, run};

const MAC: &str = "02:00:00:00:00:01";

fn target(image: &str) -> Value {
    json!([{ "name": "probed", "mac": MAC, "config": image }])
}

fn program(site: &Site, name: &str) {
    let folder = site.state().join("tftp");
    std::fs::create_dir_all(&folder).expect("a folder");
    crate::support::write(&folder, name, b"stands for a program");
}

fn probe(site: &Site, more: &[&str]) -> Done {
    let ports = site.ports;
    let [dhcp, client, tftp] = [ports.dhcp, ports.dhcp_client, ports.tftp].map(|it| it.to_string());
    let arguments = [
        "probe",
        "--server",
        "127.0.0.1",
        "--dhcp-port",
        &dhcp,
        "--dhcp-client-port",
        &client,
        "--tftp-port",
        &tftp,
    ];
    run(arguments.iter().chain(more))
}

#[test]
fn a_probe_says_each_step_and_what_the_machine_boots() {
    let site = Site::new(&target("debian"));
    site.add("debian", "a");
    program(&site, "undionly.kpxe");
    let _serving = Running::serve(&site);
    let done = probe(&site, &[]);
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    let steps = [
        "  DHCP      firmware: 127.0.0.",
        "  TFTP      undionly.kpxe: 20 B",
        "  DHCP      iPXE: 127.0.0.",
        "  HTTP      http://127.0.0.1:",
        "  says      Booting debian",
        "  HTTP      http://127.0.0.1:",
        "  HTTP      http://127.0.0.1:",
        "  HTTP      http://127.0.0.1:",
        "  verified  bzImage  ",
        "  verified  initrd  ",
        "boots: http://127.0.0.1:",
    ];
    let lines: Vec<_> = done.out.lines().collect();
    assert_eq!(lines.len(), steps.len(), "{}", done.out);
    for (line, step) in lines.iter().zip(steps) {
        assert!(line.starts_with(step), "{step}\n{}", done.out);
    }
    let last = lines.last().expect("a last line");
    assert!(
        last.contains("initrd=initrd console=ttyS0 + http://127.0.0.1:"),
        "{last}"
    );
}

#[test]
fn each_firmware_loads_what_it_is_told() {
    let site = Site::new(&target("debian"));
    site.add("debian", "a");
    program(&site, "undionly.kpxe");
    program(&site, "ipxe.efi");
    let _serving = Running::serve(&site);
    let done = probe(&site, &["--firmware", "ipxe"]);
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    assert!(!done.out.contains("  TFTP"), "{}", done.out);
    for (firmware, step) in [
        (
            "uefi",
            ["  TFTP      ipxe.efi", "  TFTP      autoexec.ipxe"],
        ),
        ("uefi-http", ["/ipxe.efi: ", "/autoexec.ipxe: "]),
    ] {
        let done = probe(&site, &["--firmware", firmware]);
        // What is fetched before DHCP comes over the firmware's network.
        let steps = step.iter().chain(&["  DHCP      iPXE", "/boot.ipxe?mac="]);
        let mut said = done.out.lines();
        for step in steps {
            let found = said.any(|line| line.contains(step));
            assert!(found, "{step}\n{}\n{}", done.out, done.err);
        }
        // The kernel of this test is for BIOS only.
        assert_eq!(done.code, Some(1), "{}\n{}", done.out, done.err);
        assert!(done.out.contains("is no UEFI program"), "{}", done.out);
    }
}

#[test]
fn ipxe_without_http_boots_through_the_program_each_time() {
    let site = Site::new(&target("debian"));
    site.add("debian", "a");
    program(&site, "undionly.kpxe");
    let _serving = Running::serve(&site);
    for _ in 0..5 {
        let done = probe(&site, &["--firmware", "ipxe-without-http"]);
        assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
        assert!(
            done.out.contains("  TFTP      undionly.kpxe"),
            "{}",
            done.out
        );
    }
}

#[test]
fn in_a_menu_the_choice_that_was_asked_for_is_taken() {
    let site = Site::new(&json!([]));
    site.add("debian", "a");
    site.add("other", "b");
    program(&site, "undionly.kpxe");
    let _serving = Running::serve(&site);
    let done = probe(&site, &["--choose", "other", "--json"]);
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    let told: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(told["boots"], json!(true));
    let what = told["what"].as_str().expect("text");
    assert!(what.contains("/images/other/@1/"), "{what}");
    let steps = told["steps"].as_array().expect("steps");
    assert!(
        steps.iter().any(|step| step["step"] == "chooses"),
        "{told:#}"
    );
    assert!(steps.iter().any(|step| step["bytes"].is_u64()), "{told:#}");

    let done = probe(&site, &["--choose", "nothing"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.out
            .contains("does not boot: the menu has no item nothing"),
        "{}",
        done.out
    );
}

#[test]
fn a_damaged_image_is_no_boot() {
    let site = Site::new(&target("debian"));
    site.add("debian", "a");
    program(&site, "undionly.kpxe");
    let _serving = Running::serve(&site);
    let folder = site.state().join("http/images/debian");
    let initrd = std::fs::canonicalize(folder.join("initrd")).expect("a file");
    let content = std::fs::read(&initrd).expect("a file");
    let other = vec![b'x'; content.len()];
    let mode = std::fs::metadata(&initrd).expect("a file").permissions();
    let mut writable = mode.clone();
    std::os::unix::fs::PermissionsExt::set_mode(&mut writable, 0o644);
    std::fs::set_permissions(&initrd, writable).expect("the owner's file");
    std::fs::write(&initrd, other).expect("a file");
    std::fs::set_permissions(&initrd, mode).expect("the owner's file");
    let done = probe(&site, &[]);
    assert_eq!(done.code, Some(1), "{}\n{}", done.out, done.err);
    let last = done.out.lines().last().expect("a last line");
    assert!(
        last.starts_with("does not boot: initrd has the digest sha256:"),
        "{last}"
    );
    assert!(
        last.contains("and the manifest beside it says sha256:"),
        "{last}"
    );
}

#[test]
fn an_image_that_is_not_there_is_no_boot_and_the_script_says_why() {
    let site = Site::new(&target("missing"));
    program(&site, "undionly.kpxe");
    let _serving = Running::serve(&site);
    let done = probe(&site, &[]);
    assert_eq!(done.code, Some(1), "{}\n{}", done.out, done.err);
    assert!(
        done.out.contains("missing is not in the store"),
        "{}",
        done.out
    );
    assert!(done.out.contains("does not boot: "), "{}", done.out);
}

#[test]
fn a_probe_has_to_be_told_where() {
    let done = run(["probe"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("--interface <NAME>"), "{}", done.err);
    let done = run(["probe", "--interface", "nothere0"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("on nothere0: "), "{}", done.err);
}

#[test]
fn u_boot_boots_by_the_configuration_that_is_its_own() {
    let site = Site::new(&target("debian"));
    site.add("debian", "a");
    let _serving = Running::serve(&site);
    let done = probe(&site, &["--firmware", "u-boot"]);
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    let steps = [
        "  DHCP      U-Boot: 127.0.0.",
        "  TFTP      pxelinux.cfg/01-02-00-00-00-00-01: ",
        "  says      debian (debian @1)",
        "  TFTP      images/debian/@1/initrd: ",
        "  TFTP      images/debian/@1/bzImage: ",
        "boots: images/debian/@1/bzImage console=ttyS0 + images/debian/@1/initrd",
    ];
    let lines: Vec<_> = done.out.lines().collect();
    assert_eq!(lines.len(), steps.len(), "{}", done.out);
    for (line, step) in lines.iter().zip(steps) {
        assert!(line.starts_with(step), "{step}\n{}", done.out);
    }
}

/// `pxe_get` of U-Boot's `cmd/pxe.c`: the MAC address, the address by eight digits and by less and
/// less of them, then the defaults. U-Boot 2025.01 was seen to ask so.
#[test]
fn u_boot_asks_by_less_and_less_of_its_address_behind_its_mac_address() {
    let mut target = target("debian");
    target[0]["ip"] = json!("127.0.0.50");
    let site = Site::new(&target);
    site.add("debian", "a");
    let folder = site.state().join("tftp/pxelinux.cfg");
    std::fs::create_dir_all(&folder).expect("a folder");
    let _serving = Running::serve(&site);
    for name in [
        "default",
        "default-arm",
        "7F",
        "7F00003",
        "7F000032",
        "01-02-00-00-00-00-01",
    ] {
        let config = format!("LABEL own\nMENU LABEL by {name}\nLOCALBOOT 1\n");
        crate::support::write(&folder, name, config.as_bytes());
        let done = probe(&site, &["--firmware", "u-boot"]);
        let says = format!("  says      by {name}\n");
        assert!(done.out.contains(&says), "{}\n{}", done.out, done.err);
    }
}

#[test]
fn u_boot_finds_its_files_beside_the_program_that_it_is_told() {
    let named = json!({ "arm64": "arm64-efi/grub.efi" });
    let site = Site::new(&json!([{ "name": "probed", "mac": MAC, "program": named }]));
    site.add("debian", "a");
    let folder = site.state().join("tftp/arm64-efi");
    std::fs::create_dir_all(&folder).expect("a folder");
    crate::support::write(&folder, "grub.efi", b"stands for a program");
    let _serving = Running::serve(&site);
    let of = |choice| probe(&site, &["--firmware", "u-boot", "--choose", choice]);
    let done = of("debian");
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    let kernel = "boots: arm64-efi/images/debian/@1/bzImage console=ttyS0 + ";
    assert!(done.out.contains(kernel), "{}", done.out);
    let done = of("Leave this menu");
    assert_eq!(done.code, Some(1), "{}\n{}", done.out, done.err);
}

#[test]
fn grub_boots_by_its_configuration_and_reads_http_literally() {
    let named = json!("grubx64.efi");
    let site =
        Site::new(&json!([{ "name": "probed", "mac": MAC, "config": "debian", "program": named }]));
    site.add("debian", "a");
    program(&site, "grubx64.efi");
    let _serving = Running::serve(&site);
    for (firmware, first) in [
        ("uefi", "  TFTP      grub"),
        ("uefi-http", "  HTTP      http"),
    ] {
        let done = probe(&site, &["--firmware", firmware]);
        assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
        let configuration = done.out.lines().find(|line| line.contains("/grub.cfg"));
        let configuration = configuration.unwrap_or_else(|| panic!("{}", done.out));
        assert!(configuration.starts_with(first), "{}", done.out);
        let http = format!("http://127.0.0.1:{}", site.ports.http);
        let image = format!("{http}/images/debian/@1");
        let last = format!("boots: {image}/bzImage console=ttyS0 + {image}/initrd");
        assert!(
            done.out.contains(&format!("{http}/healthz: 3 B")),
            "{}",
            done.out
        );
        assert!(done.out.contains(&last), "{}", done.out);
    }
}

#[test]
fn shim_goes_on_with_grub_and_its_menu() {
    let site = Site::new(&json!([{ "name": "probed", "mac": MAC, "program": "shimx64.efi" }]));
    site.add("debian", "a");
    program(&site, "shimx64.efi");
    program(&site, "grubx64.efi");
    let _serving = Running::serve(&site);
    let of = |choice| probe(&site, &["--firmware", "uefi", "--choose", choice]);
    let done = of("debian");
    assert!(
        done.out.contains("  TFTP      grubx64.efi: "),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("/images/debian/@1/bzImage console"),
        "{}",
        done.out
    );
    let done = of("Boot from the local disk");
    assert!(
        done.out.contains("boots: the local disk"),
        "{}\n{}",
        done.out,
        done.err
    );
}

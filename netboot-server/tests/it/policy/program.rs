//! The program, the tree and the script that each platform gets.

use super::*;

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
    by_175
        .options
        .put_raw(OptionCode::IPXE, &[0x13, 1, 1, 0x18, 1, 1]);
    assert!(is_script(boot(&site, by_175)));
    let bios = boot(&site, Profile::pxe_bios(mac(4)));
    assert_eq!(bios.file.as_deref(), Some("undionly.kpxe"));
}

/// The features by their numbers in iPXE's `features.h`; its page on dhcpd asks for HTTP, and for
/// bzImage or EFI.
#[test]
fn ipxe_that_lacks_what_scripts_need_is_told_the_program_first_and_not_for_ever() {
    let site = site(json!([]), json!({}));
    let mut serving = Running::serve(&site);
    let ask = |arch, features: &[u8]| {
        let mut profile = Profile::ipxe(mac(1), arch);
        profile.options.put_raw(OptionCode::IPXE, features);
        boot(&site, profile).file.expect("a file")
    };
    let bios = |features| ask(Arch::X86_BIOS, features);
    let whole = [0x13, 1, 1, 0x18, 1, 1];
    let (no_http, no_kernel) = (&[0x15, 1, 1, 0x18, 1, 1], &[0x13, 1, 1, 0x22, 1, 1]);
    // Each power-on of a machine whose ROM lacks something.
    for _ in 0..5 {
        assert_eq!(bios(no_http), "undionly.kpxe");
        assert!(bios(&whole).contains("/boot.ipxe?mac="));
    }
    assert_eq!(bios(no_kernel), "undionly.kpxe");
    assert!(
        bios(&[177, 5, 1, 0x1a, 0xf4, 0x10, 0]).contains("/boot.ipxe"),
        "lists none"
    );
    assert_eq!(ask(Arch::X64_UEFI, &[0x15, 1, 1, 0x24, 1, 1]), "ipxe.efi");
    assert!(ask(Arch::X64_UEFI, &[0x13, 1, 1, 0x24, 1, 1]).contains("/boot.ipxe"));
    // The program that it is told lacks the same.
    for _ in 0..3 {
        assert_eq!(bios(no_http), "undionly.kpxe");
    }
    assert!(bios(no_http).contains("/boot.ipxe?mac="), "it ends");
    serving.said("its iPXE lacks HTTP, and gets undionly.kpxe first");
    serving.said("its iPXE still lacks HTTP behind undionly.kpxe, and gets the script");
    assert_eq!(bios(no_http), "undionly.kpxe", "switched off and on");
}

#[test]
fn gpxe_runs_no_script_of_ipxes_and_is_told_the_program() {
    let site = site(json!([]), json!({}));
    let _serving = Running::serve(&site);
    let mut profile = Profile::ipxe(mac(1), Arch::X86_BIOS);
    profile
        .options
        .put(key::USER_CLASS, &UserClass::bare(b"gPXE"));
    assert_eq!(boot(&site, profile).file.as_deref(), Some("undionly.kpxe"));
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
    crate::support::client::discover(&site, {
        let mut profile = Profile::pxe_uefi(mac(6));
        profile.options.put(key::CLIENT_ARCH, &vec![Arch::X86_UEFI]);
        profile
    });
    serving.line(
        "gets no boot program: the menu: no target has its MAC address; machines that are \
         no target get the menu (menu.unknown); no ipxe-i386.efi",
    );
}

#[test]
fn a_program_for_another_platform_is_not_taken_by_its_name_and_is_said() {
    let named = json!({ "x64": "arm.efi", "arm64": "ipxe.efi" });
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "program": named }]),
        json!({ "program_dirs": [] }),
    );
    std::fs::remove_file(site.state().join("tftp/snponly.efi")).expect("a file");
    // An EFI program for arm64, by hand from the PE format specification.
    let mut arm64 = vec![0; 0x200];
    for (at, bytes) in [
        (0, &b"MZ"[..]),
        (0x3c, b"\x40"),
        (0x40, b"PE\0\0\x64\xaa"),
        (0x54, b"\xf0"),
        (0x9c, b"\x0a"),
    ] {
        arm64[at..at + bytes.len()].copy_from_slice(bytes);
    }
    for name in ["tftp/ipxe.efi", "tftp/arm.efi"] {
        crate::support::write(&site.state(), name, &arm64);
    }
    let checked = site.run(["check"]);
    let (place, why) = (
        "netboot.targets[0].program.x64",
        "arm.efi is for arm64, by its header",
    );
    assert!(checked.err.contains(place), "{}", checked.err);
    assert!(checked.err.contains(why), "{}", checked.err);
    let mut serving = Running::serve(&site);
    let file = |last, arch| {
        let mut profile = Profile::pxe_uefi(mac(last));
        profile.options.put(key::CLIENT_ARCH, &vec![arch]);
        boot(&site, profile).file
    };
    assert_eq!(file(2, Arch::ARM64_UEFI).as_deref(), Some("ipxe.efi"));
    let mut x64 = Profile::pxe_uefi(mac(3));
    x64.options.put(key::CLIENT_ARCH, &vec![Arch::X64_UEFI]);
    crate::support::client::discover(&site, x64);
    serving.line("the ipxe.efi at hand is for arm64");
}

#[test]
fn u_boot_gets_the_program_that_is_named_or_the_server_alone() {
    let named = json!({ "arm64": "grub/grubaa64.efi" });
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "program": named }]),
        json!({ "program_dirs": [] }),
    );
    put(&site, "grub/grubaa64.efi", "grub");
    // In which it would hang.
    put(&site, "ipxe-arm64.efi", "ipxe");
    let _serving = Running::serve(&site);
    // As net/bootp.c and boot/bootmeth_efi.c have it: its own class and number (0x15 is 32-bit ARM,
    // 0x16 64-bit), or UEFI's where it is to start an EFI program; UNDI 0.0 in option 94 always.
    let own = (&b"U-Boot.armv8"[..], Arch::ARM64_UBOOT);
    let efi = (&b"PXEClient:Arch:00011:UNDI:003000"[..], Arch::ARM64_UEFI);
    let told = |last, (class, arch): (&[u8], Arch)| {
        let mut profile = Profile::u_boot(mac(last));
        profile.options.put_raw(OptionCode::VENDOR_CLASS, class);
        profile.options.put(key::CLIENT_ARCH, &vec![arch]);
        let bound = boot(&site, profile);
        (bound.file, bound.next_server)
    };
    let server = Some(Ipv4Addr::LOCALHOST);
    let grub = (Some("grub/grubaa64.efi".to_owned()), server);
    assert_eq!(told(1, own), grub);
    assert_eq!(told(1, efi), grub);
    for (last, said) in [(2, own), (3, efi), (4, (own.0, Arch::ARM32_UBOOT))] {
        assert_eq!(told(last, said), (None, server));
    }
    // UEFI itself says UNDI 3.0 in both.
    let mut uefi = Profile::pxe_uefi(mac(5));
    uefi.options.put(key::CLIENT_ARCH, &vec![Arch::ARM64_UEFI]);
    assert_eq!(boot(&site, uefi).file.as_deref(), Some("ipxe-arm64.efi"));
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
    let offer = crate::support::client::discover(&site, Profile::raspberry_pi_4(board));
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
    let url = |last: u8| {
        let mac = mac(last).dashed();
        format!("http://127.0.0.1:{}/boot.ipxe?mac={mac}", site.ports.http)
    };
    let (mine, other) = (mac(1).to_string(), mac(2).to_string());
    for autoexec in [
        by_tftp(&site, NODE, "sb/autoexec.ipxe"),
        script(&site, NODE, "/sb/autoexec.ipxe"),
    ] {
        assert_eq!(goes_on_with(&autoexec, &[&other, &mine]), url(1));
        // The card may have another address than the one its firmware asked with.
        assert_eq!(goes_on_with(&autoexec, &[&other]), url(2));
    }
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
fn beside_an_image_that_is_an_ipxe_there_is_no_autoexec() {
    // It would lead to the script that boots that image.
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "ip": NODE }]),
        json!({}),
    );
    site.add("debian", "one");
    let mut serving = Running::serve(&site);
    lease(&site, 1);
    let answer = get(&site, NODE, "/images/debian/@1/autoexec.ipxe");
    assert_eq!(answer.status, 404, "{}", answer.text());
    let missing = tftp(&site, NODE, b"images/debian/@1/autoexec.ipxe");
    assert_eq!(missing.err().map(|(code, _)| code), Some(1));
    serving.said("/images/debian/@1/autoexec.ipxe: 404");
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
        "set from='(tftp,127.0.0.1)'\nif [ -s '(http,127.0.0.1:{port})/healthz' ]\nthen\nset \
         from='(http,127.0.0.1:{port})'\nfi\n"
    );
    let linux = "if linux \"$from\"/images/debian/@1/bzImage console=ttyS0 quiet 'a=$b' 'c;d' \
                 name=node-01\n";
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
fn grub_boots_the_local_disk_by_its_loader_unless_the_firmware_is_to() {
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "local": "exit" }]),
        json!({}),
    );
    let _serving = Running::serve(&site);
    let own = script(&site, STRANGER, "/grub.cfg");
    assert!(own.contains("chainloader \"/EFI/$loader.efi\"\n"), "{own}");
    assert!(own.contains("done\nexit 1\n}\n"), "{own}");
    let left = script(&site, STRANGER, "/grub.cfg?mac=02-00-00-00-00-01");
    assert!(!left.contains("chainloader"), "{left}");
    assert!(left.contains("--id 0 {\nexit 1\n}\n"), "{left}");
}

#[test]
fn u_boot_and_pxelinux_get_a_configuration_beside_their_program() {
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "ip": NODE, "config": "debian",
                 "cmdline": ["quiet", "c;d=\"e\"", "name={name}"] }]),
        json!({}),
    );
    site.add("debian", "one");
    put(&site, "boot/pxelinux.cfg/7F0000", "of the folder");
    let _serving = Running::serve(&site);
    lease(&site, 1);
    // In the grammar of U-Boot's boot/pxe_utils.c and PXELINUX's readconfig.c: the rest of a line
    // is the value as it is, times are tenths of seconds, names are relative to the program's
    // folder.
    let own = "DEFAULT 1\nTIMEOUT 600\nSAY debian (debian @1)\nLABEL 1\n\
               MENU LABEL debian (debian @1)\nLINUX images/debian/@1/bzImage\n\
               INITRD images/debian/@1/initrd\n\
               APPEND console=ttyS0 quiet c;d=\"e\" name=node-01\n";
    let by_mac = "pxelinux.cfg/01-02-00-00-00-00-01";
    for text in [
        by_tftp(&site, NODE, by_mac),
        by_tftp(&site, NODE, "pxelinux.cfg/default-arm-qemu-arm"),
        by_tftp(&site, NODE, "pxelinux.cfg/7F000032"),
        by_tftp(&site, NODE, "/arm64-efi/pxelinux.cfg/7F000032"),
        script(&site, NODE, "/pxelinux.cfg/7F000032"),
        by_tftp(&site, NODE, "/arm64-efi/pxelinux.cfg/default"),
        by_tftp(&site, STRANGER, by_mac),
        script(&site, NODE, "/pxelinux.cfg/default"),
        script(&site, STRANGER, &format!("/sub/{by_mac}")),
    ] {
        assert_eq!(text, own);
    }
    let of_nobody = by_tftp(&site, STRANGER, "pxelinux.cfg/default");
    assert!(
        of_nobody.starts_with("DEFAULT 2\nPROMPT 1\n"),
        "{of_nobody}"
    );
    for folder in ["", "arm64-efi/", "/arm64-efi//"] {
        let name = format!("{folder}images/debian/@1/initrd");
        assert_eq!(by_tftp(&site, NODE, &name), "initrd one");
    }
    let by_http = get(&site, NODE, "/arm64-efi/images/debian/@1/initrd");
    assert_eq!(by_http.text(), "initrd one");
    // What is asked for before and behind these is not there, and quickly so.
    let is_refused = |name: &str| {
        let refused = tftp(&site, NODE, name.as_bytes());
        assert_eq!(refused.err().map(|(code, _)| code), Some(1), "{name}");
        assert_eq!(get(&site, NODE, &format!("/{name}")).status, 404, "{name}");
    };
    is_refused("pxelinux.cfg/44454c4c-4200-1035-8052-b4c04f4d3232");
    is_refused("pxelinux.cfg/7F00003");
    is_refused("pxelinux.cfg/7F");
    // The address of another, and of this one in letters that neither program writes.
    is_refused("pxelinux.cfg/7F000009");
    is_refused("pxelinux.cfg/7f000032");
    is_refused(&format!("boot/{by_mac}"));
    // Files of the operator's come first, those that are asked for later too.
    put(&site, "pxelinux.cfg/7F0000", "mine");
    assert_eq!(by_tftp(&site, NODE, "pxelinux.cfg/7F0000"), "mine");
    // This process may write and ask within the moment for which what was found is taken for now.
    wait_until("the operator's folder is seen", || {
        tftp(&site, NODE, by_mac.as_bytes()).is_err()
    });
    is_refused(by_mac);
    is_refused("pxelinux.cfg/7F000032");
    is_refused("pxelinux.cfg/default-arm");
    assert_eq!(by_tftp(&site, NODE, "pxelinux.cfg/default"), own);
}

#[test]
fn the_menu_for_u_boot_and_pxelinux_has_what_they_can_boot() {
    let site = site(
        json!([]),
        json!({ "menu": { "title": "Lab", "timeout": 7, "default": "local", "items": [
            { "image": "debian", "label": "Debian here" }, { "image": "gone" },
            { "chain": "http://192.0.2.1/x.ipxe" }, { "local": true }, { "shell": true },
        ] } }),
    );
    site.add("debian", "one");
    let _serving = Running::serve(&site);
    let again = "LOCALBOOT -1\nCONFIG pxelinux.cfg/default\n";
    let missing = "The image gone is not in the store.";
    let chain = "http://192.0.2.1/x.ipxe is an iPXE script.";
    let menu = format!(
        "DEFAULT 4\nPROMPT 1\nTIMEOUT 70\nSAY Lab\nSAY 1: Debian here\nSAY 2: {missing}\n\
         SAY 3: {chain}\nSAY 4: Boot from the local disk\nSAY 5: Leave this menu\n\
         MENU TITLE Lab\nLABEL 1\nMENU LABEL Debian here\nLINUX images/debian/@1/bzImage\n\
         INITRD images/debian/@1/initrd\nAPPEND console=ttyS0\n\
         LABEL 2\nMENU LABEL {missing}\n{again}LABEL 3\nMENU LABEL {chain}\n{again}\
         LABEL 4\nMENU LABEL Boot from the local disk\nLOCALBOOT 0\n\
         LABEL 5\nMENU LABEL Leave this menu\nLOCALBOOT -1\n"
    );
    assert_eq!(by_tftp(&site, STRANGER, "pxelinux.cfg/default"), menu);
}

#[test]
fn what_u_boot_and_pxelinux_cannot_say_is_a_notice() {
    let target = |last, cmdline: &str| {
        json!({ "name": format!("node-0{last}"), "mac": mac(last), "config": "debian",
                "cmdline": [cmdline] })
    };
    let words = ["memmap=1M$16M", "a=it's", "b=\\c", "initrd=x"];
    let targets = words.iter().zip(1..).map(|(word, last)| target(last, word));
    let site = site(targets.collect(), json!({}));
    site.add("debian", "one");
    let _serving = Running::serve(&site);
    for (word, last) in words.iter().zip(1..) {
        let name = format!("pxelinux.cfg/01-{}", mac(last).dashed());
        let text = by_tftp(&site, STRANGER, &name);
        assert!(!text.contains("LINUX"), "{text}");
        let why = format!("MENU LABEL The word {word} cannot be handed to the kernel");
        assert!(text.contains(&why), "{text}");
    }
}

#[test]
fn an_install_by_u_boot_is_for_the_machine_itself() {
    let site = installing();
    let _serving = Running::serve(&site);
    lease(&site, 1);
    let name = "pxelinux.cfg/01-02-00-00-00-00-01";
    let own = by_tftp(&site, NODE, name);
    assert!(
        own.contains("/machines/node-01/installed?number=1&token="),
        "{own}"
    );
    let others = by_tftp(&site, STRANGER, name);
    assert!(!others.contains("token="), "{others}");
    assert!(
        others.contains("SAY The script that installs image"),
        "{others}"
    );
}

#[test]
fn a_disc_is_booted_by_its_url() {
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "config": "rescue" }]),
        json!({}),
    );
    let mut disc = vec![0; 40 * 2048];
    disc[16 * 2048..16 * 2048 + 6].copy_from_slice(b"\x01CD001");
    let disc = crate::support::write(site.folder.path(), "rescue.iso", &disc);
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
    let hint = "set boot-hint whether the disc has a boot image for ${platform}. On the server: ";
    assert!(script.contains(hint), "{script}");
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

//! Real firmware boots a real Linux over this server, in network namespaces.
//!
//! Each test powers on a virtual machine with an empty disk and ends at a shell in it. It asserts
//! on what the booted Linux printed, on what was served, and on the lease on disk.

use std::net::Ipv4Addr;

use netboot_server::config::platform::Platform;
use netboot_server::lab::{Code, Console, Firmware, Namespace, Part, VirtualMachine};

use crate::program::{self, Program, debian13};
use crate::relay;
use crate::server::{
    MAC, PATIENCE, Server, TAP, add_debian, add_debian_for, installer, namespace_with_tap,
};

/// One network and a target on it, of which more may be said behind.
pub(crate) const CONFIG: &str = r#"
    [netboot.server]
    ip = "192.168.100.1"
    interface = "tap0"
    dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
    ip = "192.168.100.50"
    config = "debian"
"#;
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 50);

pub(crate) fn power_on(
    namespace: &Namespace,
    firmware: Firmware,
    scratch: &std::path::Path,
) -> Console {
    assert_eq!(VirtualMachine::missing(firmware), []);
    let machine = VirtualMachine {
        firmware,
        mac: MAC.into(),
        tap: TAP.into(),
        others: Vec::new(),
        memory_mib: 1024,
    };
    machine.power_on(namespace, scratch).expect("QEMU starts")
}

/// Waits for the shell, has it print the command line that the kernel was given, and shows what it
/// printed last.
pub(crate) fn assert_shell_with(console: &Console, token: &str) {
    let shell = console.wait_for("~ # ", PATIENCE);
    assert!(shell, "no shell; the console:\n{}", console.text());
    // The sum keeps what is typed apart from what is printed.
    console
        .type_text(
            "mkdir -p /proc; mount -t proc proc /proc; cat /proc/cmdline; echo done-$((40+2))\n",
        )
        .expect("a keyboard");
    let done = console.wait_for("done-42", PATIENCE);
    let text = console.text();
    assert!(done, "the shell does not answer; the console:\n{text}");
    let (_, typed) = text.split_once("~ # ").expect("the prompt");
    assert!(
        typed.contains(&format!("netboot-token={token}")),
        "the shell's kernel was given another command line:\n{typed}"
    );
    println!("{token}: {} s since power-on", console.on_for().as_secs());
    let last: Vec<&str> = text.lines().rev().take(5).collect();
    for line in last.iter().rev() {
        println!("console: {}", line.trim_end());
    }
}

pub(crate) fn assert_image_served(server: &Server) {
    assert_served(server, &Firmware::BIOS);
}

fn assert_served(server: &Server, firmware: &Firmware) {
    // The store calls a kernel for arm64 by that name.
    let kernel = match firmware.platform {
        Platform::Arm64 => "Image",
        _ => "bzImage",
    };
    for (file, path) in [("linux", kernel), ("initrd.gz", "initrd")] {
        let size = std::fs::metadata(format!("{}/{file}", installer(firmware)))
            .expect("the Debian package of the installer's files")
            .len();
        let served = format!("/images/debian/@1/{path}: 200, {size} bytes");
        server.assert_logged(&["HTTP", MAC, &served]);
    }
    server.assert_nothing_wrong(MAC);
}

/// The steps of the log in which a machine's MAC address stands.
pub(crate) fn print_steps(server: &Server) {
    for line in server.log().lines().filter(|line| line.contains(MAC)) {
        println!("served: {line}");
    }
}

/// A way to a shell.
struct Way {
    firmware: Firmware,
    /// The programs that are loaded on it, by name: they are put where the operator's are, and the
    /// target is told the first.
    programs: &'static [(&'static str, Program)],
    /// What is asked for by the protocol that the program came by, and is for no image.
    before: &'static [&'static str],
    /// What the server says the image by.
    script: &'static str,
    /// Cards on networks where nobody gives addresses: MAC address and tap interface.
    others: &'static [(&'static str, &'static str)],
}

/// iPXE of before 2022.
const IPXE: Way = Way {
    firmware: Firmware::UEFI,
    programs: &[],
    before: &[],
    script: "/boot.ipxe",
    others: &[],
};

/// iPXE under UEFI that runs `autoexec.ipxe` before any of its cards has an address.
const AUTOEXEC: Way = Way {
    programs: program::IPXE_2025,
    before: &["autoexec.ipxe"],
    ..IPXE
};

const GRUB: Way = Way {
    script: "grub.cfg",
    ..IPXE
};

impl Way {
    const fn on(self, firmware: Firmware) -> Self {
        Self { firmware, ..self }
    }

    const fn loads(self, programs: &'static [(&'static str, Program)]) -> Self {
        Self { programs, ..self }
    }

    const fn beside(self, others: &'static [(&'static str, &'static str)]) -> Self {
        Self { others, ..self }
    }

    fn boots(&self, token: &str) {
        assert_eq!(VirtualMachine::missing(self.firmware), []);
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let state = scratch.path().join("state");
        add_debian_for(&self.firmware, &state, token);
        let folder = state.join("tftp");
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, program) in self.programs {
            program.put(&folder.join(name));
        }
        let namespace = namespace_with_tap("192.168.100.1/24");
        for (_, tap) in self.others {
            for words in [
                format!("tuntap add {tap} mode tap"),
                format!("link set {tap} up"),
            ] {
                namespace.ip(&words).expect("ip of iproute2");
            }
        }
        let program = self.programs.first();
        let program = program.map(|(name, _)| format!("    program = \"{name}\"\n"));
        let config = [CONFIG, &program.unwrap_or_default()].concat();
        let server = Server::start(&namespace, &state, &config, 3);
        let machine = VirtualMachine {
            firmware: self.firmware,
            mac: MAC.into(),
            tap: TAP.into(),
            others: self
                .others
                .iter()
                .map(|(mac, tap)| ((*mac).into(), (*tap).into()))
                .collect(),
            memory_mib: 1024,
        };
        let console = machine.power_on(&namespace, scratch.path());
        let console = console.expect("QEMU starts");
        assert_shell_with(&console, token);
        console.power_off();
        server.assert_logged(&["DHCPACK(tap0)", &ADDRESS.to_string(), MAC, "node-01"]);
        let by = if self.firmware.pxe { "TFTP" } else { "HTTP" };
        for (name, _) in self.programs {
            let size = std::fs::metadata(folder.join(name)).expect("a file").len();
            let sent = match by {
                "TFTP" => format!("sent {name}: {size} bytes"),
                _ => format!("/{name}: 200, {size} bytes"),
            };
            server.assert_logged(&[by, MAC, &sent]);
        }
        for asked in self.before {
            server.assert_logged(&[by, MAC, asked]);
        }
        server.assert_logged(&[self.script, MAC, "image debian @1", "target node-01"]);
        assert_served(&server, &self.firmware);
        print_steps(&server);
        let leases = server.stop();
        assert!(
            leases
                .iter()
                .any(|(mac, ip)| mac.contains(MAC) && *ip == ADDRESS),
            "{leases:?}"
        );
    }
}

/// A test for each, whose name is the token on its command line.
macro_rules! ways {
    ($($name:ident: $way:expr;)*) => {$(
        #[test]
        #[ignore = "needs root, .ci/debian13, and the Debian packages that .ci/run installs"]
        fn $name() {
            $way.boots(stringify!($name));
        }
    )*};
}

const BIOS_2025: Firmware = Firmware {
    roms: Some(Part {
        path: debian13!("all/usr/share/qemu"),
        cure: "run .ci/debian13",
    }),
    ..Firmware::BIOS
};
/// EDK2 of 2025-02, where Debian 12 has that of 2022-11.
const UEFI_2025: Firmware = Firmware {
    code: Code::Flash {
        code: Part {
            path: debian13!("all/usr/share/OVMF/OVMF_CODE_4M.fd"),
            cure: "run .ci/debian13",
        },
        variables: Part {
            path: debian13!("all/usr/share/OVMF/OVMF_VARS_4M.fd"),
            cure: "run .ci/debian13",
        },
    },
    ..Firmware::UEFI
};
const UEFI_HTTP: Firmware = Firmware::UEFI.by_http();
const SECURE_BOOT: Firmware = Firmware::UEFI_SECURE_BOOT;
/// A second card. It is the first on its bus, and so iPXE's `net0`.
const OTHER_CARD: &[(&str, &str)] = &[("52:54:00:99:99:99", "tap1")];

ways! {
    bios_rom_of_2019: IPXE.on(Firmware::BIOS);
    bios_rom_of_2025: IPXE.on(BIOS_2025);
    uefi_pxe_ipxe_of_2019: IPXE.loads(program::IPXE_2019);
    uefi_http_ipxe_of_2019: IPXE.loads(program::IPXE_2019).on(UEFI_HTTP);
    uefi_pxe_ipxe_of_2025: AUTOEXEC;
    uefi_http_ipxe_of_2025: AUTOEXEC.on(UEFI_HTTP);
    uefi_pxe_snponly_of_2025: AUTOEXEC.loads(program::SNPONLY_2025);
    uefi_pxe_ipxe_of_2025_with_two_cards: AUTOEXEC.beside(OTHER_CARD);
    arm64_pxe_ipxe_of_2025: AUTOEXEC.loads(program::IPXE_ARM64_2025).on(Firmware::ARM64);
    secure_boot_pxe_shim_16: GRUB.loads(program::SHIM_16).on(SECURE_BOOT);
    secure_boot_http_shim_16: GRUB.loads(program::SHIM_16).on(SECURE_BOOT.by_http());
    uefi_pxe_grub_2_06_with_http: GRUB.loads(program::GRUB_2_06);
    uefi_http_grub_2_12: GRUB.loads(program::GRUB_2_12).on(UEFI_HTTP);
}

/// Ways that differ from one above in one thing, and are not likely to break alone: `.ci/soak` has
/// these.
mod rare {
    use super::*;

    ways! {
        uefi_http_snponly_of_2025: AUTOEXEC.loads(program::SNPONLY_2025).on(UEFI_HTTP);
        uefi_http_ipxe_of_2025_with_two_cards: AUTOEXEC.on(UEFI_HTTP).beside(OTHER_CARD);
        uefi_http_snponly_of_2025_with_two_cards:
            AUTOEXEC.loads(program::SNPONLY_2025).on(UEFI_HTTP).beside(OTHER_CARD);
        uefi_of_2025_pxe_ipxe_of_2025: AUTOEXEC.on(UEFI_2025);
        uefi_of_2025_http_ipxe_of_2025: AUTOEXEC.on(UEFI_2025.by_http());
        uefi_of_2025_http_shim_16: GRUB.loads(program::SHIM_16).on(UEFI_2025.by_http());
        arm64_http_ipxe_of_2025:
            AUTOEXEC.loads(program::IPXE_ARM64_2025).on(Firmware::ARM64.by_http());
        arm64_pxe_shim_16: GRUB.loads(program::SHIM_16_ARM64).on(Firmware::ARM64);
        arm64_http_shim_16: GRUB.loads(program::SHIM_16_ARM64).on(Firmware::ARM64.by_http());
        uefi_pxe_shim_16: GRUB.loads(program::SHIM_16);
        uefi_http_shim_16: GRUB.loads(program::SHIM_16).on(UEFI_HTTP);
        uefi_http_grub_2_06_with_http: GRUB.loads(program::GRUB_2_06).on(UEFI_HTTP);
        uefi_pxe_grub_2_12: GRUB.loads(program::GRUB_2_12);
    }
}

const RELAYED_TARGET: &str = r#"
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
    config = "debian"
"#;

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, seabios, ipxe, ipxe-qemu and \
            debian-installer-12-netboot-amd64"]
fn bios_pxe_behind_a_relay_loads_undionly_of_2019() {
    loads_undionly("bios-relay-e83a", "/usr/lib/ipxe/undionly.kpxe");
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-x86, seabios, ipxe-qemu \
            and debian-installer-12-netboot-amd64"]
fn bios_pxe_behind_a_relay_loads_undionly_of_2025() {
    let undionly = debian13!("all/usr/lib/ipxe/undionly.kpxe");
    loads_undionly("bios-relay-05c9", undionly);
}

fn loads_undionly(token: &str, undionly: &'static str) {
    let programs = [("undionly.kpxe", Program::File(undionly))];
    boots_behind_a_relay(token, &programs, |server| {
        let size = std::fs::metadata(undionly).expect("a file").len();
        let sent = format!("sent undionly.kpxe: {size} bytes");
        server.assert_logged(&["TFTP", MAC, &sent]);
        server.assert_logged(&["DHCPACK(up0)", MAC, "boots http://10.0.0.1/boot.ipxe"]);
        assert_image_served(server);
    });
}

/// Boots a BIOS PXE ROM, which is QEMU's iPXE behind a relay that takes its options out, through
/// the first of these programs.
pub(crate) fn boots_behind_a_relay(
    token: &str,
    programs: &[(&str, Program)],
    check: impl FnOnce(&Server),
) {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, token);
    for (name, program) in programs {
        let path = state.join("tftp").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        program.put(&path);
    }
    let (program, _) = programs.first().expect("a program");
    let machines = namespace_with_tap("192.168.50.1/24");
    let servers = Namespace::new().expect("a network namespace");
    servers
        .link("up0", &machines, "down0")
        .expect("a veth pair");
    for (namespace, words) in [
        (&servers, "addr add 10.0.0.1/24 dev up0"),
        (&servers, "link set up0 up"),
        (&machines, "addr add 10.0.0.2/24 dev down0"),
        (&machines, "link set down0 up"),
        (&servers, "route add 192.168.50.0/24 via 10.0.0.2"),
    ] {
        namespace.ip(words).expect("ip of iproute2");
    }
    machines
        .run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
        .expect("the machines' host routes");
    let program_of_target = format!("    program = \"{program}\"\n");
    let config = [relay::NETWORKS, RELAYED_TARGET, &program_of_target].concat();
    let server = Server::start(&servers, &state, &config, 3);
    relay::start(
        &machines,
        TAP,
        Ipv4Addr::new(192, 168, 50, 1),
        "down0",
        Ipv4Addr::new(10, 0, 0, 1),
    );
    let console = power_on(&machines, Firmware::BIOS, scratch.path());
    assert_shell_with(&console, token);
    console.power_off();
    let told = format!("boots {program}");
    server.assert_logged(&["DHCPACK(up0)", MAC, &told]);
    check(&server);
    print_steps(&server);
    let leases = server.stop();
    let lab = |ip: &Ipv4Addr| ip.octets()[..3] == [192, 168, 50];
    assert!(
        leases.iter().any(|(mac, ip)| mac.contains(MAC) && lab(ip)),
        "{leases:?}"
    );
}

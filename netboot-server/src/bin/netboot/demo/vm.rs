//! The demo with a virtual machine: real firmware boots from this server in a network namespace.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Arguments, image, interrupted, scratch};
use netboot_server::Failure;
use netboot_server::Service;
use netboot_server::config::{self, Flags, Host};
use netboot_server::lab::{Console, Firmware, Namespace, VirtualMachine};
use netboot_server::telemetry::events::Read as EventRead;

const INSTALLER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
const MAC: &str = "52:54:00:12:34:56";
const TAP: &str = "netboot0";
const CONFIG: &str = r#"
[netboot.server]
ip = "192.168.100.1"
interface = "netboot0"
subnet = "192.168.100.0/24"
dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
[[netboot.targets]]
name = "demo-machine"
mac = "52:54:00:12:34:56"
config = "demo"
"#;

/// What the virtual machine boots.
struct Image {
    kernel: PathBuf,
    initrd: PathBuf,
    cmdline: String,
}

/// Boots a virtual machine and shows its console until it is off, or has shown what was waited for.
pub(super) fn run(firmware: Firmware, arguments: &Arguments) -> Result<(), Failure> {
    let chosen = choose_image(arguments)?;
    check_host(firmware)?;
    let scratch = scratch()?;
    let state = scratch.path().join("state");
    image::publish(&state, &chosen.kernel, &chosen.initrd, &chosen.cmdline)?;
    let flags = Flags {
        state_dir: Some(state),
    };
    let (config, problems) = config::load_text(
        "the demo's configuration",
        CONFIG,
        false,
        &flags,
        &Host::default(),
    );
    let config = config
        .ok_or_else(|| Failure::new("setting the demo up", problems, "report this as a defect"))?;
    let namespace = Namespace::new()?;
    namespace.ip(&format!("tuntap add {TAP} mode tap"))?;
    namespace.ip(&format!("addr add 192.168.100.1/24 dev {TAP}"))?;
    namespace.ip(&format!("link set {TAP} up"))?;
    // Made inside, so that its threads are inside too; what is spawned on it runs on them.
    let runtime = namespace.run(crate::runtime)?;
    let service = runtime
        .block_on(runtime.spawn(Service::builder(config).start()))
        .map_err(|error| {
            Failure::new("starting the service", error, "report this as a defect")
        })??;
    let mut reader = service.events().reader();
    runtime.spawn(async move {
        loop {
            if let EventRead::Event(event) = reader.next().await {
                eprint!("\r\nnetboot: {event}\r\n");
            }
        }
    });
    let machine = VirtualMachine {
        firmware,
        mac: MAC.into(),
        tap: TAP.into(),
        others: Vec::new(),
        memory_mib: 1024,
    };
    eprintln!("netboot: powering on a machine with an empty disk, MAC address {MAC}");
    let console = Arc::new(machine.power_on(&namespace, scratch.path())?);
    if std::io::stdin().is_terminal() {
        let keyboard = Arc::clone(&console);
        std::thread::spawn(move || type_what_is_typed(&keyboard));
    }
    let until = arguments.until.clone();
    let watched = Arc::clone(&console);
    let shown = runtime.block_on(async {
        let showing = tokio::task::spawn_blocking(move || show(&watched, until.as_deref()));
        tokio::select! {
            shown = showing => Ok(shown.unwrap_or(false)),
            failure = interrupted() => Err(failure),
        }
    });
    console.power_off();
    runtime.block_on(service.stop());
    runtime.shutdown_background();
    match (shown?, &arguments.until) {
        (false, Some(until)) => Err(Failure::new(
            format!("waiting for the console to show {until:?}"),
            "the machine switched itself off before",
            "read its console above",
        )),
        _ => Ok(()),
    }
}

fn choose_image(arguments: &Arguments) -> Result<Image, Failure> {
    let (kernel, initrd, cmdline) = match (&arguments.kernel, &arguments.initrd) {
        (Some(kernel), Some(initrd)) => (kernel.clone(), initrd.clone(), "console=ttyS0"),
        _ => {
            let installer = Path::new(INSTALLER);
            if !installer.exists() {
                return Err(Failure::new(
                    "choosing what the machine boots",
                    format!("no --kernel and --initrd are named, and {INSTALLER} is not there"),
                    "name them, or install the Debian package debian-installer-12-netboot-amd64",
                ));
            }
            (
                installer.join("linux"),
                installer.join("initrd.gz"),
                "console=ttyS0 rdinit=/bin/sh",
            )
        }
    };
    let cmdline = arguments.cmdline.clone().unwrap_or_else(|| cmdline.into());
    Ok(Image {
        kernel,
        initrd,
        cmdline,
    })
}

/// Says all that is missing at once.
fn check_host(firmware: Firmware) -> Result<(), Failure> {
    let mut missing: Vec<String> = VirtualMachine::missing(firmware)
        .iter()
        .map(ToString::to_string)
        .collect();
    let ipxe = netboot_server::config::DISTRIBUTION_DIRS
        .iter()
        .any(|dir| Path::new(dir).join("ipxe.efi").exists());
    if !ipxe && firmware.roms.is_none() {
        missing.push("iPXE is not here; install the Debian package ipxe".into());
    }
    if !nix::unistd::geteuid().is_root() {
        missing.push("network namespaces need root; run it as root".into());
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        "booting a virtual machine",
        missing.join("; "),
        "`netboot demo` without --vm needs nothing",
    ))
}

/// Copies the console to standard output; true where `until` was shown, or nothing was waited for.
fn show(console: &Console, until: Option<&str>) -> bool {
    let mut output = std::io::stdout();
    let mut seen = 0;
    while let Some(new) = console.more(seen) {
        seen += new.len();
        let _ = output.write_all(&new).and_then(|()| output.flush());
        if until.is_some_and(|until| console.text().contains(until)) {
            return true;
        }
    }
    until.is_none()
}

fn type_what_is_typed(console: &Console) {
    let mut input = std::io::stdin();
    let mut typed = [0; 256];
    while let Ok(length @ 1..) = input.read(&mut typed) {
        let text = String::from_utf8_lossy(typed.get(..length).unwrap_or_default()).into_owned();
        if console.type_text(&text).is_err() {
            return;
        }
    }
}

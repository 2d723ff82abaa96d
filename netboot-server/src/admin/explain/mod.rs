//! What a machine would get at each stage of its boot, and why, with no machine powered on.
//!
//! Nothing is decided here: the answers are those of the boot policy, put the way that DHCP, TFTP
//! and HTTP put them, and the script is run by the interpreter.

mod effects;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Firmware;
use netboot_dhcp::value::Arch;
use serde::Serialize;
use uuid::Uuid;

use crate::config::platform::Platform;
use crate::config::{Mode, Network};
use crate::policy::{self, Decision, Origin, Program, boot_file};
use crate::script::{self, Asker, Trust};
use crate::world::{Machine, World};

/// The architectures that are explained where none is asked about: those of PCs and of 64-bit ARM.
const USUAL: [Arch; 4] = [
    Arch::X86_BIOS,
    Arch::X64_UEFI,
    Arch::X64_UEFI_HTTP,
    Arch::ARM64_UEFI,
];

/// What a machine would get, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Its MAC address.
    pub mac: Option<MacAddr>,
    /// Its UUID.
    pub uuid: Option<Uuid>,
    /// The network that it is taken to be on.
    pub network: Option<String>,
    /// The target that it is.
    pub target: Option<String>,
    /// Whether it is answered at all.
    pub allowed: bool,
    /// The decision in a sentence.
    pub decision: String,
    /// Why its script does what it does.
    pub reasons: Vec<String>,
    /// Whether its network is in proxy mode, where another DHCP server gives the addresses.
    pub proxy: bool,
    /// The address that is kept for it.
    pub address: Option<Ipv4Addr>,
    /// The DHCP options that are its network's, its group's and its own.
    pub options: Vec<OptionValue>,
    /// What each firmware loads first.
    pub firmware: Vec<FirmwareStage>,
    /// What iPXE is told by DHCP: the URL of its script.
    pub ipxe: Option<String>,
    /// What iPXE under UEFI loads beside itself, and how it comes to its script by that.
    pub autoexec: AutoexecStage,
    /// The script, and what it does.
    pub script: ScriptStage,
    /// What GRUB gets as `grub.cfg`.
    pub grub: String,
    /// What U-Boot and PXELINUX get as `pxelinux.cfg/01-…`.
    pub pxelinux: String,
}

/// An option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OptionValue {
    /// Its code.
    pub code: u8,
    /// Its name, else its code again.
    pub name: String,
    /// Its value as it was written.
    pub value: serde_json::Value,
}

/// What firmware of one architecture gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirmwareStage {
    /// The architecture's number in DHCP's option 93.
    pub arch: u16,
    /// Its name.
    pub name: String,
    /// What DHCP names: a file for TFTP, or a URL.
    pub file: Option<String>,
    /// Where that is on this host.
    pub path: Option<String>,
    /// Why.
    pub reasons: Vec<String>,
}

/// `autoexec.ipxe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AutoexecStage {
    /// Its text; why it cannot be written, where it cannot be.
    pub text: String,
    /// What it does, a line a step.
    pub steps: Vec<String>,
}

/// The boot script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScriptStage {
    /// Its text; why it cannot be written, where it cannot be.
    pub text: String,
    /// What it does under BIOS when nobody presses a key, a line a step.
    pub under_bios: Vec<String>,
    /// The same under UEFI.
    pub under_efi: Vec<String>,
}

/// Explains what a machine would get on the network that it says, else on the one of its
/// reservation, else on the first.
#[must_use]
pub fn explain(world: &World, machine: &Machine) -> Explanation {
    let (at, network) = network_of(world, machine);
    let machine = Machine {
        network: at,
        ..machine.clone()
    };
    let decision = policy::decide(world, &machine);
    let origin = Origin {
        server: network.map_or(Ipv4Addr::LOCALHOST, |net| net.server).into(),
        http_port: world.config().ports.http.get(),
        secure: false,
    };
    let proxy = network.is_some_and(|network| network.mode == Mode::Proxy);
    let reserved = decision.target_in(world).and_then(|target| target.ip);
    let address = reserved.filter(|_| !proxy);
    let asker = Asker {
        mac: machine.mac,
        address: address.map_or(origin.server, IpAddr::V4),
        origin,
        trust: Trust::PERSON,
    };
    let usual = USUAL.as_slice();
    let archs = machine.arch.as_ref().map_or(usual, std::slice::from_ref);
    let on_script = decision.reasons.iter().filter(|it| !it.is_about_program());
    Explanation {
        mac: machine.mac,
        uuid: machine.uuid,
        network: network.map(|network| network.name.clone()),
        target: decision.target_in(world).map(|it| it.name.clone()),
        allowed: decision.allowed,
        decision: decision.to_string(),
        reasons: on_script.map(ToString::to_string).collect(),
        proxy,
        address,
        options: options(network, &decision),
        firmware: archs
            .iter()
            .map(|arch| firmware(world, &machine, *arch, &origin))
            .collect(),
        ipxe: boot_file(&decision, &machine, Firmware::Ipxe, &origin),
        autoexec: autoexec(world, &machine, &decision, &asker),
        script: script(world, &machine, &decision, &asker),
        grub: script::write_grub(world, &decision, &asker),
        pxelinux: script::write_pxelinux(world, &decision, &asker),
    }
}

fn network_of<'w>(world: &'w World, machine: &Machine) -> (Option<usize>, Option<&'w Network>) {
    let reserved = || {
        let (_, target, _) = world.find(machine)?;
        world.network_of(target.ip?)
    };
    let at = machine.network.or_else(reserved).unwrap_or(0);
    let network = world.config().networks.get(at);
    (network.map(|_| at), network)
}

fn options(network: Option<&Network>, decision: &Decision) -> Vec<OptionValue> {
    let own = &decision.options;
    let of_network = network.into_iter().flat_map(|network| &network.options);
    let mut options: Vec<_> = of_network
        .filter(|option| own.iter().all(|other| other.code != option.code))
        .chain(own)
        .map(|option| OptionValue {
            code: option.code.0,
            name: option.name(),
            value: option.written.clone(),
        })
        .collect();
    options.sort_by_key(|option| option.code);
    options
}

fn firmware(world: &World, machine: &Machine, arch: Arch, origin: &Origin) -> FirmwareStage {
    let machine = Machine {
        arch: Some(arch),
        ..machine.clone()
    };
    let decision = policy::decide(world, &machine);
    let firmware = if arch.is_u_boot() {
        Firmware::UBoot
    } else if arch.is_http() {
        Firmware::HttpClient
    } else {
        Firmware::PxeClient
    };
    let path = match &decision.program {
        Program::File(name) => world.programs().path(name),
        Program::Missing(_) | Program::None => None,
    };
    let reasons = decision.reasons.iter().filter(|it| it.is_about_program());
    let platform = machine.platform();
    FirmwareStage {
        arch: arch.0,
        name: match platform {
            Some(Platform::RaspberryPi) => "Raspberry Pi".to_owned(),
            _ => arch.to_string(),
        },
        file: boot_file(&decision, &machine, firmware, origin),
        path: path.map(|path| path.display().to_string()),
        reasons: reasons.map(ToString::to_string).collect(),
    }
}

fn autoexec(
    world: &World,
    machine: &Machine,
    decision: &Decision,
    asker: &Asker<'_>,
) -> AutoexecStage {
    match script::write_autoexec(world, decision, machine, asker) {
        Ok(text) => AutoexecStage {
            steps: effects::of(&text, machine, "efi"),
            text,
        },
        Err(error) => AutoexecStage {
            text: format!("autoexec.ipxe cannot be written: {error}"),
            steps: Vec::new(),
        },
    }
}

fn script(world: &World, machine: &Machine, decision: &Decision, asker: &Asker<'_>) -> ScriptStage {
    match script::write(world, decision, asker) {
        Ok(text) => ScriptStage {
            under_bios: effects::of(&text, machine, "pcbios"),
            under_efi: effects::of(&text, machine, "efi"),
            text,
        },
        Err(error) => ScriptStage {
            text: format!("the boot script cannot be written: {error}"),
            under_bios: Vec::new(),
            under_efi: Vec::new(),
        },
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = self.mac.map(|mac| mac.to_string());
        let uuid = self.uuid.map(|uuid| format!("UUID {uuid}"));
        let machine = mac.or(uuid).unwrap_or_else(|| "any machine".into());
        write!(f, "{machine}")?;
        if let Some(network) = &self.network {
            write!(f, " on network {network}")?;
        }
        match &self.target {
            Some(target) => writeln!(f, " is target {target}")?,
            None => writeln!(f, " is no target")?,
        }
        let decision = self.decision.split(": ").next().unwrap_or_default();
        writeln!(f, "\nboots {decision}, since")?;
        for reason in &self.reasons {
            writeln!(f, "  {reason}")?;
        }
        if !self.allowed {
            return writeln!(f, "\nDHCP does not answer it.");
        }
        writeln!(f, "\nDHCP")?;
        match self.address {
            Some(address) => writeln!(f, "  address       {address}, kept for it")?,
            None if self.proxy => writeln!(f, "  address       another DHCP server's to give")?,
            None => writeln!(f, "  address       one of the network's")?,
        }
        for option in &self.options {
            let value = &option.value;
            writeln!(f, "  option {:<6} {} = {value}", option.code, option.name)?;
        }
        for stage in &self.firmware {
            let file = stage.file.as_deref().unwrap_or("nothing");
            write!(f, "  {:<13} {file}", short(stage))?;
            match &stage.path {
                Some(path) if stage.file.is_some() => writeln!(f, " ({path})")?,
                _ => writeln!(f)?,
            }
            if stage.file.is_none() {
                for reason in &stage.reasons {
                    writeln!(f, "                  {reason}")?;
                }
            }
        }
        writeln!(
            f,
            "  iPXE          {}",
            self.ipxe.as_deref().unwrap_or("nothing")
        )?;
        if self.ipxe.is_some() && self.firmware.iter().any(|stage| stage.file.is_some()) {
            writeln!(
                f,
                "                (one that lacks HTTP, or bzImage and EFI: its firmware's program \
                 first)"
            )?;
        }
        steps(
            f,
            "autoexec.ipxe, by which iPXE under UEFI comes to its script",
            &self.autoexec.steps,
        )?;
        if self.firmware.iter().any(|it| Arch(it.arch).is_u_boot()) {
            let lines: Vec<_> = self.pxelinux.lines().map(str::to_owned).collect();
            steps(
                f,
                "pxelinux.cfg/01-…, by which U-Boot boots without iPXE",
                &lines,
            )?;
        }
        let (bios, efi) = (&self.script.under_bios, &self.script.under_efi);
        if bios == efi {
            return steps(f, "the script", bios);
        }
        steps(f, "the script, under BIOS", bios)?;
        steps(f, "the script, under UEFI", efi)
    }
}

fn short(stage: &FirmwareStage) -> String {
    match Platform::of(Arch(stage.arch), None, None) {
        Some(platform) if Arch(stage.arch).is_http() => format!("{platform} HTTP"),
        Some(platform) => platform.to_string(),
        None => stage.name.clone(),
    }
}

fn steps(f: &mut fmt::Formatter<'_>, title: &str, steps: &[String]) -> fmt::Result {
    writeln!(f, "\n{title}")?;
    steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
}

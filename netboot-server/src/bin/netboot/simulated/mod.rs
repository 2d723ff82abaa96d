//! A simulated machine that boots from the network: its firmware's DHCP and TFTP or HTTP, iPXE's
//! DHCP, and the script that it gets, run by the interpreter. `netboot demo` sends one through a
//! server of its own, `netboot probe` to one that runs already.
//!
//! It runs no program: one whose name says iPXE is taken for iPXE as it is today, which under UEFI
//! looks for `autoexec.ipxe` beside itself and runs that before it has an address. It asks the
//! servers that DHCP named and no other, keeps a MiB of each file, and gives up where a script does
//! not end.

mod fetch;
mod grub;
mod link;
mod report;
mod script;
mod settings;
mod u_boot;

use std::collections::VecDeque;

use clap::ValueEnum;
use netboot_dhcp::MacAddr;
use netboot_dhcp::client::{Bound, Profile};
use netboot_dhcp::value::Arch;

use self::fetch::{Fetched, Fetcher, File, absolute};
pub(crate) use self::link::{Link, Ports};
pub(crate) use self::report::Report;
use self::settings::settings;
use netboot_server::Failure;

/// What a simulated machine boots with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Firmware {
    /// A BIOS PXE ROM
    Bios,
    /// UEFI's PXE on x86-64
    Uefi,
    /// UEFI's HTTP boot on x86-64
    UefiHttp,
    /// iPXE in the network card's ROM, on a BIOS machine
    Ipxe,
    /// iPXE without HTTP and bzImage, in the ROM of VirtualBox or of an old network card
    IpxeWithoutHttp,
    /// The boot ROM of a Raspberry Pi 3
    #[value(name = "rpi3")]
    RaspberryPi3,
    /// The boot loader of a Raspberry Pi 4
    #[value(name = "rpi4")]
    RaspberryPi4,
    /// U-Boot on 64-bit ARM, by `dhcp` and `pxe`
    UBoot,
}

/// A simulated machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) firmware: Firmware,
    pub(crate) mac: MacAddr,
    pub(crate) link: Link,
    pub(crate) ports: Ports,
    /// What is chosen in its menus, in order; after that their defaults.
    pub(crate) choices: VecDeque<String>,
}

/// How a boot ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// False where the machine ends with nothing to run; none where that is not known from here.
    pub(crate) boots: Option<bool>,
    /// What it boots, why it does not, or what is known.
    pub(crate) what: String,
    /// The bytes of all files that it loaded.
    pub(crate) loaded: u64,
}

impl Ended {
    fn boots(what: impl Into<String>) -> Self {
        let (boots, what, loaded) = (Some(true), what.into(), 0);
        Self {
            boots,
            what,
            loaded,
        }
    }

    fn stops(why: impl Into<String>) -> Self {
        Self {
            boots: Some(false),
            ..Self::boots(why)
        }
    }

    /// Known of GRUB only, whose requests do not say who asks.
    fn of_a_stranger(self) -> Self {
        let word = match self.boots {
            Some(true) => "boots",
            _ => "does not boot:",
        };
        let what = format!(
            "GRUB's configuration goes by the address that it is asked from, which is not the \
             machine's here; with that for a machine that is not known it {word} {}",
            self.what
        );
        let boots = None;
        Self {
            boots,
            what,
            ..self
        }
    }

    fn after(self, bytes: u64) -> Self {
        let loaded = self.loaded + bytes;
        Self { loaded, ..self }
    }
}

impl Machine {
    /// From power-on to what it boots.
    ///
    /// # Errors
    ///
    /// Where nobody gives it an address, or a file that it needs does not come.
    pub(crate) async fn boot(mut self, report: &mut Report) -> Result<Ended, Failure> {
        if let Some(unknown) = self.link.unknown() {
            report.say("note", unknown)?;
        }
        if self.firmware == Firmware::UBoot {
            return u_boot::boot(self, report).await;
        }
        let mut before = 0;
        if let Some(profile) = self.firmware.profile(self.mac) {
            let asked = self.link.dhcp("firmware", profile, self.ports, report);
            let bound = match asked.await {
                Ok(bound) => bound,
                Err(failure) => return self.without_dhcp(failure, report).await,
            };
            let fetcher = self.fetcher(&bound)?;
            let name = self.firmware.file(&bound);
            let Some(name) = name else {
                return Ok(Ended::stops("the firmware was told no program"));
            };
            if self.firmware == Firmware::IpxeWithoutHttp && name.contains("://") {
                let why = format!("it is told {name}, and lacks what that needs");
                return Ok(Ended::stops(why));
            }
            let program = match self.firmware {
                Firmware::UefiHttp => fetcher.get(&name, report).await?,
                _ => {
                    let server = bound.next_server.unwrap_or(bound.boot_server);
                    if !fetcher.servers.contains(&server) {
                        let why = format!("{name} is on {server}, which is not probed");
                        return Ok(Ended::stops(why));
                    }
                    let port = self.ports.tftp;
                    Fetched::File(fetcher.tftp(server, port, &name, report).await?)
                }
            };
            let program = match program {
                Fetched::File(program) => program,
                Fetched::NotAsked(why) => return Ok(Ended::stops(why)),
            };
            if grub::is_it(&name) && self.firmware.is_uefi() {
                let ended = grub::boot(&mut self, &bound, &fetcher, &program, report).await?;
                return Ok(if fetcher.from == bound.address {
                    ended
                } else {
                    ended.of_a_stranger()
                });
            }
            if !is_ipxe(&name) {
                let what = format!("{name}, which is not iPXE: what it does is not simulated");
                return Ok(Ended::boots(what).after(program.length));
            }
            before = program.length;
            if self.firmware.is_uefi()
                && let Some(autoexec) = self.autoexec(&bound, &program, &fetcher, report).await?
            {
                let settings = settings(&self, None);
                let ended = script::run(self, fetcher, settings, autoexec, report).await?;
                return Ok(ended.after(before));
            }
        }
        let bound = match self.dhcp_as_ipxe(report).await {
            Ok(bound) => bound,
            Err(failure) if before == 0 => return self.without_dhcp(failure, report).await,
            Err(failure) => return Err(failure),
        };
        let Some(file) = bound.file.clone() else {
            return Ok(Ended::stops("iPXE was told no script").after(before));
        };
        let url = match bound.next_server {
            Some(server) if !file.contains("://") => {
                format!("tftp://{server}/{}", file.trim_start_matches('/'))
            }
            _ => file,
        };
        let fetcher = self.fetcher(&bound)?;
        let first = match fetcher.get(&url, report).await? {
            Fetched::File(first) => first,
            Fetched::NotAsked(why) => return Ok(Ended::stops(why).after(before)),
        };
        let settings = settings(&self, Some(&bound));
        let ended = script::run(self, fetcher, settings, first, report).await?;
        Ok(ended.after(before))
    }

    /// What its script leads to, where a server elsewhere answers this host by HTTP and not by DHCP.
    async fn without_dhcp(self, silent: Failure, report: &mut Report) -> Result<Ended, Failure> {
        let Link::Inquiry(inquiry) = &self.link else {
            return Err(silent);
        };
        if inquiry.is_here() {
            return Err(silent);
        }
        report.say("note", &silent)?;
        let mac = self.mac.to_string().replace(':', "-");
        let url = format!("http://{}/boot.ipxe?mac={mac}", inquiry.server);
        let fetcher = Fetcher::new(inquiry.own, None, vec![inquiry.server], self.ports.tftp);
        let mut settings = settings(&self, None);
        // The script finds a network card that is open.
        settings.set("netX/ip", &inquiry.own.to_string());
        settings.set("netX/mac", &self.mac.to_string());
        let Ok(Fetched::File(first)) = fetcher.get(&url, report).await else {
            return Err(silent);
        };
        let ended = script::run(self, fetcher, settings, first, report).await?;
        if ended.boots != Some(true) {
            return Ok(ended);
        }
        let what = format!(
            "without an answer by DHCP neither its address nor its boot program is known; its \
             script boots {}",
            ended.what
        );
        let boots = None;
        Ok(Ended {
            boots,
            what,
            ..ended
        })
    }

    async fn dhcp_as_ipxe(&self, report: &mut Report) -> Result<Bound, Failure> {
        let profile = Profile::ipxe(self.mac, self.firmware.arch());
        self.link.dhcp("iPXE", profile, self.ports, report).await
    }

    /// What iPXE finds as `autoexec.ipxe` beside its program, by way of the firmware's network.
    async fn autoexec(
        &self,
        bound: &Bound,
        program: &File,
        fetcher: &Fetcher,
        report: &mut Report,
    ) -> Result<Option<File>, Failure> {
        const NAME: &str = "autoexec.ipxe";
        let found = match self.firmware {
            Firmware::UefiHttp => fetcher.get(&absolute(&program.url, NAME), report).await,
            _ => {
                let server = bound.next_server.unwrap_or(bound.boot_server);
                let folder = program.url.rsplit_once('/');
                let name = folder.map_or(NAME.to_owned(), |(folder, _)| format!("{folder}/{NAME}"));
                let file = fetcher.tftp(server, self.ports.tftp, &name, report).await;
                file.map(Fetched::File)
            }
        };
        match found {
            Ok(Fetched::File(file)) => Ok(Some(file)),
            Ok(Fetched::NotAsked(_)) => Ok(None),
            Err(failure) => {
                report.say("note", format_args!("there is no {NAME}: {failure}"))?;
                Ok(None)
            }
        }
    }

    fn fetcher(&self, bound: &Bound) -> Result<Fetcher, Failure> {
        let from = self.link.local(bound.address)?;
        let servers = self.link.servers(bound);
        let device = self.link.device();
        Ok(Fetcher::new(from, device, servers, self.ports.tftp))
    }
}

impl Firmware {
    /// What it asks with before iPXE does; `None` where it is iPXE itself.
    fn profile(self, mac: MacAddr) -> Option<Profile> {
        Some(match self {
            Self::Bios => Profile::pxe_bios(mac),
            Self::Uefi => Profile::pxe_uefi(mac),
            Self::UefiHttp => Profile::http_uefi(mac),
            Self::Ipxe => return None,
            Self::IpxeWithoutHttp => Profile::ipxe_without_http(mac),
            Self::RaspberryPi3 => Profile::raspberry_pi_3(mac),
            Self::RaspberryPi4 => Profile::raspberry_pi_4(mac),
            Self::UBoot => Profile::u_boot(mac),
        })
    }

    /// The first file that it loads. A Raspberry Pi goes by names of its own.
    fn file(self, bound: &Bound) -> Option<String> {
        match self {
            Self::RaspberryPi3 => Some("bootcode.bin".to_owned()),
            Self::RaspberryPi4 => Some("config.txt".to_owned()),
            _ => bound.file.clone(),
        }
    }

    /// The platform of the iPXE that it loads.
    fn arch(self) -> Arch {
        match self.is_uefi() {
            true => Arch::X64_UEFI,
            false => Arch::X86_BIOS,
        }
    }

    fn is_uefi(self) -> bool {
        matches!(self, Self::Uefi | Self::UefiHttp)
    }
}

/// Whether a program is iPXE, as its name has it: nothing in a packed one says so.
fn is_ipxe(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    ["ipxe", "undionly", "snponly", "snp."]
        .iter()
        .any(|known| file.contains(known))
}

//! The event stream: every step of every boot, in a bounded ring.
//!
//! DHCP, TFTP and HTTP put in what happened; the log, and whoever watches, read it out. A reader
//! that falls behind the ring is told how many events it missed.

mod boots;
mod ring;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use netboot_dhcp::MacAddr;
use serde::Serialize;

pub(crate) use boots::Step;
pub use boots::{MACHINES, Progress, Summary};
pub use ring::{Events, RING, Read, Reader};

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Its number, counted from 1 since the service started.
    pub seq: u64,
    /// When, by the host's clock.
    pub at: jiff::Timestamp,
    /// Which boot of the machine it belongs to, counted from 1 since the service started; 0 where
    /// the machine is not known.
    pub boot_id: u64,
    /// The machine, where it is known.
    pub machine: Option<MacAddr>,
    /// What happened.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A DHCP message came in or went out.
    Dhcp {
        /// The message type as RFC 2131 names it, `DHCPDISCOVER`.
        message: String,
        /// The interface.
        interface: String,
        /// The address it was about.
        address: Option<Ipv4Addr>,
        /// The machine's name.
        host_name: Option<String>,
        /// What it was told to boot.
        boot_file: Option<String>,
        /// Why a DHCPNAK says no.
        refusal: Option<String>,
        /// Who spoke.
        stage: Stage,
    },
    /// A DHCP message that got no answer.
    DhcpIgnored {
        /// The message type as RFC 2131 names it.
        message: String,
        /// The interface.
        interface: String,
        /// Why.
        why: String,
    },
    /// Another DHCP server answers machines on a network that this one serves.
    OtherServer {
        /// The interface.
        interface: String,
        /// The other server, as it calls itself.
        server: Ipv4Addr,
    },
    /// An address of a range answered a probe, and so is kept back for a while.
    AddressInUse {
        /// The interface.
        interface: String,
        /// The address.
        address: Ipv4Addr,
    },
    /// Nine of ten addresses of a network's ranges are taken, or all of them.
    PoolFillsUp {
        /// The network's name.
        network: String,
        /// Addresses that are taken.
        taken: u64,
        /// Addresses of the ranges.
        size: u64,
    },
    /// The lease database was damaged and a new one was begun.
    LeasesSetAside {
        /// Where the damaged one was put.
        aside: String,
        /// What was wrong with it.
        why: String,
    },
    /// Firmware asked for a boot program and was told none.
    NoProgram {
        /// What the machine boots, and why it gets no program.
        why: String,
    },
    /// A machine that is no target asked on a network that serves targets only.
    LeftOut {
        /// What it gets, and why.
        why: String,
    },
    /// A machine is installed, or is to be installed again.
    Install {
        /// The target's name.
        name: String,
        /// The number of the install.
        number: u64,
        /// Whether it is installed; else it is to be installed again.
        installed: bool,
        /// Who says so.
        by: InstallWord,
    },
    /// A file was sent by TFTP.
    TftpSent {
        /// Who asked.
        client: IpAddr,
        /// The name that was asked for.
        name: String,
        /// How many bytes.
        bytes: u64,
        /// How long it took.
        elapsed_ms: u64,
        /// Block and window size that were agreed.
        blksize: u16,
        /// Blocks sent before an acknowledgement is awaited.
        windowsize: u16,
        /// Datagrams sent again.
        retransmissions: u64,
        /// Whether the client acknowledged the last of them.
        confirmed: bool,
    },
    /// A client asked only how large a file is (`tsize`, then ERROR 8).
    TftpSizeProbe {
        /// Who asked.
        client: IpAddr,
        /// The name that was asked for.
        name: String,
        /// How many bytes it has.
        bytes: Option<u64>,
    },
    /// A TFTP request was refused, or its transfer ended early.
    TftpFailed {
        /// Who asked.
        client: IpAddr,
        /// The name that was asked for.
        name: String,
        /// Why.
        why: String,
    },
    /// A boot script was handed out.
    Script {
        /// Who asked.
        client: IpAddr,
        /// The path, `/boot.ipxe`.
        path: String,
        /// What it boots, and why.
        boots: String,
    },
    /// A file was sent by HTTP, whole or in part.
    HttpSent {
        /// Who asked.
        client: IpAddr,
        /// The path.
        path: String,
        /// The status code.
        status: u16,
        /// How many bytes of the body went out.
        bytes: u64,
        /// How long it took.
        elapsed_ms: u64,
        /// Whether all of the body went out.
        complete: bool,
    },
    /// An HTTP request was refused.
    HttpRefused {
        /// Who asked.
        client: IpAddr,
        /// The path.
        path: String,
        /// The status code.
        status: u16,
        /// Why.
        why: String,
    },
    /// Datagrams or requests that were no such thing were dropped.
    Malformed {
        /// The protocol.
        protocol: &'static str,
        /// How many since the last such event.
        count: u64,
        /// What was wrong with the last one.
        why: String,
    },
}

/// Who says that a machine is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallWord {
    /// The machine, by its one-time token.
    Machine,
    /// The operator.
    Operator,
}

impl Kind {
    /// The address that asked, where that is what is known of who did.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        match self {
            Self::TftpSent { client, .. }
            | Self::TftpSizeProbe { client, .. }
            | Self::TftpFailed { client, .. }
            | Self::Script { client, .. }
            | Self::HttpSent { client, .. }
            | Self::HttpRefused { client, .. } => Some(*client),
            _ => None,
        }
    }
}

/// Who spoke DHCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// This server.
    Server,
    /// The machine's firmware: a PXE ROM, or UEFI.
    Firmware,
    /// iPXE, loaded or in ROM.
    Ipxe,
    /// A system that runs.
    System,
}

/// What a path over HTTP names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    /// A boot script.
    Script,
    /// A boot program.
    Program,
    /// A file of an image.
    Image,
    /// Anything else.
    Other,
}

impl Resource {
    pub(crate) fn of(path: &str) -> Self {
        let ending = path.rsplit_once('.').map(|(_, ending)| ending);
        match ending {
            _ if path.starts_with("/images/") => Self::Image,
            Some("ipxe" | "cfg") => Self::Script,
            Some("efi" | "kpxe" | "pxe" | "0") => Self::Program,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = || Machine(self.machine);
        match &self.kind {
            Kind::Dhcp {
                message,
                interface,
                address,
                host_name,
                boot_file,
                refusal,
                ..
            } => {
                write!(f, "{message}({interface})")?;
                if let Some(address) = address {
                    write!(f, " {address}")?;
                }
                write!(f, " {}", machine())?;
                if let Some(name) = host_name {
                    write!(f, " {name}")?;
                }
                if let Some(file) = boot_file {
                    write!(f, " boots {file}")?;
                }
                if let Some(refusal) = refusal {
                    write!(f, " {refusal}")?;
                }
                Ok(())
            }
            Kind::DhcpIgnored {
                message,
                interface,
                why,
            } => write!(f, "{message}({interface}) {} ignored: {why}", machine()),
            Kind::OtherServer { interface, server } => write!(
                f,
                "DHCP on {interface}: another server, {server}, answered {}",
                machine()
            ),
            Kind::AddressInUse { interface, address } => write!(
                f,
                "DHCP on {interface}: {address} is in use though nobody has its lease"
            ),
            Kind::PoolFillsUp {
                network,
                taken,
                size,
            } => {
                let how = if taken < size { "nearly full" } else { "full" };
                write!(
                    f,
                    "DHCP network {network}: its ranges are {how}, {taken} of {size} addresses are taken"
                )
            }
            Kind::LeasesSetAside { aside, why } => write!(
                f,
                "the lease database was damaged ({why}) and is now {aside}: a new one was begun, \
                 and machines keep their addresses as they ask for them"
            ),
            Kind::NoProgram { why } => {
                write!(f, "DHCP {} gets no boot program: {why}", machine())
            }
            Kind::LeftOut { why } => write!(f, "DHCP {} is left out: {why}", machine()),
            Kind::Install {
                name,
                number,
                installed,
                by,
            } => {
                let state = if *installed {
                    "is installed"
                } else {
                    "is to be installed again"
                };
                let by = match by {
                    InstallWord::Machine => "as it reports itself",
                    InstallWord::Operator => "as the operator says",
                };
                write!(f, "install {number}: {name} {state}, {by}")
            }
            Kind::TftpSent {
                client,
                name,
                bytes,
                elapsed_ms,
                blksize,
                windowsize,
                retransmissions,
                confirmed,
            } => {
                write!(
                    f,
                    "TFTP {} {client} sent {name}: {bytes} bytes in {elapsed_ms} ms, blksize \
                     {blksize}, windowsize {windowsize}, {retransmissions} retransmitted",
                    machine()
                )?;
                if !confirmed {
                    f.write_str(", the last not acknowledged")?;
                }
                Ok(())
            }
            Kind::TftpSizeProbe {
                client,
                name,
                bytes,
            } => {
                write!(f, "TFTP {} {client} asked the size of {name}", machine())?;
                match bytes {
                    Some(bytes) => write!(f, ": {bytes} bytes"),
                    None => Ok(()),
                }
            }
            Kind::TftpFailed { client, name, why } => {
                write!(f, "TFTP {} {client} {name}: {why}", machine())
            }
            Kind::Script {
                client,
                path,
                boots,
            } => write!(f, "HTTP {} {client} {path}: {boots}", machine()),
            Kind::HttpSent {
                client,
                path,
                status,
                bytes,
                elapsed_ms,
                complete,
            } => {
                write!(
                    f,
                    "HTTP {} {client} {path}: {status}, {bytes} bytes in {elapsed_ms} ms",
                    machine()
                )?;
                if !complete {
                    f.write_str(", cut off")?;
                }
                Ok(())
            }
            Kind::HttpRefused {
                client,
                path,
                status,
                why,
            } => write!(f, "HTTP {} {client} {path}: {status}, {why}", machine()),
            Kind::Malformed {
                protocol,
                count,
                why,
            } => write!(f, "{protocol} {count} malformed dropped, the last: {why}"),
        }
    }
}

/// A stranger's text as it may stand in an event: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    // Nearly always there is nothing to be done.
    if text.len() <= LONGEST && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    text.chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect()
}

struct Machine(Option<MacAddr>);

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(mac) => write!(f, "{mac}"),
            None => f.write_str("(unknown machine)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(count: u64) -> Kind {
        Kind::Malformed {
            protocol: "DHCP",
            count,
            why: "too short".into(),
        }
    }

    fn dhcp(message: &str, stage: Stage) -> Kind {
        Kind::Dhcp {
            message: message.into(),
            interface: "eth1".into(),
            address: None,
            host_name: None,
            boot_file: None,
            refusal: None,
            stage,
        }
    }

    fn script() -> Kind {
        Kind::Script {
            client: Ipv4Addr::new(192, 168, 100, 150).into(),
            path: "/boot.ipxe".into(),
            boots: "the menu".into(),
        }
    }

    #[test]
    fn a_reader_that_falls_behind_is_told_how_much_it_missed() {
        let events = Events::default();
        let mut reader = events.reader();
        let extra = 10;
        for count in 0..RING as u64 + extra {
            events.emit(jiff::Timestamp::UNIX_EPOCH, None, malformed(count));
        }
        assert!(matches!(reader.try_next(), Some(Read::Missed(missed)) if missed == extra));
        let mut read = 0;
        while let Some(Read::Event(event)) = reader.try_next() {
            read += 1;
            assert_eq!(event.seq, extra + read);
        }
        assert_eq!(read, RING as u64);
    }

    #[test]
    fn a_machine_that_starts_over_starts_the_next_boot() {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let steps = [
            (1, dhcp("DHCPDISCOVER", Stage::Firmware)),
            (1, dhcp("DHCPOFFER", Stage::Server)),
            // Not answered in time, so asked again.
            (1, dhcp("DHCPDISCOVER", Stage::Firmware)),
            (1, dhcp("DHCPACK", Stage::Server)),
            (1, dhcp("DHCPDISCOVER", Stage::Ipxe)),
            (1, dhcp("DHCPACK", Stage::Server)),
            (1, script()),
            (1, dhcp("DHCPDISCOVER", Stage::System)),
            // Its ROM is iPXE: switched off and on.
            (2, dhcp("DHCPDISCOVER", Stage::Ipxe)),
            (2, dhcp("DHCPACK", Stage::Server)),
            (3, dhcp("DHCPDISCOVER", Stage::Firmware)),
        ];
        let events = Events::default();
        let mut reader = events.reader();
        let other = Some(MacAddr([2, 0, 0, 0, 0, 2]));
        for (boot_id, kind) in steps {
            let shown = format!("{kind:?}");
            events.emit(jiff::Timestamp::UNIX_EPOCH, Some(mac), kind);
            let Some(Read::Event(event)) = reader.try_next() else {
                panic!("an event");
            };
            assert_eq!(event.boot_id, boot_id, "{shown}");
        }
        events.emit(jiff::Timestamp::UNIX_EPOCH, other, script());
        assert!(matches!(reader.try_next(), Some(Read::Event(event)) if event.boot_id == 1));
    }

    #[test]
    fn a_step_reads_as_one_line_with_the_machine() {
        let event = Event {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            boot_id: 1,
            machine: Some(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56])),
            kind: Kind::Dhcp {
                message: "DHCPACK".into(),
                interface: "eth1".into(),
                address: Some(Ipv4Addr::new(192, 168, 100, 150)),
                host_name: Some("netboot-client".into()),
                boot_file: None,
                refusal: None,
                stage: Stage::Server,
            },
        };
        assert_eq!(
            event.to_string(),
            "DHCPACK(eth1) 192.168.100.150 52:54:00:12:34:56 netboot-client"
        );
    }
}

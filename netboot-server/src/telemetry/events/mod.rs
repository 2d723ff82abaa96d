//! The event stream: every step of every boot, in a bounded ring.
//!
//! DHCP, TFTP and HTTP put in what happened; the log, and whoever watches, read it out. A reader
//! that falls behind the ring is told how many events it missed.

mod boots;
mod line;
mod ring;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::{Arch, MessageType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use boots::LoadedFiles;
pub use boots::{MACHINES, Progress, Summary};
pub(crate) use boots::{SILENCE, Step};
pub use ring::{Events, RING, Read, Reader};

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// How far its boot has come by it, where that is further than before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<Progress>,
    /// What happened.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A DHCP message came in or went out.
    Dhcp {
        /// The message type, in JSON as RFC 2131 names it: `DHCPDISCOVER`.
        #[serde(with = "by_name")]
        message: MessageType,
        /// The interface.
        interface: String,
        /// The address it was about.
        address: Option<Ipv4Addr>,
        /// The machine's name.
        host_name: Option<String>,
        /// What it was told to boot.
        boot_file: Option<String>,
        /// The server that speaks, or that a machine names (option 54).
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<Ipv4Addr>,
        /// The platform that firmware says it is (option 93), as the number of the registry.
        #[serde(skip_serializing_if = "Option::is_none")]
        arch: Option<Arch>,
        /// The machine's UUID (option 97).
        #[serde(skip_serializing_if = "Option::is_none")]
        uuid: Option<Uuid>,
        /// Why a DHCPNAK says no.
        refusal: Option<String>,
        /// Who spoke.
        stage: Stage,
    },
    /// A DHCP message that got no answer.
    DhcpIgnored {
        /// The message type, in JSON as RFC 2131 names it.
        #[serde(with = "by_name")]
        message: MessageType,
        /// The interface.
        interface: String,
        /// The reason, for programs.
        reason: Unanswered,
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
    /// A message named a circuit, or a network, and who brought it is not believed there.
    RelayNotListed {
        /// The interface.
        interface: String,
        /// The relay agent, by its `giaddr`; `None` where the message came without one.
        relay: Option<Ipv4Addr>,
        /// The network, where one was found for the machine.
        network: Option<String>,
    },
    /// An address of a range answered a probe, and so is kept back for a while.
    AddressInUse {
        /// The interface.
        interface: String,
        /// The address.
        address: Ipv4Addr,
    },
    /// A machine's lease ended because it was told to use another address, or that one no longer.
    LeaseEnded {
        /// The interface.
        interface: String,
        /// The address that it had.
        address: Ipv4Addr,
        /// The address that it has instead; `None` where it was refused the one that it had.
        instead: Option<Ipv4Addr>,
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
    /// The lease database was damaged and a new one was begun with what could be read of it.
    LeasesSetAside {
        /// Where the damaged one was put.
        aside: String,
        /// What was wrong with it, and what can be read.
        why: String,
    },
    /// Firmware asked for a boot program and was told none.
    NoProgram {
        /// What the machine boots, and why it gets no program.
        why: String,
    },
    /// Firmware was told a boot program behind which nothing comes.
    ProgramIsDeadEnd {
        /// What is wrong with the program, and what to do.
        why: String,
    },
    /// An iPXE asked that lacks what boot scripts need.
    IpxeLacks {
        /// What it lacks, by iPXE's names: `HTTP, bzImage`.
        missing: String,
        /// The boot program that is to come first.
        program: String,
        /// Whether the program was told it several times in a row, so that it gets the script.
        again: bool,
    },
    /// A machine is told a program in proxy mode that leads to GRUB, which hears the other server
    /// only.
    GrubByProxy {
        /// The program.
        program: String,
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
        /// How it ended.
        end: TftpEnd,
        /// How many bytes the client acknowledged.
        bytes: u64,
        /// How many the file has, where it was found.
        size: Option<u64>,
        /// The block size that was agreed, where a transfer began.
        blksize: Option<u16>,
    },
    /// A boot script was handed out.
    Script {
        /// Who asked.
        client: IpAddr,
        /// How.
        by: Protocol,
        /// The path, `/boot.ipxe`.
        path: String,
        /// What it boots, and why.
        boots: String,
        /// What it does.
        action: ScriptAction,
        /// What a machine loads of each image that it can boot by it.
        #[serde(skip)]
        images: Arc<[LoadedFiles]>,
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
        /// Whether that is all of what the path names: no answer to HEAD, and no range.
        whole: bool,
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
        protocol: Cow<'static, str>,
        /// How many since the last such event.
        count: u64,
        /// What was wrong with the last one.
        why: String,
    },
}

/// Why a DHCP message got no answer, as far as it matters to a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unanswered {
    /// No network is configured for where it came from.
    NoNetwork,
    /// No address is free.
    NoAddress,
    /// The lease database cannot be written.
    StoreDown,
    /// Another client has an address as this machine.
    IdentityInUse,
    /// The answer could not be sent.
    Unsent,
    /// Anything else; the text says what.
    Other,
}

/// What a boot script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptAction {
    /// It boots an image.
    Image,
    /// It shows the menu.
    Menu,
    /// It boots the local disk.
    Local,
    /// It says what is wrong, in place of booting.
    Notice,
    /// It says that only the machine itself gets what it would boot.
    Withheld,
    /// It leaves the machine alone, or what it does is not known.
    Other,
}

/// How a TFTP transfer ended that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TftpEnd {
    /// There is no such file.
    NotFound,
    /// The server refused it for another reason.
    Refused,
    /// The server, or this client, has too many transfers.
    OverCap,
    /// No server answered, as far as a capture shows.
    NoAnswer,
    /// The client acknowledged neither the options nor a block.
    NoAck,
    /// The client acknowledged the options, and no block.
    NoBlockAck,
    /// The client fell silent on the way.
    Silent,
    /// The client ended it by an ERROR.
    ByClient,
    /// Anything else; the text says what.
    Other,
}

/// Who says that a machine is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallWord {
    /// The machine, by its one-time token.
    Machine,
    /// The operator.
    Operator,
}

impl Kind {
    /// Whether it says that the server or its network is in another state from then on. These are
    /// few, however much strangers send, so they are neither left out of the log nor pushed out of
    /// the ring by others.
    pub(crate) fn changes_state(&self) -> bool {
        match self {
            Self::Install { .. }
            | Self::LeasesSetAside { .. }
            | Self::PoolFillsUp { .. }
            | Self::OtherServer { .. }
            | Self::RelayNotListed { .. } => true,
            Self::Dhcp { .. }
            | Self::DhcpIgnored { .. }
            | Self::AddressInUse { .. }
            | Self::LeaseEnded { .. }
            | Self::NoProgram { .. }
            | Self::ProgramIsDeadEnd { .. }
            | Self::IpxeLacks { .. }
            | Self::GrubByProxy { .. }
            | Self::LeftOut { .. }
            | Self::TftpSent { .. }
            | Self::TftpSizeProbe { .. }
            | Self::TftpFailed { .. }
            | Self::Script { .. }
            | Self::HttpSent { .. }
            | Self::HttpRefused { .. }
            | Self::Malformed { .. } => false,
        }
    }

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

/// By what a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TFTP.
    Tftp,
    /// HTTP, or HTTPS.
    Http,
}

/// Who spoke DHCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// A message type by its name, as [`MessageType`]'s `Display` writes it.
mod by_name {
    use netboot_dhcp::value::MessageType;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(kind: &MessageType, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(kind)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<MessageType, D::Error> {
        let text = String::deserialize(from)?;
        let mut all = (0..=u8::MAX).map(MessageType);
        let named = all.find(|kind| kind.to_string() == text);
        named.ok_or_else(|| D::Error::custom(format!("{text}: no DHCP message type")))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(count: u64) -> Kind {
        Kind::Malformed {
            protocol: "DHCP".into(),
            count,
            why: "too short".into(),
        }
    }

    fn dhcp(message: MessageType, stage: Stage) -> Kind {
        Kind::Dhcp {
            message,
            interface: "eth1".into(),
            address: None,
            host_name: None,
            boot_file: None,
            server: None,
            arch: None,
            uuid: None,
            refusal: None,
            stage,
        }
    }

    fn script() -> Kind {
        Kind::Script {
            client: Ipv4Addr::new(192, 168, 100, 150).into(),
            by: Protocol::Http,
            path: "/boot.ipxe".into(),
            boots: "the menu".into(),
            action: ScriptAction::Menu,
            images: [
                LoadedFiles::from([
                    "debian/@1/bzImage".to_owned(),
                    "debian/@1/initrd".to_owned(),
                ]),
                LoadedFiles::from(["shell/@1/shell.efi".to_owned()]),
            ]
            .into(),
        }
    }

    #[test]
    fn what_changes_a_state_outlasts_any_flood_for_readers_that_come_later() {
        let events = Events::default();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let install = |number| Kind::Install {
            name: "node-01".into(),
            number,
            installed: true,
            by: InstallWord::Machine,
        };
        let flood = |count: u64| {
            for number in 0..count {
                let mac = MacAddr([2, 0, 0, 0, 0, number.to_be_bytes()[7]]);
                events.emit(at, Some(mac), dhcp(MessageType::DISCOVER, Stage::Firmware));
            }
        };
        flood(10);
        events.emit(at, None, install(1));
        flood(20_000);
        events.emit(at, None, install(2));
        flood(20_000);
        let mut reader = events.replay();
        let mut read = std::iter::from_fn(|| reader.try_next());
        for (missed, number) in [(10, 1), (20_000, 2)] {
            assert!(matches!(read.next(), Some(Read::Missed(it)) if it == missed));
            let Some(Read::Event(event)) = read.next() else {
                panic!("the event itself");
            };
            assert_eq!(event.seq, number * 20_001 - 20_001 + 11);
            assert!(matches!(event.kind, Kind::Install { number: it, .. } if it == number));
        }
        assert!(
            matches!(read.next(), Some(Read::Missed(missed)) if missed == 20_000 - RING as u64)
        );
        assert_eq!(read.count(), RING);
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
            (1, dhcp(MessageType::DISCOVER, Stage::Firmware)),
            (1, dhcp(MessageType::OFFER, Stage::Server)),
            // Not answered in time, so asked again.
            (1, dhcp(MessageType::DISCOVER, Stage::Firmware)),
            (1, dhcp(MessageType::ACK, Stage::Server)),
            (1, dhcp(MessageType::DISCOVER, Stage::Ipxe)),
            (1, dhcp(MessageType::ACK, Stage::Server)),
            (1, script()),
            (1, dhcp(MessageType::DISCOVER, Stage::System)),
            // Its ROM is iPXE: switched off and on.
            (2, dhcp(MessageType::DISCOVER, Stage::Ipxe)),
            (2, dhcp(MessageType::ACK, Stage::Server)),
            (3, dhcp(MessageType::DISCOVER, Stage::Firmware)),
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
    fn a_boot_by_shim_and_grub_comes_to_its_image_and_misses_nothing() {
        let client = IpAddr::from(Ipv4Addr::new(192, 168, 100, 150));
        let sent = |name: &str| Kind::TftpSent {
            client,
            name: name.into(),
            bytes: 1,
            elapsed_ms: 1,
            blksize: 512,
            windowsize: 4,
            retransmissions: 0,
            confirmed: true,
        };
        let refused = |name: &str| Kind::TftpFailed {
            client,
            name: name.into(),
            why: "file not found".into(),
            end: TftpEnd::NotFound,
            bytes: 0,
            size: None,
            blksize: None,
        };
        // What Debian's shim and GRUB asked of a server, in this order.
        let steps = [
            dhcp(MessageType::DISCOVER, Stage::Firmware),
            dhcp(MessageType::ACK, Stage::Server),
            sent("shimx64.efi"),
            refused("revocations_sku.efi"),
            refused("revocations_sbat.efi"),
            refused("shim_certificate_0.efi"),
            sent("grubx64.efi"),
            refused("/grub/x86_64-efi/command.lst"),
            script(),
            refused("/grub/x86_64-efi/http.mod"),
            sent("/images/debian/@1/bzImage"),
            sent("/images/debian/@1/initrd"),
        ];
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let events = Events::default();
        let boot = |kind| {
            events.emit(jiff::Timestamp::UNIX_EPOCH, Some(mac), kind);
            let (_, boot) = events.boots().remove(0);
            (boot.progress, boot.failed)
        };
        let came_to = steps.map(boot);
        assert_eq!(came_to[6], (Progress::Program, None));
        assert_eq!(came_to[10], (Progress::Loading, None));
        assert_eq!(came_to[11], (Progress::Image, None));
        let missed = boot(refused("grubx64.efi"));
        assert_eq!(missed, (Progress::Image, Some(Progress::Program)));
        let missed = boot(refused("/images/debian/@1/initrd"));
        assert_eq!(missed, (Progress::Image, Some(Progress::Image)));
    }
}

//! What happens in a boot, as fields: what is made of events reads these, never their lines.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use netboot_dhcp::value::{Arch, MessageType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::LoadedFiles;

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

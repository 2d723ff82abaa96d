//! What a driver tells its observer, for log lines, counters and a machine's history.
//!
//! Everything is borrowed; an observer that wants to keep it copies it. Events of one machine come
//! in their order.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::MacAddr;
use crate::server::{Firmware, Reply, Silence, Transaction};
use crate::value::MessageType;
use crate::wire::DecodeError;

/// One step of the driver's work on an interface.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The interface is served from now on.
    Serving,
    /// A message came in.
    Received {
        /// The message.
        transaction: &'a Transaction,
        /// What sent it, where the boot policy is to be asked.
        firmware: Option<Firmware>,
        /// Whether it came to the boot servers' port.
        boot_server: bool,
    },
    /// A datagram is no DHCP message.
    Malformed {
        /// Who sent it.
        source: SocketAddrV4,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// There is no answer; [`SilenceReason::is_fault`](crate::server::SilenceReason::is_fault)
    /// tells what an operator should see.
    Silent {
        /// What is not answered, and why.
        silence: &'a Silence,
    },
    /// The boot policy gave no answer, so that there is none.
    PolicyFailed {
        /// What is not answered.
        transaction: &'a Transaction,
        /// Why.
        failure: PolicyFailure,
    },
    /// A reply is about to leave. A machine may go on before [`Event::Sent`] comes.
    Answered {
        /// The reply.
        reply: &'a Reply,
        /// The file that the boot policy named.
        boot_file: Option<&'a str>,
    },
    /// A reply has left.
    Sent {
        /// The reply.
        reply: &'a Reply,
        /// From the receipt of the message that it answers.
        took: Duration,
    },
    /// A reply could not be sent.
    Unsent {
        /// The reply.
        reply: &'a Reply,
        /// Why.
        error: &'a io::Error,
    },
    /// The store has answered a batch of claims.
    Claimed {
        /// How many there were.
        claims: usize,
        /// How many of them are stored.
        stored: usize,
    },
    /// An address that was to be given answered a probe.
    AddressInUse {
        /// The address.
        address: Ipv4Addr,
    },
    /// Another server gives addresses in a network that is not a proxy's; said of each server at
    /// most every ten minutes.
    OtherServer {
        /// The server, as it calls itself.
        server: Ipv4Addr,
        /// The machine that it was heard with.
        machine: Option<MacAddr>,
    },
    /// In a proxy's network: what the DHCP server there answered a machine.
    Overheard {
        /// The server, as it calls itself.
        server: Ipv4Addr,
        /// OFFER or ACK.
        kind: MessageType,
        /// The address that it gave.
        address: Ipv4Addr,
        /// The machine that it gave it to.
        machine: MacAddr,
    },
    /// The system refuses something; the interface is served without it.
    Trouble {
        /// What it refuses.
        what: Trouble,
        /// Why.
        error: &'a io::Error,
    },
}

/// Why the boot policy gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFailure {
    /// It took longer than ten seconds.
    #[error("the boot policy is late")]
    Late,
    /// It panicked.
    #[error("the boot policy panicked")]
    Panicked,
    /// Too many messages of this machine, or of all machines, wait for it.
    #[error("too many messages wait for the boot policy")]
    Busy,
}

/// What a driver goes on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The interface, or the server's address on it, is waited for.
    Interface,
    /// The boot servers' port is not served: boot ROMs that ask there get no answer.
    BootServerPort(u16),
    /// Frames cannot be sent: clients without an address are answered by broadcast.
    Frames,
    /// One client without an address is answered by broadcast.
    Frame(MacAddr),
    /// Who sent a DECLINE or RELEASE is not seen: it is believed by the client that it names.
    Senders,
    /// Addresses are not probed.
    Probes,
    /// One address is not probed.
    Probe(Ipv4Addr),
    /// Other servers are not heard.
    OtherServers,
    /// That the interface goes away is not noticed.
    LinkChanges,
    /// No iPXE is told that there is no IPv6 router.
    RouterAdvertisements,
    /// This iPXE waits for an IPv6 router.
    RouterAdvertisement(MacAddr),
    /// Nothing is read for a second.
    Receive,
}

impl Trouble {
    /// Whether the whole interface lacks it, as against one client.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        !matches!(
            self,
            Self::Frame(_) | Self::Probe(_) | Self::RouterAdvertisement(_)
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface => f.write_str("the interface or its address is waited for"),
            Self::BootServerPort(port) => write!(
                f,
                "port {port} is not served; boot ROMs that ask there get no answer"
            ),
            Self::Frames => {
                f.write_str("raw sockets cannot be opened; clients are answered by broadcast")
            }
            Self::Frame(machine) => write!(f, "{machine} is answered by broadcast"),
            Self::Senders => {
                f.write_str("whoever names a client in a DHCPDECLINE or DHCPRELEASE is believed")
            }
            Self::Probes => f.write_str("addresses are not probed"),
            Self::Probe(address) => write!(f, "{address} is not probed"),
            Self::OtherServers => f.write_str("other DHCP servers are not heard"),
            Self::LinkChanges => f.write_str("changes of the interface are not followed"),
            Self::RouterAdvertisements => f.write_str("every iPXE waits for an IPv6 router"),
            Self::RouterAdvertisement(machine) => {
                write!(f, "{machine} waits for an IPv6 router")
            }
            Self::Receive => f.write_str("nothing is read for a second"),
        }
    }
}

impl Event<'_> {
    /// A log line, in dnsmasq's words for messages; `interface` is the interface's name.
    pub fn line<'e>(&'e self, interface: &'e str) -> impl fmt::Display + 'e {
        Line(interface, self)
    }
}

struct Line<'e>(&'e str, &'e Event<'e>);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(on, event) = self;
        match event {
            Event::Serving => write!(f, "DHCP({on}) is served"),
            Event::Received { transaction, .. } => transaction.line(on).fmt(f),
            Event::Malformed { source, error } => {
                write!(f, "DHCP({on}) malformed message from {source}: {error}")
            }
            Event::Silent { silence } => silence.line(on).fmt(f),
            Event::PolicyFailed {
                transaction,
                failure,
            } => write!(f, "{} {failure}", transaction.line(on)),
            Event::Answered { reply, boot_file } => {
                reply.line(on).fmt(f)?;
                boot_file.map_or(Ok(()), |file| write!(f, " boots {file}"))
            }
            Event::Sent { reply, took } => write!(f, "{} sent in {took:?}", reply.line(on)),
            Event::Unsent { reply, error } => {
                write!(f, "{} cannot be sent: {error}", reply.line(on))
            }
            Event::Claimed { claims, stored } => {
                write!(f, "DHCP({on}) {stored} of {claims} leases stored")
            }
            Event::AddressInUse { address } => {
                write!(f, "DHCP({on}) {address} answers a probe and is not given")
            }
            Event::OtherServer { server, machine } => {
                write!(f, "DHCP({on}) another server, {server}, answers")?;
                machine.map_or(Ok(()), |machine| write!(f, " {machine}"))
            }
            Event::Overheard {
                server,
                kind,
                address,
                machine,
            } => write!(f, "{kind}({on}) {address} {machine} by {server}"),
            Event::Trouble { what, error } => write!(f, "DHCP({on}) {what}: {error}"),
        }
    }
}

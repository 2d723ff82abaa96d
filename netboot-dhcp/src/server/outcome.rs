//! What goes into the server and what comes out of it.

use super::found::Found;
use super::{Destination, Lease, NetworkId, Question};
use crate::HardwareAddr;
use crate::value::MessageType;
use crate::wire::MessageView;
use alloc::{boxed::Box, string::String};
use bytes::Bytes;
use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use thiserror::Error;

/// A message and how it came.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Incoming<'a> {
    /// The message.
    pub message: MessageView<'a>,
    /// Who sent the datagram.
    pub source: SocketAddrV4,
    /// The address that it was sent to: the server's own, or a broadcast address. `None` where the
    /// caller's socket does not say it; then a client in another network than that of the interface
    /// is taken to have sent it by unicast, through a router.
    pub destination: Option<Ipv4Addr>,
    /// The source of the frame that it came in; `None` where the caller's sockets do not say it. A
    /// DECLINE or RELEASE that comes from another than the client that it names is not believed.
    pub frame_source: Option<HardwareAddr>,
    /// The interface that it came in by, as the number that
    /// [`Link::Interface`](super::Link::Interface) has for it in the settings. The caller chooses
    /// it; it is not the system's index.
    pub interface: u32,
}

impl<'a> Incoming<'a> {
    /// A message, of which is not known what address it was sent to.
    #[must_use]
    pub const fn new(message: MessageView<'a>, source: SocketAddrV4, interface: u32) -> Self {
        Self {
            message,
            source,
            destination: None,
            frame_source: None,
            interface,
        }
    }

    /// The same, sent to this address.
    #[must_use]
    pub const fn sent_to(mut self, destination: Ipv4Addr) -> Self {
        self.destination = Some(destination);
        self
    }

    /// The same, in a frame from this hardware address.
    #[must_use]
    pub const fn in_frame_of(mut self, source: HardwareAddr) -> Self {
        self.frame_source = Some(source);
        self
    }
}

/// What the server makes of a message.
///
/// A caller that passed over one of these would leave clients without their answer, so that this
/// enum lists all of them, and another one would be a new major version.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// Send this.
    Reply(Reply),
    /// Send nothing, for this reason.
    Silent(Silence),
    /// Do this, then call [`Server::resume`](super::Server::resume) with the result.
    Needs(Effect, Pending),
}

/// What the server makes of a message at first: all that it can, as with [`Outcome`].
#[derive(Debug)]
#[must_use]
pub enum Handled {
    /// Ask the boot policy, then call [`Server::answer`](super::Server::answer) with what it says.
    Asks(Question),
    /// The boot policy has no part in it.
    Done(Outcome),
}

impl Handled {
    /// What it is about, for a log line.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        match self {
            Self::Asks(question) => question.transaction(),
            Self::Done(outcome) => outcome.transaction(),
        }
    }
}

impl From<Outcome> for Handled {
    fn from(outcome: Outcome) -> Self {
        Self::Done(outcome)
    }
}

impl Outcome {
    /// What it is about, for a log line.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        match self {
            Self::Reply(reply) => &reply.transaction,
            Self::Silent(silence) => &silence.transaction,
            Self::Needs(_, pending) => pending.transaction(),
        }
    }
}

/// Something that the server needs of the world. To one that the caller does not know the answer is
/// [`ClaimResult::Down`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Find out whether somebody uses this address, by an ICMP echo (RFC 2131 section 2.2).
    Probe(Ipv4Addr),
    /// Store this lease.
    Claim(Claim),
}

/// A lease to store, if the stored one of its address has the version that it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The version that the stored lease has; 0 means that there is none.
    pub expected_version: u64,
    /// The lease to store.
    pub lease: Lease,
}

impl Claim {
    /// A claim that replaces the version before the lease's.
    #[must_use]
    pub const fn new(lease: Lease) -> Self {
        Self {
            expected_version: lease.version.saturating_sub(1),
            lease,
        }
    }
}

/// How a probe went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeResult {
    /// Nobody answered.
    Free,
    /// Somebody answered.
    InUse,
    /// There is no means to ask; the address counts as free.
    Unknown,
}

/// How a claim went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimResult {
    /// The lease is stored, and stays if the machine stops now.
    Stored,
    /// Another version was stored, and stays.
    Lost {
        /// The lease that is stored, if there is one.
        current: Option<Lease>,
    },
    /// The store does not work.
    Down,
}

/// How an effect went. The result of another kind of effect counts as "it could not be done".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EffectResult {
    /// That of [`Effect::Probe`].
    Probe(ProbeResult),
    /// That of [`Effect::Claim`].
    Claim(ClaimResult),
}

impl From<ProbeResult> for EffectResult {
    fn from(result: ProbeResult) -> Self {
        Self::Probe(result)
    }
}

impl From<ClaimResult> for EffectResult {
    fn from(result: ClaimResult) -> Self {
        Self::Claim(result)
    }
}

/// A transaction that waits for an [`Effect`]. To drop it is to fall silent: what it holds runs out
/// after [`Settings::offer_hold`](super::Settings::offer_hold).
#[derive(Debug)]
pub struct Pending(pub(super) Box<super::Work>);

impl Pending {
    /// The transaction, for a log line.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        self.0.transaction()
    }
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// Where it goes.
    pub destination: Destination,
    /// The address to send it from: the server's in the client's network.
    pub source: Ipv4Addr,
    /// The port to send it from: the one that the request was sent to. iPXE takes a boot server's
    /// reply from no other.
    pub source_port: u16,
    /// Milliseconds to wait before it is sent ([`Network::offer_delay_ms`]). To send it at once is
    /// wrong only for the firmware that needs the wait.
    ///
    /// [`Network::offer_delay_ms`]: super::Network::offer_delay_ms
    pub delay_ms: u32,
    /// The message.
    pub bytes: Bytes,
    /// Its type.
    pub kind: MessageType,
    /// The lease that an ACK confirms.
    pub lease: Option<Lease>,
    /// Why a NAK says no.
    pub nak_reason: Option<NakReason>,
    /// The address of the client's lease that ended with it: another than that of an ACK, or the one
    /// that a NAK refuses to a client that does not use it yet.
    pub ended: Option<Ipv4Addr>,
    /// What it answers.
    pub transaction: Transaction,
}

impl Reply {
    /// A message to send at once, without a lease, and no NAK. A server makes its own; this is for
    /// whoever tests what sends them.
    ///
    /// ```
    /// use netboot_dhcp::MacAddr;
    /// use netboot_dhcp::server::{Destination, Reply, Transaction};
    /// use netboot_dhcp::value::MessageType;
    ///
    /// let client = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]).into();
    /// let reply = Reply::new(
    ///     Transaction::new(MessageType::DISCOVER, 7, 2, client),
    ///     MessageType::OFFER,
    ///     vec![2; 300].into(),
    ///     "10.0.0.1:67".parse()?,
    ///     Destination::Broadcast("255.255.255.255:68".parse()?),
    /// );
    /// assert_eq!((reply.source_port, reply.delay_ms), (67, 0));
    /// assert_eq!(reply.line("eth1").to_string(), "DHCPOFFER(eth1) 52:54:00:12:34:56");
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn new(
        transaction: Transaction,
        kind: MessageType,
        bytes: Bytes,
        source: SocketAddrV4,
        destination: Destination,
    ) -> Self {
        Self {
            destination,
            source: *source.ip(),
            source_port: source.port(),
            delay_ms: 0,
            bytes,
            kind,
            lease: None,
            nak_reason: None,
            ended: None,
            transaction,
        }
    }

    /// A log line in dnsmasq's words, `DHCPACK(eth1) 10.0.0.5 52:54:00:12:34:56 name`, where
    /// `interface` is the caller's name for the interface.
    pub fn line<'a>(&'a self, interface: &'a str) -> impl fmt::Display + 'a {
        Line {
            kind: self.kind,
            interface,
            transaction: &self.transaction,
            note: self.nak_reason.as_ref().map(|reason| reason as _),
        }
    }
}

/// Why a request is refused with a NAK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum NakReason {
    /// The address is not one of the client's network.
    #[error("wrong network")]
    WrongNetwork,
    /// The client has another address, by its lease or its reservation.
    #[error("wrong address")]
    WrongAddress,
    /// The address is another client's, in quarantine, or none that is given.
    #[error("address not available")]
    NotAvailable,
}

/// No answer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Silence {
    /// Why.
    pub reason: SilenceReason,
    /// What is not answered.
    pub transaction: Transaction,
}

impl Silence {
    /// No answer to this, for this reason.
    ///
    /// ```
    /// use netboot_dhcp::MacAddr;
    /// use netboot_dhcp::server::{Silence, SilenceReason, Transaction};
    /// use netboot_dhcp::value::MessageType;
    ///
    /// let client = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]).into();
    /// let transaction = Transaction::new(MessageType::DISCOVER, 7, 2, client);
    /// let silence = Silence::new(SilenceReason::NoAddress, transaction);
    /// assert_eq!(
    ///     silence.line("eth1").to_string(),
    ///     "DHCPDISCOVER(eth1) 52:54:00:12:34:56 no address available"
    /// );
    /// ```
    #[must_use]
    pub const fn new(reason: SilenceReason, transaction: Transaction) -> Self {
        Self {
            reason,
            transaction,
        }
    }

    /// A log line in dnsmasq's words: `DHCPDISCOVER(eth1) 52:54:00:12:34:56 no address available`,
    /// where `interface` is the caller's name for the interface.
    pub fn line<'a>(&'a self, interface: &'a str) -> impl fmt::Display + 'a {
        Line {
            kind: self.transaction.request,
            interface,
            transaction: &self.transaction,
            note: Some(&self.reason),
        }
    }
}

/// Why there is no answer. [`Self::is_fault`] tells what an operator should see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SilenceReason {
    /// `op` is not 1: a server's message.
    #[error("not a request")]
    NotARequest,
    /// Option 53 is absent or malformed.
    #[error("no message type")]
    NoMessageType,
    /// A message type that a server does not answer.
    #[error("message type not served")]
    NotServed,
    /// `hlen` is above 16, or 0 without a client identifier.
    #[error("no usable hardware address")]
    NoIdentity,
    /// An option that the answer depends on is malformed or missing.
    #[error("malformed request")]
    Malformed,
    /// No network is configured for where it came from.
    #[error("no network configured for it")]
    NoNetwork,
    /// The relay agent is none of those that may bring clients into the network that it names
    /// ([`Network::relays`](super::Network::relays)).
    #[error("relay agent not listed for its network")]
    UnlistedRelay,
    /// Only known machines get an address, and this is none.
    #[error("not a known machine")]
    Unknown,
    /// The boot policy wants no answer.
    #[error("ignored by policy")]
    Policy,
    /// Another client has an address, or is offered one, by what this one says that it is
    /// ([`Boot::claimed_identity`](super::Boot::claimed_identity)); the transaction names the
    /// address.
    #[error("another client has an address as this machine")]
    IdentityInUse,
    /// In proxy mode: a matter between the client and its DHCP server.
    #[error("left to the DHCP server")]
    Proxy,
    /// In proxy mode, or on the boot server's port: no boot firmware, or nothing for it to boot.
    #[error("nothing to boot")]
    NothingToBoot,
    /// The message is for another server.
    #[error("for another server")]
    OtherServer,
    /// A client that no record is of asks for the address it had, and may have it of another server
    /// (RFC 2131 section 4.3.2; [`Network::authoritative`](super::Network::authoritative)).
    #[error("no record of it, and not authoritative")]
    NoRecord,
    /// No address is free.
    #[error("no address available")]
    NoAddress,
    /// The address that is given back or declined is not the client's.
    #[error("not its address")]
    NotItsAddress,
    /// A DECLINE or RELEASE that the client did not send itself, as far as can be told: it came in
    /// another's frame, or by a relay agent that is not listed.
    #[error("neither in a frame of the client's own nor by a relay agent that is listed")]
    NotItsOwn,
    /// The client has declined as many addresses as are believed for a while
    /// ([`Settings::max_declines`](super::Settings::max_declines)).
    #[error("declines too often")]
    TooManyDeclines,
    /// The address was given back.
    #[error("released")]
    Released,
    /// The address was declined, and is in quarantine.
    #[error("declined, in quarantine")]
    Declined,
    /// The lease was changed elsewhere meanwhile.
    #[error("lease changed meanwhile")]
    Lost,
    /// The lease could not be stored, so that it must not be confirmed.
    #[error("lease store is down")]
    StoreDown,
    /// The reply would go to an address of another link that has had its replies for this second
    /// ([`Settings::max_off_link_replies`](super::Settings::max_off_link_replies)).
    #[error(
        "too many replies to one address of another link; relay agents that are listed have no limit"
    )]
    TooManyReplies,
    /// What must be in the reply is more than the client takes.
    #[error("reply too long for the client")]
    TooLong,
}

impl SilenceReason {
    /// Whether something is wrong here, as against a message that rightly has no answer.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::NotARequest
                | Self::NotServed
                | Self::Unknown
                | Self::Policy
                | Self::Proxy
                | Self::NothingToBoot
                | Self::OtherServer
                | Self::NoRecord
                | Self::Released
        )
    }
}

/// What a message was about: enough to log it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction {
    /// The client's number for it.
    pub xid: u32,
    /// The type of the message that came; 0 where it has none.
    pub request: MessageType,
    /// The interface that it came in by, as in [`Incoming::interface`].
    pub interface: u32,
    /// The client.
    pub hardware: HardwareAddr,
    /// The network that it is in, once known.
    pub network: Option<NetworkId>,
    /// The address that it is about, once known.
    pub address: Option<Ipv4Addr>,
    /// The client's name, given or claimed: letters, digits, `-`, `_` and `.` only.
    pub host_name: Option<String>,
    /// The relay agent that it came by.
    pub relay: Option<Ipv4Addr>,
}

impl Transaction {
    /// One of which no more is known than what each message says: its type, the client's number for
    /// it, the interface that it came in by, and the client.
    ///
    /// ```
    /// use netboot_dhcp::MacAddr;
    /// use netboot_dhcp::server::Transaction;
    /// use netboot_dhcp::value::MessageType;
    ///
    /// let client = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]).into();
    /// let mut transaction = Transaction::new(MessageType::REQUEST, 0xdead_beef, 2, client);
    /// transaction.address = Some("10.0.0.100".parse()?);
    /// assert_eq!(
    ///     transaction.line("eth1").to_string(),
    ///     "DHCPREQUEST(eth1) 10.0.0.100 52:54:00:12:34:56"
    /// );
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn new(
        request: MessageType,
        xid: u32,
        interface: u32,
        hardware: HardwareAddr,
    ) -> Self {
        Self {
            xid,
            request,
            interface,
            hardware,
            network: None,
            address: None,
            host_name: None,
            relay: None,
        }
    }

    pub(super) fn of(incoming: &Incoming<'_>, found: &Found<'_>) -> Self {
        let view = &incoming.message;
        let relay = view.giaddr();
        let address = view.ciaddr();
        let kind = found.kind().unwrap_or(MessageType(0));
        let mut transaction = Self::new(kind, view.xid(), incoming.interface, view.hardware());
        transaction.address = (!address.is_unspecified()).then_some(address);
        transaction.host_name = found.host_name();
        transaction.relay = (!relay.is_unspecified()).then_some(relay);
        transaction
    }

    /// The line of the message that came, like [`Reply::line`].
    pub fn line<'a>(&'a self, interface: &'a str) -> impl fmt::Display + 'a {
        Line {
            kind: self.request,
            interface,
            transaction: self,
            note: None,
        }
    }
}

struct Line<'a> {
    kind: MessageType,
    interface: &'a str,
    transaction: &'a Transaction,
    note: Option<&'a dyn fmt::Display>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.kind, self.interface)?;
        if let Some(address) = self.transaction.address {
            write!(f, " {address}")?;
        }
        write!(f, " {}", self.transaction.hardware)?;
        match (self.note, &self.transaction.host_name) {
            (Some(note), _) => write!(f, " {note}"),
            (None, Some(name)) => write!(f, " {name}"),
            (None, None) => Ok(()),
        }
    }
}

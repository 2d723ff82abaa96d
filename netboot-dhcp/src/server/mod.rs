//! The server's logic: from a client's message to the reply, without a socket or a store.
//!
//! [`Server::handle`] takes a message and gives a [`Question`] for the boot policy, whose answer
//! goes to [`Server::answer`], or an [`Outcome`]: a reply, silence with its reason, or an
//! [`Effect`] that the caller carries out before it calls [`Server::resume`]. The pool in memory
//! caches the caller's store of leases and never replaces it: no ACK goes out before its lease is
//! stored. RFC 2131 sections 3 and 4.3 have the rules, section 4.1 the reply's address, RFC 3046
//! the relay agents, RFC 6842 the echoed client identifier, Intel's PXE 2.1 specification proxy
//! DHCP and boot servers.

mod addressing;
mod answer;
mod boot;
mod check;
mod effect;
mod found;
mod lease;
mod outcome;
mod placing;
mod pool;
mod proxy;
mod question;
mod rate;
mod reply;
mod request;
mod rules;
mod settings;
mod subnet;

pub use addressing::{Destination, ReturnPath};
pub use boot::{Boot, Firmware, Requester};
pub use check::{SettingsError, SettingsErrors};
pub use lease::{ClientKey, Lease, LeaseState, NetworkId};
pub use outcome::{
    Claim, ClaimResult, Effect, EffectResult, Handled, Incoming, NakReason, Outcome, Pending,
    ProbeResult, Reply, Silence, SilenceReason, Transaction,
};
pub use question::Question;
pub use settings::{Allow, ExtraOption, Link, Mode, Network, Reservation, Settings};
pub use subnet::{AddressRange, ParseSubnetError, Subnet};

pub(crate) use effect::Work;

use crate::wire::BOOTREQUEST;
use crate::{Seconds, Timestamp};
use alloc::{collections::BTreeMap, vec::Vec};
use core::net::Ipv4Addr;
use found::Found;
use pool::Pool;
use rate::Rate;
use request::Request;
use rules::{Responder, silent};
use thiserror::Error;

/// A DHCP server for any number of networks.
///
/// Its memory is bounded by its settings: a lease and an offer for each address, at most
/// [`Settings::max_offers`] offers a network, and nothing for a client that has neither.
///
/// ```
/// use netboot_dhcp::server::{
///     AddressRange, Boot, ClaimResult, Effect, Handled, Incoming, Link, Network, NetworkId, Outcome, Server,
///     Settings,
/// };
/// use netboot_dhcp::value::{MessageType, key};
/// use netboot_dhcp::wire::{Message, MessageView};
/// use netboot_dhcp::{MacAddr, Timestamp};
/// use std::net::Ipv4Addr;
///
/// let ip = |last| Ipv4Addr::new(192, 168, 100, last);
/// let mut network = Network::new(NetworkId(1), Link::Interface(2), "192.168.100.0/24".parse()?, ip(1));
/// network.ranges = vec![AddressRange::new(ip(100), ip(200))];
/// let mut server = Server::new(Settings::new(vec![network]))?;
///
/// let mut discover = Message::request(7, MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]).into());
/// discover.options.put(key::MESSAGE_TYPE, &MessageType::DISCOVER);
/// let packet = discover.to_bytes()?;
/// let source = "0.0.0.0:68".parse()?;
/// let incoming = Incoming::new(MessageView::decode(&packet)?, source, 2);
/// let handled = server.handle(Timestamp(0), &incoming);
/// let Handled::Asks(question) = handled else { panic!("{handled:?}") };
/// // Here the boot policy is asked what `question.requester(incoming.message)` boots.
/// let outcome = server.answer(Timestamp(5), question, Boot::default());
/// let Outcome::Reply(offer) = outcome else { panic!("{outcome:?}") };
/// assert_eq!(offer.line("eth1").to_string(), "DHCPOFFER(eth1) 192.168.100.100 52:54:00:12:34:56");
///
/// let mut request = discover.clone();
/// request.options.put(key::MESSAGE_TYPE, &MessageType::REQUEST);
/// request.options.put(key::REQUESTED_ADDRESS, &ip(100));
/// request.options.put(key::SERVER_ID, &ip(1));
/// let packet = request.to_bytes()?;
/// let incoming = Incoming::new(MessageView::decode(&packet)?, source, 2);
/// let outcome = server.handle_with(Timestamp(1_000), &incoming, |_machine| Boot::default());
/// let Outcome::Needs(Effect::Claim(claim), pending) = outcome else { panic!("{outcome:?}") };
/// assert_eq!((claim.lease.address, claim.expected_version), (ip(100), 0));
/// // Here the lease is written and flushed.
/// let outcome = server.resume(Timestamp(1_010), pending, ClaimResult::Stored);
/// let Outcome::Reply(ack) = outcome else { panic!("{outcome:?}") };
/// assert_eq!(ack.kind, MessageType::ACK);
/// assert_eq!(server.lease(ip(100)), Some(&claim.lease));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    /// One for each of the networks in the settings, in their order.
    pools: Vec<Pool>,
    by_id: BTreeMap<NetworkId, usize>,
    /// Replies that leave the link that their question came by, by where they go.
    off_link: Rate<Ipv4Addr>,
    declines: Rate<ClientKey>,
}

/// The socket that a message came in by.
#[derive(Clone, Copy)]
enum Port {
    Server,
    BootServer,
}

/// How far a network's addresses are used up: those that are given to anybody, reservations not
/// counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The network.
    pub network: NetworkId,
    /// How many there are.
    pub addresses: u64,
    /// How many of them are leased, offered or in quarantine.
    pub in_use: u64,
}

impl Usage {
    /// So many addresses of a network, and so many of them in use.
    #[must_use]
    pub const fn new(network: NetworkId, addresses: u64, in_use: u64) -> Self {
        Self {
            network,
            addresses,
            in_use,
        }
    }
}

/// A lease of a network that the settings do not have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[error("the lease of {address} is of network {}, which is not configured", .network.0)]
pub struct UnknownNetwork {
    /// The lease's address.
    pub address: Ipv4Addr,
    /// The lease's network.
    pub network: NetworkId,
}

impl Server {
    /// A server without leases.
    ///
    /// # Errors
    ///
    /// Everything that [`Settings::check`] finds.
    pub fn new(mut settings: Settings) -> Result<Self, SettingsErrors> {
        settings.check()?;
        for network in &mut settings.networks {
            network.reservations.sort_by_key(|one| one.mac);
        }
        let pool = |network| Pool::new(network, settings.max_offers);
        Ok(Self {
            pools: settings.networks.iter().map(pool).collect(),
            by_id: settings
                .networks
                .iter()
                .enumerate()
                .map(|(at, network)| (network.id, at))
                .collect(),
            off_link: Rate::new(settings.max_off_link_replies, Seconds(1)),
            declines: Rate::new(settings.max_declines, settings.quarantine),
            settings,
        })
    }

    /// Exchanges the settings and keeps the leases. Offers are forgotten; a client that asks for
    /// one still gets it while it is free. Returns the leases of networks that are gone.
    ///
    /// # Errors
    ///
    /// Everything that [`Settings::check`] finds; then nothing is changed.
    pub fn reconfigure(&mut self, settings: Settings) -> Result<Vec<Lease>, SettingsErrors> {
        let mut next = Self::new(settings)?;
        let homeless = self
            .leases()
            .filter(|lease| next.restore((*lease).clone()).is_err())
            .cloned()
            .collect();
        *self = next;
        Ok(homeless)
    }

    /// What the server was told.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a lease from the store, at the start or when another server changed it.
    ///
    /// # Errors
    ///
    /// Its network is not configured.
    pub fn restore(&mut self, lease: Lease) -> Result<(), UnknownNetwork> {
        match self
            .by_id
            .get(&lease.network)
            .and_then(|at| self.pools.get_mut(*at))
        {
            Some(pool) => {
                pool.record(lease);
                Ok(())
            }
            None => Err(UnknownNetwork {
                address: lease.address,
                network: lease.network,
            }),
        }
    }

    /// Whether a client may have this address in this network, be it free or not: one that is given
    /// to anybody, or its own by a reservation. A proxy gives none.
    #[must_use]
    pub fn gives(&self, network: NetworkId, address: Ipv4Addr, client: &ClientKey) -> bool {
        let at = self.by_id.get(&network).copied();
        let found = at.and_then(|at| Some((self.settings.networks.get(at)?, self.pools.get(at)?)));
        found.is_some_and(|(network, pool)| {
            let reserved = network.reservation_of(client).and_then(|one| one.address);
            network.mode == Mode::Server && pool.gives(address, reserved)
        })
    }

    /// The last lease of an address, whether or not it still holds: see [`Lease::is_active`].
    #[must_use]
    pub fn lease(&self, address: Ipv4Addr) -> Option<&Lease> {
        self.pools.iter().find_map(|pool| pool.lease(address))
    }

    /// The last lease of a client in a network.
    #[must_use]
    pub fn lease_of(&self, network: NetworkId, client: &ClientKey) -> Option<&Lease> {
        self.pools.get(*self.by_id.get(&network)?)?.lease_of(client)
    }

    /// The last lease of a client in each network where it had one.
    pub fn leases_of(&self, client: &ClientKey) -> impl Iterator<Item = &Lease> {
        self.pools.iter().filter_map(|pool| pool.lease_of(client))
    }

    /// Every lease that is remembered, by network and address.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.pools.iter().flat_map(Pool::leases)
    }

    /// How far each network's addresses are used up, in the order of the settings. Takes time with
    /// the number of addresses in use.
    pub fn usage(&self, now: Timestamp) -> impl Iterator<Item = Usage> {
        let networks = self.settings.networks.iter();
        networks
            .zip(&self.pools)
            .map(move |(network, pool)| Usage::new(network.id, pool.size(), pool.in_use(now)))
    }

    /// Takes a message that came in on the servers' port, as far as it goes without the world: to
    /// [`Handled::Asks`], where it is for this server and may have an answer.
    pub fn handle(&mut self, now: Timestamp, incoming: &Incoming<'_>) -> Handled {
        self.handle_on(Port::Server, now, incoming)
    }

    /// Takes a message that came in on the boot servers' port, 4011: a PXE client that has its
    /// address asks what to boot (Intel's PXE 2.1 specification, section 2.2.4). Never needs an
    /// effect. It is answered in either [`Mode`], since some ROMs ask whatever they were offered.
    pub fn handle_boot_server(&mut self, now: Timestamp, incoming: &Incoming<'_>) -> Handled {
        self.handle_on(Port::BootServer, now, incoming)
    }

    /// Goes on with a message whose sender boots this.
    pub fn answer(&mut self, now: Timestamp, question: Question, boot: Boot) -> Outcome {
        let asked = question.0;
        let outcome = match self.responder(now, asked.transaction.network) {
            Some(mut responder) => responder.answer_to(asked, boot),
            None => gone(asked.transaction),
        };
        self.limited(now, outcome)
    }

    /// [`Self::handle`] and [`Self::answer`] in one, for a boot policy that answers at once. It is
    /// asked at most once, and only where an answer may follow.
    pub fn handle_with(
        &mut self,
        now: Timestamp,
        incoming: &Incoming<'_>,
        boot: impl FnOnce(&Requester<'_>) -> Boot,
    ) -> Outcome {
        match self.handle(now, incoming) {
            Handled::Asks(question) => {
                let boot = boot(&question.requester(incoming.message));
                self.answer(now, question, boot)
            }
            Handled::Done(outcome) => outcome,
        }
    }

    fn handle_on(&mut self, port: Port, now: Timestamp, incoming: &Incoming<'_>) -> Handled {
        let view = &incoming.message;
        let found = Found::of(view);
        let mut transaction = Transaction::of(incoming, &found);
        if view.op() != BOOTREQUEST {
            return silent(SilenceReason::NotARequest, transaction).into();
        }
        let Some(kind) = found.kind() else {
            return silent(SilenceReason::NoMessageType, transaction).into();
        };
        let mut request = match Request::read(incoming, kind, &found, &self.settings.pxe_classes) {
            Ok(request) => request,
            Err(reason) => return silent(reason, transaction).into(),
        };
        let at = match self.network_of(now, &request, incoming) {
            Ok(at) => at,
            Err(reason) => return silent(reason, transaction).into(),
        };
        let Some(mut responder) = self.responder_at(now, at) else {
            return silent(SilenceReason::NoNetwork, transaction).into();
        };
        transaction.network = Some(responder.network.id);
        request.rapid &= responder.network.rapid_commit;
        request.trust_in(responder.network);
        match (port, responder.network.mode) {
            (Port::BootServer, _) => responder.boot_server(request, transaction, incoming),
            (Port::Server, Mode::Proxy) => responder.proxy(request, transaction),
            (Port::Server, Mode::Server) => responder.handle(request, transaction),
        }
    }

    /// Goes on with a transaction after its effect.
    pub fn resume(
        &mut self,
        now: Timestamp,
        pending: Pending,
        result: impl Into<EffectResult>,
    ) -> Outcome {
        let work = *pending.0;
        let outcome = match self.responder(now, work.transaction().network) {
            Some(mut responder) => responder.resume(work, result.into()),
            None => gone(work.into_transaction()),
        };
        self.limited(now, outcome)
    }

    /// Keeps replies to an address that anybody may have written into a message to their rate.
    fn limited(&mut self, now: Timestamp, outcome: Outcome) -> Outcome {
        let Outcome::Reply(reply) = outcome else {
            return outcome;
        };
        let unproven = self.off_link_address(&reply);
        if unproven.is_none_or(|address| self.off_link.allows(now, &address)) {
            return Outcome::Reply(reply);
        }
        silent(SilenceReason::TooManyReplies, reply.transaction)
    }

    /// The address that a reply goes to, where that is on another link than the one that the
    /// question came by, and no relay agent that is listed.
    fn off_link_address(&self, reply: &Reply) -> Option<Ipv4Addr> {
        let (address, is_relay) = match reply.destination {
            Destination::Relay(to) => (*to.ip(), true),
            Destination::Client(to) => (*to.ip(), false),
            Destination::Unbound { .. } | Destination::Broadcast(_) => return None,
        };
        let link = Link::Interface(reply.transaction.interface);
        let mut networks = self.settings.networks.iter();
        let proves = |network: &Network| {
            let is_beside = network.link == link && network.subnet.contains(address);
            let is_its = Some(network.id) == reply.transaction.network;
            is_beside || (is_its && is_relay && network.trusts_relay(address))
        };
        (!networks.any(proves)).then_some(address)
    }

    fn responder(&mut self, now: Timestamp, network: Option<NetworkId>) -> Option<Responder<'_>> {
        let at = *self.by_id.get(&network?)?;
        self.responder_at(now, at)
    }

    fn responder_at(&mut self, now: Timestamp, at: usize) -> Option<Responder<'_>> {
        Some(Responder {
            now,
            settings: &self.settings,
            network: self.settings.networks.get(at)?,
            pool: self.pools.get_mut(at)?,
            declines: &mut self.declines,
        })
    }
}

/// The network was taken out of the settings meanwhile.
fn gone(transaction: Transaction) -> Outcome {
    silent(SilenceReason::NoNetwork, transaction)
}

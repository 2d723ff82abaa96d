//! A client that gets an address and a boot file, as firmware does: for tests, and for simulated
//! machines.
//!
//! One loop drives it: [`Client::poll_output`] says what to send or until when to wait,
//! [`Client::handle_input`] takes what arrived. Time and transaction number are arguments. RFC 2131
//! section 4.4, from INIT to BOUND, and on to a boot server on port 4011 where its [`Model`] asks
//! one; it does not renew.

mod bound;
mod offer;
mod profile;

pub use bound::{Bound, Failure};
pub use offer::Model;
pub use profile::Profile;

use crate::Timestamp;
use crate::value::{MessageType, key};
use crate::wire::{BOOTREPLY, EncodeError, Message, MessageView};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::{Ipv4Addr, SocketAddrV4};
use offer::{Choice, Offer, Source, choose};

/// The most offers that are looked at; later ones are dropped.
const MAX_OFFERS: usize = 16;

/// A client between power-on and its address.
///
/// ```
/// use netboot_dhcp::client::{Client, Output, Profile};
/// use netboot_dhcp::{MacAddr, Timestamp};
///
/// let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
/// let mut client = Client::new(Timestamp(0), Profile::pxe_uefi(mac), 0xdead_beef);
/// let Output::Transmit(discover) = client.poll_output(Timestamp(0))? else { panic!() };
/// assert_eq!(discover.destination.to_string(), "255.255.255.255:67");
/// // No answer yet: send again after the profile's first timeout.
/// assert!(matches!(client.poll_output(Timestamp(0))?, Output::Wait(Timestamp(4_000))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    profile: Profile,
    xid: u32,
    started: Timestamp,
    state: State,
}

/// What the client wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Output {
    /// Send this, and ask again.
    Transmit(Transmit),
    /// Nothing until this instant, unless a message arrives.
    Wait(Timestamp),
    /// It has its address; it stays so.
    Done(Bound),
    /// It gave up; it stays so.
    Failed(Failure),
}

/// A message to send: from 0.0.0.0 where it is broadcast, else from the client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The message.
    pub bytes: Bytes,
    /// The port that it comes from, and that replies come to.
    pub source_port: u16,
    /// Where it goes: broadcast, save to a boot server.
    pub destination: SocketAddrV4,
}

#[derive(Clone, Debug)]
enum State {
    /// Looking for servers. Due at `due`; until then it collects, and what it has by then stays.
    Selecting {
        due: Timestamp,
        sent: u8,
        /// When the first DISCOVER went out.
        began: Timestamp,
        /// When the last one did.
        asked: Timestamp,
        offers: Vec<Offer>,
        refusals: u8,
    },
    /// Waiting for the chosen server's ACK.
    Requesting {
        due: Timestamp,
        sent: u8,
        choice: Choice,
        refusals: u8,
    },
    /// Waiting for the boot server's ACK.
    Asking {
        due: Timestamp,
        sent: u8,
        bound: Bound,
    },
    Done(Bound),
    Failed(Failure),
}

impl Client {
    /// A client that begins at `now` with this transaction number.
    #[must_use]
    pub const fn new(now: Timestamp, profile: Profile, xid: u32) -> Self {
        Self {
            profile,
            xid,
            started: now,
            state: selecting(now, now, 0),
        }
    }

    /// What the client was told about itself.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Takes a message that arrived from `source`. What is not for this client, or not expected
    /// now, changes nothing.
    pub fn handle_input(
        &mut self,
        now: Timestamp,
        source: SocketAddrV4,
        message: &MessageView<'_>,
    ) {
        let mine = message.op() == BOOTREPLY
            && message.xid() == self.xid
            && message.hardware() == self.profile.hardware;
        let server = message.read(key::SERVER_ID).ok().flatten();
        let (true, Some(server), Some(kind)) = (mine, server, message.message_type()) else {
            return;
        };
        let profile = &self.profile;
        match &mut self.state {
            State::Selecting {
                began,
                asked,
                offers,
                refusals,
                ..
            } if kind == MessageType::OFFER => {
                let deaf = now < asked.after_ms(profile.deaf_ms);
                if deaf || offers.len() >= MAX_OFFERS {
                    return;
                }
                offers.push(Offer::of(server, message));
                let waited = now >= began.after_ms(profile.collect_ms);
                let at_once = profile.collect_ms == 0 || profile.model.looks_at_each_offer();
                let choice = choose(profile.model, profile.known_address(), offers);
                if let Some(choice) = choice.filter(|choice| choice.settled || (waited && at_once))
                {
                    self.state = chosen(now, profile, choice, *refusals);
                }
            }
            State::Requesting {
                choice,
                sent,
                refusals,
                ..
            } if choice.lease.server == server && kind == MessageType::NAK => {
                let (requests, refusals) = (*sent, refusals.saturating_add(1));
                self.state = if refusals > profile.tries {
                    State::Failed(Failure::NoAck { requests, refusals })
                } else {
                    selecting(now, now.after_ms(profile.timeout_ms), refusals)
                };
            }
            State::Requesting { choice, .. }
                if choice.lease.server == server
                    && kind == MessageType::ACK
                    && Some(message.yiaddr()) == choice.lease.address =>
            {
                let given = Offer::of(server, message);
                self.state = after_lease(now, profile.model, &given, &choice.boot);
            }
            State::Asking { bound, .. }
                if bound.boot_server == server
                    && matches!(kind, MessageType::ACK | MessageType::OFFER)
                    && (profile.model != Model::Ipxe
                        || source.port() == profile.boot_server_port) =>
            {
                let Some(file) = offer::file(message) else {
                    return;
                };
                bound.file = Some(file);
                bound.next_server = offer::specified(message.siaddr());
                self.state = State::Done(bound.clone());
            }
            _ => {}
        }
    }

    /// What to do at `now`. Call it again after [`Output::Transmit`].
    ///
    /// # Errors
    ///
    /// The profile's options do not fit a message.
    pub fn poll_output(&mut self, now: Timestamp) -> Result<Output, EncodeError> {
        let (model, tries) = (self.profile.model, self.profile.tries);
        loop {
            match &mut self.state {
                State::Done(bound) => return Ok(Output::Done(bound.clone())),
                State::Failed(failure) => return Ok(Output::Failed(*failure)),
                State::Selecting {
                    due,
                    sent,
                    began,
                    asked,
                    offers,
                    refusals,
                } => {
                    let collected = began.after_ms(self.profile.collect_ms);
                    let look_at = match model {
                        Model::Plain if !offers.is_empty() => collected.min(*due),
                        _ => *due,
                    };
                    if now < look_at {
                        return Ok(Output::Wait(look_at));
                    }
                    let last = *sent >= tries;
                    if (now >= collected || last)
                        && let Some(choice) = choose(model, self.profile.known_address(), offers)
                    {
                        self.state = chosen(now, &self.profile, choice, *refusals);
                        continue;
                    }
                    if now < *due {
                        return Ok(Output::Wait(*due));
                    }
                    if last {
                        let discovers = *sent;
                        self.state = State::Failed(Failure::NoOffer { discovers });
                        continue;
                    }
                    if *sent == 0 {
                        *began = now;
                    }
                    *asked = now;
                    *due = now.after_ms(backoff(self.profile.timeout_ms, *sent));
                    *sent += 1;
                    return self.broadcast(now, MessageType::DISCOVER, None);
                }
                State::Requesting {
                    due,
                    sent,
                    choice,
                    refusals,
                } => {
                    if now < *due {
                        return Ok(Output::Wait(*due));
                    }
                    if *sent >= tries {
                        let (requests, refusals) = (*sent, *refusals);
                        self.state = State::Failed(Failure::NoAck { requests, refusals });
                        continue;
                    }
                    *due = now.after_ms(backoff(self.profile.timeout_ms, *sent));
                    *sent += 1;
                    let taken = choice
                        .lease
                        .address
                        .map(|address| (address, choice.lease.server));
                    return self.broadcast(now, MessageType::REQUEST, taken);
                }
                State::Asking { due, sent, bound } => {
                    if now < *due {
                        return Ok(Output::Wait(*due));
                    }
                    let (server, address) = (bound.boot_server, bound.address);
                    if *sent >= tries {
                        let requests = *sent;
                        self.state = State::Failed(Failure::NoBootServer { server, requests });
                        continue;
                    }
                    *due = now.after_ms(backoff(self.profile.timeout_ms, *sent));
                    *sent += 1;
                    return self.ask(now, server, address);
                }
            }
        }
    }

    /// DISCOVER, or the REQUEST for an address of a server.
    fn broadcast(
        &self,
        now: Timestamp,
        kind: MessageType,
        taken: Option<(Ipv4Addr, Ipv4Addr)>,
    ) -> Result<Output, EncodeError> {
        let mut message = self.message(now, kind);
        if let Some((address, server)) = taken {
            message.options.put(key::REQUESTED_ADDRESS, &address);
            message.options.put(key::SERVER_ID, &server);
        }
        let destination = SocketAddrV4::new(Ipv4Addr::BROADCAST, self.profile.server_port);
        self.transmit(message, self.profile.client_port, destination)
    }

    /// The REQUEST to a boot server.
    fn ask(
        &self,
        now: Timestamp,
        server: Ipv4Addr,
        address: Ipv4Addr,
    ) -> Result<Output, EncodeError> {
        let mut message = self.message(now, MessageType::REQUEST);
        message.ciaddr = self.profile.known_address().unwrap_or(address);
        let profile = &self.profile;
        let source_port = match profile.model {
            Model::Edk2 | Model::OldEdk2 => profile.boot_server_port,
            _ => profile.client_port,
        };
        let destination = SocketAddrV4::new(server, profile.boot_server_port);
        self.transmit(message, source_port, destination)
    }

    fn message(&self, now: Timestamp, kind: MessageType) -> Message {
        let mut message = Message::request(self.xid, self.profile.hardware);
        let seconds = now.millis_since(self.started) / 1_000;
        message.secs = u16::try_from(seconds).unwrap_or(u16::MAX);
        if self.profile.broadcast {
            message.flags = crate::wire::BROADCAST_FLAG;
        }
        message.options.put(key::MESSAGE_TYPE, &kind);
        message
    }

    /// The message with the profile's options behind its own.
    fn transmit(
        &self,
        mut message: Message,
        source_port: u16,
        destination: SocketAddrV4,
    ) -> Result<Output, EncodeError> {
        for (code, data) in self.profile.options.iter() {
            message.options.add_raw(code, data);
        }
        Ok(Output::Transmit(Transmit {
            bytes: message.to_bytes()?,
            source_port,
            destination,
        }))
    }
}

const fn selecting(now: Timestamp, due: Timestamp, refusals: u8) -> State {
    State::Selecting {
        due,
        sent: 0,
        began: now,
        asked: now,
        offers: Vec::new(),
        refusals,
    }
}

/// Doubles with each message sent, up to 16 times the first timeout (RFC 2131 section 4.1).
fn backoff(timeout_ms: u64, sent: u8) -> u64 {
    timeout_ms.saturating_mul(1 << sent.min(4))
}

/// What a choice leads to: the REQUEST, but for a machine that sends none.
fn chosen(now: Timestamp, profile: &Profile, choice: Choice, refusals: u8) -> State {
    if !profile.takes_lease {
        return after_lease(now, profile.model, &choice.lease, &choice.boot);
    }
    State::Requesting {
        due: now,
        sent: 0,
        choice,
        refusals,
    }
}

/// What the lease leads to: the end, or the boot server.
fn after_lease(now: Timestamp, model: Model, given: &Offer, boot: &Source) -> State {
    let bound = Bound::by(model, given, boot);
    match boot {
        Source::Lease | Source::Proxy(_) => State::Done(bound),
        Source::BootServer(_) => State::Asking {
            due: now,
            sent: 0,
            bound,
        },
    }
}

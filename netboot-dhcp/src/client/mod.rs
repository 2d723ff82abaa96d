//! A client that gets an address and a boot file, as firmware does: for tests, and for simulated
//! machines.
//!
//! One loop drives it: [`Client::poll_output`] says what to send or until when to wait,
//! [`Client::handle_input`] takes what arrived. Time and transaction number are arguments. RFC 2131
//! section 4.4, from INIT to BOUND, and on to a boot server on port 4011 where its [`Model`] asks one;
//! it does not renew.

mod offer;
mod profile;

pub use offer::Model;
pub use profile::Profile;

use crate::value::{MessageType, key};
use crate::wire::{BOOTREPLY, EncodeError, Message, MessageView, Options};
use crate::{Seconds, Timestamp};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::net::{Ipv4Addr, SocketAddrV4};
use offer::{Choice, Offer, Source, choose};
use thiserror::Error;

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
pub struct Transmit {
    /// The message.
    pub bytes: Bytes,
    /// The port that it comes from, and that replies come to.
    pub source_port: u16,
    /// Where it goes: broadcast, save to a boot server.
    pub destination: SocketAddrV4,
}

/// What a client ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its address.
    pub address: Ipv4Addr,
    /// The server that gave it (option 54).
    pub server: Ipv4Addr,
    /// The server of the next step (`siaddr`), if one was named.
    pub next_server: Option<Ipv4Addr>,
    /// The boot file (option 67, else `file`), if one was named and is UTF-8. A Raspberry Pi goes by
    /// file names of its own.
    pub file: Option<String>,
    /// The server that named the boot file, or would have: that of the address, a proxy, or a boot
    /// server.
    pub boot_server: Ipv4Addr,
    /// The lease's time.
    pub lease_time: Seconds,
    /// All options of the ACK; none for a machine that sends no REQUEST.
    pub options: Options,
}

/// Why a client gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody offered an address that it could use.
    #[error("no usable offer after {discovers} DISCOVERs")]
    NoOffer {
        /// How many were sent.
        discovers: u8,
    },
    /// The server that it chose refused too often, or fell silent.
    #[error("no ACK after {requests} REQUESTs and {refusals} NAKs")]
    NoAck {
        /// How many REQUESTs were sent for the last offer.
        requests: u8,
        /// How many NAKs came in all.
        refusals: u8,
    },
    /// It has an address, and the boot server that it was sent to is silent.
    #[error("no boot file after {requests} REQUESTs to the boot server {server}")]
    NoBootServer {
        /// The boot server.
        server: Ipv4Addr,
        /// How many REQUESTs were sent to it.
        requests: u8,
    },
}

#[derive(Clone, Debug)]
enum State {
    /// Looking for servers. Due at `due`; until then it collects.
    Selecting {
        due: Timestamp,
        sent: u8,
        /// When the last DISCOVER went out.
        asked: Timestamp,
        /// When to stop collecting, once an offer came.
        choose_at: Option<Timestamp>,
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

    /// Takes a message that arrived from `source`. What is not for this client, or not expected now,
    /// changes nothing.
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
                asked,
                choose_at,
                offers,
                ..
            } if kind == MessageType::OFFER => {
                let deaf = now < asked.after_ms(profile.deaf_ms);
                if deaf || offers.len() >= MAX_OFFERS {
                    return;
                }
                offers.push(Offer::of(server, message));
                let choice = choose(profile.model, offers);
                if choice.is_some_and(|choice| choice.settled) {
                    *choose_at = Some(now);
                } else {
                    choose_at.get_or_insert(now.after_ms(profile.collect_ms));
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
                self.state = after_ack(now, profile.model, choice, message);
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
                    choose_at: at @ Some(_),
                    offers,
                    refusals,
                    ..
                } => {
                    if let Some(choose_at) = *at
                        && now < choose_at
                    {
                        return Ok(Output::Wait(choose_at));
                    }
                    *at = None;
                    let Some(choice) = choose(model, &core::mem::take(offers)) else {
                        continue;
                    };
                    self.state = if model == Model::RaspberryPi3 {
                        State::Done(bound_by_offer(&choice))
                    } else {
                        State::Requesting {
                            due: now,
                            sent: 0,
                            choice,
                            refusals: *refusals,
                        }
                    };
                }
                State::Selecting {
                    due, sent, asked, ..
                } => {
                    if now < *due {
                        return Ok(Output::Wait(*due));
                    }
                    if *sent >= tries {
                        let discovers = *sent;
                        self.state = State::Failed(Failure::NoOffer { discovers });
                        continue;
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
        message.ciaddr = address;
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
            message.options.push(code, data);
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
        asked: now,
        choose_at: None,
        offers: Vec::new(),
        refusals,
    }
}

/// Doubles with each message sent, up to 16 times the first timeout (RFC 2131 section 4.1).
fn backoff(timeout_ms: u64, sent: u8) -> u64 {
    timeout_ms.saturating_mul(1 << sent.min(4))
}

/// What the ACK leads to: the end, or the boot server.
fn after_ack(now: Timestamp, model: Model, choice: &Choice, message: &MessageView<'_>) -> State {
    let server = choice.lease.server;
    let lease_time = message.read(key::LEASE_TIME).ok().flatten();
    let own = Offer::of(server, message);
    let mut bound = Bound {
        address: message.yiaddr(),
        server,
        next_server: own.file_server(model),
        file: own.file,
        boot_server: server,
        lease_time: lease_time.unwrap_or_default(),
        options: Message::from(message).options,
    };
    match &choice.boot {
        Source::Lease => State::Done(bound),
        Source::Proxy(proxy) => {
            bound.take(model, proxy);
            State::Done(bound)
        }
        Source::BootServer(server) => {
            bound.boot_server = *server;
            State::Asking {
                due: now,
                sent: 0,
                bound,
            }
        }
    }
}

/// What a machine has that sends no REQUEST.
fn bound_by_offer(choice: &Choice) -> Bound {
    let lease = &choice.lease;
    let mut bound = Bound {
        address: lease.address.unwrap_or(Ipv4Addr::UNSPECIFIED),
        server: lease.server,
        next_server: lease.next_server,
        file: lease.file.clone(),
        boot_server: lease.server,
        lease_time: Seconds::default(),
        options: Options::new(),
    };
    if let Source::Proxy(proxy) = &choice.boot {
        bound.take(Model::RaspberryPi3, proxy);
    }
    bound
}

impl Bound {
    /// Boots what a proxy names.
    fn take(&mut self, model: Model, proxy: &Offer) {
        self.boot_server = proxy.server;
        self.next_server = proxy.file_server(model);
        self.file.clone_from(&proxy.file);
    }
}

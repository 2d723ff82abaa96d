//! A client that gets an address and a boot file, as firmware does: for tests, and for simulated
//! machines.
//!
//! One loop drives it: [`Client::poll_output`] says what to send or until when to wait,
//! [`Client::handle_input`] takes what arrived. Time and transaction number are arguments. RFC 2131
//! section 4.4, from INIT to BOUND; it does not renew.

mod profile;

pub use profile::Profile;

use crate::value::{MessageType, key};
use crate::wire::{BOOTREPLY, EncodeError, Message, MessageView, Options};
use crate::{Seconds, Timestamp};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::net::{Ipv4Addr, SocketAddrV4};
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

/// A message to send, from 0.0.0.0 and the client's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The message.
    pub bytes: Bytes,
    /// Where it goes: always broadcast, since the client has no address.
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
    /// The boot file (option 67, else `file`), if one was named and is UTF-8.
    pub file: Option<String>,
    /// The lease's time.
    pub lease_time: Seconds,
    /// All options of the ACK.
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
}

#[derive(Clone, Debug)]
enum State {
    /// Looking for servers. Due at `due`; until then it collects.
    Selecting {
        due: Timestamp,
        sent: u8,
        /// When to stop collecting, once an offer came.
        choose_at: Option<Timestamp>,
        offers: Vec<Offer>,
        refusals: u8,
    },
    /// Waiting for the chosen server's ACK.
    Requesting {
        due: Timestamp,
        sent: u8,
        offer: Offer,
        refusals: u8,
    },
    Done(Bound),
    Failed(Failure),
}

#[derive(Clone, Debug)]
struct Offer {
    address: Ipv4Addr,
    server: Ipv4Addr,
    boots: bool,
}

impl Client {
    /// A client that begins at `now` with this transaction number.
    #[must_use]
    pub const fn new(now: Timestamp, profile: Profile, xid: u32) -> Self {
        Self {
            profile,
            xid,
            started: now,
            state: State::Selecting {
                due: now,
                sent: 0,
                choose_at: None,
                offers: Vec::new(),
                refusals: 0,
            },
        }
    }

    /// What the client was told about itself.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Takes a message that arrived on the client's port. What is not for this client, or not
    /// expected now, changes nothing.
    pub fn handle_input(&mut self, now: Timestamp, message: &MessageView<'_>) {
        let mine = message.op() == BOOTREPLY
            && message.xid() == self.xid
            && message.hardware() == self.profile.hardware;
        let server = message.read(key::SERVER_ID).ok().flatten();
        let (true, Some(server), Some(kind)) = (mine, server, message.message_type()) else {
            return;
        };
        match &mut self.state {
            State::Selecting {
                choose_at, offers, ..
            } if kind == MessageType::OFFER => {
                let address = message.yiaddr();
                if address.is_unspecified() || offers.len() >= MAX_OFFERS {
                    return;
                }
                offers.push(Offer {
                    address,
                    server,
                    boots: message.boot_file().is_some(),
                });
                choose_at.get_or_insert(now.after_ms(self.profile.collect_ms));
            }
            State::Requesting {
                offer,
                sent,
                refusals,
                ..
            } if offer.server == server && kind == MessageType::NAK => {
                let (requests, refusals) = (*sent, refusals.saturating_add(1));
                self.state = if refusals > self.profile.tries {
                    State::Failed(Failure::NoAck { requests, refusals })
                } else {
                    State::Selecting {
                        due: now.after_ms(self.profile.timeout_ms),
                        sent: 0,
                        choose_at: None,
                        offers: Vec::new(),
                        refusals,
                    }
                };
            }
            State::Requesting { offer, .. }
                if offer.server == server
                    && kind == MessageType::ACK
                    && message.yiaddr() == offer.address =>
            {
                self.state = State::Done(bound(server, message));
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
        loop {
            match &mut self.state {
                State::Done(bound) => return Ok(Output::Done(bound.clone())),
                State::Failed(failure) => return Ok(Output::Failed(*failure)),
                State::Selecting {
                    choose_at: Some(choose_at),
                    offers,
                    refusals,
                    ..
                } => {
                    if now < *choose_at {
                        return Ok(Output::Wait(*choose_at));
                    }
                    let refusals = *refusals;
                    let Some(offer) = choose(core::mem::take(offers)) else {
                        return Ok(Output::Wait(*choose_at));
                    };
                    self.state = State::Requesting {
                        due: now,
                        sent: 0,
                        offer,
                        refusals,
                    };
                }
                State::Selecting { due, sent, .. } => {
                    if now < *due {
                        return Ok(Output::Wait(*due));
                    }
                    if *sent >= self.profile.tries {
                        let discovers = *sent;
                        self.state = State::Failed(Failure::NoOffer { discovers });
                        continue;
                    }
                    *due = now.after_ms(backoff(self.profile.timeout_ms, *sent));
                    *sent += 1;
                    return self.transmit(now, MessageType::DISCOVER, None);
                }
                State::Requesting {
                    due,
                    sent,
                    offer,
                    refusals,
                } => {
                    if now < *due {
                        return Ok(Output::Wait(*due));
                    }
                    if *sent >= self.profile.tries {
                        let (requests, refusals) = (*sent, *refusals);
                        self.state = State::Failed(Failure::NoAck { requests, refusals });
                        continue;
                    }
                    *due = now.after_ms(backoff(self.profile.timeout_ms, *sent));
                    *sent += 1;
                    let offer = offer.clone();
                    return self.transmit(now, MessageType::REQUEST, Some(&offer));
                }
            }
        }
    }

    fn transmit(
        &self,
        now: Timestamp,
        kind: MessageType,
        offer: Option<&Offer>,
    ) -> Result<Output, EncodeError> {
        let mut message = Message::request(self.xid, self.profile.hardware);
        let seconds = now.millis_since(self.started) / 1_000;
        message.secs = u16::try_from(seconds).unwrap_or(u16::MAX);
        if self.profile.broadcast {
            message.flags = crate::wire::BROADCAST_FLAG;
        }
        let options = &mut message.options;
        options.put(key::MESSAGE_TYPE, &kind);
        if let Some(offer) = offer {
            options.put(key::REQUESTED_ADDRESS, &offer.address);
            options.put(key::SERVER_ID, &offer.server);
        }
        for (code, data) in self.profile.options.iter() {
            options.push(code, data);
        }
        let bytes = message.to_bytes()?;
        let destination = SocketAddrV4::new(Ipv4Addr::BROADCAST, self.profile.server_port);
        Ok(Output::Transmit(Transmit { bytes, destination }))
    }
}

/// The first offer with a boot file, else the first.
fn choose(mut offers: Vec<Offer>) -> Option<Offer> {
    let best = offers.iter().position(|offer| offer.boots).unwrap_or(0);
    (best < offers.len()).then(|| offers.swap_remove(best))
}

/// Doubles with each message sent, up to 16 times the first timeout (RFC 2131 section 4.1).
fn backoff(timeout_ms: u64, sent: u8) -> u64 {
    timeout_ms.saturating_mul(1 << sent.min(4))
}

fn bound(server: Ipv4Addr, message: &MessageView<'_>) -> Bound {
    let next_server = message.siaddr();
    let file = message.boot_file();
    let file = file.and_then(|file| core::str::from_utf8(&file).ok().map(String::from));
    let lease_time = message.read(key::LEASE_TIME).ok().flatten();
    Bound {
        address: message.yiaddr(),
        server,
        next_server: (!next_server.is_unspecified()).then_some(next_server),
        file,
        lease_time: lease_time.unwrap_or_default(),
        options: Message::from(message).options,
    }
}

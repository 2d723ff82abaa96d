//! What a client ends with: its address and what to boot, or why not.

use super::Model;
use super::offer::{Choice, Offer, Source};
use crate::Seconds;
use crate::value::key;
use crate::wire::{Message, MessageView, Options};
use alloc::string::String;
use core::net::Ipv4Addr;
use thiserror::Error;

/// What a client ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bound {
    /// Its address.
    pub address: Ipv4Addr,
    /// The server that gave it (option 54).
    pub server: Ipv4Addr,
    /// The server of the next step (`siaddr`), if one was named.
    pub next_server: Option<Ipv4Addr>,
    /// The boot file (option 67, else `file`), if one was named and is UTF-8. A Raspberry Pi goes
    /// by file names of its own.
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

impl Bound {
    /// What the chosen server's ACK gives; where a boot server is to be asked, the file is its to
    /// name.
    pub(super) fn by_ack(model: Model, choice: &Choice, message: &MessageView<'_>) -> Self {
        let server = choice.lease.server;
        let lease_time = message.read(key::LEASE_TIME).ok().flatten();
        let own = Offer::of(server, message);
        let mut bound = Self {
            address: message.yiaddr(),
            server,
            next_server: own.file_server(model),
            file: own.file,
            boot_server: server,
            lease_time: lease_time.unwrap_or_default(),
            options: Message::from(message).options,
        };
        match &choice.boot {
            Source::Lease => {}
            Source::Proxy(proxy) => bound.take(model, proxy),
            Source::BootServer(server) => bound.boot_server = *server,
        }
        bound
    }

    /// What a machine has that sends no REQUEST.
    pub(super) fn by_offer(choice: &Choice) -> Self {
        let lease = &choice.lease;
        let mut bound = Self {
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

    /// Boots what a proxy names.
    fn take(&mut self, model: Model, proxy: &Offer) {
        self.boot_server = proxy.server;
        self.next_server = proxy.file_server(model);
        self.file.clone_from(&proxy.file);
    }
}

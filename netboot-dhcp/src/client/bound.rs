//! What a client ends with: its address and what to boot, or why not.

use super::Model;
use super::offer::{Offer, Source};
use crate::Seconds;
use crate::wire::Options;
use alloc::string::String;
use core::net::Ipv4Addr;
use thiserror::Error;

/// What a client ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bound {
    /// Its address.
    pub address: Ipv4Addr,
    /// The server that gave it (option 54); 0.0.0.0 where the client had it before
    /// ([`Profile::address`](super::Profile::address)).
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
    /// All options of the ACK; of the offer for a machine that sends no REQUEST.
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
    /// What an ACK gives, or an offer that is all a client asks for, with what is to be booted by it;
    /// where a boot server is to be asked, the file is its to name.
    pub(super) fn by(model: Model, given: &Offer, boot: &Source) -> Self {
        let mut bound = Self {
            address: given.address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            server: given.server,
            next_server: given.file_server(model),
            file: given.file.clone(),
            boot_server: given.server,
            lease_time: given.lease_time,
            options: given.options.clone(),
        };
        match boot {
            Source::Lease => {}
            Source::Proxy(proxy) => {
                bound.boot_server = proxy.server;
                bound.next_server = proxy.file_server(model);
                bound.file.clone_from(&proxy.file);
            }
            Source::BootServer(server) => bound.boot_server = *server,
        }
        bound
    }
}

//! What the boot policy is asked, between the two steps of a message: who asks, and the answer.

use super::request::Request;
use super::{NetworkId, Requester, Transaction};
use crate::HardwareAddr;
use crate::wire::MessageView;
use core::net::{Ipv4Addr, SocketAddrV4};

/// A message that waits for the boot policy: [`Self::requester`] is who asks, and what it boots
/// goes to [`Server::answer`](super::Server::answer). To drop it is to fall silent.
///
/// Nothing is held meanwhile, so that the policy may take its time, and many may be open at once.
#[derive(Debug)]
pub struct Question(pub(super) Asked);

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) transaction: Transaction,
    pub(super) role: Role,
    pub(super) network: NetworkId,
    pub(super) server: Ipv4Addr,
}

/// As what this server answers a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// One to the DHCP server.
    Server,
    /// One to the DHCP server that is beside this proxy.
    Proxy,
    /// One to the boot server, from this address.
    BootServer(SocketAddrV4),
}

impl Question {
    /// Who asks; `message` is the one that [`Server::handle`](super::Server::handle) was given.
    #[must_use]
    pub fn requester<'a>(&'a self, message: MessageView<'a>) -> Requester<'a> {
        let Asked {
            request,
            transaction,
            network,
            server,
            ..
        } = &self.0;
        Requester {
            network: *network,
            server: *server,
            interface: transaction.interface,
            firmware: request.firmware,
            hardware: self.hardware(),
            relay: transaction.relay,
            transaction,
            trusts_agent: request.trusts_agent,
            message,
        }
    }

    /// The machine's hardware address.
    #[must_use]
    pub fn hardware(&self) -> HardwareAddr {
        self.0.request.path.hardware
    }

    /// The transaction, for a log line.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.0.transaction
    }
}

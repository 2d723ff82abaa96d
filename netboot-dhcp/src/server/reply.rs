//! Replies with all that a datagram needs besides its bytes.

use super::answer::Answer;
use super::request::Request;
use super::rules::{Responder, silent};
use super::{
    Boot, Destination, Firmware, NakReason, Outcome, Reply, Silence, SilenceReason, Transaction,
};
use crate::Seconds;
use crate::value::MessageType;
use bytes::Bytes;
use core::net::{Ipv4Addr, SocketAddrV4};

impl Responder<'_> {
    pub(super) const fn answer<'a>(&'a self, request: &'a Request, boot: &'a Boot) -> Answer<'a> {
        Answer {
            settings: self.settings,
            network: self.network,
            request,
            boot,
        }
    }

    /// An OFFER or ACK. Without `lease_time` it is the ACK to an INFORM.
    pub(super) fn accept(
        &self,
        kind: MessageType,
        request: &Request,
        transaction: Transaction,
        boot: &Boot,
        yiaddr: Ipv4Addr,
        lease_time: Option<Seconds>,
    ) -> Result<Reply, Silence> {
        let answer = self.answer(request, boot);
        let Ok(bytes) = answer.accept(kind, yiaddr, lease_time) else {
            return Err(Silence::new(SilenceReason::TooLong, transaction));
        };
        let mut reply = self.reply(kind, bytes, answer.destination(kind, yiaddr), transaction);
        reply.delay_ms = self.delay_ms(kind, request);
        Ok(reply)
    }

    /// A NAK.
    pub(super) fn refuse(
        &self,
        request: &Request,
        transaction: Transaction,
        reason: NakReason,
    ) -> Outcome {
        let boot = Boot::default();
        let answer = self.answer(request, &boot);
        let text = match reason {
            NakReason::WrongNetwork => "wrong network",
            NakReason::WrongAddress => "wrong address",
            NakReason::NotAvailable => "address not available",
        };
        let Ok(bytes) = answer.refuse(text) else {
            return silent(SilenceReason::TooLong, transaction);
        };
        let kind = MessageType::NAK;
        let destination = answer.destination(kind, Ipv4Addr::UNSPECIFIED);
        let mut nak = self.reply(kind, bytes, destination, transaction);
        nak.nak_reason = Some(reason);
        Outcome::Reply(nak)
    }

    /// A message from the servers' port, at once.
    pub(super) const fn reply(
        &self,
        kind: MessageType,
        bytes: Bytes,
        destination: Destination,
        transaction: Transaction,
    ) -> Reply {
        let source = SocketAddrV4::new(self.network.server, self.settings.server_port);
        Reply::new(transaction, kind, bytes, source, destination)
    }

    /// How long a reply waits for its firmware to listen.
    pub(super) fn delay_ms(&self, kind: MessageType, request: &Request) -> u32 {
        let deaf = matches!(request.firmware, Firmware::PxeClient | Firmware::HttpClient);
        if deaf && kind == MessageType::OFFER {
            self.network.offer_delay_ms
        } else {
            0
        }
    }
}

//! Proxy DHCP on port 67, and the boot server on port 4011: what to boot without an address.
//!
//! Beside a DHCP server that knows nothing of network boot, a proxy answers each boot firmware's
//! DISCOVER with an OFFER whose `yiaddr` is 0. BIOS ROMs, iPXE and UEFI's HTTP boot find all they
//! need in it; UEFI's PXE asks again on port 4011, when it has its address. All else on port 67 is
//! left to the DHCP server. Intel's PXE 2.1 specification, section 2.2.
//!
//! U-Boot is left to it too: it knows no proxy DHCP unless it is built for it
//! (`SERVERIP_FROM_PROXYDHCP`), and with lwIP it asks for the first offer, be its address 0.0.0.0.

use super::question::Role;
use super::request::Request;
use super::rules::{Responder, silent};
use super::{Boot, Destination, Firmware, Handled, Incoming, Outcome, SilenceReason, Transaction};
use crate::value::MessageType;
use core::net::{Ipv4Addr, SocketAddrV4};

impl Responder<'_> {
    /// A message on port 67 of a network with a DHCP server of its own.
    pub(super) fn proxy(&self, request: Request, mut transaction: Transaction) -> Handled {
        if request.kind != MessageType::DISCOVER {
            // Its address is worth to know, though not to answer.
            transaction.address = transaction.address.or(request.wanted);
            return silent(SilenceReason::Proxy, transaction).into();
        }
        if matches!(request.firmware, Firmware::UBoot | Firmware::Other) {
            return silent(SilenceReason::NothingToBoot, transaction).into();
        }
        self.ask(request, transaction, Role::Proxy)
    }

    pub(super) fn proxy_offer(
        &self,
        request: &Request,
        transaction: Transaction,
        boot: &Boot,
    ) -> Outcome {
        if boot.file.is_none() {
            return silent(SilenceReason::NothingToBoot, transaction);
        }
        let answer = self.answer(request, boot);
        let Ok(bytes) = answer.proxy_offer() else {
            return silent(SilenceReason::TooLong, transaction);
        };
        let kind = MessageType::OFFER;
        let destination = answer.destination(kind, Ipv4Addr::UNSPECIFIED);
        let mut offer = self.reply(kind, bytes, destination, transaction);
        offer.delay_ms = self.delay_ms(kind, request);
        Outcome::Reply(offer)
    }

    /// A message on port 4011.
    pub(super) fn boot_server(
        &self,
        request: Request,
        mut transaction: Transaction,
        incoming: &Incoming<'_>,
    ) -> Handled {
        let source = incoming.source;
        let has_address = !source.ip().is_unspecified();
        transaction.address = transaction.address.or(has_address.then_some(*source.ip()));
        if request.kind != MessageType::REQUEST {
            return silent(SilenceReason::NotServed, transaction).into();
        }
        // Some firmware still names its DHCP server; what it sends to our address is for us.
        let server = self.network.server;
        let to_us = incoming.destination.is_none_or(|to| to == server);
        if !to_us && request.is_for_another(self.network.server) {
            return silent(SilenceReason::OtherServer, transaction).into();
        }
        if !matches!(request.firmware, Firmware::PxeClient | Firmware::Ipxe) {
            return silent(SilenceReason::NothingToBoot, transaction).into();
        }
        self.ask(request, transaction, Role::BootServer(source))
    }

    pub(super) fn boot_server_ack(
        &self,
        request: &Request,
        transaction: Transaction,
        source: SocketAddrV4,
        boot: &Boot,
    ) -> Outcome {
        if boot.file.is_none() {
            return silent(SilenceReason::NothingToBoot, transaction);
        }
        let Ok(bytes) = self.answer(request, boot).boot_server_ack() else {
            return silent(SilenceReason::TooLong, transaction);
        };
        // Clients ask from port 68 or 4011, and listen where they ask from.
        let destination = if source.ip().is_unspecified() {
            Destination::Broadcast(SocketAddrV4::new(Ipv4Addr::BROADCAST, source.port()))
        } else {
            Destination::Client(source)
        };
        let mut ack = self.reply(MessageType::ACK, bytes, destination, transaction);
        ack.source_port = self.settings.boot_server_port;
        Outcome::Reply(ack)
    }
}

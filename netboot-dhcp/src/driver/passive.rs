//! What is learned by the way of other servers: that they are there, and what they give to whom.

use std::net::Ipv4Addr;

use super::clock::uptime;
use super::event::Event;
use super::listener::is_own;
use super::policy::BootPolicy;
use super::rogue::Heard;
use super::serving::{Asked, Serving};
use super::store::LeaseStore;
use crate::MacAddr;
use crate::server::{Firmware, Mode, Outcome, SilenceReason};
use crate::value::{MessageType, key};
use crate::wire::MessageView;

impl<P: BootPolicy, S: LeaseStore> Serving<P, S> {
    /// What a message that is not for this server says of others.
    pub(super) fn overhear(&mut self, asked: Asked, message: &MessageView<'_>, outcome: &Outcome) {
        let Outcome::Silent(silence) = outcome else {
            return;
        };
        let of = &silence.transaction;
        match (asked, silence.reason) {
            (Asked::Server, SilenceReason::Proxy) => {
                let is_ipxe = Firmware::of::<&str>(message, &[]) == Firmware::Ipxe;
                if of.request == MessageType::REQUEST && is_ipxe && of.relay.is_none() {
                    self.say_no_router(of.hardware.mac());
                }
            }
            (Asked::Server, SilenceReason::OtherServer) => {
                if let Ok(Some(server)) = message.read(key::SERVER_ID) {
                    self.report_rogue(server, message.hardware().mac());
                }
            }
            _ => {}
        }
    }

    /// What another server said.
    pub(super) fn heard(&mut self, heard: Heard) {
        let server = self.driver.server.lock();
        if is_own(&server, heard.server) {
            return;
        }
        let network = self.listener.network(&server);
        let proxy = network.is_some_and(|network| network.mode == Mode::Proxy);
        drop(server);
        if !proxy {
            self.report_rogue(heard.server, heard.machine);
        } else if let Some(machine) = heard.machine {
            self.observe(&Event::Overheard {
                server: heard.server,
                kind: heard.kind,
                address: heard.address,
                machine,
            });
        }
    }

    fn report_rogue(&mut self, server: Ipv4Addr, machine: Option<MacAddr>) {
        if self.rogue_servers.is_news(server, uptime()) {
            self.observe(&Event::OtherServer { server, machine });
        }
    }
}

//! What is learned by the way: who has an address that this server did not give, and which other server
//! gives them.

use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::{Firmware, Mode, Outcome, SilenceReason};
use netboot_dhcp::value::{MessageType, key};
use netboot_dhcp::wire::MessageView;

use super::{Asked, Driver, uptime};
use crate::dhcp::listener::is_own;
use crate::dhcp::report;
use crate::dhcp::rogue::Heard;

impl Driver {
    /// What a message to this server says of others.
    pub(super) fn snoop(&mut self, asked: Asked, message: &MessageView<'_>, outcome: &Outcome) {
        let reason = match outcome {
            Outcome::Silent(silence) => Some(silence.reason),
            _ => None,
        };
        if asked == Asked::BootServer || reason == Some(SilenceReason::Proxy) {
            let of = outcome.transaction();
            if let (MessageType::REQUEST, Some(machine)) = (of.request, of.hardware.mac()) {
                self.dhcp.0.identity.requests(machine);
                let is_ipxe = Firmware::of::<&str>(message, &[]) == Firmware::Ipxe;
                if asked == Asked::Server && is_ipxe && of.relay.is_none() {
                    self.say_no_router(Some(machine));
                }
            }
            if let (Some(address), Some(machine)) = (of.address, of.hardware.mac()) {
                self.dhcp.0.identity.snooped().note(address, machine);
            }
        }
        if asked == Asked::Server
            && reason == Some(SilenceReason::OtherServer)
            && let Ok(Some(server)) = message.read(key::SERVER_ID)
        {
            self.report_rogue(server, message.hardware().mac());
        }
    }

    /// What another server said.
    pub(super) fn heard(&mut self, heard: Heard) {
        let dhcp = self.dhcp.0.leases.lock();
        if is_own(&dhcp, heard.server) {
            return;
        }
        let network = self.listener.network(&dhcp);
        let proxy = network.is_some_and(|network| network.mode == Mode::Proxy);
        drop(dhcp);
        if !proxy {
            self.report_rogue(heard.server, heard.machine);
        } else if let (MessageType::ACK, Some(machine)) = (heard.kind, heard.machine)
            && !heard.address.is_unspecified()
        {
            let snooped = self.dhcp.0.identity.snooped();
            snooped.note(heard.address, machine);
        }
    }

    fn report_rogue(&mut self, server: Ipv4Addr, machine: Option<MacAddr>) {
        if self.rogue_servers.is_news(server, uptime()) {
            report::rogue_server(
                &self.dhcp.0.telemetry,
                &self.listener.interface,
                server,
                machine,
            );
        }
    }
}

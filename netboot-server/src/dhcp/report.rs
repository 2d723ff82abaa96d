//! What DHCP's driver reports: the event stream, metrics, and what is learned of machines.

use std::sync::Arc;

use netboot_dhcp::MacAddr;
use netboot_dhcp::driver::{Event, Trouble};
use netboot_dhcp::server::{SilenceReason, Transaction};
use netboot_dhcp::value::MessageType;

use super::pools::Pools;
use super::unlisted::UnlistedRelays;
use crate::identity::Identity;
use crate::leases::LeaseTable;
use crate::telemetry::Telemetry;
use crate::telemetry::events::{Kind, Stage, Unanswered};
use crate::world::Worlds;

/// Takes the driver's events to where they belong.
#[derive(Debug)]
pub(super) struct Reporter {
    leases: LeaseTable,
    worlds: Arc<Worlds>,
    identity: Identity,
    telemetry: Telemetry,
    pools: Pools,
    unlisted: UnlistedRelays,
}

impl Reporter {
    pub(super) fn new(
        leases: LeaseTable,
        worlds: Arc<Worlds>,
        identity: Identity,
        telemetry: Telemetry,
        unlisted: UnlistedRelays,
    ) -> Self {
        Self {
            leases,
            worlds,
            identity,
            telemetry,
            pools: Pools::default(),
            unlisted,
        }
    }

    pub(super) fn report(&self, interface: &str, event: &Event<'_>) {
        let on = || interface.to_owned();
        match *event {
            Event::Received {
                transaction,
                firmware,
                boot_server,
            } => {
                if firmware.is_none() {
                    self.received(interface, transaction);
                }
                if boot_server {
                    self.snoop(transaction);
                }
            }
            Event::Malformed { error, .. } => {
                self.telemetry.malformed("DHCP", || error.to_string());
            }
            Event::Silent { silence } => {
                let of = &silence.transaction;
                if silence.reason == SilenceReason::Proxy {
                    self.snoop(of);
                }
                match silence.reason {
                    // Reported once, not for each of its messages.
                    SilenceReason::UnlistedRelay => self.unlisted(interface, of),
                    SilenceReason::IdentityInUse => {
                        let why = self.identity_in_use(of);
                        self.ignored(interface, of, of.request, Unanswered::IdentityInUse, why);
                    }
                    reason if reason.is_fault() => {
                        let why = reason.to_string();
                        self.ignored(interface, of, of.request, unanswered(reason), why);
                    }
                    _ => tracing::debug!("{}", event.line(interface)),
                }
            }
            Event::PolicyFailed {
                transaction,
                failure,
            } => {
                let why = failure.to_string();
                let message = transaction.request;
                self.ignored(interface, transaction, message, Unanswered::Other, why);
            }
            Event::Answered { reply, boot_file } => {
                let of = &reply.transaction;
                let answered = Kind::Dhcp {
                    message: reply.kind,
                    interface: on(),
                    address: of.address,
                    host_name: of.host_name.clone(),
                    boot_file: boot_file.map(str::to_owned),
                    server: Some(reply.source),
                    arch: None,
                    uuid: None,
                    refusal: reply.nak_reason.map(|reason| reason.to_string()),
                    stage: Stage::Server,
                };
                self.emit(of.hardware.mac(), answered);
                if let Some(address) = reply.ended {
                    let ended = Kind::LeaseEnded {
                        interface: on(),
                        address,
                        instead: reply.lease.as_ref().map(|lease| lease.address),
                    };
                    self.emit(of.hardware.mac(), ended);
                }
            }
            Event::Sent { reply, took } => self.telemetry.metrics().dhcp_replied(reply.kind, took),
            Event::Unsent { reply, error } => {
                let why = format!("it cannot be sent: {error}");
                let (of, message) = (&reply.transaction, reply.kind);
                self.ignored(interface, of, message, Unanswered::Unsent, why);
            }
            Event::Claimed { stored, .. } => {
                let world = self.worlds.last();
                for filled in self.pools.look(&self.leases, &world, stored) {
                    self.emit(None, filled);
                }
            }
            Event::AddressInUse { address } => {
                let interface = on();
                self.emit(None, Kind::AddressInUse { interface, address });
            }
            Event::OtherServer { server, machine } => {
                let interface = on();
                self.emit(machine, Kind::OtherServer { interface, server });
            }
            Event::Overheard {
                kind,
                address,
                machine,
                ..
            } => {
                if kind == MessageType::ACK && !address.is_unspecified() {
                    self.identity.snooped().note(address, machine);
                }
            }
            // They fail with the frames, for the same reason.
            Event::Trouble {
                what:
                    Trouble::Probes
                    | Trouble::OtherServers
                    | Trouble::RouterAdvertisements
                    | Trouble::Senders,
                ..
            } => tracing::debug!("{}", event.line(interface)),
            Event::Trouble { what, .. } if what.is_lasting() => {
                tracing::warn!("{}", event.line(interface));
            }
            _ => tracing::debug!("{}", event.line(interface)),
        }
    }

    /// A message that the boot policy has no part in; the others it reports by their machines'
    /// names.
    fn received(&self, interface: &str, of: &Transaction) {
        let received = Kind::Dhcp {
            message: of.request,
            interface: interface.to_owned(),
            address: of.address,
            host_name: of.host_name.clone(),
            boot_file: None,
            server: None,
            arch: None,
            uuid: None,
            refusal: None,
            stage: Stage::System,
        };
        self.emit(of.hardware.mac(), received);
    }

    fn unlisted(&self, interface: &str, of: &Transaction) {
        if self.unlisted.is_news(of.interface, of.relay) {
            let unlisted = Kind::RelayNotListed {
                interface: interface.to_owned(),
                relay: of.relay,
                network: None,
            };
            self.emit(of.hardware.mac(), unlisted);
        }
    }

    /// Who is the machine that another one says that it is, and what to do where that is wrong.
    fn identity_in_use(&self, of: &Transaction) -> String {
        let leases = self.leases.lock();
        let lease = of.address.and_then(|address| leases.lease(address));
        let now = self.leases.now();
        let lease = lease.filter(|lease| lease.is_active(now));
        let Some(lease) = lease else {
            return SilenceReason::IdentityInUse.to_string();
        };
        let (address, client) = (lease.address, &lease.client);
        let target = lease.claimed_identity.as_deref().unwrap_or_default();
        format!(
            "{client} has {address} as target {target}; name the target's mac, or end that lease \
             by `netboot leases remove {address}`"
        )
    }

    fn ignored(
        &self,
        interface: &str,
        of: &Transaction,
        message: MessageType,
        reason: Unanswered,
        why: String,
    ) {
        let ignored = Kind::DhcpIgnored {
            message,
            interface: interface.to_owned(),
            reason,
            why,
        };
        self.emit(of.hardware.mac(), ignored);
    }

    /// Learns who has which address from what a machine says to another server, or to a boot
    /// server.
    fn snoop(&self, of: &Transaction) {
        let Some(machine) = of.hardware.mac() else {
            return;
        };
        if of.request == MessageType::REQUEST {
            self.identity.requests(machine);
        }
        if let Some(address) = of.address {
            self.identity.snooped().note(address, machine);
        }
    }

    fn emit(&self, machine: Option<MacAddr>, kind: Kind) {
        self.telemetry.emit(machine, kind);
    }
}

fn unanswered(reason: SilenceReason) -> Unanswered {
    match reason {
        SilenceReason::NoNetwork => Unanswered::NoNetwork,
        SilenceReason::NoAddress => Unanswered::NoAddress,
        SilenceReason::StoreDown => Unanswered::StoreDown,
        SilenceReason::IdentityInUse => Unanswered::IdentityInUse,
        _ => Unanswered::Other,
    }
}

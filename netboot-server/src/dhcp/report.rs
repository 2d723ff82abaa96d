//! DHCP's steps in the event stream.

use std::io;
use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::{Outcome, Reply, Silence};

use crate::telemetry::Telemetry;
use crate::telemetry::events::{Kind, Stage};

/// A message came in.
pub(super) fn request(telemetry: &Telemetry, interface: &str, outcome: &Outcome, stage: Stage) {
    let of = outcome.transaction();
    telemetry.emit(
        of.hardware.mac(),
        Kind::Dhcp {
            message: of.request,
            interface: interface.to_owned(),
            address: of.address,
            host_name: of.host_name.clone(),
            boot_file: None,
            refusal: None,
            stage,
        },
    );
}

/// A reply goes out.
pub(super) fn reply(
    telemetry: &Telemetry,
    interface: &str,
    reply: &Reply,
    boot_file: Option<String>,
) {
    let of = &reply.transaction;
    telemetry.emit(
        of.hardware.mac(),
        Kind::Dhcp {
            message: reply.kind,
            interface: interface.to_owned(),
            address: of.address,
            host_name: of.host_name.clone(),
            boot_file,
            refusal: reply.refusal.map(|refusal| refusal.to_string()),
            stage: Stage::Server,
        },
    );
}

/// A reply of which that was told could not be sent.
pub(super) fn unsent(telemetry: &Telemetry, interface: &str, reply: &Reply, error: &io::Error) {
    telemetry.emit(
        reply.transaction.hardware.mac(),
        Kind::DhcpIgnored {
            message: reply.kind,
            interface: interface.to_owned(),
            why: format!("it cannot be sent: {error}"),
        },
    );
}

/// There is no answer.
pub(super) fn silence(telemetry: &Telemetry, interface: &str, silence: &Silence) {
    if !silence.reason.is_fault() {
        tracing::debug!("{}", silence.line(interface));
        return;
    }
    telemetry.emit(
        silence.transaction.hardware.mac(),
        Kind::DhcpIgnored {
            message: silence.transaction.request,
            interface: interface.to_owned(),
            why: silence.reason.to_string(),
        },
    );
}

/// Another server gives addresses on the same network.
pub(super) fn rogue_server(
    telemetry: &Telemetry,
    interface: &str,
    server: Ipv4Addr,
    machine: Option<MacAddr>,
) {
    let interface = interface.to_owned();
    telemetry.emit(machine, Kind::OtherServer { interface, server });
}

/// An address of a range answered a probe.
pub(super) fn in_use(telemetry: &Telemetry, interface: &str, address: Ipv4Addr) {
    let interface = interface.to_owned();
    telemetry.emit(None, Kind::AddressInUse { interface, address });
}

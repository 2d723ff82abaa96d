//! DHCP on one interface: what the DHCP logic needs of the world.
//!
//! Datagrams are taken in batches. The leases of a batch are claimed with one flush to the disk,
//! and only then do its ACKs leave.

mod boot;
mod settings;
mod socket;

use std::net::Ipv4Addr;
use std::sync::Arc;

use netboot_dhcp::server::{
    ClientKey, Effect, EffectResult, Firmware, Incoming, Outcome, Pending, Reply, Server, Silence,
    Transaction,
};
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::events::{Kind, Stage};
use crate::service::Shared;

pub(crate) use settings::{Interfaces, new_server, reconfigure};
pub(crate) use socket::Socket;
use socket::{Datagram, LOOK};

/// Serves an interface until told to stop, or until it is gone.
pub(crate) async fn serve(socket: Socket, shared: Arc<Shared>, stop: CancellationToken) {
    let mut gone = std::pin::pin!(socket.gone());
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            () = &mut gone => return,
            received = socket.receive() => received,
        };
        match received {
            Ok(batch) => answer(&socket, &shared, batch).await,
            Err(error) => {
                tracing::warn!("DHCP on {}: {error}", socket.interface);
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// A message on its way through the logic.
struct Turn {
    boot_file: Option<String>,
    stage: Stage,
}

/// Answers a batch: what needs no store at once, the rest when its leases are on disk.
async fn answer(socket: &Socket, shared: &Arc<Shared>, batch: Vec<Datagram>) {
    let mut waiting = Vec::new();
    // Taken once for all of them, and not while the DHCP logic is held.
    let world = shared.world_for_dhcp();
    for datagram in batch {
        let message = match MessageView::parse(&datagram.bytes) {
            Ok(message) => message,
            Err(error) => {
                shared.malformed.count("DHCP", || error.to_string());
                continue;
            }
        };
        let incoming = Incoming {
            message,
            source: datagram.source,
            destination: datagram.destination,
            interface: socket.number,
        };
        let mut boot_file = None;
        let mut stage = Stage::System;
        let outcome = shared.dhcp().handle(now(), &incoming, &mut |requester| {
            stage = match requester.firmware {
                Firmware::PxeClient | Firmware::HttpClient => Stage::Firmware,
                Firmware::Ipxe => Stage::Ipxe,
                _ => Stage::System,
            };
            let boot = boot::decide(shared, &world, requester);
            boot_file.clone_from(&boot.file);
            boot
        });
        let turn = Turn { boot_file, stage };
        tell_request(shared, socket, transaction(&outcome), stage);
        waiting.extend(go_on(socket, shared, turn, outcome).await);
    }
    while !waiting.is_empty() {
        let (turns, effects): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .map(|(turn, effect, pending)| ((turn, pending), effect))
            .unzip();
        let store = shared.leases.clone();
        let results = tokio::task::spawn_blocking(move || store.claim(&effects)).await;
        let results = results.unwrap_or_default();
        let results = results
            .into_iter()
            .chain(std::iter::repeat(EffectResult::Down));
        waiting = Vec::new();
        for ((turn, pending), result) in turns.into_iter().zip(results) {
            let outcome = shared.dhcp().resume(now(), pending, result);
            waiting.extend(go_on(socket, shared, turn, outcome).await);
        }
    }
}

/// Sends or tells what has come of a message; gives back what still needs something.
async fn go_on(
    socket: &Socket,
    shared: &Shared,
    turn: Turn,
    outcome: Outcome,
) -> Option<(Turn, Effect, Pending)> {
    match outcome {
        Outcome::Needs(effect, pending) => return Some((turn, effect, pending)),
        Outcome::Reply(reply) => {
            if let Err(error) = socket.send(&reply).await {
                shared.emit(
                    reply.transaction.hardware.mac(),
                    Kind::DhcpIgnored {
                        message: reply.kind.to_string(),
                        interface: socket.interface.clone(),
                        why: format!("it cannot be sent: {error}"),
                    },
                );
                return None;
            }
            if turn.stage == Stage::Ipxe && reply.lease.is_some() {
                say_no_router(socket, &reply);
            }
            tell_reply(shared, socket, &reply, turn.boot_file);
        }
        Outcome::Silent(silence) => tell_silence(shared, socket, &silence),
    }
    None
}

fn say_no_router(socket: &Socket, reply: &Reply) {
    let machine = reply.transaction.hardware.mac();
    let direct = reply.transaction.relay.is_none();
    if let (Some(no_router), Some(machine), true) = (&socket.no_router, machine, direct)
        && let Err(error) = no_router.tell(machine)
    {
        tracing::debug!("{machine} will wait for an IPv6 router: {error}");
    }
}

fn transaction(outcome: &Outcome) -> &Transaction {
    match outcome {
        Outcome::Reply(reply) => &reply.transaction,
        Outcome::Silent(silence) => &silence.transaction,
        Outcome::Needs(_, pending) => pending.transaction(),
    }
}

fn tell_request(shared: &Shared, socket: &Socket, transaction: &Transaction, stage: Stage) {
    shared.emit(
        transaction.hardware.mac(),
        Kind::Dhcp {
            message: transaction.request.to_string(),
            interface: socket.interface.clone(),
            address: transaction.address,
            host_name: transaction.host_name.clone(),
            boot_file: None,
            refusal: None,
            stage,
        },
    );
}

fn tell_reply(shared: &Shared, socket: &Socket, reply: &Reply, boot_file: Option<String>) {
    shared.emit(
        reply.transaction.hardware.mac(),
        Kind::Dhcp {
            message: reply.kind.to_string(),
            interface: socket.interface.clone(),
            address: reply.transaction.address,
            host_name: reply.transaction.host_name.clone(),
            boot_file,
            refusal: reply.refusal.map(|refusal| refusal.to_string()),
            stage: Stage::Server,
        },
    );
}

fn tell_silence(shared: &Shared, socket: &Socket, silence: &Silence) {
    if !silence.reason.is_fault() {
        tracing::debug!("{}", silence.line(&socket.interface));
        return;
    }
    shared.emit(
        silence.transaction.hardware.mac(),
        Kind::DhcpIgnored {
            message: silence.transaction.request.to_string(),
            interface: socket.interface.clone(),
            why: silence.reason.to_string(),
        },
    );
}

/// The machine that holds an address's lease now.
pub(crate) fn holder(server: &Server, address: Ipv4Addr) -> Option<MacAddr> {
    let lease = server.lease(address)?;
    match &lease.client {
        ClientKey::Hardware(hardware) if lease.is_active(now()) => hardware.mac(),
        _ => None,
    }
}

/// The host's clock, as the DHCP logic takes it.
fn now() -> Timestamp {
    let millis = jiff::Timestamp::now().as_millisecond();
    Timestamp(u64::try_from(millis).unwrap_or_default())
}

//! DHCP on one interface: what the DHCP logic needs of the world.
//!
//! Datagrams are taken in batches. Their leases go to the store together, and while it flushes them
//! the next messages are read and answered; an ACK leaves when its lease is on disk. Addresses are
//! probed and slow firmware's replies held back meanwhile, too. Nothing waits but what has to.

mod passive;
mod probing;

use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::{
    Effect, EffectResult, Firmware, Handled, Incoming, Outcome, Pending, Reply,
};
use netboot_dhcp::wire::MessageView;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

use self::probing::Probing;
use super::Dhcp;
use super::listener::Listener;
use super::probe::Probes;
use super::rogue::{Heard, RogueServers};
use super::socket::{Buffer, Datagram};
use super::{boot, report};
use crate::dhcp::links::Changes;
use crate::telemetry::events::Stage;
use crate::world::World;

/// Claims that are with the store at a time. Beyond it nothing is read; the system holds what comes,
/// and drops what it cannot hold.
const MOST_CLAIMS: usize = 4096;
/// Replies that are held back at a time. Beyond it they leave at once.
const MOST_DELAYED: usize = 1024;
/// The pause behind a socket's error.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves an interface until told to stop, or until it is gone.
pub(crate) async fn serve(mut listener: Listener, dhcp: Dhcp, stop: CancellationToken) {
    let changes = Changes::open();
    if let Err(error) = &changes {
        let interface = &listener.interface;
        tracing::warn!("DHCP on {interface}: changes of it are not followed: {error}");
    }
    let (store, stored) = unbounded_channel();
    let mut driver = Driver {
        probes: listener.probes.take(),
        listener,
        dhcp,
        changes: changes.ok(),
        claims: Vec::new(),
        claimed: 0,
        store,
        stored,
        probing: HashMap::new(),
        due: DelayQueue::new(),
        out: Vec::new(),
        rogue_servers: RogueServers::default(),
    };
    let mut buffer = Buffer::new();
    if !driver.is_there() {
        return;
    }
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = driver.next() => event,
        };
        match event {
            Event::Changed if !driver.is_there() => return,
            Event::Changed => {}
            Event::Asked(Asked::Server, Ok(())) => {
                let batch = driver.listener.servers.receive(&mut buffer);
                driver.answer(Asked::Server, batch).await;
            }
            Event::Asked(Asked::BootServer, Ok(())) => {
                let port = driver.listener.boot_servers.as_ref();
                let batch =
                    port.map_or_else(|| Ok(Vec::new()), |(_, port)| port.receive(&mut buffer));
                driver.answer(Asked::BootServer, batch).await;
            }
            Event::Asked(_, Err(error)) => driver.rest(&error).await,
            Event::Stored(done) => driver.store_done(done),
            Event::InUse(address) => driver.probe_done(address, &EffectResult::InUse),
            Event::Due(Due::Unanswered(address)) => {
                driver.probe_done(address, &EffectResult::Free);
            }
            Event::Due(Due::Send(held)) => driver.out.push(*held),
            Event::Heard(heard) => driver.heard(heard),
        }
        driver.claim();
        driver.flush().await;
    }
}

/// A message on its way through the logic.
#[derive(Debug)]
pub(super) struct Turn {
    began: Instant,
    pub(super) boot_file: Option<String>,
    pub(super) stage: Stage,
}

type Waiting = (Turn, Pending);

/// Which port a message came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Server,
    BootServer,
}

enum Event {
    Changed,
    Asked(Asked, io::Result<()>),
    Stored(Stored),
    InUse(Ipv4Addr),
    Due(Due),
    Heard(Heard),
}

/// What a moment was waited for.
#[derive(Debug)]
enum Due {
    Unanswered(Ipv4Addr),
    Send(Box<(Reply, Turn)>),
}

struct Stored {
    turns: Vec<Waiting>,
    results: Vec<EffectResult>,
}

struct Driver {
    listener: Listener,
    dhcp: Dhcp,
    changes: Option<Changes>,
    probes: Option<Probes>,
    /// Claims of this batch.
    claims: Vec<(Turn, Effect, Pending)>,
    /// How many are with the store.
    claimed: usize,
    store: UnboundedSender<Stored>,
    stored: UnboundedReceiver<Stored>,
    probing: HashMap<Ipv4Addr, Probing>,
    due: DelayQueue<Due>,
    /// Replies of this batch.
    out: Vec<(Reply, Turn)>,
    rogue_servers: RogueServers,
}

impl Driver {
    fn is_there(&self) -> bool {
        self.listener.is_there(&self.dhcp.0.leases.lock())
    }

    /// Waits for whatever comes first. Cancel-safe.
    async fn next(&mut self) -> Event {
        let Self {
            listener,
            changes,
            probes,
            stored,
            due,
            ..
        } = self;
        let boot_servers = async {
            match &listener.boot_servers {
                Some((_, port)) => port.readable().await,
                None => pending().await,
            }
        };
        let in_use = async {
            match probes {
                Some(probes) => probes.answer().await,
                None => pending().await,
            }
        };
        let heard = async {
            match &listener.sniffer {
                Some(sniffer) => sniffer.hear().await,
                None => pending().await,
            }
        };
        let changed = async {
            match changes {
                Some(changes) => changes.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            // `self` holds a sender, so that there is always another.
            Some(done) = stored.recv() => Event::Stored(done),
            Some(due) = poll_fn(|context| due.poll_expired(context)), if !due.is_empty() => {
                Event::Due(due.into_inner())
            }
            ready = listener.servers.readable(), if self.claimed < MOST_CLAIMS => {
                Event::Asked(Asked::Server, ready)
            }
            ready = boot_servers => Event::Asked(Asked::BootServer, ready),
            address = in_use => Event::InUse(address),
            heard = heard => Event::Heard(heard),
            () = changed => Event::Changed,
        }
    }

    /// Takes a batch of messages through the logic, as far as each gets without the world.
    async fn answer(&mut self, asked: Asked, batch: io::Result<Vec<Datagram<'_>>>) {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return self.rest(&error).await,
        };
        // Taken once for all of them, and not while the DHCP logic is held.
        let world = self.dhcp.world();
        let began = uptime();
        for datagram in batch {
            match MessageView::decode(datagram.bytes) {
                Ok(message) => self.handle(asked, &world, began, &datagram, message),
                Err(error) => {
                    let telemetry = &self.dhcp.0.telemetry;
                    telemetry.malformed("DHCP", || error.to_string());
                }
            }
        }
    }

    fn handle(
        &mut self,
        asked: Asked,
        world: &World,
        began: Instant,
        datagram: &Datagram<'_>,
        message: MessageView<'_>,
    ) {
        let incoming = Incoming::new(message, datagram.source, self.listener.number)
            .sent_to(datagram.destination);
        let parts = &self.dhcp.0;
        let now = parts.leases.now();
        let handled = match asked {
            Asked::Server => parts.leases.lock().handle(now, &incoming),
            Asked::BootServer => parts.leases.lock().handle_boot_server(now, &incoming),
        };
        let mut turn = Turn {
            began,
            boot_file: None,
            stage: Stage::System,
        };
        let mut events = Vec::new();
        let outcome = match handled {
            Handled::Asks(question) => {
                let requester = question.requester(message);
                turn.stage = match requester.firmware {
                    Firmware::PxeClient | Firmware::HttpClient | Firmware::UBoot => Stage::Firmware,
                    Firmware::Ipxe => Stage::Ipxe,
                    _ => Stage::System,
                };
                let boot;
                (boot, events) = boot::decide(&parts.identity, world, &requester);
                turn.boot_file.clone_from(&boot.file);
                parts.leases.lock().answer(now, question, boot)
            }
            Handled::Done(outcome) => outcome,
        };
        let interface = &self.listener.interface;
        report::request(&parts.telemetry, interface, &outcome, turn.stage);
        for event in events {
            parts.telemetry.emit(message.hardware().mac(), event);
        }
        self.snoop(asked, &message, &outcome);
        self.go_on(turn, outcome);
    }

    /// Brings what has come of a message on its way.
    fn go_on(&mut self, turn: Turn, mut outcome: Outcome) {
        loop {
            match outcome {
                Outcome::Needs(Effect::Probe(address), pending) => {
                    let Some(known) = self.known(address) else {
                        self.wait_for_probe(address, turn, pending);
                        return;
                    };
                    outcome = self.resume(pending, known);
                }
                Outcome::Needs(claim, pending) => {
                    self.claims.push((turn, claim, pending));
                    return;
                }
                Outcome::Reply(reply) => {
                    self.reply(reply, turn);
                    return;
                }
                Outcome::Silent(silence) => {
                    report::silence(&self.dhcp.0.telemetry, &self.listener.interface, &silence);
                    return;
                }
            }
        }
    }

    fn resume(&self, pending: Pending, result: EffectResult) -> Outcome {
        let now = self.dhcp.0.leases.now();
        self.dhcp.0.leases.lock().resume(now, pending, result)
    }

    /// Hands the claims of this batch to the store.
    fn claim(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let mut turns = Vec::with_capacity(self.claims.len());
        let mut claims = Vec::with_capacity(self.claims.len());
        for (turn, claim, pending) in self.claims.drain(..) {
            turns.push((turn, pending));
            claims.push(claim);
        }
        self.claimed += claims.len();
        let store = self.store.clone();
        self.dhcp.0.store.claim(claims, move |results| {
            // Nobody waits where the interface is served no more.
            let _ = store.send(Stored { turns, results });
        });
    }

    fn store_done(&mut self, done: Stored) {
        self.claimed = self.claimed.saturating_sub(done.turns.len());
        let stored = done.results.len();
        for ((turn, pending), result) in done.turns.into_iter().zip(done.results) {
            let outcome = self.resume(pending, result);
            self.go_on(turn, outcome);
        }
        self.dhcp.0.pools.look(&self.dhcp.0, stored);
    }

    fn reply(&mut self, reply: Reply, turn: Turn) {
        if reply.delay_ms > 0 && self.due.len() < MOST_DELAYED {
            let wait = Duration::from_millis(reply.delay_ms.into());
            self.due.insert(Due::Send(Box::new((reply, turn))), wait);
        } else {
            self.out.push((reply, turn));
        }
    }

    /// Tells of the replies of this batch, and sends them: a machine may go on before this does, and what it
    /// does next is told behind its reply.
    async fn flush(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let mut out = std::mem::take(&mut self.out);
        let (telemetry, interface) = (&self.dhcp.0.telemetry, &self.listener.interface);
        for (reply, turn) in &mut out {
            report::reply(telemetry, interface, reply, turn.boot_file.take());
        }
        let replies: Vec<&Reply> = out.iter().map(|(reply, _)| reply).collect();
        let failed = self.listener.send(&replies).await;
        for (at, (reply, turn)) in out.iter().enumerate() {
            if let Some((_, error)) = failed.iter().find(|(failed, _)| *failed == at) {
                report::unsent(telemetry, interface, reply, error);
                continue;
            }
            let of = &reply.transaction;
            if turn.stage == Stage::Ipxe && reply.lease.is_some() && of.relay.is_none() {
                self.say_no_router(of.hardware.mac());
            }
            let took = turn.began.elapsed();
            telemetry.metrics().dhcp_replied(reply.kind, took);
        }
    }

    /// Tells an iPXE on this link that has its address, or is about to, not to wait for IPv6.
    fn say_no_router(&self, machine: Option<MacAddr>) {
        if let (Some(no_router), Some(machine)) = (&self.listener.no_router, machine)
            && let Err(error) = no_router.tell(machine)
        {
            tracing::debug!("{machine} will wait for an IPv6 router: {error}");
        }
    }

    async fn rest(&self, error: &io::Error) {
        tracing::warn!("DHCP on {}: {error}", self.listener.interface);
        tokio::time::sleep(PAUSE).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver, in real time")]
fn uptime() -> Instant {
    Instant::now()
}

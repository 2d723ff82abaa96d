//! One interface: from a datagram to the reply, with what the logic needs of the world.

use std::collections::HashMap;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::iter::repeat;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::task::coop::consume_budget;
use tokio::time::timeout;
use tokio_util::time::DelayQueue;

use super::asking::{Answered, Asking, Failed};
use super::caught::Caught;
use super::clock::uptime;
use super::event::{Event, Trouble};
use super::frame::Senders;
use super::listener::Listener;
use super::policy::BootPolicy;
use super::port::{Buffer, Datagram};
use super::probe::Probes;
use super::probing::Probing;
use super::rogue::{Heard, RogueServers};
use super::store::LeaseStore;
use super::{Driver, LinkChanges};
use crate::MacAddr;
use crate::server::{
    Claim, ClaimResult, Effect, EffectResult, Firmware, Handled, Incoming, Outcome, Pending,
    ProbeResult, Reply,
};
use crate::wire::MessageView;

/// Claims that are with the store at a time. Beyond it nothing is read at the servers' port; the
/// system holds what comes, and drops what it cannot hold.
const MOST_CLAIMS: usize = 4096;
/// How long the store is waited for.
const STORE_PATIENCE: Duration = Duration::from_secs(30);
/// Answers to probes that are looked at before one is given up: those that came meanwhile.
const MOST_LATE: usize = 1024;
/// Replies that are held back at a time. Beyond it they leave at once.
const MOST_DELAYED: usize = 1024;
/// The pause behind a socket's error.
const PAUSE: Duration = Duration::from_secs(1);

/// What is kept of a message on its way through the logic.
#[derive(Debug)]
pub(super) struct InFlight {
    began: Instant,
    firmware: Option<Firmware>,
    boot_file: Option<String>,
}

pub(super) type Waiting = (InFlight, Pending);

/// Which port a message came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Server,
    BootServer,
}

/// What comes first.
enum Next {
    Nothing,
    LinkChanged,
    Readable(Asked, io::Result<()>),
    Answered(Box<Answered>),
    Claimed(Claimed),
    InUse(Ipv4Addr),
    Due(Due),
    Heard(Heard),
}

/// What a moment was waited for.
#[derive(Debug)]
pub(super) enum Due {
    Unanswered(Ipv4Addr),
    Send(Box<(Reply, InFlight)>),
}

/// A batch of claims that the store has answered.
struct Claimed {
    waiting: Vec<Waiting>,
    results: Vec<ClaimResult>,
}

pub(super) struct Serving<P, S> {
    pub(super) listener: Listener,
    pub(super) driver: Driver<P, S>,
    changes: Option<LinkChanges>,
    pub(super) probes: Option<Probes>,
    senders: Option<Senders>,
    asking: Asking,
    /// Claims of this batch.
    claims: Vec<(InFlight, Claim, Pending)>,
    /// Those that are with the store, batch by batch, and how many.
    claiming: JoinSet<Claimed>,
    claims_under_way: usize,
    pub(super) probing: HashMap<Ipv4Addr, Probing>,
    pub(super) due: DelayQueue<Due>,
    /// Replies of this batch.
    out: Vec<(Reply, InFlight)>,
    pub(super) rogue_servers: RogueServers,
}

impl<P: BootPolicy, S: LeaseStore> Serving<P, S> {
    pub(super) fn new(mut listener: Listener, driver: Driver<P, S>) -> Self {
        Self {
            probes: listener.probes.take(),
            senders: listener.senders.take(),
            listener,
            driver,
            changes: None,
            asking: Asking::default(),
            claims: Vec::new(),
            claiming: JoinSet::new(),
            claims_under_way: 0,
            probing: HashMap::new(),
            due: DelayQueue::new(),
            out: Vec::new(),
            rogue_servers: RogueServers::default(),
        }
    }

    pub(super) async fn run(mut self, shutdown: impl Future<Output = ()>) {
        match LinkChanges::open() {
            Ok(changes) => self.changes = Some(changes),
            Err(error) => self.trouble(Trouble::LinkChanges, &error),
        }
        let mut buffer = Buffer::new();
        let buffer = &mut buffer;
        let mut shutdown = std::pin::pin!(shutdown);
        if !self.is_there() {
            return;
        }
        self.observe(&Event::Serving);
        loop {
            let next = tokio::select! {
                () = &mut shutdown => break,
                next = self.next() => next,
            };
            match next {
                Next::LinkChanged if !self.is_there() => break,
                Next::Nothing | Next::LinkChanged => {}
                Next::Readable(asked, Ok(())) => self.receive(asked, buffer).await,
                Next::Readable(_, Err(error)) => self.rest(&error).await,
                Next::Answered(answered) => self.answered(*answered),
                Next::Claimed(claimed) => self.claimed(claimed),
                Next::InUse(address) => self.probe_done(address, ProbeResult::InUse),
                Next::Due(Due::Unanswered(address)) => {
                    self.look_for_answers();
                    self.probe_done(address, ProbeResult::Free);
                }
                Next::Due(Due::Send(held)) => self.out.push(*held),
                Next::Heard(heard) => self.heard(heard),
            }
            self.claim();
            self.flush().await;
            // A socket that always has something to read gives other tasks no turn by itself.
            consume_budget().await;
        }
        // No task of this interface outlives it.
        self.claiming.shutdown().await;
    }

    /// Takes the answers to probes that have come and were not looked at yet.
    fn look_for_answers(&mut self) {
        for _ in 0..MOST_LATE {
            let Some(address) = self.probes.as_ref().and_then(Probes::try_answer) else {
                return;
            };
            self.probe_done(address, ProbeResult::InUse);
        }
    }

    pub(super) fn observe(&self, event: &Event<'_>) {
        (self.driver.observer)(&self.listener.interface, event);
    }

    pub(super) fn trouble(&self, what: Trouble, error: &io::Error) {
        self.observe(&Event::Trouble { what, error });
    }

    fn is_there(&self) -> bool {
        self.listener.is_there(&self.driver.server)
    }

    /// Waits for whatever comes first. Cancel-safe.
    async fn next(&mut self) -> Next {
        let Self {
            listener,
            changes,
            probes,
            asking,
            claiming,
            claims_under_way,
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
        let has_room = *claims_under_way < MOST_CLAIMS;
        // What comes from outside takes turns, so that a flood of one kind keeps none of the others
        // out.
        let from_outside = async {
            tokio::select! {
                ready = listener.servers.readable(), if has_room => {
                    Next::Readable(Asked::Server, ready)
                }
                ready = boot_servers => Next::Readable(Asked::BootServer, ready),
                address = in_use => Next::InUse(address),
                heard = heard => Next::Heard(heard),
            }
        };
        // What was begun goes before it, and is no more than what came.
        tokio::select! {
            biased;
            () = changed => Next::LinkChanged,
            Some(claimed) = claiming.join_next(), if !claiming.is_empty() => {
                claimed.map_or(Next::Nothing, Next::Claimed)
            }
            Some(due) = poll_fn(|context| due.poll_expired(context)), if !due.is_empty() => {
                Next::Due(due.into_inner())
            }
            answered = asking.next(), if !asking.is_empty() => {
                answered.map_or(Next::Nothing, |answered| Next::Answered(Box::new(answered)))
            }
            next = from_outside => next,
        }
    }

    /// Takes a batch of messages through the logic, as far as each gets without the world.
    async fn receive(&mut self, asked: Asked, buffer: &mut Buffer) {
        let port = match (asked, &self.listener.boot_servers) {
            (Asked::BootServer, Some((_, port))) => port,
            _ => &self.listener.servers,
        };
        let batch = match port.receive(buffer) {
            Ok(batch) => batch,
            Err(error) => return self.rest(&error).await,
        };
        if let Some(senders) = &mut self.senders {
            senders.listen();
        }
        let began = uptime();
        for datagram in batch {
            match MessageView::decode(datagram.bytes) {
                Ok(message) => self.handle(asked, began, &datagram, message),
                Err(error) => {
                    let source = datagram.source;
                    self.observe(&Event::Malformed { source, error });
                }
            }
        }
    }

    fn handle(
        &mut self,
        asked: Asked,
        began: Instant,
        datagram: &Datagram<'_>,
        message: MessageView<'_>,
    ) {
        let mut incoming = Incoming::new(message, datagram.source, self.listener.number)
            .sent_to(datagram.destination);
        let senders = self.senders.as_mut();
        if let Some(sender) = senders.and_then(|it| it.sender(&message, datagram.bytes)) {
            incoming = incoming.in_frame_of(sender.into());
        }
        let now = self.driver.server.now();
        let handled = match asked {
            Asked::Server => self.driver.server.lock().handle(now, &incoming),
            Asked::BootServer => self.driver.server.lock().handle_boot_server(now, &incoming),
        };
        let firmware = match &handled {
            Handled::Asks(question) => Some(question.requester(message).firmware),
            Handled::Done(_) => None,
        };
        self.observe(&Event::Received {
            transaction: handled.transaction(),
            firmware,
            boot_server: asked == Asked::BootServer,
        });
        let in_flight = InFlight {
            began,
            firmware,
            boot_file: None,
        };
        match handled {
            Handled::Asks(question) => {
                let policy = &self.driver.policy;
                let packet = datagram.bytes;
                if let Some(answered) = self.asking.ask(policy, question, packet, in_flight) {
                    self.answered(answered);
                }
            }
            Handled::Done(outcome) => {
                self.overhear(asked, &message, &outcome);
                self.go_on(in_flight, outcome);
            }
        }
    }

    fn answered(&mut self, answered: Answered) {
        let Answered {
            message: mut in_flight,
            answer,
        } = answered;
        match answer {
            Ok((question, boot)) => {
                in_flight.boot_file.clone_from(&boot.file);
                let now = self.driver.server.now();
                let outcome = self.driver.server.lock().answer(now, question, boot);
                self.go_on(in_flight, outcome);
            }
            Err(Failed {
                transaction,
                failure,
            }) => {
                let transaction = &transaction;
                self.observe(&Event::PolicyFailed {
                    transaction,
                    failure,
                });
            }
        }
    }

    /// Brings what has come of a message on its way.
    pub(super) fn go_on(&mut self, message: InFlight, mut outcome: Outcome) {
        loop {
            match outcome {
                Outcome::Needs(Effect::Probe(address), pending) => {
                    let Some(known) = self.known(address) else {
                        self.wait_for_probe(address, message, pending);
                        return;
                    };
                    outcome = self.resume(pending, known);
                }
                Outcome::Needs(Effect::Claim(claim), pending) => {
                    self.claims.push((message, claim, pending));
                    return;
                }
                Outcome::Reply(reply) => {
                    self.reply(reply, message);
                    return;
                }
                Outcome::Silent(silence) => {
                    let silence = &silence;
                    self.observe(&Event::Silent { silence });
                    return;
                }
            }
        }
    }

    pub(super) fn resume(&self, pending: Pending, result: impl Into<EffectResult>) -> Outcome {
        let now = self.driver.server.now();
        self.driver.server.lock().resume(now, pending, result)
    }

    /// Hands the claims of this batch to the store.
    fn claim(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let mut waiting = Vec::with_capacity(self.claims.len());
        let mut claims = Vec::with_capacity(self.claims.len());
        for (message, claim, pending) in self.claims.drain(..) {
            waiting.push((message, pending));
            claims.push(claim);
        }
        self.claims_under_way += claims.len();
        let store = Arc::clone(&self.driver.store);
        self.claiming.spawn(async move {
            let claim = Caught::new(async move { store.claim(claims).await });
            let results = timeout(STORE_PATIENCE, claim).await;
            // None of them is stored as far as is known.
            let results = results.ok().flatten().unwrap_or_default();
            Claimed { waiting, results }
        });
    }

    fn claimed(&mut self, claimed: Claimed) {
        let claims = claimed.waiting.len();
        self.claims_under_way = self.claims_under_way.saturating_sub(claims);
        let results = claimed.results.iter().take(claims);
        let stored = results.filter(|result| **result == ClaimResult::Stored);
        let stored = stored.count();
        let results = claimed.results.into_iter().chain(repeat(ClaimResult::Down));
        for ((message, pending), result) in claimed.waiting.into_iter().zip(results) {
            let outcome = self.resume(pending, result);
            self.go_on(message, outcome);
        }
        self.observe(&Event::Claimed { claims, stored });
    }

    fn reply(&mut self, reply: Reply, message: InFlight) {
        if reply.delay_ms > 0 && self.due.len() < MOST_DELAYED {
            let wait = Duration::from_millis(reply.delay_ms.into());
            self.due.insert(Due::Send(Box::new((reply, message))), wait);
        } else {
            self.out.push((reply, message));
        }
    }

    /// Reports the replies of this batch, and sends them: a machine may go on before this does, and
    /// what it does next is to be reported behind its reply.
    async fn flush(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let out = std::mem::take(&mut self.out);
        for (reply, message) in &out {
            let boot_file = message.boot_file.as_deref();
            self.observe(&Event::Answered { reply, boot_file });
        }
        let replies: Vec<&Reply> = out.iter().map(|(reply, _)| reply).collect();
        let failed = self.listener.send(&replies, &*self.driver.observer).await;
        for (at, (reply, message)) in out.iter().enumerate() {
            if let Some((_, error)) = failed.iter().find(|(failed, _)| *failed == at) {
                self.observe(&Event::Unsent { reply, error });
                continue;
            }
            let of = &reply.transaction;
            let is_ipxe = message.firmware == Some(Firmware::Ipxe);
            if is_ipxe && reply.lease.is_some() && of.relay.is_none() {
                self.say_no_router(of.hardware.mac());
            }
            let took = message.began.elapsed();
            self.observe(&Event::Sent { reply, took });
        }
    }

    /// Tells an iPXE on this link that has its address, or is about to, not to wait for IPv6.
    pub(super) fn say_no_router(&self, machine: Option<MacAddr>) {
        if let (Some(no_router), Some(machine)) = (&self.listener.no_router, machine)
            && let Err(error) = no_router.send(machine)
        {
            self.trouble(Trouble::RouterAdvertisement(machine), &error);
        }
    }

    async fn rest(&self, error: &io::Error) {
        self.trouble(Trouble::Receive, error);
        tokio::time::sleep(PAUSE).await;
    }
}

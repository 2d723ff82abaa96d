//! A model of who has which address: whatever two servers on one store are asked, in whatever order
//! and however late their effects are carried out, whichever of them is killed meanwhile, no
//! address is confirmed to two clients at a time.

use crate::packet::*;
use netboot_dhcp::server::{
    Claim, ClaimResult, Effect, EffectResult, Lease, LeaseState, Outcome, Pending, ProbeResult,
    Reservation, Server, Settings,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::{MacAddr, Seconds, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

#[derive(Clone, Copy, Debug)]
enum Step {
    Discover {
        server: usize,
        client: u8,
    },
    Select {
        server: usize,
        client: u8,
        last: u8,
    },
    TakeOffer {
        server: usize,
        client: u8,
    },
    Renew {
        server: usize,
        client: u8,
    },
    Reboot {
        server: usize,
        client: u8,
        last: u8,
    },
    Release {
        server: usize,
        client: u8,
    },
    Decline {
        server: usize,
        client: u8,
    },
    /// The effect that waits at this place of the queue is carried out and its result told.
    Finish {
        at: usize,
    },
    /// It is carried out, and its result kept back: it comes late.
    Perform {
        at: usize,
    },
    /// It fails without being carried out.
    Fail {
        at: usize,
    },
    /// It is never carried out.
    Lose {
        at: usize,
    },
    /// The server is told of a lease that the store has.
    Learn {
        server: usize,
        last: u8,
    },
    Sleep {
        seconds: u32,
    },
    /// The server is gone until its restart; what it asked of the store may still arrive there.
    Kill {
        server: usize,
    },
    /// What a killed server asked for arrives at the store.
    Arrive {
        at: usize,
    },
    /// It begins anew with what the store has.
    Restart {
        server: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let server = 0..2_usize;
    let client = 0..5_u8;
    let last = 99..105_u8;
    let at = 0..6_usize;
    let who = (server.clone(), client);
    prop_oneof![
        4 => who.clone().prop_map(|(server, client)| Step::Discover { server, client }),
        1 => (who.clone(), last.clone())
            .prop_map(|((server, client), last)| Step::Select { server, client, last }),
        4 => who.clone().prop_map(|(server, client)| Step::TakeOffer { server, client }),
        2 => who.clone().prop_map(|(server, client)| Step::Renew { server, client }),
        1 => (who.clone(), last.clone())
            .prop_map(|((server, client), last)| Step::Reboot { server, client, last }),
        1 => who.clone().prop_map(|(server, client)| Step::Release { server, client }),
        1 => who.prop_map(|(server, client)| Step::Decline { server, client }),
        8 => at.clone().prop_map(|at| Step::Finish { at }),
        2 => at.clone().prop_map(|at| Step::Perform { at }),
        1 => at.clone().prop_map(|at| Step::Fail { at }),
        1 => at.clone().prop_map(|at| Step::Lose { at }),
        1 => (server.clone(), last).prop_map(|(server, last)| Step::Learn { server, last }),
        1 => server.clone().prop_map(|server| Step::Kill { server }),
        2 => at.prop_map(|at| Step::Arrive { at }),
        3 => prop_oneof![0..5_u32, 20..40_u32, 300..4000_u32]
            .prop_map(|seconds| Step::Sleep { seconds }),
        2 => server.prop_map(|server| Step::Restart { server }),
    ]
}

enum Waiting {
    Effect(Effect),
    Result(EffectResult),
}

struct World {
    now: Timestamp,
    servers: Vec<Server>,
    store: BTreeMap<Ipv4Addr, Lease>,
    queue: Vec<(usize, Waiting, Pending)>,
    killed: [bool; 2],
    /// What killed servers asked of the store.
    astray: Vec<Effect>,
    offers: HashMap<(usize, u8), Ipv4Addr>,
    /// What clients were told: by address, which client and until when.
    told: HashMap<Ipv4Addr, (u8, Timestamp)>,
    /// How many messages were sent: the number of the last transaction.
    sent: u32,
    /// The last transaction before a client left an address. An ACK to one before that comes too
    /// late: the client waits for it no longer.
    left: HashMap<(u8, Ipv4Addr), u32>,
}

/// Four addresses, of which each server knows three; and one machine more than addresses. The
/// second knows of no reservation, probes, and gives other times.
fn settings(server: usize) -> Settings {
    let mut network = network();
    if server == 0 {
        network.reservations = vec![Reservation::new(mac(4)).with_address(ip(102))];
        network.lease_time = Seconds(1000);
    } else {
        network.ranges[0].start = ip(101);
        network.ranges[0].end = ip(103);
        network.lease_time = Seconds(600);
    }
    network.probe = server == 1;
    let mut settings = Settings::new(vec![network]);
    settings.max_offers = 2;
    settings
}

fn mac(client: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, client])
}

impl World {
    fn new() -> Self {
        let server = |number| Server::new(settings(number)).unwrap();
        Self {
            now: NOW,
            servers: vec![server(0), server(1)],
            store: BTreeMap::new(),
            queue: Vec::new(),
            killed: [false; 2],
            astray: Vec::new(),
            offers: HashMap::new(),
            told: HashMap::new(),
            sent: 0,
            left: HashMap::new(),
        }
    }

    fn held(&self, client: u8) -> Option<Ipv4Addr> {
        let mut held = self.told.iter();
        held.find(|(_, (one, until))| *one == client && *until > self.now)
            .map(|(address, _)| *address)
    }

    fn send(&mut self, server: usize, client: u8, packet: Packet) {
        if self.killed[server] {
            return;
        }
        self.sent += 1;
        let packet = packet.at(4, &self.sent.to_be_bytes());
        let outcome = handle(&mut self.servers[server], self.now, packet);
        self.take(server, client, outcome);
    }

    fn take(&mut self, server: usize, client: u8, outcome: Outcome) {
        match outcome {
            Outcome::Needs(effect, pending) => {
                // A client has one address: who takes another has left this one, and who gives it
                // back or starts anew does not use it.
                if let Effect::Claim(Claim { lease, .. }) = &effect
                    && lease.state == LeaseState::Released
                {
                    self.leave(client, lease.address);
                }
                self.queue.push((server, Waiting::Effect(effect), pending));
            }
            Outcome::Reply(reply) if reply.kind == MessageType::OFFER => {
                let yiaddr: [u8; 4] = reply.bytes[16..20].try_into().unwrap();
                self.offers.insert((server, client), yiaddr.into());
            }
            Outcome::Reply(reply) if reply.kind == MessageType::ACK => {
                let lease = reply.lease.expect("an ACK has its lease");
                let owner = reply.bytes[33];
                let xid = u32::from_be_bytes(reply.bytes[4..8].try_into().unwrap());
                let left = self.left.get(&(owner, lease.address));
                if left.is_some_and(|left| xid <= *left) {
                    return;
                }
                assert!((100..=103).contains(&lease.address.octets()[3]));
                assert!(lease.expires > self.now, "an ACK gives some time");
                if let Some((other, until)) = self.told.get(&lease.address) {
                    assert!(
                        *other == owner || *until <= self.now,
                        "{} told to client {owner} while {other} has it",
                        lease.address
                    );
                }
                let stored = self.store.get(&lease.address);
                assert!(stored.is_some_and(|stored| stored.version >= lease.version));
                self.told.insert(lease.address, (owner, lease.expires));
            }
            Outcome::Reply(_) | Outcome::Silent(_) => {}
        }
    }

    fn leave(&mut self, client: u8, address: Ipv4Addr) {
        self.left.insert((client, address), self.sent);
        let told = self.told.get(&address);
        if told.is_some_and(|(owner, _)| *owner == client) {
            self.told.remove(&address);
        }
    }

    fn perform(&mut self, effect: Effect) -> EffectResult {
        let Effect::Claim(Claim {
            expected_version,
            lease,
            ..
        }) = effect
        else {
            return ProbeResult::Free.into();
        };
        let current = self.store.get(&lease.address).cloned();
        if current.as_ref().map_or(0, |current| current.version) != expected_version {
            return ClaimResult::Lost { current }.into();
        }
        self.store.insert(lease.address, lease);
        ClaimResult::Stored.into()
    }

    fn finish(&mut self, at: usize, performed: impl FnOnce(&mut Self, Waiting) -> EffectResult) {
        if at >= self.queue.len() {
            return;
        }
        let (server, waiting, pending) = self.queue.remove(at);
        let client = pending.transaction().hardware.as_bytes()[5];
        let result = performed(self, waiting);
        let outcome = self.servers[server].resume(self.now, pending, result);
        self.take(server, client, outcome);
    }

    fn kill(&mut self, server: usize) {
        self.killed[server] = true;
        let (gone, left) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition(|(of, ..)| *of == server);
        self.queue = left;
        let gone: Vec<(usize, Waiting, Pending)> = gone;
        for (_, waiting, _) in gone {
            if let Waiting::Effect(effect) = waiting {
                self.astray.push(effect);
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Discover { server, client } => {
                self.send(server, client, Packet::discover(mac(client)));
            }
            Step::Select {
                server,
                client,
                last,
            } => self.send(
                server,
                client,
                Packet::selecting(mac(client), ip(last), SERVER),
            ),
            Step::TakeOffer { server, client } => {
                if let Some(address) = self.offers.get(&(server, client)).copied() {
                    let packet = Packet::selecting(mac(client), address, SERVER);
                    self.send(server, client, packet);
                }
            }
            Step::Renew { server, client } => {
                if let Some(address) = self.held(client) {
                    self.send(server, client, Packet::new(3, mac(client)).ciaddr(address));
                }
            }
            Step::Reboot {
                server,
                client,
                last,
            } => {
                let packet = Packet::new(3, mac(client)).option(50, &ip(last).octets());
                self.send(server, client, packet);
            }
            Step::Release { server, client } => {
                if let Some(address) = self.held(client) {
                    // Who gives an address back stops using it at once.
                    self.told.remove(&address);
                    self.send(server, client, Packet::new(7, mac(client)).ciaddr(address));
                }
            }
            Step::Decline { server, client } => {
                if let Some(address) = self.held(client) {
                    self.told.remove(&address);
                    let packet = Packet::new(4, mac(client)).option(50, &address.octets());
                    self.send(server, client, packet);
                }
            }
            Step::Finish { at } => self.finish(at, |world, waiting| match waiting {
                Waiting::Effect(effect) => world.perform(effect),
                Waiting::Result(result) => result,
            }),
            Step::Perform { at } => {
                if at < self.queue.len()
                    && let (server, Waiting::Effect(effect), pending) = self.queue.remove(at)
                {
                    let result = self.perform(effect);
                    self.queue.push((server, Waiting::Result(result), pending));
                }
            }
            Step::Fail { at } => self.finish(at, |_, _| ClaimResult::Down.into()),
            Step::Lose { at } => {
                if at < self.queue.len() {
                    self.queue.remove(at);
                }
            }
            Step::Sleep { seconds } => self.now = self.now.after(Seconds(seconds)),
            Step::Learn { server, last } => {
                if let Some(lease) = self.store.get(&ip(last)) {
                    self.servers[server].restore(lease.clone()).unwrap();
                }
            }
            Step::Kill { server } => self.kill(server),
            Step::Arrive { at } => {
                if at < self.astray.len() {
                    let effect = self.astray.remove(at);
                    self.perform(effect);
                }
            }
            Step::Restart { server } => {
                self.kill(server);
                self.killed[server] = false;
                self.servers[server] = Server::new(settings(server)).unwrap();
                for lease in self.store.values() {
                    self.servers[server].restore(lease.clone()).unwrap();
                }
            }
        }
        for server in &self.servers {
            for lease in server.leases() {
                let stored = &self.store[&lease.address];
                assert!(
                    stored.version >= lease.version,
                    "the pool never leads the store"
                );
                if stored.version == lease.version {
                    assert_eq!(stored, lease);
                }
                assert!(lease.state != LeaseState::Bound || lease.expires > lease.updated);
            }
        }
    }
}

proptest! {
    // What goes wrong here is rare: PROPTEST_CASES asks for more.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(1_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_address_is_confirmed_to_two_clients(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
    }
}

#[test]
fn model_hands_out_every_address_in_the_plain_case() {
    // Guards the property above against a model in which nothing ever happens.
    let mut world = World::new();
    for client in [0, 1, 4] {
        for step in [
            Step::Discover { server: 0, client },
            Step::TakeOffer { server: 0, client },
            Step::Finish { at: 0 },
        ] {
            world.step(step);
        }
    }
    assert_eq!(world.told.len(), 3);
    assert_eq!(world.held(4), Some(ip(102)));
}

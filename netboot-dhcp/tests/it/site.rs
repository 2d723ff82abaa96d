//! A network on which a machine boots: what answers there, and the packets on their way.

use crate::link::Random;
use crate::packet::NOW;
use netboot_dhcp::client::{Bound, Client, Failure, Output, Profile, Transmit};
use netboot_dhcp::server::{
    AddressRange, Boot, ClaimResult, Destination, Effect, Firmware, Handled, Incoming, Link, Mode,
    Network, NetworkId, Outcome, ProbeResult, Reply, Requester, Server, Settings,
};
use netboot_dhcp::value::Arch;
use netboot_dhcp::wire::{Message, MessageView, OptionCode};
use netboot_dhcp::{MacAddr, Timestamp};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
pub(crate) const PI: MacAddr = MacAddr([0xb8, 0x27, 0xeb, 0, 0, 1]);
pub(crate) const PC: MacAddr = MacAddr([0x52, 0x54, 0, 0, 0, 1]);
/// What a Raspberry Pi 3 needs of a server, and a server that pings an address takes.
const DELAY_MS: u32 = 1_000;

/// What answers on the machine's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) proxy: bool,
    pub(crate) relayed: bool,
}

pub(crate) const SITES: [Site; 4] = [
    Site {
        proxy: false,
        relayed: false,
    },
    Site {
        proxy: true,
        relayed: false,
    },
    Site {
        proxy: false,
        relayed: true,
    },
    Site {
        proxy: true,
        relayed: true,
    },
];

pub(crate) fn machines() -> Vec<(Profile, &'static str)> {
    vec![
        (Profile::ipxe(PC, Arch::X86_BIOS), "http://boot/boot.ipxe"),
        (Profile::pxe_bios(PC), "undionly.kpxe"),
        (Profile::pxe_uefi_old(PC), "ipxe.efi"),
        (Profile::pxe_uefi(PC).with_uuid([7; 16]), "ipxe.efi"),
        (Profile::http_uefi(PC), "http://boot/ipxe.efi"),
        (Profile::ipxe(PC, Arch::X64_UEFI), "http://boot/boot.ipxe"),
        (Profile::raspberry_pi_3(PI), "bootcode.bin"),
        (Profile::raspberry_pi_4(PI), "bootcode.bin"),
    ]
}

pub(crate) fn policy(machine: &Requester<'_>) -> Boot {
    let file = match machine.firmware {
        Firmware::Ipxe => "http://boot/boot.ipxe",
        Firmware::HttpClient => "http://boot/ipxe.efi",
        _ if machine.mac() == Some(PI) => "bootcode.bin",
        _ if machine.archs() == [Arch::X86_BIOS] => "undionly.kpxe",
        _ => "ipxe.efi",
    };
    Boot::file(file)
}

pub(crate) fn network(address: Ipv4Addr, relayed: bool) -> Network {
    let link = if relayed {
        Link::Relay
    } else {
        Link::Interface(2)
    };
    let subnet = "10.0.0.0/24".parse().unwrap();
    let mut network = Network::new(NetworkId(1), link, subnet, address);
    let range = |last| Ipv4Addr::new(10, 0, 0, last);
    network.ranges = vec![AddressRange::new(range(100), range(120))];
    network.offer_delay_ms = DELAY_MS;
    network
}

pub(crate) struct Answerer {
    address: Ipv4Addr,
    server: Server,
    policy: fn(&Requester<'_>) -> Boot,
}

impl Answerer {
    pub(crate) fn new(network: Network, policy: fn(&Requester<'_>) -> Boot) -> Self {
        Self {
            address: network.server,
            server: Server::new(Settings::new(vec![network])).unwrap(),
            policy,
        }
    }

    fn answer(
        &mut self,
        now: Timestamp,
        bytes: &[u8],
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Option<Reply> {
        let incoming = Incoming::new(MessageView::decode(bytes).unwrap(), source, 2)
            .sent_to(*destination.ip());
        let handled = if destination.port() == 67 {
            self.server.handle(now, &incoming)
        } else {
            assert_eq!(destination.port(), 4011);
            self.server.handle_boot_server(now, &incoming)
        };
        let mut outcome = match handled {
            Handled::Asks(question) => {
                let boot = (self.policy)(&question.requester(incoming.message));
                self.server.answer(now, question, boot)
            }
            Handled::Done(outcome) => outcome,
        };
        loop {
            outcome = match outcome {
                Outcome::Reply(reply) => return Some(reply),
                Outcome::Silent(_) => return None,
                Outcome::Needs(Effect::Probe(_), pending) => {
                    self.server.resume(now, pending, ProbeResult::Free)
                }
                Outcome::Needs(Effect::Claim(_), pending) => {
                    self.server.resume(now, pending, ClaimResult::Stored)
                }
                Outcome::Needs(effect, _) => panic!("{effect:?}"),
            };
        }
    }
}

/// Answerers, a machine, and the packets on their way to it.
pub(crate) struct World {
    relayed: bool,
    pub(crate) answerers: Vec<Answerer>,
    pub(crate) arrivals: BTreeMap<(Timestamp, usize), (SocketAddrV4, Vec<u8>)>,
    sent: usize,
    pub(crate) replies: Vec<Reply>,
    jitter: Vec<u8>,
    /// How many of a hundred packets are lost, each way, and repeated.
    pub(crate) loss_percent: u64,
    pub(crate) random: Random,
}

impl World {
    pub(crate) fn new(site: Site, jitter: &[u8]) -> Self {
        let address = |last| {
            if site.relayed {
                Ipv4Addr::new(192, 0, 2, last)
            } else {
                Ipv4Addr::new(10, 0, 0, last)
            }
        };
        let mut ours = network(address(1), site.relayed);
        let mut answerers = Vec::new();
        if site.proxy {
            ours.mode = Mode::Proxy;
            let plain = network(address(2), site.relayed);
            answerers.push(Answerer::new(plain, |_| Boot::default()));
        }
        answerers.push(Answerer::new(ours, policy));
        Self {
            relayed: site.relayed,
            answerers,
            arrivals: BTreeMap::new(),
            sent: 0,
            replies: Vec::new(),
            jitter: jitter.to_vec(),
            loss_percent: 0,
            random: Random(0),
        }
    }

    pub(crate) fn ours(&self) -> Ipv4Addr {
        self.answerers.last().unwrap().address
    }

    /// Takes the machine's packet to whom it is for; their replies arrive later, in any order.
    pub(crate) fn send(&mut self, now: Timestamp, address: Ipv4Addr, transmit: &Transmit) {
        let destination = transmit.destination;
        let broadcast = destination.ip().is_broadcast();
        let (bytes, source) = if broadcast && self.relayed {
            (relayed(&transmit.bytes), SocketAddrV4::new(RELAY, 67))
        } else {
            let from = if broadcast {
                Ipv4Addr::UNSPECIFIED
            } else {
                address
            };
            (
                transmit.bytes.to_vec(),
                SocketAddrV4::new(from, transmit.source_port),
            )
        };
        for answerer in &mut self.answerers {
            let to = match (broadcast, self.relayed) {
                (true, true) => SocketAddrV4::new(answerer.address, 67),
                (true, false) => destination,
                (false, _) if *destination.ip() == answerer.address => destination,
                (false, _) => continue,
            };
            if self.random.percent(self.loss_percent) {
                continue;
            }
            let mut answer = answerer.answer(now, &bytes, source, to);
            if self.random.percent(self.loss_percent) {
                // The request came twice; the second answer is the one that arrives.
                answer = answerer.answer(now, &bytes, source, to);
            }
            let Some(reply) = answer.filter(|_| !self.random.percent(self.loss_percent)) else {
                continue;
            };
            let to_port = reply.destination.socket_addr().port();
            match reply.destination {
                Destination::Relay(to) => assert_eq!(to, SocketAddrV4::new(RELAY, 67)),
                _ => assert_eq!(to_port, transmit.source_port),
            }
            let jitter = self.jitter.get(self.sent % self.jitter.len().max(1));
            let delay = 1 + u64::from(reply.delay_ms) + u64::from(jitter.copied().unwrap_or(0));
            self.sent += 1;
            self.replies.push(reply.clone());
            self.arrivals.insert(
                (now.after_ms(delay), self.sent),
                (
                    SocketAddrV4::new(reply.source, reply.source_port),
                    reply.bytes.to_vec(),
                ),
            );
        }
    }

    pub(crate) fn boot(&mut self, profile: Profile) -> Result<Bound, Failure> {
        let mut now = NOW;
        let mut client = Client::new(now, profile, 7);
        let mut address = Ipv4Addr::UNSPECIFIED;
        loop {
            let until = match client.poll_output(now).unwrap() {
                Output::Transmit(transmit) => {
                    self.send(now, address, &transmit);
                    continue;
                }
                Output::Wait(until) => until,
                Output::Done(bound) => return Ok(bound),
                Output::Failed(failure) => return Err(failure),
            };
            assert!(until > now, "waiting leads on");
            match self.arrivals.first_entry() {
                Some(entry) if entry.key().0 <= until => {
                    now = now.max(entry.key().0);
                    let (from, bytes) = entry.remove();
                    let view = MessageView::decode(&bytes).unwrap();
                    if !view.yiaddr().is_unspecified() {
                        address = view.yiaddr();
                    }
                    client.handle_input(now, from, &view);
                }
                _ => now = until,
            }
        }
    }
}

/// What a relay agent makes of a request (RFC 1542 section 4.1.1, RFC 3046).
fn relayed(bytes: &[u8]) -> Vec<u8> {
    let mut message = Message::decode(bytes).unwrap();
    message.hops += 1;
    message.giaddr = RELAY;
    message.options.add_raw(OptionCode::RELAY_AGENT, &[1, 1, 9]);
    message.to_bytes().unwrap().to_vec()
}

/// Every reply that the machines get in every mode.
pub(crate) fn replies() -> Vec<Reply> {
    let mut replies = Vec::new();
    for site in SITES {
        for (profile, _) in machines() {
            let mut world = World::new(site, &[0]);
            world.boot(profile).unwrap();
            replies.append(&mut world.replies);
        }
    }
    replies
}

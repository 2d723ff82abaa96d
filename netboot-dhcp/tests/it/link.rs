//! Simulated machines against the server over a link that loses, repeats and reorders, in virtual
//! time.

use crate::packet::{NOW, SERVER, network};
use netboot_dhcp::client::{Bound, Client, Failure, Output, Profile};
use netboot_dhcp::server::{
    Boot, ClaimResult, Effect, Firmware, Incoming, Outcome, ProbeResult, Requester, Server,
    Settings,
};
use netboot_dhcp::value::Arch;
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

const FROM: SocketAddrV4 = SocketAddrV4::new(SERVER, 67);

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }
}

/// A link with a fate for each packet, by seed.
struct Link {
    random: Random,
    loss_percent: u64,
    packets: BTreeMap<(Timestamp, u64), Packet>,
    sent: u64,
}

enum Packet {
    ToServer(Vec<u8>),
    ToClients(Vec<u8>),
}

impl Link {
    fn new(seed: u64, loss_percent: u64) -> Self {
        Self {
            random: Random(seed),
            loss_percent,
            packets: BTreeMap::new(),
            sent: 0,
        }
    }

    fn send(&mut self, now: Timestamp, packet: impl Fn() -> Packet) {
        let copies = 1 + u64::from(self.random.percent(self.loss_percent));
        for _ in 0..copies {
            if self.random.percent(self.loss_percent) {
                continue;
            }
            let delay = 1 + self.random.next() % 50;
            self.sent += 1;
            self.packets
                .insert((now.after_ms(delay), self.sent), packet());
        }
    }
}

fn policy(machine: &Requester<'_>) -> Boot {
    let file = match machine.firmware {
        Firmware::Ipxe => format!("http://{}/boot.ipxe", machine.server),
        Firmware::HttpClient => format!("http://{}/ipxe.efi", machine.server),
        Firmware::PxeClient if machine.archs() == [Arch::X86_BIOS] => "undionly.kpxe".into(),
        _ => "ipxe.efi".into(),
    };
    Boot::file(file)
}

fn serve(server: &mut Server, now: Timestamp, bytes: &[u8]) -> Option<Vec<u8>> {
    let incoming = Incoming::new(
        MessageView::decode(bytes).unwrap(),
        SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
        2,
    )
    .sent_to(Ipv4Addr::BROADCAST);
    let mut outcome = server.handle_with(now, &incoming, policy);
    loop {
        match outcome {
            Outcome::Reply(reply) => return Some(reply.bytes.to_vec()),
            Outcome::Silent(_) => return None,
            Outcome::Needs(Effect::Probe(_), pending) => {
                outcome = server.resume(now, pending, ProbeResult::Free);
            }
            Outcome::Needs(Effect::Claim(_), pending) => {
                outcome = server.resume(now, pending, ClaimResult::Stored);
            }
            Outcome::Needs(effect, _) => panic!("{effect:?}"),
        }
    }
}

/// Runs the machines to their end.
fn boot(
    profiles: &[Profile],
    mut server: Option<Server>,
    mut link: Link,
) -> Vec<Result<Bound, Failure>> {
    let mut now = NOW;
    let mut clients: Vec<Client> = (0_u32..)
        .zip(profiles)
        .map(|(xid, profile)| Client::new(now, profile.clone(), xid))
        .collect();
    loop {
        let mut next = None::<Timestamp>;
        let mut ends = Vec::new();
        for client in &mut clients {
            loop {
                match client.poll_output(now).unwrap() {
                    Output::Transmit(transmit) => {
                        assert_eq!(transmit.destination.port(), 67);
                        link.send(now, || Packet::ToServer(transmit.bytes.to_vec()));
                        continue;
                    }
                    Output::Wait(until) => {
                        assert!(until > now, "waiting leads on");
                        next = Some(next.map_or(until, |next| next.min(until)));
                    }
                    Output::Done(bound) => ends.push(Ok(bound)),
                    Output::Failed(failure) => ends.push(Err(failure)),
                }
                break;
            }
        }
        if ends.len() == clients.len() {
            return ends;
        }
        let arrival = link.packets.first_key_value().map(|((at, _), _)| *at);
        now = arrival.into_iter().chain(next).min().unwrap();
        while let Some(entry) = link.packets.first_entry()
            && entry.key().0 <= now
        {
            match entry.remove() {
                Packet::ToServer(bytes) => {
                    let reply = server
                        .as_mut()
                        .and_then(|server| serve(server, now, &bytes));
                    if let Some(reply) = reply {
                        link.send(now, || Packet::ToClients(reply.clone()));
                    }
                }
                Packet::ToClients(bytes) => {
                    let view = MessageView::decode(&bytes).unwrap();
                    for client in &mut clients {
                        client.handle_input(now, FROM, &view);
                    }
                }
            }
        }
    }
}

fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

fn server() -> Server {
    let mut network = network();
    network.ranges[0].end = Ipv4Addr::new(10, 0, 0, 200);
    Server::new(Settings::new(vec![network])).unwrap()
}

fn machines() -> Vec<Profile> {
    vec![
        Profile::pxe_bios(mac(1)),
        Profile::pxe_uefi(mac(2)).with_uuid([7; 16]),
        Profile::http_uefi(mac(3)),
        Profile::ipxe(mac(4), Arch::X64_UEFI),
        Profile::plain(mac(5).into()),
    ]
}

#[test]
fn each_firmware_gets_its_boot_file() {
    let ends = boot(&machines(), Some(server()), Link::new(1, 0));
    let files: Vec<_> = ends
        .iter()
        .map(|end| end.as_ref().unwrap().file.clone().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "undionly.kpxe",
            "ipxe.efi",
            "http://10.0.0.1/ipxe.efi",
            "http://10.0.0.1/boot.ipxe",
            "ipxe.efi"
        ]
    );
    for end in ends {
        let bound = end.unwrap();
        assert_eq!((bound.server, bound.next_server), (SERVER, Some(SERVER)));
        assert!(bound.lease_time.0 > 0);
    }
}

#[test]
fn machines_get_addresses_of_their_own_over_a_lossy_link() {
    let mut bound_in_all = 0;
    for seed in 0..100 {
        let ends = boot(&machines(), Some(server()), Link::new(seed, 20));
        let bound: Vec<_> = ends.into_iter().flatten().collect();
        let addresses: BTreeSet<_> = bound.iter().map(|bound| bound.address).collect();
        assert_eq!(addresses.len(), bound.len(), "seed {seed}");
        bound_in_all += bound.len();
    }
    assert!(bound_in_all > 450, "{bound_in_all} of 500 got an address");
}

#[test]
fn client_without_a_server_gives_up_after_its_tries() {
    let ends = boot(&[Profile::pxe_uefi(mac(1))], None, Link::new(1, 0));
    assert_eq!(ends, [Err(Failure::NoOffer { discovers: 4 })]);
}

#[test]
fn client_passes_over_what_is_not_for_it() {
    let mut client = Client::new(NOW, Profile::plain(mac(1).into()), 7);
    let Output::Transmit(discover) = client.poll_output(NOW).unwrap() else {
        panic!();
    };
    let mut server = server();
    let offer = serve(&mut server, NOW, &discover.bytes).unwrap();
    let changed: [(usize, u8); 3] = [(7, 8), (33, 2), (0, 1)];
    for (at, value) in changed {
        let mut other = offer.clone();
        other[at] = value;
        client.handle_input(NOW, FROM, &MessageView::decode(&other).unwrap());
        assert!(
            matches!(client.poll_output(NOW).unwrap(), Output::Wait(_)),
            "byte {at}"
        );
    }
    client.handle_input(NOW, FROM, &MessageView::decode(&offer).unwrap());
    assert!(matches!(
        client.poll_output(NOW).unwrap(),
        Output::Transmit(_)
    ));
}

#[test]
fn client_that_collects_prefers_the_offer_that_boots() {
    let mut profile = Profile::plain(mac(1).into());
    profile.collect_ms = 500;
    let mut client = Client::new(NOW, profile, 7);
    let Output::Transmit(discover) = client.poll_output(NOW).unwrap() else {
        panic!();
    };
    let mut booting = serve(&mut server(), NOW, &discover.bytes).unwrap();
    // The same offer from a server 10.0.0.9 that names no file: 67 becomes 224.
    let mut plain = booting.clone();
    plain[108..236].fill(0);
    let at = plain.windows(2).position(|pair| pair == [67, 8]).unwrap();
    plain[at] = 224;
    assert_eq!(plain[243..249], [54, 4, 10, 0, 0, 1]);
    plain[248] = 9;
    booting[19] = 150;
    for offer in [&plain, &booting] {
        client.handle_input(NOW, FROM, &MessageView::decode(offer).unwrap());
    }
    let Output::Wait(until) = client.poll_output(NOW).unwrap() else {
        panic!();
    };
    assert_eq!(until, NOW.after_ms(500));
    let Output::Transmit(request) = client.poll_output(until).unwrap() else {
        panic!();
    };
    assert_eq!(request.bytes[243..249], [50, 4, 10, 0, 0, 150]);
    assert_eq!(request.bytes[249..255], [54, 4, 10, 0, 0, 1]);
}

#[test]
fn client_that_is_refused_begins_again_and_gives_up_in_the_end() {
    let mut client = Client::new(NOW, Profile::plain(mac(1).into()), 7);
    let mut now = NOW;
    let mut requests = 0;
    let failure = loop {
        match client.poll_output(now).unwrap() {
            Output::Transmit(transmit) => {
                let mut server = server();
                let mut reply = serve(&mut server, now, &transmit.bytes).unwrap();
                assert_eq!(reply[240..242], [53, 1]);
                if reply[242] == 5 {
                    requests += 1;
                    // The ACK becomes a NAK.
                    reply[242] = 6;
                }
                client.handle_input(now, FROM, &MessageView::decode(&reply).unwrap());
            }
            Output::Wait(until) => now = until,
            Output::Failed(failure) => break failure,
            Output::Done(bound) => panic!("{bound:?}"),
        }
    };
    assert_eq!(requests, 5);
    let (requests, refusals) = (1, 5);
    assert_eq!(failure, Failure::NoAck { requests, refusals });
}

//! Whose word is taken: relay agents that are listed, and those in the network that they are heard
//! on.

use crate::packet::*;
use netboot_dhcp::MacAddr;
use netboot_dhcp::server::{
    AddressRange, Boot, Handled, Incoming, Link, Network, NetworkId, Outcome, Server, Settings,
    SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::wire::MessageView;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Where [`Packet`]s come in.
const HERE: u32 = 2;
const ELSEWHERE: u32 = 3;

const fn far(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 7, 0, last)
}

/// The network of this interface, and another one by `link`.
fn server(link: Link, change: impl FnOnce(&mut Network)) -> Server {
    let subnet = "10.7.0.0/24".parse().unwrap();
    let mut other = Network::new(NetworkId(7), link, subnet, far(1));
    other.ranges = vec![AddressRange::new(far(50), far(60))];
    other.gateways = vec![far(2)];
    change(&mut other);
    Server::new(Settings::new(vec![network(), other])).unwrap()
}

/// What becomes of a message, and the circuit that the boot policy is told.
fn ask(server: &mut Server, packet: Packet) -> (Outcome, Option<Vec<u8>>) {
    let bytes = packet.end();
    let message = MessageView::decode(&bytes).unwrap();
    let incoming = Incoming::new(message, "10.0.0.77:67".parse().unwrap(), HERE);
    let mut circuit = None;
    let outcome = server.handle_with(NOW, &incoming, |requester| {
        circuit = requester.circuit_id().map(|circuit| circuit.to_vec());
        Boot::default()
    });
    (outcome, circuit)
}

const PORT_7: &[u8] = &[1, 2, b'p', b'7'];

#[test]
fn a_giaddr_takes_no_address_of_a_network_on_another_interface_unless_it_is_listed() {
    let elsewhere = Link::Interface(ELSEWHERE);
    let discover = || Packet::discover(MAC).giaddr(far(9));
    let (outcome, _) = ask(&mut server(elsewhere, |_| ()), discover());
    assert_eq!(silence(outcome), SilenceReason::UnlistedRelay);
    // Its gateway is listed where it is reached through relay agents only.
    let by_gateway = Packet::discover(MAC).giaddr(far(2));
    let (outcome, _) = ask(&mut server(elsewhere, |_| ()), by_gateway);
    assert_eq!(silence(outcome), SilenceReason::UnlistedRelay);

    let mut listed = server(elsewhere, |network| network.relays = vec![far(9)]);
    let (outcome, _) = ask(&mut listed, discover());
    assert_eq!(yiaddr(outcome, MessageType::OFFER), far(50));
    let beside = Packet::discover(MAC).giaddr(ip(9));
    let (outcome, _) = ask(&mut server(elsewhere, |_| ()), beside);
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(100));
}

#[test]
fn link_selection_is_taken_from_relay_agents_that_are_listed() {
    let selects = |giaddr| {
        let agent = [&[5, 4][..], &far(0).octets()].concat();
        Packet::discover(MAC).giaddr(giaddr).option(82, &agent)
    };
    let stranger = Ipv4Addr::new(192, 0, 2, 66);
    let (outcome, _) = ask(&mut server(Link::Relay, |_| ()), selects(stranger));
    assert_eq!(silence(outcome), SilenceReason::UnlistedRelay);
    let mut listed = server(Link::Relay, |network| network.relays = vec![stranger]);
    let (outcome, _) = ask(&mut listed, selects(stranger));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), far(50));
}

#[test]
fn a_circuit_is_believed_behind_the_gateway_or_a_listed_relay_agent() {
    let behind = |giaddr| Packet::discover(MAC).giaddr(giaddr).option(82, PORT_7);
    let circuit = Some(b"p7".to_vec());
    let (outcome, told) = ask(&mut server(Link::Relay, |_| ()), behind(far(2)));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), far(50));
    assert_eq!(told, circuit, "the gateway, where nothing is listed");

    let (outcome, told) = ask(&mut server(Link::Relay, |_| ()), behind(far(9)));
    assert_eq!(
        yiaddr(outcome, MessageType::OFFER),
        far(50),
        "an address all the same"
    );
    assert_eq!(told, None);

    let mut listed = server(Link::Relay, |network| network.relays = vec![far(9)]);
    assert_eq!(ask(&mut listed, behind(far(9))).1, circuit);
    assert_eq!(
        ask(&mut listed, behind(far(2))).1,
        None,
        "what is listed replaces it"
    );
}

#[test]
fn a_circuit_without_a_relay_agent_is_the_clients_own_unless_switches_are_trusted() {
    let discover = || Packet::discover(MAC).option(82, PORT_7);
    let mut here = network();
    let mut strict = Server::new(Settings::new(vec![here.clone()])).unwrap();
    let (outcome, told) = ask(&mut strict, discover());
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(100));
    assert_eq!(told, None);
    here.trust_option_82 = true;
    let mut trusting = Server::new(Settings::new(vec![here])).unwrap();
    assert_eq!(ask(&mut trusting, discover()).1, Some(b"p7".to_vec()));
}

#[test]
fn an_inform_is_answered_at_an_address_of_ours_only() {
    let inform = |own| Packet::new(8, MAC).ciaddr(own);
    let stranger = Ipv4Addr::new(192, 0, 2, 66);
    let (outcome, _) = ask(&mut server(Link::Relay, |_| ()), inform(stranger));
    assert_eq!(silence(outcome), SilenceReason::NoNetwork);
    let elsewhere = Link::Interface(ELSEWHERE);
    let (outcome, _) = ask(&mut server(elsewhere, |_| ()), inform(far(9)));
    assert_eq!(silence(outcome), SilenceReason::NoNetwork);
    let (outcome, _) = ask(&mut server(elsewhere, |_| ()), inform(ip(9)));
    assert_eq!(reply(outcome).kind, MessageType::ACK);
}

/// How many of so many messages at one moment are answered.
fn answered(server: &mut Server, source: SocketAddrV4, packets: impl Fn(u8) -> Packet) -> usize {
    let ask = |number| {
        let bytes = packets(number).end();
        let incoming = Incoming::new(MessageView::decode(&bytes).unwrap(), source, HERE);
        let outcome = server.handle_with(NOW, &incoming, |_| Boot::default());
        match settle(server, NOW, outcome) {
            Outcome::Reply(_) => true,
            other => {
                assert_eq!(silence(other), SilenceReason::TooManyReplies);
                false
            }
        }
    };
    (0..200).map(ask).filter(|replied| *replied).count()
}

const ANYWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 66), 67);

#[test]
fn replies_to_one_address_of_another_link_have_a_rate_unless_its_relay_agent_is_listed() {
    let mac = |number| MacAddr([2, 0, 0, 0, 1, number]);
    let wide = |network: &mut Network| network.ranges = vec![AddressRange::new(far(20), far(250))];
    let by = |giaddr| move |number| Packet::discover(mac(number)).giaddr(giaddr);
    let mut unlisted = server(Link::Relay, wide);
    assert_eq!(answered(&mut unlisted, ANYWHERE, by(far(9))), 64);
    // Another address has its own, and the same one again in the next second.
    assert_eq!(answered(&mut unlisted, ANYWHERE, by(far(10))), 64);
    let later = NOW.after_ms(1_000);
    let outcome = handle(&mut unlisted, later, by(far(9))(1));
    assert_eq!(reply(outcome).kind, MessageType::OFFER);

    let mut listed = server(Link::Relay, |network| {
        wide(network);
        network.relays = vec![far(9)];
    });
    assert_eq!(answered(&mut listed, ANYWHERE, by(far(9))), 200);

    // A machine's own address behind a router, in an INFORM of anybody's.
    let inform = |own| move |_| Packet::new(8, MAC).ciaddr(own);
    let mut behind = server(Link::Relay, wide);
    assert_eq!(answered(&mut behind, ANYWHERE, inform(far(77))), 64);
}

#[test]
fn replies_on_the_link_that_was_asked_on_have_no_rate() {
    let mac = |number| MacAddr([2, 0, 0, 0, 1, number]);
    let mut network = network();
    network.ranges = vec![AddressRange::new(ip(20), ip(250))];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let source = "0.0.0.0:68".parse().unwrap();
    let discover = |number| Packet::discover(mac(number));
    assert_eq!(answered(&mut server, source, discover), 200);
    let by_relay = |number| discover(number).giaddr(ip(9));
    assert_eq!(answered(&mut server, ANYWHERE, by_relay), 200);
    let inform = |_| Packet::new(8, MAC).ciaddr(ip(7));
    assert_eq!(answered(&mut server, source, inform), 200);
}

#[test]
fn a_boot_servers_answers_to_an_address_of_another_link_have_a_rate() {
    let mut server = server(Link::Relay, |_| ());
    let asks = |server: &mut Server, source: SocketAddrV4| {
        let packet = Packet::new(3, MAC).option(60, b"PXEClient:Arch:00007:UNDI:003001");
        let bytes = packet.end();
        let incoming = Incoming::new(MessageView::decode(&bytes).unwrap(), source, HERE);
        let handled = server.handle_boot_server(NOW, &incoming);
        let Handled::Asks(question) = handled else {
            panic!("{handled:?}");
        };
        let outcome = server.answer(NOW, question, Boot::file("ipxe.efi"));
        matches!(outcome, Outcome::Reply(_))
    };
    let here = SocketAddrV4::new(ip(7), 4011);
    let answers = |server: &mut Server, to| (0..200).filter(|_| asks(server, to)).count();
    assert_eq!(answers(&mut server, ANYWHERE), 64);
    assert_eq!(answers(&mut server, here), 200);
}

//! A server that is sent one message after another: a byte of time and result, two of length, and
//! so many bytes of message, each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_dhcp::server::{
    AddressRange, Boot, Claim, ClaimResult, ClientKey, Effect, EffectResult, Handled, Incoming,
    Link, Mode, Network, NetworkId, Outcome, ProbeResult, Requester, Server, Settings,
};
use netboot_dhcp::{MacAddr, Timestamp, wire::MessageView};
use std::net::Ipv4Addr;

fuzz_target!(|data: &[u8]| {
    let (mut server, mut now, mut rest) = (server(), Timestamp(0), data);
    while let [fate, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (packet, after) = tail.split_at(len.min(tail.len()));
        rest = after;
        now = now.after_ms(u64::from(*fate) * 1_000);
        let Ok(message) = MessageView::decode(packet) else {
            continue;
        };
        let mut outcome = handle(&mut server, now, message, *fate);
        while let Outcome::Needs(effect, pending) = outcome {
            outcome = server.resume(now, pending, result(*fate, effect));
        }
        assert!(server.leases().count() <= 3);
    }
});

const fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn server() -> Server {
    let subnet = "10.0.0.0/24".parse().unwrap();
    let mut network = Network::new(NetworkId(1), Link::Interface(1), subnet, ip(1));
    network.ranges = vec![AddressRange::new(ip(10), ip(12))];
    network.rapid_commit = true;
    let mut far = Network::new(
        NetworkId(2),
        Link::Relay,
        "10.1.0.0/24".parse().unwrap(),
        ip(1),
    );
    far.mode = Mode::Proxy;
    network.probe = true;
    Server::new(Settings::new(vec![network, far])).unwrap()
}

fn handle(server: &mut Server, now: Timestamp, message: MessageView<'_>, fate: u8) -> Outcome {
    let incoming =
        Incoming::new(message, "0.0.0.0:68".parse().unwrap(), 1).sent_to(Ipv4Addr::BROADCAST);
    let boot = Boot::file("ipxe.efi");
    let policy = |machine: &Requester<'_>| {
        let _ = (
            machine.archs(),
            machine.uuid(),
            machine.circuit_id(),
            machine.host_name(),
        );
        boot.clone()
    };
    let outcome = if fate >= 128 {
        server.handle_boot_server(now, &incoming)
    } else {
        server.handle(now, &incoming)
    };
    match outcome {
        Handled::Asks(question) => {
            let boot = policy(&question.requester(message));
            server.answer(now, question, boot)
        }
        Handled::Done(outcome) => outcome,
    }
}

fn result(fate: u8, effect: Effect) -> EffectResult {
    match (fate % 5, effect) {
        (0, _) => ClaimResult::Stored.into(),
        (1, _) => ClaimResult::Down.into(),
        (2, _) => ProbeResult::InUse.into(),
        (3, Effect::Claim(Claim { mut lease, .. })) => {
            // Another server gave the address to another client, or to this one.
            if fate & 32 == 0 {
                lease.client = ClientKey::Hardware(MacAddr([2, 0, 0, 0, 0, 1]).into());
            }
            let current = Some(lease);
            ClaimResult::Lost { current }.into()
        }
        _ => ClaimResult::Lost { current: None }.into(),
    }
}

//! Every machine reaches its boot file in every server mode: from the DHCP server itself, from a
//! proxy beside a plain DHCP server, and either behind a relay agent.

use crate::link::Random;
use crate::packet::{NOW, SERVER};
use crate::site::{Answerer, PC, PI, SITES, World, machines, network, policy};
use netboot_dhcp::client::{Client, Failure, Model, Output, Profile};
use netboot_dhcp::server::Boot;
use netboot_dhcp::wire::MessageView;
use proptest::prelude::*;
use std::net::Ipv4Addr;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_machine_reaches_its_boot_file_in_every_mode(jitter in prop::collection::vec(any::<u8>(), 1..6)) {
        for site in SITES {
            for (profile, file) in machines() {
                let model = profile.model;
                let mut world = World::new(site, &jitter);
                let bound = world.boot(profile);
                prop_assert!(bound.is_ok(), "{model:?} at {site:?}: {bound:?}");
                let bound = bound.unwrap();
                prop_assert_eq!(bound.file.as_deref(), Some(file), "{:?} at {:?}", model, site);
                prop_assert_eq!(bound.next_server, Some(world.ours()), "{:?} at {:?}", model, site);
                prop_assert_eq!(bound.boot_server, world.ours(), "{:?} at {:?}", model, site);
                prop_assert_eq!(bound.server == world.ours(), !site.proxy);
                prop_assert!(!bound.address.is_unspecified());
            }
        }
    }
}

#[test]
fn machines_boot_what_they_should_or_nothing_over_a_link_that_loses_and_repeats() {
    let (mut booted, mut all) = (0, 0);
    for seed in 0..30 {
        for site in SITES {
            for (profile, file) in machines() {
                let model = profile.model;
                let mut world = World::new(site, &[3, 250, 40]);
                world.loss_percent = 10;
                world.random = Random(seed);
                all += 1;
                let Ok(bound) = world.boot(profile) else {
                    continue;
                };
                // Without the proxy's OFFER a machine has an address and nothing to boot.
                let Some(got) = bound.file else {
                    assert!(site.proxy, "{model:?} at {site:?}, seed {seed}");
                    continue;
                };
                booted += 1;
                assert_eq!(got, file, "{model:?} at {site:?}, seed {seed}");
                assert_eq!(bound.boot_server, world.ours());
            }
        }
    }
    assert!(booted * 100 > all * 85, "{booted} of {all}");
}

#[test]
fn raspberry_pi_3_never_hears_a_server_that_answers_at_once() {
    let mut world = World::new(SITES[0], &[0]);
    let mut network = network(SERVER, false);
    network.offer_delay_ms = 0;
    world.answerers = vec![Answerer::new(network, policy)];
    assert_eq!(
        world.boot(Profile::raspberry_pi_3(PI)),
        Err(Failure::NoOffer { discovers: 4 })
    );
    assert!(world.boot(Profile::raspberry_pi_4(PI)).is_ok());
}

#[test]
fn http_firmware_takes_no_offer_without_a_url() {
    let mut world = World::new(SITES[0], &[0]);
    world.answerers = vec![Answerer::new(network(SERVER, false), |_| Boot::default())];
    assert_eq!(
        world.boot(Profile::http_uefi(PC)),
        Err(Failure::NoOffer { discovers: 4 })
    );
}

#[test]
fn machine_whose_boot_server_is_silent_says_so() {
    let mut world = World::new(SITES[1], &[0]);
    let proxy = world.ours();
    let mut client = Client::new(NOW, Profile::pxe_uefi(PC), 7);
    let mut now = NOW;
    let failure = loop {
        match client.poll_output(now).unwrap() {
            Output::Transmit(transmit) if transmit.destination.port() == 4011 => {
                assert_eq!(*transmit.destination.ip(), proxy);
                assert_eq!(transmit.source_port, 4011, "EDK2 asks from 4011");
            }
            Output::Transmit(transmit) => world.send(now, Ipv4Addr::UNSPECIFIED, &transmit),
            Output::Wait(until) => match world.arrivals.pop_first() {
                Some(((at, _), (from, bytes))) => {
                    now = now.max(at);
                    client.handle_input(now, from, &MessageView::decode(&bytes).unwrap());
                }
                None => now = until,
            },
            Output::Failed(failure) => break failure,
            Output::Done(bound) => panic!("{bound:?}"),
        }
    };
    let (server, requests) = (proxy, 4);
    assert_eq!(failure, Failure::NoBootServer { server, requests });
}

#[test]
fn every_model_has_a_machine() {
    let mut models: Vec<_> = machines().into_iter().map(|(one, _)| one.model).collect();
    models.dedup();
    let all = [
        Model::Ipxe,
        Model::IntelUndi,
        Model::OldEdk2,
        Model::Edk2,
        Model::Edk2Http,
        Model::Ipxe,
        Model::RaspberryPi3,
        Model::RaspberryPi4,
    ];
    assert_eq!(models, all);
}

//! A script that asks for an address before it fetches, on machines with several network cards.
//!
//! The caller is the network, as iPXE has it: a card is open from when it got an address until it
//! is closed or its DHCP fails, `netX` is the one that was opened last, and nothing is reached
//! over a card that is not open (`net/netdevice.c`, `net/netdev_settings.c`).

use netboot_ipxe::{
    Arg, Chain, Dhcp, Ending, Retry, Setting, SettingType,
    lint::{Build, Platform, lint},
    run::{Answer, Effect, End, Run},
};

/// What is behind a network card.
#[derive(Clone, Copy, PartialEq)]
enum Behind {
    /// The network of the server that the script is from.
    Ours,
    /// A DHCP server of somebody else's; ours is not reached from there.
    Another,
    /// No link, or nobody who answers.
    Nobody,
}
use Behind::{Another, Nobody, Ours};

const MAC: &str = "02:00:00:00:00:01";

fn script(card: Option<&str>) -> String {
    let mac = Setting::new("mac").scope("netX").typed(SettingType::HexHyp);
    let url = Arg::from("http://10.0.0.1/boot.ipxe?mac=").setting(mac);
    let dhcp = Dhcp::new().configurator("dhcp");
    let dhcp = match card {
        Some(mac) => dhcp.card(mac),
        None => dhcp,
    };
    let (tries, pause_s) = (2, 5);
    let ending = Ending::Exit {
        status: 1,
        wait_ms: 1,
    };
    let chain = Chain::new("x", url)
        .dhcp_first(dhcp)
        .retry(Retry::new(tries, pause_s));
    let script = chain.script(ending).and_then(|script| script.render());
    let script = script.expect("it can be written");
    assert_eq!(lint(&script, &Build::debian_12(), Platform::Efi), []);
    script
}

/// Runs it on a machine with these cards, by their number; gives the cards it asked on, and the
/// URL that it went on with or how it ended.
fn boot(script: &str, cards: &[(u32, &str, Behind)]) -> (Vec<String>, Result<String, End>) {
    let mut run = Run::new(script).expect("it is a script");
    for (number, mac, _) in cards {
        assert!(run.settings_mut().set(&format!("net{number}/mac"), mac));
    }
    let mut open: Vec<(u32, &str, Behind)> = Vec::new();
    let (mut asked, mut answer) = (Vec::new(), Answer::Done);
    let mut url = String::new();
    loop {
        answer = match run.next(answer) {
            Effect::Dhcp { interfaces } => {
                let [name] = interfaces.as_slice() else {
                    panic!("on one card at a time: {interfaces:?}")
                };
                asked.push(name.clone());
                let named = |(number, ..): &&(u32, _, _)| format!("net{number}") == *name;
                let card = cards.iter().find(named).expect("a card that is there");
                if card.2 == Nobody {
                    Answer::Failed
                } else {
                    open.push(*card);
                    assert!(run.settings_mut().set("netX/mac", card.1));
                    Answer::Done
                }
            }
            Effect::Command { words } => {
                assert_eq!(words[0], "ifclose");
                open.retain(|(number, ..)| format!("net{number}") != words[1]);
                Answer::Done
            }
            Effect::Fetch { uri, .. } => {
                url = uri;
                match open.iter().any(|(.., behind)| *behind == Ours) {
                    true => Answer::Done,
                    // Network unreachable, or no route to the host.
                    false => Answer::Failed,
                }
            }
            Effect::Boot { replace, .. } => {
                assert!(replace, "nothing of this script stays");
                return (asked, Ok(url));
            }
            Effect::End(end) => return (asked, Err(end)),
            Effect::Prompt { .. } => Answer::Failed,
            Effect::Echo { .. } | Effect::Sleep { .. } => Answer::Done,
            other => panic!("{other:?}"),
        };
    }
}

#[test]
fn the_card_with_the_mac_address_is_asked_on_and_no_other() {
    let url = "http://10.0.0.1/boot.ipxe?mac=02-00-00-00-00-01";
    let script = script(Some(MAC));
    for cards in [
        &[(0, MAC, Ours)][..],
        &[(0, "02:00:00:00:00:09", Another), (1, MAC, Ours)],
        &[(0, MAC, Ours), (1, "02:00:00:00:00:09", Another)],
        // A card that was taken out leaves its number behind.
        &[(2, "02:00:00:00:00:09", Nobody), (7, MAC, Ours)],
    ] {
        let right = cards.iter().find(|(_, mac, _)| *mac == MAC);
        let name = format!("net{}", right.expect("it is there").0);
        assert_eq!(boot(&script, cards), (vec![name], Ok(url.to_owned())));
    }
}

#[test]
fn where_no_card_has_the_mac_address_each_is_tried_and_the_url_says_which_it_was() {
    let cards = [
        (0, "02:00:00:00:00:07", Nobody),
        (1, "02:00:00:00:00:08", Another),
        (3, "02:00:00:00:00:09", Ours),
    ];
    for script in [script(None), script(Some(MAC))] {
        let (asked, went_on) = boot(&script, &cards);
        assert_eq!(asked, ["net0", "net1", "net3"]);
        let url = "http://10.0.0.1/boot.ipxe?mac=02-00-00-00-00-09";
        assert_eq!(went_on.as_deref(), Ok(url));
    }
}

#[test]
fn without_an_address_it_tries_a_bounded_number_of_times_and_leaves_the_machine_to_its_firmware() {
    let left = Err(End::Exit { status: 1 });
    let (asked, end) = boot(&script(Some(MAC)), &[(0, MAC, Nobody)]);
    assert_eq!((asked.len(), &end), (2, &left));
    let (asked, end) = boot(&script(None), &[(0, MAC, Another), (1, MAC, Nobody)]);
    assert_eq!((asked.len(), &end), (4, &left));
    assert_eq!(boot(&script(None), &[]), (vec![], left));
}

//! Another DHCP server's offer was taken.

use netboot_dhcp::value::MessageType;

use crate::diagnosis::story::{Story, spoken};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Progress, Stage};

pub(super) const RULE: Rule = Rule {
    code: "other-server-won",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Program) || !story.is_quiet() {
        return None;
    }
    // An offer of an address and a program would have done; one in proxy mode has no address.
    let offer = |kind| {
        spoken(kind).filter(|spoken| {
            spoken.message == MessageType::OFFER
                && spoken.stage == Stage::Server
                && spoken.names_file
                && spoken.address.is_some()
        })
    };
    let (offered, ours) = story.last(|kind| offer(kind)?.server)?;
    let choice = story.last(|kind| {
        let spoken = spoken(kind)?;
        let by_machine = spoken.message == MessageType::REQUEST && spoken.stage != Stage::Server;
        spoken.server.filter(|_| by_machine)
    });
    if let Some((chosen, other)) = choice {
        let names_file = |(_, kind)| offer(kind).is_some_and(|it| it.server == Some(other));
        if story.events().any(names_file) {
            return None;
        }
        return Some(Finding::new(
            Certainty::Certain,
            [offered, chosen],
            format!(
                "It took the offer of another DHCP server, {other}, which names no boot program."
            ),
            cure(&other.to_string()),
        ));
    }
    // A REQUEST to another server is no more to this one than one that it does not answer.
    let elsewhere = story.behind(offered).find(|(_, kind)| {
        spoken(kind).is_some_and(|it| it.message == MessageType::REQUEST && it.server.is_none())
    });
    let seen = story.last(|kind| match kind {
        Kind::OtherServer { server, .. } if *server != ours => Some(*server),
        _ => None,
    });
    let evidence = [Some(offered), elsewhere.map(|(at, _)| at), seen.map(|(at, _)| at)];
    let other = seen.map_or_else(|| "another one".to_owned(), |(_, server)| server.to_string());
    let answered = |(_, kind)| spoken(kind).is_some_and(|it| it.message == MessageType::ACK);
    if (elsewhere.is_none() && seen.is_none()) || story.behind(offered).any(answered) {
        return None;
    }
    Some(Finding::new(
        Certainty::Likely,
        evidence.into_iter().flatten(),
        format!("It did not take this server's offer, and another DHCP server, {other}, answers."),
        cure(&other),
    ))
}

fn cure(other: &str) -> String {
    format!(
        "Let one of the two serve the network: switch off the DHCP of {other}, or write mode = \
         \"proxy\" in the network, so that {other} gives the addresses and this server the boot \
         program."
    )
}

//! It was offered an address, and asks again instead of taking it.

use netboot_dhcp::value::MessageType;

use crate::diagnosis::story::{Story, is_message};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Stage};

pub(super) const RULE: Rule = Rule {
    code: "offer-not-taken",
    of_all: false,
    look,
};

/// As often EDK2 and PXE ROMs ask before they give up, 4 times, less one whose answer was lost.
const OFTEN: usize = 3;

fn look(story: &Story<'_>) -> Option<Finding> {
    let offers = story.places(|kind| is_message(kind, MessageType::OFFER, Stage::Server));
    let last = *offers.last()?;
    let is_taken = |kind: &Kind| {
        is_message(kind, MessageType::REQUEST, Stage::Firmware)
            || is_message(kind, MessageType::REQUEST, Stage::Ipxe)
            || is_message(kind, MessageType::ACK, Stage::Server)
    };
    if !story.is_quiet() || story.events().any(|(_, kind)| is_taken(kind)) {
        return None;
    }
    let interface = story.interface();
    let certainty = match offers.len() >= OFTEN {
        true => Certainty::Likely,
        false => Certainty::Possible,
    };
    Some(Finding::new(
        certainty,
        [last],
        format!(
            "It was offered an address {} and took none: the offers do not reach it, or its \
             firmware does not like them.",
            times(offers.len())
        ),
        format!(
            "Look whether answers from {interface} reach the machine: a switch that waits for \
             spanning tree (switch on its fast mode, portfast), a guard against DHCP servers \
             (DHCP snooping) that does not trust this server's port, or another VLAN."
        ),
    ))
}

fn times(count: usize) -> String {
    match count {
        1 => "once".into(),
        count => format!("{count} times"),
    }
}

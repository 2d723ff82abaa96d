//! Firmware has its address and the name of its program, and asks for nothing.

use netboot_dhcp::value::MessageType;

use crate::diagnosis::story::{Story, asks_for_file, is_message};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::Stage;

pub(super) const RULE: Rule = Rule {
    code: "program-never-asked",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if !story.is_quiet() {
        return None;
    }
    let is_by_ipxe = |kind| {
        is_message(kind, MessageType::DISCOVER, Stage::Ipxe)
            || is_message(kind, MessageType::REQUEST, Stage::Ipxe)
    };
    let (acknowledged, file) = story.told(MessageType::ACK)?;
    let asked = |(_, kind)| asks_for_file(kind) || is_by_ipxe(kind);
    if story.events().any(asked) {
        return None;
    }
    let by = match file.starts_with("http") {
        true => "HTTP",
        false => "TFTP",
    };
    let interface = story.interface();
    Some(Finding::new(
        Certainty::Likely,
        [acknowledged],
        format!(
            "Its firmware has its address and was told {file}, and no request by {by} came: packets \
             from it to this server are lost, or answers to its ARP do not reach it."
        ),
        format!(
            "Look at firewalls between it and this server ({by}), and whether its port of the \
             switch is in the VLAN of {interface}, untagged: broadcasts come through relay agents \
             even where nothing else does."
        ),
    ))
}

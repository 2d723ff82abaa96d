//! It asks for an address that it may not have, and for no other.

use netboot_dhcp::value::MessageType;

use crate::diagnosis::story::{Story, is_message};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Stage};

pub(super) const RULE: Rule = Rule {
    code: "address-refused",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let refusals =
        story.places(|kind| is_message(kind, MessageType::NAK, Stage::Server));
    let last = *refusals.last()?;
    let confirmed = |kind| is_message(kind, MessageType::ACK, Stage::Server);
    if story.behind(last).any(|(_, kind)| confirmed(kind)) || !story.is_quiet() {
        return None;
    }
    let why = story.last(|kind| match kind {
        Kind::Dhcp { refusal, .. } => refusal.as_deref(),
        _ => None,
    });
    let why = why.map(|(_, why)| why).filter(|why| !why.is_empty());
    let why = why.unwrap_or("the server does not say why");
    Some(Finding::new(
        Certainty::Certain,
        refusals,
        format!("It asked for an address that it may not have, and took no other: {why}."),
        "Switch it off and on: firmware begins without an address then. Where that does not help, \
         look whether two DHCP servers answer on its network: `netboot doctor` names the other.",
    ))
}

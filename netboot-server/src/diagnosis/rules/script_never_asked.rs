//! iPXE has its address and the script's URL, and does not ask for the script.

use netboot_dhcp::value::MessageType;

use crate::diagnosis::story::{Story, asks_for_file, is_message};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Progress, Stage};

pub(super) const RULE: Rule = Rule {
    code: "script-never-asked",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Script) || !story.is_quiet() {
        return None;
    }
    let asks = |kind: &Kind| {
        is_message(kind, MessageType::REQUEST, Stage::Ipxe)
            || is_message(kind, MessageType::DISCOVER, Stage::Ipxe)
    };
    let (by_ipxe, ()) = story.first(|kind| asks(kind).then_some(()))?;
    let (acknowledged, file) = story.told(MessageType::ACK)?;
    let asked = |(_, kind)| asks_for_file(kind);
    if acknowledged < by_ipxe || story.behind(acknowledged).any(asked) {
        return None;
    }
    Some(Finding::new(
        Certainty::Likely,
        [by_ipxe, acknowledged],
        format!("iPXE runs, has its address and was told {file}, and never asked for it."),
        format!(
            "Look whether the machine reaches {file}: a firewall that stops TCP to that port, an \
             address of this server in another subnet without a router, or a wrong http_port. \
             `netboot probe` tries it from another host."
        ),
    ))
}

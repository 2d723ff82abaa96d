//! The only DHCP server that answers names no boot program.

use netboot_dhcp::value::MessageType;

use crate::diagnosis::story::{Story, is_message, spoken};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Progress, Stage};

pub(super) const RULE: Rule = Rule {
    code: "no-boot-data",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    // What this server leaves out, it leaves out on purpose.
    if !story.is_foreign() || story.reached(Progress::Program) || !story.is_quiet() {
        return None;
    }
    story.first(|kind| is_message(kind, MessageType::DISCOVER, Stage::Firmware).then_some(()))?;
    let replies = story.places(|kind| {
        is_message(kind, MessageType::OFFER, Stage::Server)
            || is_message(kind, MessageType::ACK, Stage::Server)
    });
    let last = *replies.last()?;
    let names_file = |(_, kind)| spoken(kind).is_some_and(|spoken| spoken.names_file);
    if story.events().any(names_file) {
        return None;
    }
    let server = story.last(|kind| spoken(kind).filter(|it| it.stage == Stage::Server)?.server);
    let server = server.map_or_else(|| "a server".to_owned(), |(_, it)| it.to_string());
    Some(Finding::new(
        Certainty::Certain,
        [last],
        format!("{server} gave its firmware an address and named no boot program."),
        format!(
            "Let {server} name one (siaddr and file, or options 66 and 67), or write a network \
             with mode = \"proxy\" for it here."
        ),
    ))
}

//! Its relay agent is not listed in its network.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Progress};

pub(super) const RULE: Rule = Rule {
    code: "relay-not-listed",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Leased) {
        return None;
    }
    let (place, relay) = story.last(|kind| match kind {
        // With a network the machine is answered, and only its circuit is not believed.
        Kind::RelayNotListed {
            relay,
            network: None,
            ..
        } => Some(*relay),
        _ => None,
    })?;
    let relay = relay?;
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!(
            "Its messages come by relay agent {relay}, which its network does not list, so that \
             they get no answer."
        ),
        format!("If that relay agent is yours, write relays = [\"{relay}\"] in the network."),
    ))
}

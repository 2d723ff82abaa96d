//! It asked for its program by TFTP and acknowledged nothing.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, TftpEnd};

pub(super) const RULE: Rule = Rule {
    code: "tftp-no-ack",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let unheard = |kind: &Kind| {
        let end = match kind {
            Kind::TftpFailed { end, .. } => Some(*end),
            _ => None,
        };
        end == Some(TftpEnd::NoAck)
    };
    let places = story.places(unheard);
    let last = *places.last()?;
    let (_, (client, name)) = story.last(|kind| match kind {
        Kind::TftpFailed { client, name, .. } if unheard(kind) => Some((client, name)),
        _ => None,
    })?;
    if story.goes_on_behind(last) {
        return None;
    }
    Some(Finding::new(
        Certainty::Likely,
        places,
        format!(
            "It asked for {name} by TFTP and never acknowledged what was sent: packets from the \
             server's transfer ports do not come to {client}, or its ACKs do not come back."
        ),
        "Let UDP between the machine and all ports of the server pass firewalls and routers on the \
         way, not port 69 alone; or write tftp.single_port = true, so that port 69 is all that \
         there is.",
    ))
}

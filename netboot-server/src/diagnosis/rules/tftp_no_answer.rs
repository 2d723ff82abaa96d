//! No server answers its requests by TFTP.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, TftpEnd};

pub(super) const RULE: Rule = Rule {
    code: "tftp-no-answer",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let unanswered = |kind: &Kind| {
        let end = match kind {
            Kind::TftpFailed { end, .. } => Some(*end),
            _ => None,
        };
        end == Some(TftpEnd::NoAnswer)
    };
    let places = story.places(unanswered);
    let last = *places.last()?;
    if story.goes_on_behind(last) {
        return None;
    }
    let (_, name) = story.last(|kind| match kind {
        Kind::TftpFailed { name, .. } if unanswered(kind) => Some(name),
        _ => None,
    })?;
    Some(Finding::new(
        Certainty::Likely,
        places,
        format!(
            "It asked for {name} by TFTP, and the capture has no answer: no TFTP server is there, \
             or its answers do not come back, or the capture was filtered by port 69, from which \
             answers do not come."
        ),
        "Look whether the TFTP server runs and its firewall lets UDP port 69 pass. Capture without \
         a filter on port 69.",
    ))
}

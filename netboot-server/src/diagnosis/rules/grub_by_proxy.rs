//! It gets GRUB in proxy mode, which asks the other server.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Progress};

pub(super) const RULE: Rule = Rule {
    code: "grub-by-proxy",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Script) || !story.is_quiet() {
        return None;
    }
    let (place, program) = story.last(|kind| match kind {
        Kind::GrubByProxy { program } => Some(program),
        _ => None,
    })?;
    Some(Finding::new(
        Certainty::Likely,
        [place],
        format!(
            "{program} leads to GRUB, which looks for its configuration at the server that gave the \
             address, and that is another one."
        ),
        "Let the other DHCP server name this server (siaddr), or name an iPXE as the program.",
    ))
}

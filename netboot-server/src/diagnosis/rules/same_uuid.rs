//! Two machines say one UUID.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};

pub(super) const RULE: Rule = Rule {
    code: "same-uuid",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let boot = story.boot();
    let uuid = boot.uuid?;
    let mut others = story.others().iter();
    let other = others.find(|other| other.uuid == Some(uuid) && other.machine != boot.machine)?;
    // A machine with two ports has two addresses and one UUID.
    Some(Finding::new(
        Certainty::Possible,
        [0],
        format!(
            "{} says the UUID {uuid}, too: they are one machine with two network ports, or two \
             whose firmware has the same.",
            other.machine
        ),
        "Name targets by mac where two machines say one UUID.",
    ))
}

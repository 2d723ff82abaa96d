//! Two machines have one MAC address.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};

pub(super) const RULE: Rule = Rule {
    code: "same-mac",
    of_all: true,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let boot = story.boot();
    let uuid = boot.uuid?;
    let mut history = story.history().iter();
    let before = history.find_map(|before| before.uuid.filter(|other| *other != uuid))?;
    Some(Finding::new(
        Certainty::Possible,
        [0],
        format!(
            "The machine with {} said the UUID {before} in an earlier boot, and {uuid} in this \
             one: two machines have one MAC address, or the network card was moved.",
            boot.machine
        ),
        "Give each its own MAC address; virtual machines that were copied have their original's.",
    ))
}

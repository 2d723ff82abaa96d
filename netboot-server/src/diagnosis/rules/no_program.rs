//! There is no boot program for this firmware.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Progress};

pub(super) const RULE: Rule = Rule {
    code: "no-program",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Program) {
        return None;
    }
    let (place, why) = story.last(|kind| match kind {
        Kind::NoProgram { why } => Some(why),
        _ => None,
    })?;
    let programs = story.platform().map(|platform| platform.programs());
    let cure = match programs.and_then(|programs| programs.first()) {
        Some(first) => format!(
            "Put {first} into the folder tftp/ of the state folder, or install the package of \
             iPXE that has it."
        ),
        None => {
            "Name a program for it: `program` of its target, its group or the network.".to_owned()
        }
    };
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!("There is no boot program for it: {why}."),
        cure,
    ))
}

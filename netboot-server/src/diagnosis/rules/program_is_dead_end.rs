//! It is told a program behind which nothing comes.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Progress};

pub(super) const RULE: Rule = Rule {
    code: "program-is-dead-end",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Script) {
        return None;
    }
    let (place, why) = story.last(|kind| match kind {
        Kind::ProgramIsDeadEnd { why } => Some(why),
        _ => None,
    })?;
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!("It boots no further than its program: {why}."),
        "Do as the cause says, or name an iPXE as the program.",
    ))
}

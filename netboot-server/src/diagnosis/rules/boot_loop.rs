//! It had everything, and began again within minutes.

use jiff::SignedDuration;

use crate::boots::Boot;
use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};

pub(super) const RULE: Rule = Rule {
    code: "boot-loop",
    of_all: true,
    look,
};

/// A system that asks as firmware again so soon behind its hand-over did not run.
const SOON: SignedDuration = SignedDuration::from_mins(10);

fn look(story: &Story<'_>) -> Option<Finding> {
    let mut next = story.boot().began;
    // One whose system was heard of has run.
    let follows = |before: &&Boot| {
        let handed_over = before.handed_over.filter(|_| !before.system);
        let is_soon = handed_over.is_some_and(|at| next.duration_since(at) < SOON);
        next = before.began;
        is_soon
    };
    let times = story.history().iter().take_while(follows).count();
    let certainty = match times {
        0 => return None,
        1 => Certainty::Possible,
        _ => Certainty::Likely,
    };
    let (what, again) = match times {
        1 => ("boot before this one", "once".to_owned()),
        count => ("boots before this one", format!("{count} times in a row")),
    };
    let image = story.history().first().and_then(|boot| boot.boots.clone());
    let image = image.map_or_else(String::new, |image| format!(" ({image})"));
    Some(Finding::new(
        certainty,
        [0],
        format!(
            "It had its whole image{image} in the {what}, {again}, and asked as firmware again \
             within ten minutes: its system does not come up, or restarts."
        ),
        "Look at the machine's screen or its serial console from the moment the kernel starts: a \
         kernel that finds no init, no root or no driver says so there. Where somebody restarted \
         the machine, or its system does not ask for an address, all is well.",
    ))
}

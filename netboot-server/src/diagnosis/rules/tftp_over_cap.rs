//! It asked by TFTP while all places were taken.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, TftpEnd};

pub(super) const RULE: Rule = Rule {
    code: "tftp-over-cap",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (place, (name, why)) = story.last(|kind| match kind {
        Kind::TftpFailed {
            end: TftpEnd::OverCap,
            name,
            why,
            ..
        } => Some((name, why)),
        _ => None,
    })?;
    if story.goes_on_behind(place) {
        return None;
    }
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!("It got no place for {name}: {why}."),
        "Power on fewer machines at once, or raise the cap that the cause names.",
    ))
}

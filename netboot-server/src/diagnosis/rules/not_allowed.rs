//! The network serves known machines only, and this is none.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::Kind;

pub(super) const RULE: Rule = Rule {
    code: "not-allowed",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (place, why) = story.last(|kind| match kind {
        Kind::LeftOut { why } => Some(why),
        _ => None,
    })?;
    let machine = story.boot().machine;
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!("The network serves known machines only, and this is none: {why}."),
        format!(
            "Name it in netboot.targets with mac = \"{machine}\", or take allow = \"known\" from \
             the network."
        ),
    ))
}

//! Its iPXE lacks what boot scripts need.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::Kind;

pub(super) const RULE: Rule = Rule {
    code: "ipxe-lacks",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (place, (missing, program)) = story.last(|kind| match kind {
        Kind::IpxeLacks {
            missing,
            program,
            again: true,
        } => Some((missing, program)),
        _ => None,
    })?;
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!("The iPXE in {program} lacks {missing}, which its boot script needs."),
        format!("Put an iPXE that has them in the place of {program}."),
    ))
}

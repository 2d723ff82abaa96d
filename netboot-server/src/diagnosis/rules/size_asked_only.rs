//! It asked how large its program is, and then not for the program.

use crate::diagnosis::story::{Story, asks_for_file};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::Kind;

pub(super) const RULE: Rule = Rule {
    code: "size-asked-only",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (place, (name, bytes)) = story.last(|kind| match kind {
        Kind::TftpSizeProbe { name, bytes, .. } => Some((name, *bytes)),
        _ => None,
    })?;
    if !story.is_quiet() || story.behind(place).any(|(_, kind)| asks_for_file(kind)) {
        return None;
    }
    let size = bytes.map_or_else(String::new, |bytes| format!(", {bytes} bytes,"));
    Some(Finding::new(
        Certainty::Possible,
        [place],
        format!(
            "Its firmware asked for the size of {name}{size} and then not for the file: the program \
             is too large for it, or the ERROR that ends the question did not come through."
        ),
        "Try a smaller program (snponly.efi instead of ipxe.efi), and look at firewalls between the \
         machine and the server.",
    ))
}

//! A transfer by TFTP ended on the way.

use crate::diagnosis::story::{Story, sent_whole};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::paths::Resource;
use crate::telemetry::events::{Kind, TftpEnd};

pub(super) const RULE: Rule = Rule {
    code: "tftp-cut-off",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (place, (end, name, bytes, size, why)) = story.last(|kind| match kind {
        Kind::TftpFailed {
            end: end @ (TftpEnd::Silent | TftpEnd::ByClient | TftpEnd::Other),
            name,
            bytes,
            size,
            why,
            ..
        } if Resource::of(name) != Resource::Optional => Some((*end, name, *bytes, *size, why)),
        _ => None,
    })?;
    let again = |kind| sent_whole(kind).is_some_and(|(sent, _)| sent == name);
    if story.behind(place).any(|(_, kind)| again(kind)) {
        return None;
    }
    let of = size.map_or_else(String::new, |size| format!(" of {size}"));
    let far = format!("after {bytes}{of} bytes");
    let (cause, cure) = match end {
        TftpEnd::ByClient => (
            format!("It ended the transfer of {name} itself {far}: {why}."),
            "Its firmware does not want the file, most often because it is too large for it: load \
             by HTTP what is large, and let the program be iPXE.",
        ),
        TftpEnd::Silent => (
            format!("It fell silent {far} of {name}: {why}."),
            "Look at the cable, the switch and the power of the machine; where packets are lost, \
             the counters of the switch's port show it.",
        ),
        _ => (
            format!("The transfer of {name} ended {far}: {why}."),
            "Do as the cause says; `netboot doctor` looks at the host.",
        ),
    };
    Some(Finding::new(Certainty::Certain, [place], cause, cure))
}

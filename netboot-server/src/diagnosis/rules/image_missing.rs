//! What it is to boot is not there, or may not be given to it.

use crate::diagnosis::story::{Story, sent_whole};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::paths::Resource;
use crate::telemetry::events::{Kind, ScriptAction, TftpEnd};

pub(super) const RULE: Rule = Rule {
    code: "image-missing",
    of_all: false,
    look,
};

/// Statuses of what is not there (RFC 9110).
const NOT_FOUND: u16 = 404;
const GONE: u16 = 410;

fn look(story: &Story<'_>) -> Option<Finding> {
    let refused = story.last(|kind| match kind {
        Kind::HttpRefused {
            path,
            why,
            status: GONE | NOT_FOUND,
            ..
        } => Some((path, why)),
        Kind::TftpFailed {
            end: TftpEnd::NotFound | TftpEnd::Refused,
            name,
            why,
            ..
        } => Some((name, why)),
        _ => None,
    });
    let refused = refused.filter(|(place, (path, _))| {
        let again = |kind| sent_whole(kind).is_some_and(|(sent, _)| sent == path.as_str());
        let went_through = story.behind(*place).any(|(_, kind)| again(kind));
        Resource::of(path) == Resource::Image && !went_through
    });
    if let Some((place, (path, why))) = refused {
        return Some(Finding::new(
            Certainty::Certain,
            [place],
            format!("A file of its image is not served, {path}: {why}."),
            "Let `netboot image verify` look at the image. Where the generation was removed while \
             the machine booted, switch it off and on: it gets the current one then.",
        ));
    }
    let (place, (action, boots)) = story.last(|kind| match kind {
        Kind::Script { action, boots, .. } => Some((*action, boots)),
        _ => None,
    })?;
    let cure = match action {
        ScriptAction::Notice => {
            "Add the image by `netboot image add`, or do as the machine's screen and `netboot \
             explain` say."
        }
        ScriptAction::Withheld => {
            "What it boots has a secret in it, which only the machine gets that holds the lease of \
             the target's MAC address: let it ask from that address, by this server's DHCP."
        }
        _ => return None,
    };
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!("Its script says what is wrong in place of booting: {boots}."),
        cure,
    ))
}

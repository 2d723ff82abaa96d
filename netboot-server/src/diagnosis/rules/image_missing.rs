//! What it is to boot is not there, or may not be given to it.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::paths::Resource;
use crate::telemetry::events::{Kind, ScriptAction, TftpEnd};

pub(super) const RULE: Rule = Rule {
    code: "image-missing",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let refused = story.last(|kind| match kind {
        Kind::HttpRefused { path, why, .. } => Some((path, why)),
        Kind::TftpFailed {
            end: TftpEnd::NotFound | TftpEnd::Refused,
            name,
            why,
            ..
        } => Some((name, why)),
        _ => None,
    });
    let refused = refused.filter(|(_, (path, _))| Resource::of(path) == Resource::Image);
    if let Some((place, (path, why))) = refused {
        return Some(Finding::new(
            Certainty::Certain,
            [place],
            format!("A file of its image is not served, {path}: {why}."),
            "Let `netboot image verify` look at the image. Where the generation was removed while \
             the machine booted, switch it off and on: it gets the current one then.",
        ));
    }
    let (place, boots) = story.last(|kind| match kind {
        Kind::Script {
            action: ScriptAction::Notice,
            boots,
            ..
        } => Some(boots),
        _ => None,
    })?;
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!("Its script says what is wrong in place of booting: {boots}."),
        "Add the image by `netboot image add`, or do as the machine's screen and `netboot explain` \
         say.",
    ))
}

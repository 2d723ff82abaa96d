//! The program that it asks for is not there.

use crate::config::nearest;
use crate::diagnosis::story::{Story, file_name};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::paths::Resource;
use crate::telemetry::events::{Kind, TftpEnd};

pub(super) const RULE: Rule = Rule {
    code: "program-missing",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (place, (name, by, why)) = story.last(|kind| match kind {
        Kind::TftpFailed {
            end: TftpEnd::NotFound | TftpEnd::Refused,
            name,
            why,
            ..
        } => Some((name, "TFTP", why)),
        Kind::HttpRefused { path, why, .. } => Some((path, "HTTP", why)),
        _ => None,
    })?;
    if !matches!(Resource::of(name), Resource::Program | Resource::Script | Resource::Other) {
        return None;
    }
    if story.goes_on_behind(place) {
        return None;
    }
    let near = story.world().and_then(|world| {
        let known = world.programs().names();
        nearest(file_name(name), known).map(str::to_owned)
    });
    let cure = match near {
        Some(near) => format!("Name {near} instead, or put the file into tftp/ of the state folder."),
        None => "Put the file into tftp/ of the state folder, or let `netboot explain` say which \
                 program the machine is told, and why."
            .to_owned(),
    };
    Some(Finding::new(
        Certainty::Certain,
        [place],
        format!("It asked for {name} by {by}, and does not get it: {why}."),
        cure,
    ))
}

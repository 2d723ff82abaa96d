//! The download of a file of its image ended early.

use crate::diagnosis::story::{Story, sent_whole};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::paths::{Resource, image_file};
use crate::telemetry::events::Kind;

pub(super) const RULE: Rule = Rule {
    code: "image-cut-off",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (place, (path, bytes, elapsed_ms)) = story.last(cut)?;
    let again = |kind| sent_whole(kind).is_some_and(|(sent, _)| sent == path);
    if story.behind(place).any(|(_, kind)| again(kind)) {
        return None;
    }
    let size = size(story, path);
    let percent = size.map(|(file, _)| bytes.saturating_mul(100) / file.max(1));
    let far = percent.map_or_else(
        || format!("{bytes} bytes"),
        |percent| format!("{percent} %, {bytes} bytes"),
    );
    let needs = size.map_or_else(String::new, |(_, all)| {
        format!(
            " The image's files have {all} bytes together, and loading them takes at least twice \
             that of the machine's memory."
        )
    });
    let seconds = elapsed_ms / 1_000;
    let times = story.places(|kind| cut(kind).is_some_and(|(other, ..)| other == path));
    Some(Finding::new(
        Certainty::Likely,
        times,
        format!(
            "Its download of {path} ended after {far} and {seconds} s: its memory is too small for \
             the image, or its connection broke.{needs}"
        ),
        "Look at the machine's screen: iPXE says `No space left on device` or `Out of memory` where \
         memory is too small. Else look at the cable and the switch; a line that is slower than 1 \
         KiB/s is cut off by the server.",
    ))
}

/// The file, how many bytes of it were sent, and in how many milliseconds.
fn cut(kind: &Kind) -> Option<(&str, u64, u64)> {
    match kind {
        // A system reads parts of a disc as far as it wants.
        Kind::HttpSent {
            path,
            status: 200,
            bytes,
            elapsed_ms,
            complete: false,
            ..
        } if Resource::of(path) == Resource::Image => Some((path, *bytes, *elapsed_ms)),
        _ => None,
    }
}

/// Bytes of the file, and of all files of its image.
fn size(story: &Story<'_>, path: &str) -> Option<(u64, u64)> {
    let file = image_file(path)?;
    let mut parts = file.split('/');
    let image = story.world()?.image(&parts.next()?.parse().ok()?)?;
    let name = parts.next_back()?;
    let files = || image.boot().files();
    let this = files().find(|it| *it.name() == *name)?.size();
    Some((this, files().map(|it| it.size()).sum()))
}

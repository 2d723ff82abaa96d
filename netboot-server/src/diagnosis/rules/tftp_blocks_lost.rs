//! Its small packets come through, and large ones do not.

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, TftpEnd};

pub(super) const RULE: Rule = Rule {
    code: "tftp-blocks-lost",
    of_all: false,
    look,
};

/// The block size of RFC 1350, with which a packet fits into any network.
const SMALL: u16 = 512;

fn look(story: &Story<'_>) -> Option<Finding> {
    let lost = |kind| match kind {
        &Kind::TftpFailed {
            end: TftpEnd::NoBlockAck,
            blksize: Some(blksize),
            ref name,
            ..
        } if blksize > SMALL => Some((blksize, name)),
        _ => None,
    };
    let (last, (blksize, name)) = story.last(lost)?;
    if story.goes_on_behind(last) {
        return None;
    }
    Some(Finding::new(
        Certainty::Likely,
        story.places(|kind| lost(kind).is_some()),
        format!(
            "It acknowledged the options for {name} and no block of {blksize} bytes: small packets \
             come through, large ones are lost on the way."
        ),
        "Make the MTU the same along the way (VLANs, tunnels and jumbo frames are where it \
         differs), or write tftp.max_blksize = 1024 or less, so that blocks fit.",
    ))
}

//! UEFI fetched the program whole, did not start it, and fetched it again.

use crate::config::platform::Platform;
use crate::diagnosis::story::{Story, file_name, sent_program};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::Progress;

pub(super) const RULE: Rule = Rule {
    code: "secure-boot",
    of_all: false,
    look,
};

/// Programs that firmware with Microsoft's keys starts.
const SIGNED: [&str; 2] = ["shim", "bootmgfw"];

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Script) || !story.is_quiet() {
        return None;
    }
    if matches!(story.platform()?, Platform::Bios | Platform::RaspberryPi) {
        return None;
    }
    let (_, (name, _)) = story.last(sent_program)?;
    let is_signed = SIGNED.iter().any(|signed| file_name(name).starts_with(signed));
    let again = |kind| sent_program(kind).is_some_and(|(sent, _)| sent == name);
    let times = story.places(again);
    if is_signed || times.len() < 2 {
        return None;
    }
    Some(Finding::new(
        Certainty::Likely,
        times.clone(),
        format!(
            "Its firmware fetched {name} whole {} times and started none of them: Secure Boot \
             refuses a program without a signature that it trusts.",
            times.len()
        ),
        "Switch Secure Boot off in the firmware's setup, or install the packages shim-signed and \
         grub-efi-amd64-signed, and name shimx64.efi as the program.",
    ))
}

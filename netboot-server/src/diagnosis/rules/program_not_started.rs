//! The program was sent whole, and the machine was never heard again.

use crate::config::platform::Platform;
use crate::diagnosis::story::{Story, asks_for_file, sent_program, spoken};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Progress, Stage};

pub(super) const RULE: Rule = Rule {
    code: "program-not-started",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Script) || !story.is_quiet() {
        return None;
    }
    let (place, (name, _)) = story.last(sent_program)?;
    let spoke = |kind| {
        asks_for_file(kind) || spoken(kind).is_some_and(|it| it.stage != Stage::Server)
    };
    if story.behind(place).any(|(_, kind)| spoke(kind)) {
        return None;
    }
    let (reason, cure) = match story.platform() {
        Some(Platform::Bios) | None => (
            "it does not start, or has no driver for the network card",
            "Try undionly.kpxe, which uses the firmware's own driver, and look at the machine's \
             screen.",
        ),
        Some(_) => (
            "Secure Boot refuses it, or it has no driver for the network card",
            "Look at the machine's screen. Where it speaks of Secure Boot or a security violation, \
             switch that off or name shimx64.efi; else try snponly.efi, which uses the firmware's \
             own driver.",
        ),
    };
    Some(Finding::new(
        Certainty::Possible,
        [place],
        format!("{name} was sent whole, and the machine was not heard again: {reason}."),
        cure,
    ))
}

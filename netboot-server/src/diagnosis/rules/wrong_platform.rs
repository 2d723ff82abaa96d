//! It was told a program that its firmware cannot start.

use netboot_dhcp::value::MessageType;

use crate::config::platform::Platform;
use crate::diagnosis::story::{Story, file_name};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Progress};

pub(super) const RULE: Rule = Rule {
    code: "wrong-platform",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    if story.reached(Progress::Script) {
        return None;
    }
    let platform = story.platform()?;
    let (place, file) = story
        .told(MessageType::ACK)
        .or_else(|| story.told(MessageType::OFFER))?;
    let (built_for, certainty) = built_for(story, file)?;
    if built_for == platform || platform == Platform::RaspberryPi {
        return None;
    }
    let sent = story.last(|kind| match kind {
        Kind::TftpSent { name, .. } => (file_name(name) == file_name(file)).then_some(()),
        _ => None,
    });
    let evidence = [Some(place), sent.map(|(place, ())| place)];
    Some(Finding::new(
        certainty,
        evidence.into_iter().flatten(),
        format!("It was told {file}, which is for {built_for}, and its firmware is {platform}."),
        match platform.programs().first() {
            Some(right) => format!(
                "Name a program for {platform}, such as {right}, or none: this server chooses by \
                 option 93."
            ),
            None => format!("Name a program for {platform}."),
        },
    ))
}

/// What a program is for: as its header says, where it is at hand, else as its name tells.
fn built_for(story: &Story<'_>, file: &str) -> Option<(Platform, Certainty)> {
    let path = file.split_once("://").map_or(file, |(_, rest)| {
        rest.split_once('/').map_or("", |(_, path)| path)
    });
    let header = story.world().and_then(|world| world.programs().built_for(path));
    if let Some(header) = header {
        return Some((header, Certainty::Certain));
    }
    let named = named_for(story, path)?;
    Some((named, Certainty::Likely))
}

fn named_for(story: &Story<'_>, path: &str) -> Option<Platform> {
    let name = file_name(path);
    if name.ends_with(".kpxe") || name.ends_with(".pxe") || name == "pxelinux.0" {
        return Some(Platform::Bios);
    }
    let stem = name.strip_suffix(".efi")?;
    // Which would else be an x86.
    let stem = stem.replace("x86_64", "x64").replace("x86-64", "x64");
    let parts = || stem.split(|c: char| !c.is_ascii_alphanumeric());
    let is = |names: &[&str]| parts().any(|part| names.contains(&part));
    Some(match () {
        () if is(&["arm64", "aa64", "aarch64", "shimaa64", "grubaa64", "bootaa64"]) => {
            Platform::Arm64
        }
        () if is(&["arm32", "arm", "bootarm"]) => Platform::Arm32,
        () if is(&["i386", "ia32", "x86", "bootia32"]) => Platform::X86,
        () if is(&["riscv64", "bootriscv64"]) => Platform::Riscv64,
        () if is(&["loongarch64", "bootloongarch64"]) => Platform::Loongarch64,
        () if is(&["amd64", "x64", "shimx64", "grubx64", "bootx64"]) => Platform::X64,
        // A name that says nothing of its processor: EFI all the same.
        () if story.platform() == Some(Platform::Bios) => Platform::X64,
        () => return None,
    })
}

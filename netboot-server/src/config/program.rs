//! Which boot programs firmware gets in place of the defaults.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::platform::Platform;

/// One program for every machine, or one for each platform; a platform that is not named keeps its
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "it is neither a text nor a table of platforms (bios, x86, x64, arm32, arm64, \
                 riscv64, loongarch64, raspberry-pi) and texts"
)]
pub enum ProgramChoice {
    /// This one, whatever the platform.
    Any(String),
    /// These.
    ByPlatform(BTreeMap<Platform, String>),
}

impl ProgramChoice {
    /// The program for a platform.
    #[must_use]
    pub fn program(&self, platform: Option<Platform>) -> Option<&str> {
        match self {
            Self::Any(name) => Some(name),
            Self::ByPlatform(names) => names.get(&platform?).map(String::as_str),
        }
    }

    /// Every program that is named, and for which platform where that is said.
    pub fn named(&self) -> impl Iterator<Item = (Option<Platform>, &str)> {
        let (any, names) = match self {
            Self::Any(name) => (Some((None, name.as_str())), None),
            Self::ByPlatform(names) => (None, Some(names)),
        };
        let names = names.into_iter().flatten();
        any.into_iter()
            .chain(names.map(|(&platform, name)| (Some(platform), name.as_str())))
    }
}

/// Whether a program is GRUB, or a distribution's shim, which starts it, as their names have it.
#[must_use]
pub fn is_grub(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    ["shim", "grub", "bootnet"]
        .iter()
        .any(|known| file.starts_with(known))
}

impl fmt::Display for ProgramChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (_, name)) in self.named().enumerate() {
            let before = if index == 0 { "" } else { ", " };
            write!(f, "{before}{name}")?;
        }
        Ok(())
    }
}

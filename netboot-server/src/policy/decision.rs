//! What a machine boots, and why.

use std::fmt;

use netboot_image::{Generation, ImageName};
use netboot_ipxe::LocalDisk;

use super::reason::Reason;
use crate::config::{DhcpOption, Target};
use crate::world::{KnownBy, World};

/// What a machine boots, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Which of the configuration's targets it is.
    pub target: Option<usize>,
    /// By what it is known to be that target.
    pub known_by: Option<KnownBy>,
    /// Whether it is given an address at all.
    pub allowed: bool,
    /// Whether one client at a time gets an address as its target: only targets get one, and what
    /// it is known by is what any client can say.
    pub exclusive: bool,
    /// What its firmware loads.
    pub program: Program,
    /// What its boot script does.
    pub boot: BootAction,
    /// The number of the install that it is to report when it is done, where it boots one.
    pub install: Option<u64>,
    /// How it boots its local disk.
    pub local: LocalDisk,
    /// The group's and the target's DHCP options, by code.
    pub options: Vec<DhcpOption>,
    /// Why, a sentence each.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Its target's name.
    #[must_use]
    pub fn target_in<'w>(&self, world: &'w World) -> Option<&'w Target> {
        world.config().targets.get(self.target?)
    }

    /// What the boot script does, and why, in one sentence.
    #[must_use]
    pub fn of_script(&self) -> String {
        let reasons = self.reasons.iter();
        let mut sentence = self.boot.to_string();
        for (index, reason) in reasons.filter(|it| !it.is_about_program()).enumerate() {
            sentence.push_str(if index == 0 { ": " } else { "; " });
            sentence.push_str(&reason.to_string());
        }
        sentence
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.boot)?;
        for (index, reason) in self.reasons.iter().enumerate() {
            let before = if index == 0 { ": " } else { "; " };
            write!(f, "{before}{reason}")?;
        }
        Ok(())
    }
}

/// The boot program that a machine's firmware is to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// This one, which is at hand.
    File(String),
    /// It should be one of these, and none is at hand.
    Missing(Vec<String>),
    /// Firmware that no program is known for, or a machine that is to be left alone.
    None,
}

/// What a boot script does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootAction {
    /// Shows the menu.
    Menu,
    /// Boots an image.
    Image(ImageName, Generation),
    /// Says that the image is not in the store.
    MissingImage(ImageName),
    /// Boots the local disk.
    Local,
    /// Nothing: the machine is left alone.
    Nothing,
}

impl fmt::Display for BootAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Menu => f.write_str("the menu"),
            Self::Image(name, generation) => write!(f, "image {name} {generation}"),
            Self::MissingImage(name) => write!(f, "a notice that image {name} is missing"),
            Self::Local => f.write_str("the local disk"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

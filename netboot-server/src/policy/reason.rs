//! Why a decision is as it is.

use std::fmt;

use netboot_dhcp::value::Arch;
use netboot_image::ImageName;

use crate::config::platform::Platform;
use crate::config::{Then, Unknown};
use crate::world::KnownBy;

/// Why a decision is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The machine is this target.
    IsTarget {
        /// Its name.
        name: String,
        /// Where it stands in the configuration.
        place: String,
        /// By what the machine is known.
        by: KnownBy,
    },
    /// No target has this MAC address, nor what else is known of the machine.
    NoTarget,
    /// Nobody knows the machine's MAC address.
    NoMac,
    /// The network serves targets only.
    OnlyKnown(String),
    /// The network serves targets only, and any client can say that it is this one.
    OneAtATime(String),
    /// A policy in code says so, for this reason.
    PolicyInCode(String),
    /// What `menu.unknown` says.
    UnknownMachine(Unknown),
    /// An image is to be installed, and the machine has not reported that it is.
    ToInstall {
        /// Who says so.
        layer: Layer,
        /// The image that installs.
        image: ImageName,
        /// The number of the install.
        number: u64,
    },
    /// The machine is installed.
    Installed {
        /// The number of the install.
        number: u64,
        /// What comes after it.
        then: Then,
    },
    /// Which machines are installed cannot be read.
    InstallsUnread,
    /// The image is named.
    NamesImage {
        /// By whom.
        layer: Layer,
        /// The image.
        image: ImageName,
    },
    /// Neither the target nor its group names an image.
    TargetWithoutImage,
    /// The image is not in the store.
    ImageNotInStore(ImageName),
    /// The boot program is named.
    NamesProgram {
        /// By whom.
        layer: Layer,
        /// The program.
        program: String,
    },
    /// The first of the programs for the architecture that is at hand.
    ProgramFor(Arch, String),
    /// No program is known for the architecture.
    NoProgramFor(Arch),
    /// U-Boot gets none of iPXE's programs. iPXE for ARM waits for an interrupt that does not come
    /// there (ipxe/ipxe#1442), and U-Boot boots without one.
    NoIpxeForUBoot,
    /// None of these boot programs is at hand.
    ProgramNotAtHand(Vec<String>),
    /// A boot program is at hand under the right name, and is for another platform.
    ProgramForOther(String, Platform),
    /// The machine boots by UEFI's HTTP boot, and ends in this GRUB, which was built without HTTP.
    GrubWithoutHttp(String),
}

/// Who says something about a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// The machine's target.
    Target,
    /// The target's group.
    Group(String),
    /// The network that the machine is on.
    Network(String),
}

impl Reason {
    /// Whether it is about the boot program, and not about what the boot script does.
    #[must_use]
    pub const fn is_about_program(&self) -> bool {
        matches!(
            self,
            Self::NamesProgram { .. }
                | Self::ProgramFor(..)
                | Self::NoProgramFor(_)
                | Self::NoIpxeForUBoot
                | Self::ProgramNotAtHand(_)
                | Self::ProgramForOther(..)
                | Self::GrubWithoutHttp(_)
        )
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target => f.write_str("its target"),
            Self::Group(name) => write!(f, "its group {name}"),
            Self::Network(name) => write!(f, "network {name}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsTarget { name, place, by } => {
                write!(f, "it is target {name} ({place})")?;
                match by {
                    KnownBy::Mac => Ok(()),
                    KnownBy::Uuid => f.write_str(" by its UUID"),
                    KnownBy::Circuit => f.write_str(" by the circuit that it is on"),
                }
            }
            Self::NoTarget => f.write_str("no target has its MAC address"),
            Self::NoMac => f.write_str("its MAC address is not known"),
            Self::OnlyKnown(network) => {
                write!(
                    f,
                    "network {network} serves targets only (allow = \"known\")"
                )
            }
            Self::OneAtATime(network) => {
                write!(
                    f,
                    "network {network} gives an address to one client at a time that says so"
                )
            }
            Self::PolicyInCode(why) => write!(f, "the policy in code has it so: {why}"),
            Self::UnknownMachine(unknown) => {
                let what = match unknown {
                    Unknown::Menu => "the menu",
                    Unknown::Local => "their local disk",
                    Unknown::Silent => "nothing",
                };
                write!(f, "machines that are no target get {what} (menu.unknown)")
            }
            Self::ToInstall {
                layer,
                image,
                number,
            } => write!(f, "{layer} installs image {image}, install {number}"),
            Self::Installed { number, then } => {
                let then = match then {
                    Then::Local => "its local disk comes then",
                    Then::Config => "its config comes then",
                };
                write!(f, "it is installed, by install {number}; {then}")
            }
            Self::InstallsUnread => f.write_str(
                "which machines are installed cannot be read, and none is installed twice",
            ),
            Self::NamesImage { layer, image } => write!(f, "{layer} names image {image}"),
            Self::TargetWithoutImage => f.write_str("its target names no image"),
            Self::ImageNotInStore(image) => write!(f, "image {image} is not in the store"),
            Self::NamesProgram { layer, program } => {
                write!(f, "{layer} names the program {program}")
            }
            Self::ProgramFor(arch, name) => write!(f, "{name} is for {arch}"),
            Self::NoProgramFor(arch) => write!(f, "no boot program is known for {arch}"),
            Self::NoIpxeForUBoot => f.write_str(
                "iPXE would hang in U-Boot, which boots by pxelinux.cfg/ or a program that is \
                 named",
            ),
            Self::ProgramNotAtHand(names) => {
                write!(f, "no {} is at hand", names.join(" and no "))
            }
            Self::ProgramForOther(name, platform) => {
                write!(f, "the {name} at hand is for {platform}")
            }
            Self::GrubWithoutHttp(name) => write!(
                f,
                "the {name} at hand was built without HTTP, and stays at its prompt after UEFI \
                 HTTP boot: let the machine start by PXE, or put one with HTTP into tftp/"
            ),
        }
    }
}

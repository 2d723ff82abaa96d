//! Builds of iPXE: which commands, options and protocols each has.

use alloc::{
    borrow::ToOwned,
    collections::BTreeSet,
    string::{String, ToString},
};

use crate::spec;

/// A build of iPXE, as far as scripts can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    name: String,
    commands: BTreeSet<String>,
    /// Options that this build lacks, as `command --option`.
    lacks: BTreeSet<(&'static str, &'static str)>,
    /// Protocols, where they are known.
    features: Option<BTreeSet<u8>>,
    /// Whether kernels find the initrds by themselves under UEFI.
    offers_initrds: bool,
}

/// Commands that iPXE's sources of 2026 leave out unless told otherwise.
const NOT_DEFAULT: [&str; 16] = [
    "time",
    "imgverify",
    "imgtrust",
    "imgdecrypt",
    "imgmem",
    "nslookup",
    "ping",
    "nstat",
    "ipstat",
    "lotest",
    "startpxe",
    "stoppxe",
    "profstat",
    "md4sum",
    "sha224sum",
    "sha384sum",
];

/// What `help` prints in `ipxe.lkrn` of Debian 12's package 1.0.0+git-20190125.36a4c85-5.1.
const DEBIAN_12: [&str; 45] = [
    "config",
    "cpuid",
    "dhcp",
    "pxebs",
    "ifopen",
    "ifclose",
    "ifstat",
    "ifconf",
    "imgfetch",
    "module",
    "initrd",
    "kernel",
    "chain",
    "imgselect",
    "imgload",
    "imgargs",
    "imgexec",
    "boot",
    "imgstat",
    "imgfree",
    "login",
    "menu",
    "item",
    "choose",
    "show",
    "set",
    "clear",
    "read",
    "inc",
    "reboot",
    "route",
    "sanhook",
    "sanboot",
    "sanunhook",
    "prompt",
    "goto",
    "shell",
    "help",
    "sync",
    "autoboot",
    "sleep",
    "iseq",
    "isset",
    "exit",
    "echo",
];

/// The same build's, which say nothing that matters to a script.
const DEBIAN_12_STAT: [&str; 3] = ["ibstat", "iwstat", "iwlist"];

/// Options that its usage texts do not list.
const DEBIAN_12_LACKS: [(&str, &str); 16] = [
    ("prompt", "set"),
    ("item", "form"),
    ("item", "secret"),
    ("choose", "retimeout"),
    ("read", "timeout"),
    ("show", "quiet"),
    ("dhcp", "timeout"),
    ("ifconf", "timeout"),
    ("reboot", "setup"),
    ("sanboot", "extra"),
    ("sanboot", "label"),
    ("sanboot", "uuid"),
    ("imgfetch", "quiet"),
    ("imgselect", "quiet"),
    ("imgargs", "quiet"),
    ("imgexec", "quiet"),
];

/// What `help` prints in `ipxe.lkrn` of Debian 13's package 1.21.1+git20250501.dad20602.
const DEBIAN_13: [&str; 62] = [
    "prompt",
    "goto",
    "config",
    "console",
    "colour",
    "cpair",
    "cpuid",
    "dhcp",
    "pxebs",
    "menu",
    "form",
    "item",
    "choose",
    "present",
    "sleep",
    "iseq",
    "isset",
    "exit",
    "echo",
    "ibstat",
    "ifopen",
    "ifclose",
    "ifstat",
    "ifconf",
    "iflinkwait",
    "imgfetch",
    "module",
    "initrd",
    "kernel",
    "chain",
    "imgselect",
    "imgload",
    "imgargs",
    "imgexec",
    "boot",
    "imgstat",
    "imgfree",
    "iwstat",
    "iwlist",
    "login",
    "show",
    "set",
    "clear",
    "read",
    "inc",
    "ping",
    "poweroff",
    "reboot",
    "route",
    "sanhook",
    "sanboot",
    "sanunhook",
    "shell",
    "help",
    "shim",
    "sync",
    "vcreate",
    "vdestroy",
    "autoboot",
    "certstat",
    "certstore",
    "certfree",
];

/// Options that its usage texts do not list.
const DEBIAN_13_LACKS: [(&str, &str); 6] = [
    ("prompt", "set"),
    ("show", "quiet"),
    ("imgfetch", "quiet"),
    ("imgselect", "quiet"),
    ("imgargs", "quiet"),
    ("imgexec", "quiet"),
];

/// The words for one command share its options.
const ALIASES: [(&str, &str); 6] = [
    ("module", "imgfetch"),
    ("initrd", "imgfetch"),
    ("kernel", "imgselect"),
    ("imgload", "imgselect"),
    ("chain", "imgexec"),
    ("boot", "imgexec"),
];

/// The features that option 175 announces, by the sub-option's number: the URI scheme each brings.
const SCHEMES: [(u8, &str); 9] = [
    (0x11, "iscsi"),
    (0x12, "aoe"),
    (0x13, "http"),
    (0x14, "https"),
    (0x15, "tftp"),
    (0x16, "ftp"),
    (0x1a, "x-slam"),
    (0x1b, "ib_srp"),
    (0x29, "nfs"),
];

/// The feature that looks up the names of hosts.
const DNS: u8 = 0x17;

/// The feature that runs PXE programs: only BIOS builds have it.
const PXE: u8 = 0x21;

/// The feature that runs UEFI programs: only UEFI builds have it.
const EFI: u8 = 0x24;

/// The feature that brings menus.
const MENU: u8 = 0x27;

/// The features that commands come with.
const COMMANDS: [(u8, &[&str]); 3] = [
    (DNS, &["nslookup"]),
    (0x26, &["vcreate", "vdestroy"]),
    (MENU, &["menu", "form", "item", "choose", "present"]),
];

impl Build {
    /// All that this crate knows, as if every option were built in.
    pub fn everything() -> Self {
        Self::new(
            "a build of everything",
            spec::COMMANDS.iter().map(|spec| spec.name),
        )
    }

    /// A build of iPXE's sources of 2026 in their default configuration.
    pub fn default_2026() -> Self {
        let names = spec::COMMANDS.iter().map(|spec| spec.name);
        Self::new(
            "default builds",
            names.filter(|name| !NOT_DEFAULT.contains(name)),
        )
        .offers_initrds()
    }

    /// Debian 12's package `ipxe`, of iPXE as it was on 2019-01-25.
    pub fn debian_12() -> Self {
        let names = DEBIAN_12.into_iter().chain(DEBIAN_12_STAT);
        let mut build = Self::new("Debian 12's build of 2019-01-25", names);
        build.lacks = DEBIAN_12_LACKS.into_iter().collect();
        build.with_features([
            0x10, 0x11, 0x12, 0x13, 0x15, 0x17, 0x18, 0x19, 0x1b, 0x21, 0x22, MENU, 0x29,
        ])
    }

    /// Debian 13's package `ipxe`, of iPXE as it was on 2025-05-01.
    pub fn debian_13() -> Self {
        let mut build = Self::new("Debian 13's build of 2025-05-01", DEBIAN_13);
        build.lacks = DEBIAN_13_LACKS.into_iter().collect();
        build.offers_initrds().with_features([
            0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x17, 0x18, 0x19, 0x1b, 0x21, 0x22, 0x26, MENU,
            0x29,
        ])
    }

    /// A build with these commands, called `name` in findings.
    pub fn new<'a>(name: &str, commands: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            name: name.to_owned(),
            commands: commands.into_iter().map(ToString::to_string).collect(),
            lacks: BTreeSet::new(),
            features: None,
            offers_initrds: false,
        }
    }

    /// The same build with only the features that a client announced in DHCP option 175: the
    /// numbers of its sub-options whose value is 1, such as 0x13 for HTTP and 0x27 for menus. They
    /// say which protocols it has, whether it looks up names, and whether it has menus and VLANs;
    /// of all other commands they say nothing.
    #[must_use]
    pub fn with_features(mut self, features: impl IntoIterator<Item = u8>) -> Self {
        let features: BTreeSet<u8> = features.into_iter().collect();
        for (feature, commands) in COMMANDS {
            if !features.contains(&feature) {
                self.commands
                    .retain(|name| !commands.contains(&name.as_str()));
            }
        }
        self.features = Some(features);
        self
    }

    /// The same build, of iPXE of 2023-02-15 or later (6a004be0c): under UEFI it offers Linux of
    /// 5.7 and later all initrds together, whatever the command line names. Default: it does not,
    /// as older ones.
    #[must_use]
    pub fn offers_initrds(mut self) -> Self {
        self.offers_initrds = true;
        self
    }

    pub(super) fn kernels_find_initrds(&self) -> bool {
        self.offers_initrds
    }

    /// What it is called in findings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True where it has the command.
    pub fn has_command(&self, command: &str) -> bool {
        self.commands.contains(command)
    }

    /// True where its `command` has `--option`, if the command has it anywhere.
    pub fn has_option(&self, command: &str, option: &str) -> bool {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == command);
        let command = alias.map_or(command, |(_, main)| main);
        !self
            .lacks
            .iter()
            .any(|(lacking, lacks)| *lacking == command && *lacks == option)
    }

    /// True where it can fetch from URIs of that scheme, as far as is known.
    pub fn has_scheme(&self, scheme: &str) -> bool {
        let feature = SCHEMES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(scheme));
        match (feature, &self.features) {
            (Some((feature, _)), Some(features)) => features.contains(feature),
            _ => true,
        }
    }

    /// True where it finds hosts by name, as far as is known.
    pub fn has_dns(&self) -> bool {
        let features = self.features.as_ref();
        features.is_none_or(|features| features.contains(&DNS))
    }
}

/// What names a URI's scheme, where it is one that some build lacks.
pub(super) fn scheme_of(uri: &str) -> Option<&'static str> {
    let (scheme, _) = uri.split_once(':')?;
    let known = SCHEMES.iter().map(|(_, known)| *known);
    known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(scheme))
}

/// What a script will run on, for findings that depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// Any: it must work on all. The default.
    #[default]
    Any,
    /// BIOS.
    Bios,
    /// UEFI.
    Efi,
}

impl Platform {
    /// What a client is, by the features that it announced in DHCP option 175: UEFI builds of iPXE
    /// run UEFI programs (0x24), BIOS builds PXE programs (0x21).
    ///
    /// ```
    /// use netboot_ipxe::lint::Platform;
    ///
    /// assert_eq!(Platform::from_features([0x13, 0x24, 0x27]), Platform::Efi);
    /// assert_eq!(Platform::from_features([]), Platform::Any);
    /// ```
    pub fn from_features(features: impl IntoIterator<Item = u8>) -> Self {
        let told = features.into_iter().filter_map(|feature| match feature {
            EFI => Some(Self::Efi),
            PXE => Some(Self::Bios),
            _ => None,
        });
        told.last().unwrap_or_default()
    }
}

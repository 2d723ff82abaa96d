//! Finding the kernel, the initial RAM disks and the command line in what builders and
//! distributions leave.
//!
//! Known are nixpkgs' netboot outputs (joined in one directory, as its three results, or with the
//! file names that nix-community publishes), its kexec tree, and Debian's and Ubuntu's netboot
//! directories. Links are followed as far as [`Links`] says. Nothing is copied here: [`Import::image`] gives what
//! [`Store::publish`](crate::Store::publish) takes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::store::open_source;
use crate::{BootLine, BootLineError, ImageName, NewImage, Source};

/// The parts of an image as they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// The kernel, links followed.
    pub kernel: PathBuf,
    /// The initial RAM disks in order, links followed.
    pub initrds: Vec<PathBuf>,
    /// The script that the command line was read from, links followed.
    pub script: Option<PathBuf>,
    /// The kernel's arguments; none where there is no script.
    pub cmdline: Vec<String>,
}

/// How far links in the directories are followed. Who builds an image should not have files served
/// that somebody else only may read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Links {
    /// Within the directories that were named, and into the Nix store, all of which anybody may
    /// read.
    #[default]
    Within,
    /// Wherever they lead.
    Anywhere,
}

/// Why no image was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// No file has a name that the part goes by.
    #[error("no {part} in {dirs}{hint}")]
    Missing {
        /// "kernel" or "initrd".
        part: &'static str,
        /// Where it was looked for.
        dirs: String,
        /// What is likely to be wrong, or nothing; begins with a semicolon.
        hint: &'static str,
    },
    /// Several files could be it.
    #[error("more than one {part}: {one} and {other}")]
    Ambiguous {
        /// "kernel", "initrd" or "script".
        part: &'static str,
        /// One of them.
        one: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// A part is a link that leads out of the directories that were named.
    #[error("the {part} is {path}, outside of {dirs} and of the Nix store")]
    Outside {
        /// "kernel", "initrd" or "script".
        part: &'static str,
        /// Where the link leads.
        path: PathBuf,
        /// What was named.
        dirs: String,
    },
    /// The script does not say what is booted.
    #[error("{path}: {reason}")]
    Script {
        /// The script.
        path: PathBuf,
        /// Why not.
        reason: BootLineError,
    },
    /// The file system refused something.
    #[error("cannot read {path}")]
    Io {
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where Nix keeps what it built, unless it was told otherwise when it was installed.
const NIX_STORE: &str = "/nix/store";

/// The longest script that is read, in bytes.
const MAX_SCRIPT: u64 = 1 << 20;

const KERNELS: [&str; 6] = [
    "bzImage",
    "Image",
    "linux",
    "vmlinuz",
    "bzImage-*",
    "Image-*",
];
const INITRDS: [&str; 6] = [
    "initrd",
    "initrd.gz",
    "initrd.zst",
    "initrd.xz",
    "initrd.img",
    "initrd-*",
];
const SCRIPTS: [&str; 3] = ["netboot.ipxe", "netboot-*.ipxe", "kexec-boot"];

/// Directories within a given one that hold parts: `nix-build`'s links, attributes' names, Debian's
/// and Ubuntu's trees.
const WITHIN: [&str; 17] = [
    "result",
    "result-2",
    "result-3",
    "result-4",
    "kernel",
    "netbootRamdisk",
    "netbootIpxeScript",
    "kexecTree",
    "netboot",
    "debian-installer/amd64",
    "debian-installer/arm64",
    "debian-installer/i386",
    "ubuntu-installer/amd64",
    "ubuntu-installer/arm64",
    "amd64",
    "arm64",
    "casper",
];

/// Where Ubuntu has its kernel's arguments. Debian has a menu there, which is none of an image's
/// scripts.
const PXELINUX: &str = "pxelinux.cfg/default";

impl Import {
    /// Looks for an image in some directories, which together hold one, and in those below that
    /// `nix-build` and Debian make. The path of a script counts as its directory with that script.
    /// What was named may be a link to anywhere; links below it are followed as [`Links::Within`]
    /// says.
    ///
    /// # Errors
    /// That a part is missing, there more than once or elsewhere, or what is wrong with the script.
    pub fn find<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, ImportError> {
        Self::find_by(paths, Links::Within)
    }

    /// As [`find`](Self::find), with links followed as far as is said.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_by<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        links: Links,
    ) -> Result<Self, ImportError> {
        let (mut dirs, mut named, mut named_script) = (Vec::new(), Vec::new(), None);
        for path in paths {
            let path = path.as_ref();
            let kind = fs::metadata(path).map_err(|source| ImportError::Io {
                path: path.to_owned(),
                source,
            })?;
            if kind.is_dir() {
                named.push(path.to_owned());
                dirs.push(path.to_owned());
                dirs.extend(
                    WITHIN
                        .iter()
                        .map(|within| path.join(within))
                        .filter(|dir| dir.is_dir()),
                );
            } else {
                named.extend(path.parent().map(Path::to_owned));
                dirs.extend(path.parent().map(Path::to_owned));
                named_script = Some(path.to_owned());
            }
        }
        let is_named = named_script.is_some();
        let script = match named_script {
            Some(path) => Some(canonical(&path)?),
            None => one("script", &dirs, &SCRIPTS)?,
        };
        let (script, line) = match script {
            Some(path) => {
                let line = read_script(&path)?;
                (Some(path), Some(line))
            }
            None => pxelinux(&dirs)?.unzip(),
        };
        let kernel_name = line.as_ref().map(|line| base_name(&line.kernel));
        let kernel = match kernel_name {
            Some(name) => one("kernel", &dirs, &[name])?,
            None => one("kernel", &dirs, &KERNELS)?,
        };
        let kernel = kernel.ok_or_else(|| ImportError::Missing {
            part: "kernel",
            dirs: list(&dirs),
            hint: match one("initrd", &dirs, &INITRDS) {
                Ok(None) => "",
                _ => "; nixpkgs builds it as config.system.build.kernel, apart from netbootRamdisk",
            },
        })?;
        let missing = || ImportError::Missing {
            part: "initrd",
            dirs: list(&dirs),
            hint: "",
        };
        let initrds = match &line {
            Some(line) if !line.initrds.is_empty() => line
                .initrds
                .iter()
                .map(|uri| one("initrd", &dirs, &[base_name(uri)])?.ok_or_else(missing))
                .collect::<Result<_, _>>()?,
            _ => vec![one("initrd", &dirs, &INITRDS)?.ok_or_else(missing)?],
        };
        if links == Links::Within {
            let found = initrds.iter().map(|initrd| ("initrd", initrd));
            let found = found.chain([("kernel", &kernel)]);
            // A script that was named is wherever it is.
            let found = found.chain(script.iter().filter(|_| !is_named).map(|it| ("script", it)));
            check_within(found, &named)?;
        }
        Ok(Self {
            kernel,
            initrds,
            script,
            cmdline: line.map(|line| line.cmdline).unwrap_or_default(),
        })
    }

    /// Directories below one in which an image is found, those that are nearest, by name: what was
    /// perhaps meant. At most three, of the first thousand directories.
    #[must_use]
    pub fn below(dir: &Path) -> Vec<PathBuf> {
        let mut level = vec![dir.to_owned()];
        let mut left = 1000_usize;
        while !level.is_empty() && left > 0 {
            let mut next: Vec<_> = level.iter().flat_map(|dir| folders(dir)).collect();
            next.sort();
            next.truncate(left);
            left -= next.len();
            let found = next.iter().filter(|dir| Self::find([dir]).is_ok());
            let found: Vec<_> = found.take(3).cloned().collect();
            if !found.is_empty() {
                return found;
            }
            level = next;
        }
        Vec::new()
    }

    /// The image to be published under a name; its source says where each part was found.
    #[must_use]
    pub fn image(&self, name: ImageName) -> NewImage {
        let parts = std::iter::once(&self.kernel)
            .chain(&self.initrds)
            .chain(&self.script);
        let from = parts.map(|path| path.display().to_string());
        let image = NewImage::linux(name, &self.kernel).cmdline(self.cmdline.iter().cloned());
        let image = self.initrds.iter().fold(image, NewImage::initrd);
        image.source(Source::new("netboot-image", from))
    }
}

/// The directories in one, links left out.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Refuses what is neither in one of the directories nor in the Nix store.
fn check_within<'p>(
    parts: impl Iterator<Item = (&'static str, &'p PathBuf)>,
    named: &[PathBuf],
) -> Result<(), ImportError> {
    let dirs: Vec<_> = named
        .iter()
        .map(|dir| {
            canonical(if dir.as_os_str().is_empty() {
                Path::new(".")
            } else {
                dir
            })
        })
        .collect::<Result<_, _>>()?;
    let is_within =
        |path: &Path| path.starts_with(NIX_STORE) || dirs.iter().any(|dir| path.starts_with(dir));
    for (part, path) in parts {
        if !is_within(path) {
            return Err(ImportError::Outside {
                part,
                path: path.clone(),
                dirs: list(named),
            });
        }
    }
    Ok(())
}

/// The one file in the directories that goes by one of the names, in which a `*` stands for
/// anything. Several links to one file are one.
fn one(
    part: &'static str,
    dirs: &[PathBuf],
    names: &[&str],
) -> Result<Option<PathBuf>, ImportError> {
    let mut found = BTreeSet::new();
    for dir in dirs {
        let entries = fs::read_dir(dir).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let entries = entries.map_err(|source| ImportError::Io {
            path: dir.clone(),
            source,
        })?;
        for entry in entries {
            let file_name = entry.file_name();
            let goes_by = |name: &&str| match name.split_once('*') {
                Some((start, end)) => {
                    let rest = file_name.to_str().and_then(|file| file.strip_prefix(start));
                    rest.is_some_and(|rest| rest.ends_with(end))
                }
                None => file_name == **name,
            };
            if names.iter().any(goes_by) && entry.path().is_file() {
                found.insert(canonical(&entry.path())?);
            }
        }
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), Some(other)) => Err(ImportError::Ambiguous { part, one, other }),
        (one, _) => Ok(one),
    }
}

/// The PXELINUX configuration of one of the directories that boots one thing, and that thing. A
/// menu is passed over.
fn pxelinux(dirs: &[PathBuf]) -> Result<Option<(PathBuf, BootLine)>, ImportError> {
    for dir in dirs {
        let path = dir.join(PXELINUX);
        if !path.is_file() {
            continue;
        }
        match read_script(&path) {
            Ok(line) => return Ok(Some((canonical(&path)?, line))),
            Err(ImportError::Script {
                reason: BootLineError::NoKernel | BootLineError::SecondKernel { .. },
                ..
            }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn read_script(path: &Path) -> Result<BootLine, ImportError> {
    let unreadable = |source| ImportError::Io {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let mut file = open_source(path).map_err(unreadable)?.take(MAX_SCRIPT);
    file.read_to_string(&mut text).map_err(unreadable)?;
    let line = match path.extension() {
        Some(ipxe) if ipxe == "ipxe" => BootLine::parse_ipxe(&text),
        _ if path.ends_with(PXELINUX) => BootLine::parse_pxelinux(&text),
        _ => BootLine::parse_kexec(&text),
    };
    line.map_err(|reason| ImportError::Script {
        path: path.to_owned(),
        reason,
    })
}

/// The last part of a path or URL, without a query.
fn base_name(uri: &str) -> &str {
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    path.rsplit('/').next().unwrap_or(path)
}

fn canonical(path: &Path) -> Result<PathBuf, ImportError> {
    fs::canonicalize(path).map_err(|source| ImportError::Io {
        path: path.to_owned(),
        source,
    })
}

fn list(dirs: &[PathBuf]) -> String {
    dirs.iter()
        .map(|dir| dir.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

//! Why Nix built nothing.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why Nix built nothing, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NixError {
    #[error("{program} is not on this machine")]
    Absent { program: &'static str },
    #[error("Nix {found} is too old: {needed} is the oldest that can")]
    TooOld { found: String, needed: String },
    #[error("the file {} is not there", .0.display())]
    NoFile(PathBuf),
    #[error("{program} {how}")]
    Failed {
        program: &'static str,
        how: HowEnded,
        /// What it said last, oldest first.
        last: Vec<String>,
    },
    #[error("it was told to end")]
    ToldToEnd,
    #[error("another `netboot image generate` builds it now")]
    Busy,
    #[error("{action} {}", .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

/// How a program ended that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HowEnded {
    Code(i32),
    Signal(i32),
}

impl fmt::Display for HowEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(signal) => write!(f, "was cut off by signal {signal}"),
        }
    }
}

impl NixError {
    /// What to do next.
    pub(crate) fn cure(&self) -> String {
        match self {
            Self::Absent { .. } => "install Nix (Debian: nix-bin), or build elsewhere and run \
                `netboot image add NAME --from DIR`"
                .into(),
            Self::TooOld { .. } => "install a later one, or build elsewhere and run \
                `netboot image add NAME --from DIR`"
                .into(),
            Self::NoFile(_) => "write it, or correct images.NAME.nix in the configuration".into(),
            Self::Failed { last, .. } if last.iter().any(|line| is_full(line)) => {
                "make room on the disk of the Nix store, and generate it again".into()
            }
            Self::Failed { last, .. } if last.iter().any(|line| lacks_git(line)) => {
                "install git, by which Nix reads a flake's repository, and generate it again".into()
            }
            Self::Failed { last, .. } if last.iter().any(|line| is_distrusted(line)) => {
                "another user owns the flake's repository: as this user, run `git config --global \
                 --add safe.directory FOLDER`, and generate it again"
                    .into()
            }
            Self::Failed {
                how: HowEnded::Signal(_),
                ..
            }
            | Self::ToldToEnd => "generate it again".into(),
            Self::Failed { .. } => {
                "correct what Nix says below; --show-trace shows where it comes from".into()
            }
            Self::Busy => "wait until that has ended".into(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room there, and generate it again".into()
            }
            Self::Io { .. } => "let this user write there, and generate it again".into(),
        }
    }

    /// What Nix said last, oldest first.
    pub(crate) fn last(&self) -> &[String] {
        match self {
            Self::Failed { last, .. } => last,
            _ => &[],
        }
    }
}

fn lacks_git(line: &str) -> bool {
    line.contains("executing 'git'")
}

/// git and libgit2 read no repository of another user, unless they are told to. Nix up to 2.19 asks
/// git for a difference there, and shows the usage that this prints (NixOS/nix#6636).
fn is_distrusted(line: &str) -> bool {
    [
        "dubious ownership",
        "is not owned by current user",
        "program 'git' failed with exit code 129",
    ]
    .iter()
    .any(|said| line.contains(said))
}

fn is_full(line: &str) -> bool {
    line.contains("No space left on device") || line.contains("disk is full")
}

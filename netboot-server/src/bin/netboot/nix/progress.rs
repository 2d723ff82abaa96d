//! What Nix says while it builds, as one line for people.

use std::fmt;

/// What Nix does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It evaluates the configuration; it says nothing meanwhile.
    Evaluating,
    /// It builds a derivation.
    Building(String),
    /// It fetches a store path from a cache.
    Fetching(String),
}

impl Stage {
    /// The stage that a line on Nix's standard error begins, if it does.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let quoted = |start: &str| {
            let rest = line.trim_start().strip_prefix(start)?;
            let path = rest.split('\'').next()?;
            Some(name_of(path).to_owned())
        };
        quoted("building '")
            .map(Self::Building)
            .or_else(|| quoted("copying path '").map(Self::Fetching))
    }
}

/// `nixos-system-a-23.11` of `/nix/store/<32 characters>-nixos-system-a-23.11.drv`.
fn name_of(path: &str) -> &str {
    let base = path.rsplit('/').next().unwrap_or(path);
    let base = base.strip_suffix(".drv").unwrap_or(base);
    match base.split_once('-') {
        Some((hash, name)) if hash.len() == 32 => name,
        _ => base,
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evaluating => f.write_str("evaluating"),
            Self::Building(what) => write!(f, "building {what}"),
            Self::Fetching(what) => write!(f, "fetching {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nix_builds_and_fetches_is_read_from_its_lines() {
        // As nix-build 2.8 wrote them.
        for (line, stage) in [
            (
                "building \
                 '/nix/store/gz1jgawr9nska4ncc2sriz0id0dhwc5v-nixos-system-a-23.11.drv'...",
                Some("building nixos-system-a-23.11"),
            ),
            (
                "copying path '/nix/store/3mdqcmwah2fr9dcpbd63ba703zk56jmm-linux-6.1' from \
                 'https://cache'...",
                Some("fetching linux-6.1"),
            ),
            ("building 'x'", Some("building x")),
            ("these 4 derivations will be built:", None),
            ("error: undefined variable 'x'", None),
            ("", None),
        ] {
            let read = Stage::of_line(line).map(|stage| stage.to_string());
            assert_eq!(read.as_deref(), stage, "{line}");
        }
    }
}

//! Install states: which machines are installed, on disk, so that none installs itself twice.
//!
//! The states are one small file, replaced whole. The service and the command both change it, under
//! a lock; who reads it sees one state or the other.

mod report;
mod token;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use netboot_dhcp::MacAddr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::{Target, swapped};
use crate::failure::Failure;
use crate::files;
use crate::state_dir;

pub(crate) use report::InstallReports;
pub use report::{ReportError, installable};
pub(crate) use token::Secret;

/// The install states at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Installs {
    machines: BTreeMap<String, Record>,
}

/// What is kept of one machine. Beside its name stands what else it was known by, so that a target
/// with another name is still the machine that was installed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    number: u64,
    installed: Option<jiff::Timestamp>,
    mac: Option<MacAddr>,
    uuid: Option<Uuid>,
}

/// How a machine's install stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct State {
    /// The number of the install that is to come, or that the machine was installed by: from 1, and
    /// one more each time that it is to be installed again.
    pub number: u64,
    /// Whether it is installed.
    pub installed: bool,
}

/// What can become of a machine's install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is installed.
    Installed,
    /// It is installed by the install of this number, where that is the one to come.
    Reported(u64),
    /// It is to be installed again.
    Reinstall,
}

impl Installs {
    /// How a target's install stands. One that nobody has heard of is to be installed.
    #[must_use]
    pub fn of(&self, target: &Target) -> State {
        self.record(target).map_or(
            State {
                number: 1,
                installed: false,
            },
            |record| State {
                number: record.number,
                installed: record.installed.is_some(),
            },
        )
    }

    fn record(&self, target: &Target) -> Option<&Record> {
        let is_it = |record: &&Record| {
            let mac = target.mac.is_some() && record.mac == target.mac;
            let uuid = target.uuid.zip(record.uuid);
            mac || uuid.is_some_and(|(one, other)| one == other || one == swapped(other))
        };
        let by_name = self.machines.get(&target.name);
        by_name.or_else(|| self.machines.values().find(is_it))
    }

    /// Makes the change; `None` where there is nothing to change.
    fn change(&mut self, target: &Target, change: Change, now: jiff::Timestamp) -> Option<State> {
        let old = self.of(target);
        let new = match change {
            Change::Installed if old.installed => return None,
            Change::Reported(number) if old.installed || number != old.number => return None,
            Change::Installed | Change::Reported(_) => State {
                installed: true,
                ..old
            },
            Change::Reinstall if !old.installed => return None,
            Change::Reinstall => State {
                number: old.number.saturating_add(1),
                installed: false,
            },
        };
        let record = Record {
            number: new.number,
            installed: new.installed.then_some(now),
            mac: target.mac,
            uuid: target.uuid,
        };
        self.machines.insert(target.name.clone(), record);
        Some(new)
    }
}

/// The file of install states.
#[derive(Debug)]
pub struct InstallStore {
    file: PathBuf,
}

/// Changes whenever the file is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(Option<(u64, i64, i64, u64)>);

impl InstallStore {
    /// The store of a state folder. Nothing is made there yet.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self {
            file: state_dir.join("installs.json"),
        }
    }

    /// The file, which may not be there.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The file's stamp now.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let data = self.file.metadata().ok();
        Stamp(data.map(|data| (data.ino(), data.mtime(), data.mtime_nsec(), data.len())))
    }

    /// The states. A file that is not there holds none.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or holds something else.
    pub fn read(&self) -> Result<Installs, Failure> {
        let failed = |why: &dyn std::fmt::Display, cure: String| {
            let tried = format!("reading the install states {}", self.file.display());
            Failure::new(tried, why, cure)
        };
        let restore = "restore the file from a copy; without it, machines that are installed \
                       would install themselves again";
        match files::read(&self.file) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|error| failed(&error, restore.into()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Installs::default()),
            Err(error) => {
                let cure = state_dir::cure(&self.file, &error, restore);
                Err(failed(&error, cure))
            }
        }
    }

    /// Changes a machine's state on disk, and gives the state it has then and whether it is
    /// another.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or written; nothing has changed then.
    pub fn change(
        &self,
        target: &Target,
        change: Change,
        now: jiff::Timestamp,
    ) -> Result<(State, bool), Failure> {
        let failed = |error: std::io::Error| {
            let cure = state_dir::cure(&self.file, &error, "make room on the disk");
            let tried = format!("writing the install states {}", self.file.display());
            Failure::new(tried, error, cure)
        };
        // Held to the end of this function.
        let lock = self.lock().map_err(failed)?;
        let mut installs = self.read()?;
        let Some(state) = installs.change(target, change, now) else {
            return Ok((installs.of(target), false));
        };
        self.write(&installs).map_err(failed)?;
        drop(lock);
        Ok((state, true))
    }

    fn lock(&self) -> std::io::Result<File> {
        let path = self.file.with_extension("lock");
        let lock = File::options()
            .append(true)
            .create(true)
            .mode(0o644)
            .open(&path);
        // Made by another user, it is still good enough to be locked.
        let lock = lock.or_else(|_| File::open(&path))?;
        lock.lock()?;
        Ok(lock)
    }

    fn write(&self, installs: &Installs) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(installs)?;
        // The command of another user writes it, and the service reads it.
        state_dir::replace(&self.file, &text, 0o644)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Flags, Host};

    const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

    fn target(name: &str, mac: &str) -> Target {
        let text = format!(
            "[netboot.server]\nip = '10.0.0.1'\ninterface = 'eth1'\n\
             [[netboot.targets]]\nname = '{name}'\nmac = '{mac}'\n"
        );
        let (config, problems) =
            config::load_text("t", &text, false, &Flags::default(), &Host::default());
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        config.targets.into_iter().next().expect("a target")
    }

    fn node() -> Target {
        target("node", "02:00:00:00:00:01")
    }

    fn state(number: u64, installed: bool) -> State {
        State { number, installed }
    }

    #[test]
    fn a_machine_is_installed_once_and_again_only_when_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = InstallStore::new(folder.path());
        let change = |change| store.change(&node(), change, NOW).expect("a state");
        assert_eq!(store.read().expect("none").of(&node()), state(1, false));
        for (what, number, installed, changed) in [
            (Change::Reinstall, 1, false, false),
            (Change::Reported(2), 1, false, false),
            (Change::Reported(1), 1, true, true),
            (Change::Reported(1), 1, true, false),
            (Change::Installed, 1, true, false),
            (Change::Reinstall, 2, false, true),
            (Change::Reported(1), 2, false, false),
            (Change::Reported(2), 2, true, true),
            (Change::Reinstall, 3, false, true),
            (Change::Installed, 3, true, true),
        ] {
            let expected = (state(number, installed), changed);
            assert_eq!(change(what), expected, "{what:?}");
            let read = InstallStore::new(folder.path()).read().expect("the file");
            assert_eq!(read.of(&node()), expected.0, "{what:?}");
        }
    }

    #[test]
    fn an_installed_machine_stays_installed_under_another_name_or_with_another_card() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = InstallStore::new(folder.path());
        let installed = store.change(&node(), Change::Installed, NOW);
        assert!(installed.is_ok());
        let installs = store.read().expect("the file");
        for (name, mac, is) in [
            ("renamed", "02:00:00:00:00:01", true),
            ("node", "02:00:00:00:00:09", true),
            ("other", "02:00:00:00:00:02", false),
        ] {
            assert_eq!(
                installs.of(&target(name, mac)).installed,
                is,
                "{name} {mac}"
            );
        }
    }

    #[test]
    fn a_damaged_file_is_told_and_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = InstallStore::new(folder.path());
        store
            .change(&node(), Change::Installed, NOW)
            .expect("a state");
        for damage in ["", "{", "{}", r#"{"machines":{"node":{}}}"#] {
            std::fs::write(folder.path().join("installs.json"), damage).expect("a file");
            assert!(store.read().is_err(), "{damage}");
            assert!(store.change(&node(), Change::Reinstall, NOW).is_err());
        }
    }

    #[test]
    fn changes_at_the_same_time_are_all_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let targets: Vec<_> = (0..16)
            .map(|n| target(&format!("node-{n}"), &format!("02:00:00:00:01:{n:02x}")))
            .collect();
        std::thread::scope(|scope| {
            for target in &targets {
                let store = InstallStore::new(path);
                scope.spawn(move || store.change(target, Change::Installed, NOW).expect("done"));
            }
        });
        let installs = InstallStore::new(path).read().expect("the file");
        assert!(targets.iter().all(|target| installs.of(target).installed));
    }
}

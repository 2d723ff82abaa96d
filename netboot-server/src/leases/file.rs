//! The lease database: all leases in memory, and a journal of them on the disk with one flush for
//! each batch of claims.
//!
//! A claim replaces a stored lease only where its version is the expected one, so that what the
//! DHCP logic holds in memory can be behind but never wins over what is stored.
//!
//! Of a damaged database everything that can be read is taken over into a new one, and it is kept
//! under another name. What could not be read is learned from clients that ask for what they had;
//! the new one remembers when it was begun, so that this ends when every older lease has. One that
//! a later version wrote in a format of its own is not damaged, and is left as it is.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Claim, ClaimResult, Lease};

use super::content::{Content, clock_record, key, lease_record};
use super::folder::Folder;
use super::journal::{Journal, Locked};
use super::reading::{Damage, Read, State, clock_of, damaged, not_opened, read};
use super::{clock, frame};
use crate::failure::Failure;
use crate::leases::clock::Clock;

/// The lease database, open. No other process can open it meanwhile.
#[derive(Debug)]
pub(crate) struct LeaseFile {
    place: Place,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    journal: Journal,
    /// Whether the journal holds the content and nothing else. Where that is not known, it is made
    /// anew before anything else is written.
    sound: bool,
    content: Content,
}

/// What a start began from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The leases of the runs before.
    Known,
    /// Nothing: there was no database yet.
    New,
    /// The leases of a database that an earlier version wrote.
    Older {
        /// Where that one is now.
        aside: PathBuf,
    },
    /// What could be read of a damaged database.
    Damaged {
        /// Where that one is now.
        aside: PathBuf,
        damage: Damage,
    },
}

impl Beginning {
    /// What there is to say of it.
    pub(crate) fn notice(&self) -> Option<String> {
        match self {
            Self::Known => None,
            Self::New => Some("a new lease database, without any lease".into()),
            Self::Older { aside } => Some(format!(
                "the leases of an earlier version's database were taken over, and that one is now \
                 {}",
                aside.display()
            )),
            Self::Damaged { aside, damage } => Some(format!(
                "the lease database was damaged ({damage}) and is now {}",
                aside.display()
            )),
        }
    }
}

/// Where a database is.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    folder: Folder,
    name: OsString,
}

impl LeaseFile {
    /// Opens the database with every lease in it, or begins one. What can be read of a damaged one
    /// is taken over.
    ///
    /// # Errors
    ///
    /// Where another process has it open, or the folder cannot be written. Damage is none.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Lease>, Beginning), Failure> {
        Self::open_unless(path, |_| None)
    }

    /// Opens the database, or begins one.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and where it is damaged.
    pub(crate) fn open_sound(path: &Path) -> Result<(Self, Vec<Lease>, Beginning), Failure> {
        Self::open_unless(path, |damage| Some(damaged(path, damage)))
    }

    fn open_unless(
        path: &Path,
        refuse: impl FnOnce(&Damage) -> Option<Failure>,
    ) -> Result<(Self, Vec<Lease>, Beginning), Failure> {
        let place = Place::of(path)?;
        let locked = Locked::open(&place.folder, &place.name);
        let locked = locked.map_err(|error| not_opened(path, &error))?;
        let Some(locked) = locked else {
            let content = Content {
                begun: Some(clock::wall()),
                ..Content::default()
            };
            return Self::anew(place, content, None).map(|file| file.with(Beginning::New));
        };
        let Read { mut content, state } = read(path, &locked.bytes)?;
        match state {
            State::Sound(tail) => {
                if !tail.torn.is_empty() {
                    tracing::warn!(
                        "{}: its last {} bytes, of a lease that was not yet acknowledged, were cut \
                         off while they were written",
                        path.display(),
                        tail.torn.len()
                    );
                }
                let journal = Journal::go_on(locked, &tail)
                    .map_err(|error| place.failed("writing", &error))?;
                let open = Mutex::new(Open {
                    journal,
                    sound: true,
                    content,
                });
                Ok(Self { place, open }.with(Beginning::Known))
            }
            State::Older => {
                let aside = aside(&place.name, "redb");
                let at = place.folder.path_of(&aside);
                let file = Self::anew(place, content, Some(&aside))?;
                Ok(file.with(Beginning::Older { aside: at }))
            }
            State::Damaged(damage) => {
                if let Some(failure) = refuse(&damage) {
                    return Err(failure);
                }
                content.begun = Some(clock::wall());
                let aside = aside(&place.name, "damaged");
                let at = place.folder.path_of(&aside);
                let file = Self::anew(place, content, Some(&aside))?;
                Ok(file.with(Beginning::Damaged { aside: at, damage }))
            }
        }
    }

    /// A new file with this content, in the place of the one that is there.
    fn anew(place: Place, content: Content, aside: Option<&OsStr>) -> Result<Self, Failure> {
        let make = || {
            let journal = place.write(&content)?;
            place.put_in_place(aside)?;
            place.folder.flush()?;
            Ok(journal)
        };
        let journal = make().map_err(|error| place.failed("beginning", &error))?;
        let open = Mutex::new(Open {
            journal,
            sound: true,
            content,
        });
        Ok(Self { place, open })
    }

    fn with(self, beginning: Beginning) -> (Self, Vec<Lease>, Beginning) {
        let leases = self.load();
        (self, leases, beginning)
    }

    /// When this database was begun: leases from before that are not in it.
    pub(crate) fn begun(&self) -> Timestamp {
        self.lock().content.begun.unwrap_or_default()
    }

    /// The clock that the leases of it are counted by: that of the runs before since the host was
    /// started, else one that begins now.
    pub(crate) fn clock(&self) -> Clock {
        let mut open = self.lock();
        let (clock, keep) = clock_of(&open.content);
        if let Some(keep) = keep {
            let kept = clock_record(&keep)
                .map_err(io::Error::other)
                .and_then(|record| open.append(&self.place, &[record]));
            match kept {
                Ok(()) => open.content.clock = Some(keep),
                Err(error) => {
                    tracing::warn!("{}", self.place.failed("keeping the clock of", &error));
                }
            }
        }
        clock
    }

    /// Every lease that is stored, by network and address.
    pub(crate) fn load(&self) -> Vec<Lease> {
        self.lock().content.leases.values().cloned().collect()
    }

    /// Stores claims in order, and on the disk when this returns. Every claim is answered. Without
    /// any, it is seen to that claims can be stored, where the last time failed. Blocks.
    ///
    /// # Errors
    ///
    /// Where nothing can be written; then no claim counts. The next call tries anew.
    pub(crate) fn claim<'c>(
        &self,
        claims: impl Iterator<Item = &'c Claim>,
    ) -> Result<Vec<ClaimResult>, Failure> {
        let mut open = self.lock();
        let mut taken = BTreeMap::new();
        let mut records = Vec::new();
        let results = claims.map(
            |Claim {
                 lease,
                 expected_version,
                 ..
             }| {
                let key = key(lease);
                let stored = taken
                    .get(&key)
                    .copied()
                    .or_else(|| open.content.leases.get(&key));
                if stored.map_or(0, |stored| stored.version) != *expected_version {
                    let current = stored.cloned();
                    return ClaimResult::Lost { current };
                }
                let record = lease_record(lease).ok();
                let Some(record) = record.filter(|record| frame::fits(record)) else {
                    return ClaimResult::Down;
                };
                records.push(record);
                taken.insert(key, lease);
                ClaimResult::Stored
            },
        );
        let results = results.collect();
        open.append(&self.place, &records)
            .map_err(|error| self.place.failed("writing", &error))?;
        let taken: Vec<_> = taken
            .into_iter()
            .map(|(key, lease)| (key, lease.clone()))
            .collect();
        open.content.leases.extend(taken);
        if open.journal.has_grown() {
            open.shorten(&self.place);
        }
        Ok(results)
    }

    /// Stores leases, all of them or none. Blocks.
    ///
    /// # Errors
    ///
    /// Where nothing can be written; then nothing was.
    pub(crate) fn take_in(&self, leases: Vec<Lease>) -> Result<(), Failure> {
        let mut open = self.lock();
        let mut content = open.content.clone();
        content
            .leases
            .extend(leases.into_iter().map(|lease| (key(&lease), lease)));
        let journal = self.place.write(&content);
        journal
            .and_then(|journal| open.put(&self.place, journal))
            .map_err(|error| self.place.failed("writing", &error))?;
        open.content = content;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Appends records to a journal that is as it should be.
    fn append(&mut self, place: &Place, records: &[String]) -> io::Result<()> {
        self.see_to_it(place)?;
        if records.is_empty() {
            return Ok(());
        }
        self.sound = false;
        self.journal.append(records.iter().map(String::as_str))?;
        self.sound = true;
        Ok(())
    }

    /// Makes the journal anew where it is not known what is in it.
    fn see_to_it(&mut self, place: &Place) -> io::Result<()> {
        if self.sound {
            return Ok(());
        }
        let journal = place.write(&self.content)?;
        self.put(place, journal)
    }

    /// Makes a journal anew that has grown. Where that cannot be done, it goes on growing.
    fn shorten(&mut self, place: &Place) {
        let journal = place.write(&self.content);
        if let Err(error) = journal.and_then(|journal| self.put(place, journal)) {
            tracing::warn!("{}", place.failed("shortening", &error));
            self.journal.put_off();
        }
    }

    /// Puts a journal in the place of this one.
    fn put(&mut self, place: &Place, journal: Journal) -> io::Result<()> {
        place.put_in_place(None)?;
        (self.journal, self.sound) = (journal, false);
        place.folder.flush()?;
        self.sound = true;
        Ok(())
    }
}

impl Place {
    fn of(path: &Path) -> Result<Self, Failure> {
        let name = path.file_name().unwrap_or_default().to_owned();
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = Folder::open(folder).map_err(|error| not_opened(path, &error))?;
        let path = path.to_owned();
        Ok(Self { path, folder, name })
    }

    fn unfinished(&self) -> OsString {
        let mut name = self.name.clone();
        name.push(".new");
        name
    }

    fn write(&self, content: &Content) -> io::Result<Journal> {
        let records = content.records()?;
        Journal::write(
            &self.folder,
            &self.unfinished(),
            records.iter().map(String::as_str),
        )
    }

    fn put_in_place(&self, aside: Option<&OsStr>) -> io::Result<()> {
        self.folder.replace(&self.unfinished(), &self.name, aside)
    }

    fn failed(&self, doing: &str, why: &io::Error) -> Failure {
        Failure::new(
            format!("{doing} the lease database {}", self.path.display()),
            why,
            "see that this user may write there and that the disk is neither full nor failing; \
             until it can be written, nobody gets a new address",
        )
    }
}

/// The name under which a file is kept that another one takes the place of.
fn aside(name: &OsStr, what: &str) -> OsString {
    let date = crate::telemetry::host_time().strftime("%Y%m%dT%H%M%SZ");
    let mut aside = name.to_owned();
    aside.push(format!(".{what}-{date}"));
    aside
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::os::unix::fs::{FileExt, MetadataExt};

    use netboot_dhcp::MacAddr;
    use netboot_dhcp::server::{ClientKey, NetworkId};

    use super::*;

    fn claim(last: u8, version: u64) -> Claim {
        let client = ClientKey::Hardware(MacAddr([2, 0, 0, 0, 0, last]).into());
        let (now, expires) = (Timestamp(1_000), Timestamp(2_000));
        let address = [10, 0, 0, last].into();
        let mut lease = Lease::new(now, NetworkId(1), address, client, expires);
        lease.version = version;
        Claim::new(lease)
    }

    fn stored(file: &LeaseFile, claims: &[Claim]) {
        let results = file.claim(claims.iter()).expect("room");
        assert!(results.iter().all(|result| *result == ClaimResult::Stored));
    }

    /// Versions of what a database has once it is opened again.
    fn versions(path: &Path) -> Vec<u64> {
        let (_, leases, beginning) = LeaseFile::open(path).expect("a database");
        assert_eq!(beginning, Beginning::Known);
        leases.iter().map(|lease| lease.version).collect()
    }

    #[test]
    fn a_journal_that_has_grown_is_made_anew_with_every_lease_and_stays_locked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("leases");
        let (file, ..) = LeaseFile::open(&path).expect("a new database");
        let about = || std::fs::metadata(&path).expect("the file");
        let begun = about();
        let mut longest = 0;
        let mut version = 0;
        while about().ino() == begun.ino() {
            let claims: Vec<_> = (version + 1..=version + 1000)
                .flat_map(|version| [claim(1, version), claim(2, version)])
                .collect();
            stored(&file, &claims);
            version += 1000;
            assert!(version < 100_000, "it is not made anew");
            longest = longest.max(about().len());
            // In units of 512 bytes: a hole would cost a flush more.
            assert!(about().blocks() * 512 >= about().len());
        }
        assert!(about().len() < longest, "{} {longest}", about().len());
        let other = LeaseFile::open(&path).expect_err("it is locked");
        assert!(other.why.contains("another netboot runs"), "{other}");
        stored(&file, &[claim(3, 1)]);
        drop(file);
        assert_eq!(versions(&path), [version, version, 1]);
        let names = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(names.count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_a_write_left_that_failed_is_not_believed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("leases");
        let (file, ..) = LeaseFile::open(&path).expect("a new database");
        stored(&file, &[claim(1, 1)]);
        {
            let mut open = file.lock();
            let record = lease_record(&claim(2, 1).lease).expect("JSON");
            let written = open.journal.append(std::iter::once(record.as_str()));
            written.expect("room");
            open.sound = false;
        }
        assert_eq!(file.claim([].iter()), Ok(Vec::new()), "all is well again");
        assert_eq!(file.load().len(), 1);
        stored(&file, &[claim(3, 1)]);
        drop(file);
        assert_eq!(versions(&path).len(), 2);
    }

    #[test]
    fn what_cannot_be_made_anew_says_so_until_it_can() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("leases");
        let (file, ..) = LeaseFile::open(&path).expect("a new database");
        file.lock().sound = false;
        let in_the_way = folder.path().join("leases.new");
        std::fs::create_dir(&in_the_way).expect("a folder");
        for claims in [&[][..], &[claim(1, 1)]] {
            let failed = file.claim(claims.iter()).expect_err("it cannot");
            assert!(
                failed.tried.starts_with("writing the lease database"),
                "{failed}"
            );
        }
        std::fs::remove_dir(&in_the_way).expect("a folder");
        stored(&file, &[claim(1, 1)]);
        drop(file);
        assert_eq!(versions(&path), [1]);
    }

    #[test]
    fn a_record_that_this_version_does_not_know_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("leases");
        drop(LeaseFile::open(&path).expect("a new database"));
        let mut bytes = std::fs::read(&path).expect("the file");
        let tail = frame::read(&bytes).tail;
        let mut record = Vec::new();
        let later = r#"{"lease":{"format":2}}"#;
        frame::append(&mut record, tail.next, later).expect("it is short");
        let opened = OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("the file");
        opened.write_all_at(&record, tail.end as u64).expect("room");
        bytes[tail.end..tail.end + record.len()].copy_from_slice(&record);
        let failed = LeaseFile::open(&path).expect_err("it is a later version's");
        assert!(failed.why.contains("none of this version's"), "{failed}");
        assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    }
}

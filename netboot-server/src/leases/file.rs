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
use std::fmt::{self, Write};
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Claim, ClaimResult, Lease};

use super::content::{Content, clock_record, key, lease_record};
use super::folder::Folder;
use super::journal::{self, Journal, Locked};
use super::kept_clock::KeptClock;
use super::redb_import::{self, ReadError};
use super::{clock, frame};
use crate::failure::Failure;
use crate::leases::clock::{Clock, boot_of_the_host};

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

/// What is wrong with a database, and how many leases can be read nevertheless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    why: String,
    leases: usize,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, leases } = self;
        write!(f, "{why}; {leases} leases can be read")
    }
}

/// A database as it was read.
struct Read {
    content: Content,
    state: State,
}

enum State {
    /// But for what may be torn at its end.
    Sound(frame::Tail),
    /// An earlier version wrote it.
    Older,
    Damaged(Damage),
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

    /// Stores claims in order, and on the disk when this returns. Every claim is answered. Blocks.
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

    /// Whether leases can be stored, as far as that is known: tries it where the last time failed.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// Where nothing can be written.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let checked = self.lock().see_to_it(&self.place);
        checked.map_err(|error| self.place.failed("writing", &error))
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

/// Everything in a database that is only looked at, with the clock that its leases are counted by;
/// `None` where there is none. Nothing is written, and nobody is kept from it.
///
/// # Errors
///
/// Where it cannot be read, or is damaged.
pub(super) fn look(path: &Path) -> Result<Option<(Vec<Lease>, Clock)>, Failure> {
    let Some(bytes) = bytes_of(path)? else {
        return Ok(None);
    };
    match read(path, &bytes)? {
        Read {
            state: State::Damaged(damage),
            ..
        } => Err(damaged(path, &damage)),
        Read { content, .. } => {
            let (clock, _) = clock_of(&content);
            Ok(Some((content.leases.into_values().collect(), clock)))
        }
    }
}

/// What can be read of a file that may be damaged.
#[derive(Debug)]
pub struct Salvaged {
    pub(super) leases: Vec<Lease>,
    damage: Option<Damage>,
}

impl Salvaged {
    /// Reads such a file, as one that was set aside. Nothing is written. `None` where there is none.
    ///
    /// # Errors
    ///
    /// Where it cannot be read at all.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let Some(bytes) = bytes_of(path)? else {
            return Ok(None);
        };
        let Read { content, state } = read(path, &bytes)?;
        Ok(Some(Self {
            leases: content.leases.into_values().collect(),
            damage: match state {
                State::Damaged(damage) => Some(damage),
                State::Sound(_) | State::Older => None,
            },
        }))
    }

    /// What cannot be read, and how many leases can.
    pub fn notice(&self) -> Option<String> {
        self.damage.as_ref().map(ToString::to_string)
    }
}

fn bytes_of(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let bytes = || -> io::Result<Option<Vec<u8>>> {
        let folder = Folder::open(path.parent().unwrap_or(Path::new(".")))?;
        let file = folder.file(path.file_name().unwrap_or_default(), false)?;
        file.as_ref().map(journal::read).transpose()
    };
    match bytes() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map_err(|error| not_opened(path, &error)),
    }
}

fn clock_of(content: &Content) -> (Clock, Option<KeptClock>) {
    let newest = content.newest();
    match boot_of_the_host() {
        Some(boot) => KeptClock::of(content.clock.as_ref(), boot, newest),
        None => (Clock::begin(newest), None),
    }
}

/// Reads all that can be read.
fn read(path: &Path, bytes: &[u8]) -> Result<Read, Failure> {
    if redb_import::is_one(bytes) {
        return read_redb(path, bytes);
    }
    let contents = frame::read(bytes);
    if let Some(format) = contents.format.filter(|format| *format > frame::FORMAT) {
        return Err(later(path, u64::from(format), u64::from(frame::FORMAT)));
    }
    let mut content = Content::default();
    for record in &contents.records {
        content.take_in(record).map_err(|error| {
            Failure::new(
                format!("reading the lease database {}", path.display()),
                format!("a record is none of this version's: {error}"),
                "run the version that wrote it, or name another folder with --state-dir",
            )
        })?;
    }
    let state = match contents.damage.is_none() {
        true => State::Sound(contents.tail),
        false if contents.records.is_empty() => {
            content = redb_import::salvage(bytes);
            State::Damaged(Damage {
                why: "it makes no sense as a whole".into(),
                leases: content.leases.len(),
            })
        }
        false => State::Damaged(Damage {
            why: describe(&contents.damage, bytes),
            leases: content.leases.len(),
        }),
    };
    Ok(Read { content, state })
}

fn read_redb(path: &Path, bytes: &[u8]) -> Result<Read, Failure> {
    match redb_import::read(bytes) {
        Ok(content) => Ok(Read {
            content,
            state: State::Older,
        }),
        Err(ReadError::Later(format)) => Err(later(path, format, redb_import::FORMAT)),
        Err(ReadError::Damaged(why)) => {
            let content = redb_import::salvage(bytes);
            let state = State::Damaged(Damage {
                why,
                leases: content.leases.len(),
            });
            Ok(Read { content, state })
        }
    }
}

/// Says how much is damaged, and whose leases, where the bytes still tell.
fn describe(damage: &frame::Damage, bytes: &[u8]) -> String {
    let mut text = match damage.records {
        0 => return "bytes beside its records are damaged, or its end is missing".into(),
        1 => "1 record".to_owned(),
        records => format!("{records} records"),
    };
    let places = damage.places.iter();
    let addresses =
        places.flat_map(|place| addresses(bytes.get(place.clone()).unwrap_or_default()));
    let addresses: Vec<_> = addresses.map(|address| address.to_string()).collect();
    if !addresses.is_empty() {
        let _ = write!(text, " of {}", addresses.join(", "));
    }
    text + " cannot be read"
}

/// The addresses that damaged records seem to be of.
fn addresses(damaged: &[u8]) -> Vec<Ipv4Addr> {
    let text = String::from_utf8_lossy(damaged);
    let after = text.split(r#""address":""#).skip(1);
    after
        .filter_map(|rest| rest.split('"').next()?.parse().ok())
        .collect()
}

/// The name under which a file is kept that another one takes the place of.
fn aside(name: &OsStr, what: &str) -> OsString {
    let date = crate::telemetry::host_time().strftime("%Y%m%dT%H%M%SZ");
    let mut aside = name.to_owned();
    aside.push(format!(".{what}-{date}"));
    aside
}

fn damaged(path: &Path, damage: &Damage) -> Failure {
    Failure::new(
        format!("reading the lease database {}", path.display()),
        format!("it is damaged: {damage}"),
        "`netboot leases salvage` takes over what can be read, as a server does that starts, and \
         keeps the damaged file",
    )
}

fn later(path: &Path, format: u64, known: u64) -> Failure {
    Failure::new(
        format!("opening the lease database {}", path.display()),
        format!("a later version wrote it, in format {format}; this one reads {known}"),
        "run that version, or name another folder with --state-dir",
    )
}

fn not_opened(path: &Path, error: &io::Error) -> Failure {
    let tried = format!("opening the lease database {}", path.display());
    match error.kind() {
        ErrorKind::WouldBlock => Failure::new(
            tried,
            "another netboot runs on this state folder",
            "stop it, or name another folder with --state-dir",
        ),
        _ => Failure::new(
            tried,
            error,
            "let this user read and write it, or name another folder with --state-dir",
        ),
    }
}

//! A lease database as it is read: whole, of an earlier version, or damaged.

use std::fmt::{self, Write};
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::Path;

use netboot_dhcp::server::Lease;

use super::content::Content;
use super::folder::Folder;
use super::kept_clock::KeptClock;
use super::redb_import::{self, ReadError};
use super::{frame, journal};
use crate::failure::Failure;
use crate::leases::clock::{Clock, boot_of_the_host};
use crate::state_dir;

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
pub(super) struct Read {
    pub(super) content: Content,
    pub(super) state: State,
}

/// How much of it could be read.
pub(super) enum State {
    /// But for what may be torn at its end.
    Sound(frame::Tail),
    /// An earlier version wrote it.
    Older,
    Damaged(Damage),
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
    /// Reads such a file, as one that was set aside, and writes nothing. `None` where there
    /// is none.
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

/// The clock that leases are counted by, and what is to be kept of one that begins now.
pub(super) fn clock_of(content: &Content) -> (Clock, Option<KeptClock>) {
    let newest = content.newest();
    match boot_of_the_host() {
        Some(boot) => KeptClock::of(content.clock.as_ref(), boot, newest),
        None => (Clock::begin(newest), None),
    }
}

/// Reads all that can be read.
///
/// # Errors
///
/// Where a later version wrote it.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Read, Failure> {
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

/// Damage as what keeps a command from its work.
pub(super) fn damaged(path: &Path, damage: &Damage) -> Failure {
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

/// A file that cannot be opened, or that another process has.
pub(super) fn not_opened(path: &Path, error: &io::Error) -> Failure {
    let tried = format!("opening the lease database {}", path.display());
    match error.kind() {
        ErrorKind::WouldBlock => Failure::new(
            tried,
            "another netboot runs on this state folder",
            "stop it, or name another folder with --state-dir",
        ),
        _ => {
            let other = "see that it is a file on a disk that works, or name another folder with \
                         --state-dir";
            Failure::new(tried, error, state_dir::cure(path, error, other))
        }
    }
}

//! Where boots are kept: one database file in the state folder.
//!
//! Three tables: each boot as JSON by its number, its events as JSON by the boot's number and their
//! place in it, and the numbers of each machine's boots. An event is written once, however often
//! its boot changes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use netboot_dhcp::MacAddr;
use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, WriteTransaction,
};
use rustix::fs::OFlags;

use super::boot::{Boot, Record};
use crate::telemetry::events::Event;

/// How many boots are kept.
pub const BOOTS: u64 = 10_000;

/// How many events they have together.
pub const ALL_EVENTS: u64 = 150_000;

/// For how many days they are kept.
pub const DAYS: i64 = 90;

/// The boot's number, to the boot.
const OF_ID: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("boots");
/// The boot's number and the event's place in it, to the event.
const OF_BOOT: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("events");
/// The machine's MAC address as a number, and the boot's number.
const OF_MACHINE: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("machines");
/// Boots that are forgotten at once, so that a write stays short.
const AT_ONCE: usize = 1_000;
/// Bytes of the database that are kept in memory.
const CACHE: usize = 1 << 20;

/// Why boots cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("{} cannot be opened", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The database cannot be read or written.
    #[error("the database of boots")]
    Database(#[source] Box<redb::Error>),
    /// What is in it makes no sense.
    #[error("the database of boots has what is no boot")]
    Content(#[from] serde_json::Error),
    /// Its pages make no sense.
    #[error("the database of boots is damaged")]
    Damaged,
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(
    DatabaseError,
    TransactionError,
    TableError,
    StorageError,
    CommitError
);

/// What has changed of one boot.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) boot: Boot,
    /// Events that are not written yet, with their places.
    pub(super) events: Vec<(u32, Arc<Event>)>,
}

/// The boots that are kept.
#[derive(Debug)]
pub struct BootStore {
    database: Database,
    most: u64,
    most_events: u64,
    longest: SignedDuration,
}

impl BootStore {
    /// Opens the database in this file, or begins one. One that is damaged is set aside, and where
    /// to is given. It is kept to [`BOOTS`], [`ALL_EVENTS`]
    /// and [`DAYS`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Open`] where the file can be neither opened nor set aside.
    pub fn open(path: &Path) -> Result<(Self, Option<PathBuf>), StoreError> {
        match Self::open_file(path) {
            Err(StoreError::Open { path, error }) => Err(StoreError::Open { path, error }),
            Ok(store) => Ok((store, None)),
            Err(_) => {
                let aside = path.with_extension("damaged");
                let moved = std::fs::rename(path, &aside);
                moved.map_err(|error| open_error(path, error))?;
                Ok((Self::open_file(path)?, Some(aside)))
            }
        }
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(path);
        let file = file.map_err(|error| open_error(path, error))?;
        let store = Self {
            database: guarded(|| open_database(path, file))?,
            most: BOOTS,
            most_events: ALL_EVENTS,
            longest: SignedDuration::from_hours(24 * DAYS),
        };
        guarded(|| {
            let write = store.database.begin_write()?;
            drop((write.open_table(OF_ID)?, write.open_table(OF_BOOT)?));
            write.open_table(OF_MACHINE)?;
            write.commit()?;
            store.list(None, None, 1)
        })?;
        Ok(store)
    }

    /// The numbers that the next boots get begin here.
    pub(super) fn next_id(&self) -> Result<u64, StoreError> {
        guarded(|| {
            let boots = self.database.begin_read()?.open_table(OF_ID)?;
            let last = boots.last()?.map_or(0, |(id, _)| id.value());
            Ok(last + 1)
        })
    }

    /// Writes all of it or nothing, and forgets what is too old, or too much.
    pub(super) fn write(&self, now: Timestamp, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        guarded(|| {
            let write = self.database.begin_write()?;
            {
                let mut boots = write.open_table(OF_ID)?;
                let mut events = write.open_table(OF_BOOT)?;
                let mut machines = write.open_table(OF_MACHINE)?;
                for Change { boot, events: new } in changes {
                    boots.insert(boot.id, serde_json::to_vec(boot)?.as_slice())?;
                    machines.insert((number(boot.machine), boot.id), ())?;
                    for (place, event) in new {
                        let text = serde_json::to_vec(&**event)?;
                        events.insert((boot.id, *place), text.as_slice())?;
                    }
                }
            }
            self.forget(now, &write)?;
            Ok(write.commit()?)
        })
    }

    fn forget(&self, now: Timestamp, write: &WriteTransaction) -> Result<(), StoreError> {
        let mut boots = write.open_table(OF_ID)?;
        let mut machines = write.open_table(OF_MACHINE)?;
        let mut events = write.open_table(OF_BOOT)?;
        for _ in 0..AT_ONCE {
            let Some((id, oldest)) = boots.first()?.map(|(id, boot)| {
                let boot: Option<Boot> = read(boot.value()).ok();
                (id.value(), boot)
            }) else {
                return Ok(());
            };
            let is_old = |boot: &Boot| now.duration_since(boot.began) > self.longest;
            let is_too_much = boots.len()? > self.most || events.len()? > self.most_events;
            if !is_too_much && oldest.as_ref().is_some_and(|boot| !is_old(boot)) {
                return Ok(());
            }
            boots.remove(id)?;
            if let Some(boot) = oldest {
                machines.remove((number(boot.machine), id))?;
            }
            events.retain_in((id, 0)..=(id, u32::MAX), |_, _| false)?;
        }
        Ok(())
    }

    /// Boots, the newest first: of this machine or of all, those before this number, at most so
    /// many.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the database cannot be read.
    pub fn list(
        &self,
        machine: Option<MacAddr>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Boot>, StoreError> {
        let before = before.unwrap_or(u64::MAX);
        guarded(|| {
            let transaction = self.database.begin_read()?;
            let boots = transaction.open_table(OF_ID)?;
            let Some(machine) = machine.map(number) else {
                let newest = boots.range(..before)?.rev();
                // One that makes no sense costs no other.
                let newest = newest.map(|entry| Ok(read(entry?.1.value()).ok()));
                return newest.filter_map(Result::transpose).take(limit).collect();
            };
            let machines = transaction.open_table(OF_MACHINE)?;
            let of_it = machines.range((machine, 0)..(machine, before))?;
            let mut found = Vec::new();
            for entry in of_it.rev().take(limit) {
                let (_, id) = entry?.0.value();
                if let Some(boot) = boots.get(id)? {
                    found.extend(read(boot.value()).ok());
                }
            }
            Ok(found)
        })
    }

    /// The boot of this number with its events, the oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the database cannot be read.
    pub fn record(&self, id: u64) -> Result<Option<Record>, StoreError> {
        guarded(|| {
            let transaction = self.database.begin_read()?;
            let boots = transaction.open_table(OF_ID)?;
            let Some(boot) = boots.get(id)? else {
                return Ok(None);
            };
            let boot: Boot = read(boot.value())?;
            let events = transaction.open_table(OF_BOOT)?;
            let events = events.range((id, 0)..=(id, u32::MAX))?;
            let events = events.map(|entry| Ok(Arc::new(read(entry?.1.value())?)));
            let mut events = events.collect::<Result<Vec<_>, StoreError>>()?;
            boot.put_in_order(&mut events);
            Ok(Some(Record { boot, events }))
        })
    }
}

fn open_database(path: &Path, file: File) -> Result<Database, StoreError> {
    let opened = FileBackend::new(file).and_then(|file| {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE).create_with_backend(file)
    });
    opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => open_error(path, io::ErrorKind::ResourceBusy.into()),
        error => error.into(),
    })
}

fn open_error(path: &Path, error: io::Error) -> StoreError {
    let path = path.to_owned();
    StoreError::Open { path, error }
}

/// Bytes that make no sense may make redb panic.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(StoreError::Damaged))
}

fn read<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, StoreError> {
    Ok(serde_json::from_slice(text)?)
}

fn number(machine: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = machine.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boots::boot::EVENTS;
    use crate::telemetry::events::{Events, Kind, Read};

    const NODE: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

    fn store() -> (tempfile::TempDir, BootStore) {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, aside) = BootStore::open(&folder.path().join("boots")).expect("a store");
        assert_eq!(aside, None);
        (folder, store)
    }

    fn hours(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    /// A boot with so many events, each with its number as the reason.
    fn boot(id: u64, machine: MacAddr, at: Timestamp, count: u32) -> Change {
        let events = Events::default();
        let mut stream = events.reader();
        let mut change: Option<Change> = None;
        for number in 0..count {
            let why = number.to_string();
            events.emit(at, Some(machine), Kind::NoProgram { why });
            let Some(Read::Event(event)) = stream.try_next() else {
                panic!("an event comes out as it goes in");
            };
            let change = match &mut change {
                Some(change) => {
                    let place = change.boot.take(&event);
                    change.events.push((place, event));
                    continue;
                }
                None => &mut change,
            };
            *change = Some(Change {
                boot: Boot::new(id, machine, &event),
                events: vec![(0, event)],
            });
        }
        change.expect("a boot has events")
    }

    fn ids(boots: &[Boot]) -> Vec<u64> {
        boots.iter().map(|boot| boot.id).collect()
    }

    /// The numbers of the events that are kept of a boot.
    fn kept(store: &BootStore, id: u64) -> Vec<u32> {
        let record = store
            .record(id)
            .expect("it can be read")
            .expect("it is there");
        let numbers = record.events.iter().map(|event| match &event.kind {
            Kind::NoProgram { why } => why.parse().expect("a number"),
            other => panic!("{other:?}"),
        });
        numbers.collect()
    }

    #[test]
    fn boots_are_listed_from_the_newest_on_for_all_and_for_one_machine() {
        let (_folder, store) = store();
        for (id, machine) in [(1, NODE), (2, OTHER), (3, NODE), (4, OTHER)] {
            store
                .write(hours(0), &[boot(id, machine, hours(0), 1)])
                .expect("it is written");
        }
        let list = |machine, before, limit| {
            ids(&store
                .list(machine, before, limit)
                .expect("they can be read"))
        };
        assert_eq!(list(None, None, 10), [4, 3, 2, 1]);
        assert_eq!(list(None, Some(3), 1), [2]);
        assert_eq!(list(Some(NODE), None, 10), [3, 1]);
        assert_eq!(list(Some(NODE), Some(3), 10), [1]);
        assert_eq!(list(Some(OTHER), None, 1), [4]);
        assert_eq!(store.next_id().expect("it can be read"), 5);
        assert!(store.record(5).expect("it can be read").is_none());
    }

    #[test]
    fn of_many_events_the_first_and_the_last_are_kept_in_their_order() {
        let (_folder, store) = store();
        for (id, count) in [(1, 3), (2, EVENTS), (3, EVENTS + 1), (4, 3 * EVENTS + 7)] {
            let change = boot(id, NODE, hours(0), count);
            assert_eq!(change.boot.left_out(), count.saturating_sub(EVENTS));
            store.write(hours(0), &[change]).expect("it is written");
            let kept = kept(&store, id);
            assert_eq!(kept.len(), count.min(EVENTS) as usize);
            let first = count.min(192);
            let last = count - (count.min(EVENTS) - first);
            let right: Vec<u32> = (0..first).chain(last..count).collect();
            assert_eq!(kept, right, "of {count}");
        }
    }

    #[test]
    fn what_is_too_old_or_too_much_is_forgotten_with_its_events() {
        let (_folder, mut store) = store();
        store.most = 3;
        for id in 1..=5 {
            let at = hours(i64::try_from(id).expect("it is small"));
            store
                .write(at, &[boot(id, NODE, at, 2)])
                .expect("it is written");
        }
        let list = |store: &BootStore| ids(&store.list(Some(NODE), None, 10).expect("a list"));
        assert_eq!(list(&store), [5, 4, 3]);
        let events = || {
            let read = store.database.begin_read().expect("a view");
            let events = read.open_table(OF_BOOT).expect("a table");
            events.len().expect("a count")
        };
        assert_eq!(events(), 6);
        let later = hours(24 * DAYS + 4);
        store
            .write(later, &[boot(6, OTHER, later, 1)])
            .expect("it is written");
        assert_eq!(list(&store), [5, 4]);
        assert_eq!(events(), 5);
    }

    #[test]
    fn what_makes_no_sense_costs_no_other_and_is_forgotten_in_its_turn() {
        let (_folder, mut store) = store();
        for id in 1..=3 {
            store
                .write(hours(0), &[boot(id, NODE, hours(0), 1)])
                .expect("it is written");
        }
        let write = store.database.begin_write().expect("a transaction");
        for id in [1, 2] {
            let mut boots = write.open_table(OF_ID).expect("a table");
            boots.insert(id, &b"no JSON"[..]).expect("it is written");
        }
        write.commit().expect("it is written");
        assert_eq!(ids(&store.list(None, None, 9).expect("a list")), [3]);
        assert_eq!(ids(&store.list(Some(NODE), None, 9).expect("a list")), [3]);
        store.most_events = 2;
        store
            .write(hours(0), &[boot(4, NODE, hours(0), 1)])
            .expect("it is written");
        assert_eq!(ids(&store.list(None, None, 9).expect("a list")), [4, 3]);
        let read = store.database.begin_read().expect("a view");
        let events = read.open_table(OF_BOOT).expect("a table");
        assert_eq!(events.len().expect("a count"), 2);
    }

    #[test]
    fn a_store_is_found_again_and_one_that_makes_no_sense_is_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("boots");
        let open = || BootStore::open(&path).expect("a store");
        let (store, _) = open();
        store
            .write(hours(0), &[boot(1, NODE, hours(0), 3)])
            .expect("it is written");
        let busy = BootStore::open(&path).expect_err("it is open already");
        assert!(matches!(busy, StoreError::Open { .. }), "{busy:?}");
        drop(store);
        let (store, aside) = open();
        assert_eq!((aside, kept(&store, 1)), (None, vec![0, 1, 2]));
        drop(store);

        let whole = std::fs::read(&path).expect("a file");
        let mut flipped = whole.clone();
        for byte in flipped.iter_mut().skip(64) {
            *byte ^= 0x5a;
        }
        let cut = whole.get(..whole.len() / 3).expect("a part").to_vec();
        for damaged in [b"something else".to_vec(), flipped, cut] {
            std::fs::write(&path, &damaged).expect("it is written");
            let (store, aside) = open();
            assert_eq!(store.list(None, None, 9).expect("a list").len(), 0);
            let aside = aside.expect("it was damaged");
            assert_eq!(std::fs::read(aside).expect("it is there"), damaged);
        }
    }
}

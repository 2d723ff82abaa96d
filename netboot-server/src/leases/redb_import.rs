//! Lease databases that versions before 0.1 kept in redb: read, and never written.
//!
//! What redb opens is a copy in memory, so that a database that was not closed is repaired there.
//! Of one that is damaged every lease is taken that stands anywhere in its bytes, which hold them
//! as JSON, each in its newest version.

use std::panic::catch_unwind;

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::Lease;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};

use super::content::Content;
use super::kept_clock::KeptClock;
use crate::failure::Chain;

/// As each redb database begins.
const NAME: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
const PAGE: usize = 4096;
/// Network number and address, to the lease as JSON.
const LEASES: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("leases");
/// What the database says about itself: `begun` and `format`.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// The host's boot, to the clock's zero in it.
const CLOCK: TableDefinition<'_, &str, u64> = TableDefinition::new("clock");
/// The one format that there was.
pub(super) const FORMAT: u64 = 1;
/// How a lease in JSON begins, by the versions that wrote such databases.
const BEGINNINGS: [&[u8]; 2] = [br#"{"format":"#, br#"{"network":"#];

/// Whether these bytes are such a database, whole or damaged.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(NAME)
}

/// Why one cannot be read as it is.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It was written in this format, which is not known.
    Later(u64),
    Damaged(String),
}

/// Reads one that is whole, but for what may stand behind its last page.
///
/// # Errors
///
/// Where it is damaged, or of a later format.
pub(super) fn read(bytes: &[u8]) -> Result<Content, ReadError> {
    let pages = bytes.len() - bytes.len() % PAGE;
    match bytes.get(..pages) {
        // Bytes that make no sense may make redb panic.
        Some(bytes) if pages > 0 => catch_unwind(|| read_pages(bytes))
            .unwrap_or_else(|_| Err(ReadError::Damaged("its pages make no sense".into()))),
        _ => Err(ReadError::Damaged("it is cut off".into())),
    }
}

fn read_pages(bytes: &[u8]) -> Result<Content, ReadError> {
    let damaged = |error: &dyn std::error::Error| ReadError::Damaged(Chain(error).to_string());
    let memory = InMemoryBackend::new();
    memory
        .set_len(bytes.len() as u64)
        .and_then(|()| memory.write(0, bytes))
        .map_err(|error| damaged(&error))?;
    let mut database = Database::builder()
        .create_with_backend(memory)
        .map_err(|error| damaged(&error))?;
    database
        .check_integrity()
        .map_err(|error| damaged(&error))?;
    let (content, format) = read_tables(&database).map_err(|error| damaged(&*error))?;
    match format {
        Some(format) if format > FORMAT => Err(ReadError::Later(format)),
        _ => Ok(content),
    }
}

fn read_tables(database: &Database) -> Result<(Content, Option<u64>), Box<dyn std::error::Error>> {
    let mut content = Content::default();
    let mut format = None;
    let read = database.begin_read()?;
    if let Some(about) = present(read.open_table(ABOUT))? {
        let get = |key| about.get(key).map(|value| value.map(|value| value.value()));
        content.begun = get("begun")?.map(Timestamp);
        format = get("format")?;
    }
    if format.is_some_and(|format| format > FORMAT) {
        return Ok((content, format));
    }
    if let Some(clock) = present(read.open_table(CLOCK))?
        && let Some((boot, zero)) = clock.first()?
    {
        let zero = Timestamp(zero.value());
        content.clock = Some(KeptClock::new(boot.value().to_owned(), zero));
    }
    for entry in read.open_table(LEASES)?.iter()? {
        let (key, value) = entry?;
        let lease: Lease = serde_json::from_slice(value.value())?;
        if key.value() != (lease.network.0, lease.address.to_bits()) {
            return Err(format!("the lease of {} has another's key", lease.address).into());
        }
        content.take_newer(lease);
    }
    Ok((content, format))
}

fn present<T>(opened: Result<T, redb::TableError>) -> Result<Option<T>, redb::TableError> {
    match opened {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every lease that stands somewhere in the bytes of a damaged one.
pub(super) fn salvage(bytes: &[u8]) -> Content {
    let mut content = Content::default();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'{') {
        rest = rest.get(at..).unwrap_or_default();
        if BEGINNINGS.iter().any(|text| rest.starts_with(text)) {
            let lease = serde_json::Deserializer::from_slice(rest)
                .into_iter()
                .next();
            if let Some(Ok(lease)) = lease {
                content.take_newer(lease);
            }
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    content
}

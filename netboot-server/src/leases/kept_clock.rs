//! The clock that a database's leases are counted by, kept beside them for as long as the host is
//! up.

use netboot_dhcp::Timestamp;
use redb::{Database, ReadableDatabase, TableDefinition};

use crate::leases::clock::{Clock, boot_of_the_host};

/// The host's boot, to the clock's zero in it, in milliseconds since the Unix epoch. There is one
/// at most.
const CLOCK: TableDefinition<'_, &str, u64> = TableDefinition::new("clock");

/// That of the runs before since the host was started; else one that begins now, and is kept for
/// those to come. `newest` is the newest time of a lease.
///
/// # Errors
///
/// Where it can neither be read nor written.
pub(super) fn of(database: &Database, newest: Timestamp) -> Result<Clock, redb::Error> {
    let Some(boot) = boot_of_the_host() else {
        return Ok(Clock::begin(newest));
    };
    let kept = read(database, &boot)?.map(Clock::go_on);
    // One that is behind its own leases is another machine's.
    if let Some(clock) = kept.filter(|clock| clock.now() >= newest) {
        return Ok(clock);
    }
    let clock = Clock::begin(newest);
    keep(database, &boot, clock.zero())?;
    Ok(clock)
}

fn read(database: &Database, boot: &str) -> Result<Option<Timestamp>, redb::Error> {
    match database.begin_read()?.open_table(CLOCK) {
        Ok(table) => Ok(table.get(boot)?.map(|zero| Timestamp(zero.value()))),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn keep(database: &Database, boot: &str, zero: Timestamp) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(CLOCK)?;
        table.retain(|_, _| false)?;
        table.insert(boot, zero.0)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    #[test]
    fn a_clock_is_gone_on_with_until_the_host_is_started_anew() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = database.expect("a new database");
        let zero = || of(&database, Timestamp(0)).expect("room").zero();
        let kept = |boot: &str| read(&database, boot).expect("it can be read");
        let boot = boot_of_the_host().expect("its name");
        let begun = zero();
        assert_eq!(kept(&boot), Some(begun));
        let ahead = begun.after_ms(1 << 40);
        keep(&database, &boot, ahead).expect("room");
        assert_eq!(zero(), ahead);
        keep(&database, "another", ahead).expect("room");
        let anew = zero();
        assert!(anew < ahead, "{anew:?}");
        assert_eq!((kept(&boot), kept("another")), (Some(anew), None));
    }

    #[test]
    fn a_clock_that_is_behind_its_leases_is_not_gone_on_with() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = database.expect("a new database");
        let boot = boot_of_the_host().expect("its name");
        keep(&database, &boot, Timestamp(0)).expect("room");
        let newest = Timestamp(1 << 50);
        let clock = of(&database, newest).expect("room");
        assert!(clock.now() >= newest);
        assert_eq!(read(&database, &boot).expect("a zero"), Some(clock.zero()));
    }
}

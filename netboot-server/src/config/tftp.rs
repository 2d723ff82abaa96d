//! What TFTP allows: how much at once, and what it agrees to.

use netboot_tftp::Limits;
use netboot_tftp::server::Settings;

use super::document::{self, Blksize, Count};
use super::field::Field;
use super::problem::Problems;

/// What TFTP allows. The defaults are those of `netboot_tftp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tftp {
    /// Most transfers at one time by each address of this server, 4096; fewer where the process may
    /// not have two files open for each.
    pub max_transfers: u16,
    /// Most transfers at one time of one client address, 16: all machines behind address
    /// translation have one.
    pub max_transfers_per_client: u16,
    /// The largest block that is agreed to, 1468 bytes; larger ones are sent in fragments where the
    /// link has Ethernet's MTU.
    pub max_blksize: u16,
    /// The largest window that is agreed to, 64 blocks.
    pub max_windowsize: u16,
    /// Whether transfers go by TFTP's own port and have none of their own, for machines behind
    /// address translation and servers in containers.
    pub single_port: bool,
}

impl Default for Tftp {
    fn default() -> Self {
        let settings = Settings::default();
        let count = |count| u16::try_from(count).unwrap_or(u16::MAX);
        Self {
            max_transfers: count(settings.max_transfers),
            max_transfers_per_client: count(settings.max_transfers_per_client),
            max_blksize: settings.limits.max_blksize,
            max_windowsize: settings.limits.max_windowsize,
            single_port: settings.single_port,
        }
    }
}

impl Tftp {
    /// The same for the server, where it has places for so many transfers.
    pub(crate) fn settings(self, places: usize) -> Settings {
        let limits = Limits::default()
            .max_blksize(self.max_blksize)
            .max_windowsize(self.max_windowsize);
        Settings::default()
            .limits(limits)
            .max_transfers(places.min(self.max_transfers.into()))
            .max_transfers_per_client(self.max_transfers_per_client.into())
            .single_port(self.single_port)
    }
}

pub(super) fn resolve_tftp(written: document::Tftp, problems: &mut Problems) -> Tftp {
    let default = Tftp::default();
    let place = &written.place;
    let mut count = |given: Option<Field<Count>>, key, default| {
        let given = given.and_then(|given| given.check(place.key(key), problems));
        given.map_or(default, |Count(count)| count.get())
    };
    let max_transfers = count(
        written.max_transfers,
        "max_transfers",
        default.max_transfers,
    );
    let max_transfers_per_client = count(
        written.max_transfers_per_client,
        "max_transfers_per_client",
        default.max_transfers_per_client,
    );
    let max_windowsize = count(
        written.max_windowsize,
        "max_windowsize",
        default.max_windowsize,
    );
    let max_blksize = written.max_blksize;
    let max_blksize = max_blksize.and_then(|it| it.check(place.key("max_blksize"), problems));
    let single_port = written.single_port;
    let single_port = single_port.and_then(|it| it.check(place.key("single_port"), problems));
    Tftp {
        max_transfers,
        max_transfers_per_client,
        max_blksize: max_blksize.map_or(default.max_blksize, |Blksize(bytes)| bytes),
        max_windowsize,
        single_port: single_port.unwrap_or(default.single_port),
    }
}

/// What a document says of this.
pub(super) fn document(tftp: Tftp) -> document::Tftp {
    let count = |count| std::num::NonZeroU16::new(count).map(|count| Field::Right(Count(count)));
    document::Tftp {
        max_transfers: count(tftp.max_transfers),
        max_transfers_per_client: count(tftp.max_transfers_per_client),
        max_blksize: Some(Field::Right(Blksize(tftp.max_blksize))),
        max_windowsize: count(tftp.max_windowsize),
        single_port: Some(Field::Right(tftp.single_port)),
        ..document::Tftp::default()
    }
}

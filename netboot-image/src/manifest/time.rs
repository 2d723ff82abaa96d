//! The times of a manifest: RFC 3339, in whole seconds.

use std::time::SystemTime;

use super::ManifestError;
use super::check::value;

pub(super) fn read_time(text: &str) -> Result<SystemTime, ManifestError> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| value("created", text, "is no time as RFC 3339 writes it"))?;
    Ok(whole_seconds(time).into())
}

pub(super) fn write_time(time: SystemTime) -> String {
    // A time that RFC 3339 cannot write has been cut to the nearest one on its way in.
    whole_seconds(timestamp(time)).to_string()
}

/// A time as a manifest keeps it: in whole seconds, from the years that RFC 3339 can write.
#[cfg(all(unix, feature = "store"))]
pub(crate) fn created(now: SystemTime) -> SystemTime {
    whole_seconds(timestamp(now)).into()
}

fn timestamp(time: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(time).unwrap_or(if time < SystemTime::UNIX_EPOCH {
        jiff::Timestamp::UNIX_EPOCH
    } else {
        jiff::Timestamp::MAX
    })
}

fn whole_seconds(time: jiff::Timestamp) -> jiff::Timestamp {
    let second = time.as_second().clamp(0, jiff::Timestamp::MAX.as_second());
    jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

//! Times as people are shown them: the local one, with its date and its offset from UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// An instant to the second.
pub(crate) fn local(at: Timestamp) -> String {
    in_zone(at, TimeZone::system())
}

fn in_zone(at: Timestamp, zone: TimeZone) -> String {
    at.to_zoned(zone).strftime("%F %T %:z").to_string()
}

/// The same, to the millisecond, in the lines of a log.
#[derive(Debug)]
pub(crate) struct LogTime;

impl FormatTime for LogTime {
    fn format_time(&self, to: &mut Writer<'_>) -> std::fmt::Result {
        let now = crate::host_time().to_zoned(TimeZone::system());
        write!(to, "{}", now.strftime("%F %T%.3f %:z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_date_and_its_offset() {
        let at: Timestamp = "2026-07-01T22:30:05.9Z".parse().expect("an instant");
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(in_zone(at, east), "2026-07-02 00:30:05 +02:00");
        assert_eq!(in_zone(at, TimeZone::UTC), "2026-07-01 22:30:05 +00:00");
    }
}

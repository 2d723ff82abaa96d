//! Sizes and times as people read them.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

/// So many bytes, in units of a thousand.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match UNITS.into_iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) if count < 10 * unit => {
            let tenths = count / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        Some((unit, name)) => format!("{} {name}", count / unit),
        None => format!("{count} B"),
    }
}

/// How long ago something was, or how far ahead it is.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> Markup {
    let seconds = now.duration_since(at).as_secs();
    let coarse = match seconds.unsigned_abs() {
        0..3_600 => 1,
        3_600..86_400 => 60,
        _ => 3_600,
    };
    let lasting = SignedDuration::from_secs((seconds - seconds % coarse).saturating_abs());
    html! {
        time datetime=(at) title=(at) {
            @if seconds < 0 { "in " (format!("{lasting:#}")) }
            @else { (format!("{lasting:#}")) " ago" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_leaves_few_digits() {
        let shown = [0, 999, 1_000, 9_999, 84_300_000, 2_500_000_000].map(bytes);
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "9.9 kB", "84 MB", "2.5 GB"]
        );
        assert_eq!(bytes(u64::MAX), "18446744 TB");
    }

    #[test]
    fn times_are_told_from_now_and_exactly_in_the_markup() {
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let shown = |second| {
            let at = Timestamp::from_second(second).expect("a time");
            relative(at, now).into_string()
        };
        assert!(shown(999_996).contains(">4s ago<"), "{}", shown(999_996));
        assert!(shown(992_701).contains(">2h 1m ago<"), "{}", shown(992_701));
        assert!(shown(1_000_060).contains(">in 1m<"), "{}", shown(1_000_060));
        assert!(shown(999_996).contains("datetime=\"1970-01-12T13:46:36Z\""));
    }
}

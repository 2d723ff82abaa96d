//! Time as the caller tells it: instants in milliseconds, spans in whole seconds as DHCP counts
//! them.

use core::fmt;

/// An instant: milliseconds since the Unix epoch.
///
/// Nothing in this crate reads a clock. Leases are stored with these instants, so the caller takes
/// them from a clock that survives a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The instant `span` later, or the last representable one.
    ///
    /// ```
    /// use netboot_dhcp::{Seconds, Timestamp};
    /// assert_eq!(Timestamp(500).after(Seconds(2)), Timestamp(2_500));
    /// ```
    #[must_use]
    pub const fn after(self, span: Seconds) -> Self {
        match span {
            Seconds::INFINITE => Self(u64::MAX),
            _ => self.after_ms(span.as_millis()),
        }
    }

    /// The instant `millis` milliseconds later, or the last representable one.
    #[must_use]
    pub const fn after_ms(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; 0 if `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A span of whole seconds, as options 51, 58 and 59 carry it.
///
/// [`INFINITE`](Self::INFINITE) means "for ever", on the wire (RFC 2131 section 3.3) and here: after
/// it is the last representable instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Seconds(pub u32);

impl Seconds {
    /// For ever: 0xffff_ffff.
    pub const INFINITE: Self = Self(u32::MAX);

    /// The span in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        // Lossless; `u64::from` is not const yet.
        self.0 as u64 * 1_000
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

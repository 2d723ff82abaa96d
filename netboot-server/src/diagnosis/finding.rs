//! What a rule finds.

use serde::Serialize;

/// A cause, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was found, for programs: `tftp-no-ack`. It stays from version to version.
    pub code: &'static str,
    /// How sure it is.
    pub certainty: Certainty,
    /// The cause, in one sentence.
    pub cause: String,
    /// The events that it rests on, by their places in the record.
    pub evidence: Vec<usize>,
    /// What to do.
    pub cure: String,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The events say so.
    Certain,
    /// Nothing else is known to look so.
    Likely,
    /// Other causes look the same.
    Possible,
}

impl Certainty {
    /// `certain`, `likely` or `possible`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

impl Finding {
    /// A finding; its code is that of its rule.
    pub(super) fn new(
        certainty: Certainty,
        evidence: impl IntoIterator<Item = usize>,
        cause: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            code: "",
            certainty,
            cause: cause.into(),
            evidence: evidence.into_iter().collect(),
            cure: cure.into(),
        }
    }
}

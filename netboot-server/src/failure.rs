//! What the server and its command tell people when something cannot be done.

use std::fmt;

/// What was tried and on what, why it failed, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tried}: {why}; {cure}")]
pub struct Failure {
    /// What was tried, and on what.
    pub tried: String,
    /// Why it failed.
    pub why: String,
    /// What to do next.
    pub cure: String,
}

impl Failure {
    /// Puts the three together.
    pub fn new(tried: impl Into<String>, why: impl fmt::Display, cure: impl Into<String>) -> Self {
        Self {
            tried: tried.into(),
            why: why.to_string(),
            cure: cure.into(),
        }
    }
}

/// An error with its sources behind it.
#[derive(Debug)]
pub struct Chain<'e>(pub &'e (dyn std::error::Error + 'e));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

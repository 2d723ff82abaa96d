//! What is wrong with a configuration: the place, the value, and the cure, all of it at once.

use std::fmt;

use serde::Serialize;

use super::lines::Lines;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something was derived or passed over that is good to know.
    Note,
    /// The service runs, but somebody will miss something.
    Warning,
    /// The service does not start.
    Error,
}

/// One thing to know about a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where: file, line and key, as `netboot.json:12: netboot.targets[1].ip`; a key that is not
    /// there has the line of what it would be in.
    pub place: String,
    /// What is wrong there, with the value as written.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl Problem {
    /// Puts it into the log.
    pub fn log(&self) {
        let line = format!("{}: {}", self.place, self.what);
        match self.severity {
            Severity::Note => tracing::info!("{line}"),
            Severity::Warning => tracing::warn!("{line}; {}", self.cure),
            Severity::Error => tracing::error!("{line}; {}", self.cure),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}: {}", self.place, self.what)?;
        if !self.cure.is_empty() {
            write!(f, "\n  cure: {}", self.cure)?;
        }
        Ok(())
    }
}

/// Everything found so far.
#[derive(Debug, Default, Clone)]
pub struct Problems {
    found: Vec<Problem>,
    unread: Vec<String>,
    lines: Lines,
}

impl std::error::Error for Problem {}

impl std::error::Error for Problems {}

impl Problems {
    /// All of them, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }

    /// How many are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.found.iter().filter(|p| p.severity == severity).count()
    }

    /// Whether one of them keeps the service from starting.
    #[must_use]
    pub fn any_error(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Takes in where the keys of a file stand.
    pub(super) fn read_lines(&mut self, file: &str, text: &str, json: bool) {
        self.lines.read(file, text, json);
    }

    /// Says that nothing at or below a place could be read; what would follow from that is no
    /// problem of its own.
    pub(crate) fn unread(
        &mut self,
        place: impl fmt::Display,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        let place = place.to_string();
        self.error(&place, what, cure);
        self.unread.push(place);
    }

    /// Whether a place is, or is below, one that could not be read.
    pub(crate) fn is_unread(&self, place: &str) -> bool {
        self.unread.iter().any(|unread| {
            place
                .strip_prefix(unread.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    pub(crate) fn error(
        &mut self,
        place: impl fmt::Display,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.push(Severity::Error, place, what, cure);
    }

    pub(crate) fn warning(
        &mut self,
        place: impl fmt::Display,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.push(Severity::Warning, place, what, cure);
    }

    pub(crate) fn note(&mut self, place: impl fmt::Display, what: impl Into<String>) {
        self.push(Severity::Note, place, what, "");
    }

    fn push(
        &mut self,
        severity: Severity,
        place: impl fmt::Display,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        let place = place.to_string();
        if self.is_unread(&place) {
            return;
        }
        let place = self.lines.with_line(&place).unwrap_or(place);
        self.found.push(Problem {
            severity,
            place: printable(place),
            what: printable(what.into()),
            cure: printable(cure.into()),
        });
    }
}

/// A text that quotes a file, without what would move the cursor of a terminal.
fn printable(text: String) -> String {
    let moves = |c: char| c.is_control() && c != '\n';
    if !text.contains(moves) {
        return text;
    }
    let mut shown = String::new();
    for c in text.chars() {
        match moves(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.found {
            writeln!(f, "{problem}")?;
        }
        Ok(())
    }
}

//! Why a machine did not boot: rules over the record of a boot and what is known beside it.
//!
//! Each rule is a pure function in a file of its own below `rules/`, with a code that stays. A new
//! one is that file and a line in `rules/mod.rs`. `story` is how rules read a record.

mod document;
mod finding;
mod rules;
mod story;

pub use document::document;
pub use finding::{Certainty, Finding};
pub use story::Context;

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::boots::{Boot, BootStore, Headline, Outcome, Record, StoreError};
use crate::world::World;
use story::Story;

/// How many earlier boots of its machine a boot is looked at beside.
pub const EARLIER: usize = 10;

/// A rule.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// What it finds, for programs; it stays.
    code: &'static str,
    /// Whether it also looks at boots that came to their image, to the menu or to the local disk.
    of_all: bool,
    look: fn(&Story<'_>) -> Option<Finding>,
}

/// The codes of all rules.
pub fn codes() -> impl Iterator<Item = &'static str> {
    rules::ALL.iter().map(|rule| rule.code)
}

/// What is wrong in a boot of the store, beside the newest boots of all machines.
///
/// # Errors
///
/// [`StoreError`] where the boots around it cannot be read.
pub fn of_stored(
    record: &Record,
    store: &BootStore,
    others: &[Boot],
    world: &World,
    now: Timestamp,
) -> Result<Vec<Finding>, StoreError> {
    let (id, machine) = (record.boot.id, record.boot.machine);
    let context = Context {
        world: Some(world),
        history: &store.list(Some(machine), Some(id), EARLIER)?,
        others,
        is_foreign: false,
        now,
    };
    Ok(findings(record, &context))
}

/// The first of the findings, in short.
#[must_use]
pub fn headline(findings: &[Finding]) -> Option<Headline> {
    let first = findings.first()?;
    Some(Headline::new(first.code, first.cause.clone()))
}

/// What is wrong in a boot: the most certain finding first, of equals the one that came last, and of
/// these the most special one.
#[must_use]
pub fn findings(record: &Record, context: &Context<'_>) -> Vec<Finding> {
    let story = Story::new(record, context);
    let boots = matches!(
        record.boot.outcome(context.now),
        Outcome::HandedOver | Outcome::Local | Outcome::Menu
    );
    let rules = rules::ALL.iter().filter(|rule| rule.of_all || !boots);
    let found = rules.filter_map(|rule| {
        let mut finding = (rule.look)(&story)?;
        finding.code = rule.code;
        Some(finding)
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|finding| {
        let last = finding.evidence.iter().max().copied();
        (finding.certainty, Reverse(last))
    });
    found
}

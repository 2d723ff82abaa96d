//! What a simulated machine did, step by step: lines as they come, or JSON at the end.

use std::fmt::Display;
use std::time::Instant;

use indicatif::HumanBytes;
use serde::Serialize;

use crate::out;
use netboot_server::Failure;

/// The steps so far.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    steps: Vec<Step>,
}

/// One step: what kind of thing it was, and what came of it.
#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
}

/// The whole of it, in JSON.
#[derive(Serialize)]
struct Whole<'a> {
    boots: Option<bool>,
    what: &'a str,
    steps: &'a [Step],
}

impl Report {
    /// Prints each step as it comes, or with `json` none before [`end`](Self::end).
    pub(crate) const fn new(json: bool) -> Self {
        let steps = Vec::new();
        Self { json, steps }
    }

    /// A step with nothing to measure.
    pub(super) fn say(&mut self, step: &'static str, what: impl Display) -> Result<(), Failure> {
        self.add(step, what, None)
    }

    /// A step that moved bytes and took time.
    pub(super) fn moved(
        &mut self,
        step: &'static str,
        what: impl Display,
        bytes: u64,
        began: Instant,
    ) -> Result<(), Failure> {
        let ms = began.elapsed().as_secs_f64() * 1000.0;
        self.add(step, what, Some((bytes, ms)))
    }

    fn add(
        &mut self,
        step: &'static str,
        what: impl Display,
        moved: Option<(u64, f64)>,
    ) -> Result<(), Failure> {
        let what = printable(&what.to_string());
        if !self.json {
            match moved {
                Some((bytes, ms)) => out(format_args!(
                    "  {step:<9} {what}: {}  [{ms:.1} ms]\n",
                    HumanBytes(bytes)
                ))?,
                None => out(format_args!("  {step:<9} {what}\n"))?,
            }
        }
        let (bytes, ms) = moved.unzip();
        self.steps.push(Step {
            step,
            what,
            bytes,
            ms,
        });
        Ok(())
    }

    /// The last words: whether it boots, if that is known, and what, or why not.
    pub(crate) fn end(&self, boots: Option<bool>, what: &str) -> Result<(), Failure> {
        let what = &printable(what);
        if !self.json {
            let word = match boots {
                Some(true) => "boots",
                Some(false) => "does not boot",
                None => "not known whether it boots",
            };
            return out(format_args!("{word}: {what}\n"));
        }
        let steps = &self.steps;
        let whole = serde_json::to_string_pretty(&Whole { boots, what, steps });
        match whole {
            Ok(whole) => out(format_args!("{whole}\n")),
            Err(error) => Err(Failure::new(
                "writing the steps as JSON",
                error,
                "report this as a defect",
            )),
        }
    }
}

/// Text from a network, without what a terminal would take for a command.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a simulated machine acts on a real network, in real time"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

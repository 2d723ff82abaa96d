//! Arguments of a kernel or of a program, as one line.

use alloc::{format, string::ToString};

use super::{Place, check::check_shown};
use crate::{
    arg::Arg,
    cmdline::{self, CommandLine, MAX_BYTES},
    error::{RenderError, RenderProblem, brief},
};

/// Words that are put together, with blanks between them.
#[derive(Default)]
pub(super) struct Words {
    line: Arg,
    len: usize,
}

impl Words {
    pub(super) fn word(&mut self, word: &Arg) {
        if !self.line.is_empty() {
            self.line = core::mem::take(&mut self.line).text(" ");
            self.len += 1;
        }
        self.len += cmdline::known_len(word);
        self.line = core::mem::take(&mut self.line).join(word);
    }

    /// Adds arguments, each quoted where it has to be; `whose` they are is for errors.
    pub(super) fn add(
        &mut self,
        whose: &str,
        args: &CommandLine,
        wanted: impl Fn(&Arg) -> bool,
        place: &Place,
    ) -> Result<(), RenderError> {
        for (index, arg) in args
            .args()
            .iter()
            .enumerate()
            .filter(|(_, arg)| wanted(arg))
        {
            let at = |problem| {
                let shown = brief(&arg.to_string());
                place.error(
                    &format!("{whose} argument {} `{shown}`", index + 1),
                    problem,
                )
            };
            let arg = cmdline::quote(arg).map_err(at)?;
            check_shown(&arg).map_err(at)?;
            self.word(&arg);
        }
        Ok(())
    }

    /// The line, unless it is longer than any kernel takes.
    pub(super) fn finish(self, whose: &str, place: &Place) -> Result<Arg, RenderError> {
        let (len, max) = (self.len, MAX_BYTES);
        if len > max {
            let problem = RenderProblem::TooLong { len, max };
            return Err(place.error(&format!("{whose} arguments"), problem));
        }
        Ok(self.line)
    }
}

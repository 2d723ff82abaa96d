//! A page that is drawn again in its place, cut to the terminal that it is on.

use std::io::{IsTerminal, stdout};

use anstream::adapter::strip_str;
use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthStr;

use crate::{out, table};
use netboot_server::Failure;

/// Moves to the top left corner and clears the screen from there.
const CLEAR: &str = "\x1b[H\x1b[J";

/// The terminal that standard output is.
#[derive(Debug)]
pub(super) struct Screen;

impl Screen {
    /// `None` where it is none.
    pub(super) fn of_output() -> Option<Self> {
        stdout().is_terminal().then_some(Self)
    }

    /// Shows a page in place of the one before.
    pub(super) fn draw(&self, page: &str) -> Result<(), Failure> {
        // It may have been made larger or smaller since.
        let size = tcgetwinsize(stdout()).map_or((0, 0), |size| (size.ws_row, size.ws_col));
        out(format_args!("{CLEAR}{}", fitted(page, size.0, size.1)))
    }
}

/// How wide the terminal is that standard output is; `None` where it is none or does not say.
pub(super) fn columns() -> Option<usize> {
    let size = tcgetwinsize(stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// What of a page fits so many rows and columns, the cursor being in a row of its own behind it;
/// all of it where the terminal does not say.
fn fitted(page: &str, rows: u16, columns: u16) -> String {
    let (rows, columns) = (usize::from(rows), usize::from(columns));
    let lines: Vec<_> = page.lines().collect();
    let room = rows.saturating_sub(1);
    let (shown, more) = match lines.len() {
        length if rows == 0 || length <= room => (length, 0),
        length => (room.saturating_sub(1), length - room.saturating_sub(1)),
    };
    let mut text = String::new();
    for line in &lines[..shown] {
        text.push_str(&cut(line, columns));
        text.push('\n');
    }
    if more > 0 {
        let rest = format!("({more} more lines than this window has)");
        text.push_str(&cut(&rest, columns));
        text.push('\n');
    }
    text
}

/// A line that is too long loses its styles with its end.
fn cut(line: &str, columns: usize) -> String {
    let seen = strip_str(line).to_string();
    match columns == 0 || seen.width() <= columns {
        true => line.to_owned(),
        false => table::cut(&seen, columns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_fits_is_shown_as_it_is() {
        assert_eq!(fitted("one\ntwo\n", 3, 3), "one\ntwo\n");
        assert_eq!(fitted("one\ntwo\n", 0, 0), "one\ntwo\n");
    }

    #[test]
    fn what_is_too_long_or_too_wide_is_cut_and_said_so() {
        assert_eq!(
            fitted("one\ntwo\nthree\nfour\n", 4, 80),
            "one\ntwo\n(2 more lines than this window has)\n"
        );
        assert_eq!(fitted("three\n", 4, 4), "thr…\n");
        assert_eq!(fitted("ünï\n", 4, 3), "ünï\n");
        let styled = "\x1b[31mred\x1b[0m\n";
        assert_eq!(fitted(styled, 4, 3), styled);
        assert_eq!(fitted(styled, 4, 2), "r…\n");
        assert_eq!(fitted("one\ntwo\n", 1, 1), "…\n");
    }
}

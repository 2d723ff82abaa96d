//! Tables for people: a header, columns below each other, and what fits a terminal.

use std::fmt::Write;
use std::io::stdout;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Of what is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Of what somebody will miss.
pub(crate) const POOR: Style = AnsiColor::Yellow.on_default();
/// Of what failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Of what is over.
const PAST: Style = Style::new().dimmed();

/// A text in a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
        }
    }

    pub(crate) fn past(text: impl Into<String>) -> Self {
        Self::styled(text, PAST)
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

/// Rows with their columns below each other, the last as long as it is.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    head: [&'static str; N],
    rows: Vec<[Cell; N]>,
    indent: usize,
    room: Option<Room>,
}

/// What a table has to fit.
#[derive(Debug, Clone, Copy)]
struct Room {
    columns: usize,
    /// The column that is shortened.
    gives: usize,
    /// How many of the first columns then fit.
    whole: usize,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(head: [&'static str; N], rows: impl IntoIterator<Item = [Cell; N]>) -> Self {
        Self {
            head,
            rows: rows.into_iter().collect(),
            indent: 0,
            room: None,
        }
    }

    /// Moved to the right.
    pub(crate) fn indented(mut self, by: usize) -> Self {
        self.indent = by;
        self
    }

    /// Fitted to a terminal of so many columns: the table's first `whole` columns stay as they are
    /// but for one, which is shortened until they fit, and what is behind them is cut. As wide as it
    /// is where there is no terminal, or one that does not say.
    pub(crate) fn fitted(mut self, terminal: Option<usize>, gives: usize, whole: usize) -> Self {
        self.room = terminal.map(|columns| Room {
            columns,
            gives,
            whole,
        });
        self
    }

    /// The text, nothing where there are no rows.
    pub(crate) fn shown(&self, look: Look) -> String {
        let mut text = String::new();
        if self.rows.is_empty() {
            return text;
        }
        let widths = self.widths();
        let head = self
            .head
            .map(|name| Cell::styled(name, Style::new().bold()));
        for row in std::iter::once(&head).chain(&self.rows) {
            self.line(&mut text, row, &widths, look);
        }
        text
    }

    /// How wide each column is.
    fn widths(&self) -> [usize; N] {
        let mut widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let longest = cells.map(|cell| cell.text.width()).max();
            let head = self.head.get(column).map_or(0, |name| name.len());
            longest.unwrap_or(0).max(head)
        });
        if let Some(room) = self.room {
            let between = self.indent + 2 * room.whole.saturating_sub(1);
            let taken = widths.iter().take(room.whole).sum::<usize>() + between;
            if let Some(width) = widths.get_mut(room.gives) {
                let least = LEAST.min(*width);
                let excess = taken.saturating_sub(room.columns);
                *width = width.saturating_sub(excess).max(least);
            }
        }
        widths
    }

    fn line(&self, text: &mut String, row: &[Cell; N], widths: &[usize; N], look: Look) {
        let end = self.room.map_or(usize::MAX, |room| room.columns);
        let mut at = self.indent;
        let mut line = " ".repeat(self.indent);
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            if column > 0 {
                line.push_str("  ");
                at += 2;
            }
            let is_last = column + 1 == N;
            let width = if is_last { usize::MAX } else { *width };
            let shown = cut(&cell.text, width.min(end.saturating_sub(at)));
            let length = shown.width();
            line.push_str(&look.paint(cell.style, &shown));
            if !is_last {
                line.push_str(&" ".repeat(width.saturating_sub(length)));
                at += width;
            }
        }
        // Writing to text cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// How wide a column that gives way stays.
const LEAST: usize = 8;

/// As much of a text as so many columns hold, and where it does not end there a mark.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let kept = text.chars().take_while(|c| {
        let rest = left.checked_sub(c.width().unwrap_or(0));
        left = rest.unwrap_or(left);
        rest.is_some()
    });
    kept.chain((columns > 0).then_some('…')).collect()
}

/// What a text for people may use where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    styled: bool,
}

impl Look {
    /// That of standard output: styled where that is a terminal which shows colours, and nobody
    /// asked for none (`NO_COLOR`).
    pub(crate) fn of_output() -> Self {
        Self {
            styled: AutoStream::choice(&stdout()) != ColorChoice::Never,
        }
    }

    /// Text and nothing else.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { styled: false };

    /// A text outside of a table.
    pub(crate) fn painted(self, cell: &Cell) -> String {
        self.paint(cell.style, &cell.text)
    }

    /// The text in a style.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        match self.styled && style != Style::new() && !text.is_empty() {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boots() -> Table<4> {
        let rows = [
            [
                "2026-01-01 01:00:00 +00:00",
                "node-01",
                "failed at image",
                "02:00:00:00:00:01",
            ],
            [
                "2026-01-01 00:00:00 +00:00",
                "a-name-of-many-letters",
                "booted",
                "-",
            ],
        ];
        let rows = rows.map(|row| row.map(Cell::from));
        Table::new(["LAST", "MACHINE", "STATE", "MAC"], rows)
    }

    #[test]
    fn columns_stand_below_their_headers() {
        let table = Table::new(
            ["NAME", "SIZE"],
            [["ünï", "1 B"], ["rescue", "20 B"]].map(|row| row.map(Cell::from)),
        );
        assert_eq!(
            table.shown(Look::PLAIN),
            "NAME    SIZE\nünï     1 B\nrescue  20 B\n"
        );
        // Each of these is East Asian Wide, two columns (UAX #11); the accent is none.
        let table = Table::new(
            ["NAME", "SIZE"],
            [["救援系统", "1 B"], ["re\u{301}scue", "20 B"]].map(|row| row.map(Cell::from)),
        );
        assert_eq!(
            table.shown(Look::PLAIN),
            "NAME      SIZE\n救援系统  1 B\nre\u{301}scue    20 B\n"
        );
        let none = Table::new(["NAME"], []);
        assert_eq!(none.shown(Look::PLAIN), "");
    }

    #[test]
    fn what_has_to_fit_stays_whole_and_names_give_way() {
        let shown = boots()
            .indented(2)
            .fitted(Some(60), 1, 3)
            .shown(Look::PLAIN);
        assert_eq!(
            shown,
            "  LAST                        MACHINE        STATE\n\
             \x20 2026-01-01 01:00:00 +00:00  node-01        failed at image\n\
             \x20 2026-01-01 00:00:00 +00:00  a-name-of-ma…  booted\n"
        );
    }

    #[test]
    fn a_wide_letter_that_half_fits_is_left_out() {
        assert_eq!(cut("救援系统", 8), "救援系统");
        assert_eq!(cut("救援系统", 7), "救援系…");
        assert_eq!(cut("救援系统", 6), "救援…");
        assert_eq!(cut("救援", 1), "…");
        assert_eq!(cut("救援", 0), "");
    }

    #[test]
    fn styles_take_no_room() {
        let row = [Cell::styled("FAULT", BAD), Cell::from("eth1")];
        let look = Look { styled: true };
        assert_eq!(
            Table::new(["STATE", "WHAT"], [row]).shown(look),
            "\u{1b}[1mSTATE\u{1b}[0m  \u{1b}[1mWHAT\u{1b}[0m\n\
             \u{1b}[1m\u{1b}[31mFAULT\u{1b}[0m  eth1\n"
        );
    }
}

//! From a script's text to lines, and from a line to its words: iPXE's `script.c` and `exec.c`.
//!
//! A line ends at a line feed, a carriage return before it is dropped, a backslash at its end
//! joins the next one to it. Words stand between blanks. Operators are whole words, and a word
//! that starts with `#` starts a comment; both are seen before anything is expanded.

use alloc::{borrow::Cow, vec::Vec};

use nom::{
    IResult, Parser as _,
    branch::alt,
    bytes::complete::{tag, take_till, take_till1, take_while},
    character::complete::{char, satisfy},
    sequence::preceded,
};

use crate::{render::is_blank, script::Operator};

/// A line with its continuations joined.
#[derive(Debug)]
pub(crate) struct LogicalLine<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Where its first piece starts in the source.
    start: usize,
    /// For each further piece: where it starts in `text`, and where in the source.
    joined: Vec<(usize, usize)>,
    /// It ends in a backslash and the source ends there: iPXE never runs it.
    pub(crate) dangling: bool,
}

impl LogicalLine<'_> {
    /// Where a place in the text is in the source.
    pub(crate) fn source_offset(&self, at: usize) -> usize {
        let piece = self.joined.iter().rev().find(|(start, _)| *start <= at);
        piece.map_or(self.start + at, |(start, source)| source + (at - start))
    }
}

/// The lines of a source, in order.
pub(crate) fn logical_lines(source: &str) -> impl Iterator<Item = LogicalLine<'_>> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let mut line = LogicalLine {
            text: Cow::Borrowed(""),
            start: at,
            joined: Vec::new(),
            dangling: false,
        };
        loop {
            let left = source.get(at..).filter(|left| !left.is_empty());
            let Some(left) = left else {
                line.dangling = at > line.start;
                return Some(line).filter(|line| line.dangling);
            };
            let (piece, skipped) = match left.split_once('\n') {
                Some((piece, _)) => (piece, 1),
                None => (left, 0),
            };
            if at > line.start {
                line.joined.push((line.text.len(), at));
            }
            at += piece.len() + skipped;
            // iPXE looks at the line as joined so far, so a return may be left from before.
            append(&mut line.text, piece);
            drop_last(&mut line.text, '\r');
            if !drop_last(&mut line.text, '\\') {
                return Some(line);
            }
        }
    })
}

fn append<'a>(text: &mut Cow<'a, str>, piece: &'a str) {
    if text.is_empty() {
        *text = Cow::Borrowed(piece);
    } else {
        text.to_mut().push_str(piece);
    }
}

fn drop_last(text: &mut Cow<'_, str>, last: char) -> bool {
    match text {
        Cow::Borrowed(borrowed) => match borrowed.strip_suffix(last) {
            Some(shorter) => {
                *borrowed = shorter;
                true
            }
            None => false,
        },
        Cow::Owned(owned) => {
            let ends = owned.ends_with(last);
            if ends {
                owned.pop();
            }
            ends
        }
    }
}

/// A word and where it starts in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
}

/// A line in its parts. There is always a first command, which may have no words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split<'a> {
    pub(crate) label: Option<Word<'a>>,
    pub(crate) first: Vec<Word<'a>>,
    pub(crate) then: Vec<(Operator, Vec<Word<'a>>)>,
    /// What stands after `#`, without returns at its end.
    pub(crate) comment: Option<&'a str>,
}

pub(crate) fn split(line: &str) -> Split<'_> {
    let mut split = Split {
        label: None,
        // As many words as most lines have.
        first: Vec::with_capacity(8),
        then: Vec::new(),
        comment: None,
    };
    let mut left = line;
    if let Ok((after, text)) = label(line) {
        split.label = Some(Word {
            text,
            at: line.len() - after.len() - text.len(),
        });
        left = after;
    }
    while let Ok((after, text)) = word(left) {
        let at = line.len() - after.len() - text.len();
        left = after;
        if text.starts_with('#') {
            let comment = line.get(at + 1..).unwrap_or_default();
            split.comment = Some(comment.trim_end_matches('\r'));
            break;
        }
        match operator(text) {
            Some(operator) => split.then.push((operator, Vec::new())),
            None => {
                let words = split
                    .then
                    .last_mut()
                    .map_or(&mut split.first, |(_, words)| words);
                words.push(Word { text, at });
            }
        }
    }
    split
}

/// The operator that a whole word is.
pub(crate) fn operator(word: &str) -> Option<Operator> {
    match word {
        "||" => Some(Operator::Or),
        "&&" => Some(Operator::And),
        ";" => Some(Operator::Always),
        _ => None,
    }
}

/// True where a source starts as iPXE, or its forerunner gPXE, wants it.
pub(crate) fn has_magic(source: &str) -> bool {
    fn magic(source: &str) -> IResult<&str, char> {
        preceded(alt((tag("#!ipxe"), tag("#!gpxe"))), satisfy(is_blank)).parse(source)
    }
    magic(source).is_ok()
}

fn label(line: &str) -> IResult<&str, &str> {
    preceded((take_while(is_blank), char(':')), take_till(is_blank)).parse(line)
}

fn word(line: &str) -> IResult<&str, &str> {
    preceded(take_while(is_blank), take_till1(is_blank)).parse(line)
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec};

    use super::*;

    fn lines(source: &str) -> Vec<(String, bool)> {
        logical_lines(source)
            .map(|line| (line.text.into_owned(), line.dangling))
            .collect()
    }

    #[test]
    fn a_backslash_at_the_end_joins_the_next_line() {
        assert_eq!(
            lines("a\\\nb\nc"),
            [("ab".into(), false), ("c".into(), false)]
        );
        assert_eq!(lines("a\\\r\nb\r\n"), [("ab".into(), false)]);
        assert_eq!(
            lines("a\\ \nb\n"),
            [("a\\ ".into(), false), ("b".into(), false)]
        );
        assert_eq!(lines("\\\n\\\nb"), [("b".into(), false)]);
    }

    #[test]
    fn a_backslash_at_the_very_end_leaves_the_line_unfinished() {
        assert_eq!(lines("a\nb\\"), [("a".into(), false), ("b".into(), true)]);
        assert_eq!(lines("b\\\n"), [("b".into(), true)]);
    }

    #[test]
    fn empty_lines_count_and_the_last_line_feed_makes_none() {
        assert_eq!(lines(""), []);
        assert_eq!(
            lines("\n\na\n"),
            [("".into(), false), ("".into(), false), ("a".into(), false)]
        );
    }

    #[test]
    fn a_place_in_a_joined_line_is_found_in_the_source() {
        let source = "one\ntw\\\r\no three\n";
        let line = logical_lines(source).nth(1).map(|line| {
            let at = line.text.find("three").unwrap_or_default();
            (line.source_offset(0), line.source_offset(at))
        });
        assert_eq!(line, Some((4, source.find("three").unwrap_or_default())));
    }

    fn texts<'a>(words: &[Word<'a>]) -> Vec<&'a str> {
        words.iter().map(|word| word.text).collect()
    }

    #[test]
    fn operators_and_comments_are_whole_words_only() {
        let split = split(" :l a;b c||d || e#f && ; #g || h ");
        assert_eq!(split.label, Some(Word { text: "l", at: 2 }));
        assert_eq!(texts(&split.first), ["a;b", "c||d"]);
        assert_eq!(split.first[1].at, 8);
        let then: Vec<_> = split
            .then
            .iter()
            .map(|(op, words)| (*op, texts(words)))
            .collect();
        assert_eq!(
            then,
            [
                (Operator::Or, vec!["e#f"]),
                (Operator::And, vec![]),
                (Operator::Always, vec![])
            ]
        );
        assert_eq!(split.comment, Some("g || h "));
    }

    #[test]
    fn only_the_six_blanks_of_c_split_words() {
        let split = split("a\tb\u{b}c\u{c}d\re\u{a0}f");
        assert_eq!(texts(&split.first), ["a", "b", "c", "d", "e\u{a0}f"]);
    }

    #[test]
    fn magic_wants_a_blank_after_it_and_nothing_before() {
        for good in ["#!ipxe\n", "#!gpxe\r\n", "#!ipxe x"] {
            assert!(has_magic(good), "{good:?}");
        }
        for bad in ["#!ipxe", "#!ipxes\n", " #!ipxe\n", "\u{feff}#!ipxe\n", ""] {
            assert!(!has_magic(bad), "{bad:?}");
        }
    }
}

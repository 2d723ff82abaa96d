//! `SHA256SUMS` as GNU coreutils reads and writes it (`sha256sum`, and `cksum -a sha256` with its
//! tags).
//!
//! A line is `[\]HEX`, a space, a space or `*`, and the name up to the end of the line; or, tagged,
//! `SHA256 (NAME) = HEX` with the name up to the last `)`; or, reversed as BSD's `-r` has it,
//! `HEX`, one blank, and the name, in a file whose first untagged line is of that form. A backslash
//! before all that says that `\\`, `\n` and `\r` in the name stand for a backslash, a line feed and
//! a carriage return. Names are bytes, which need not be UTF-8.
//!
//! One thing is stricter here: a name with a NUL in it, which coreutils would cut there, is
//! refused.

use std::io;
use std::path::Path;

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while};
use nom::combinator::{opt, rest};
use nom::{IResult, Parser};

use crate::Digest;

/// A list of files and their SHA-256 digests, in order.
///
/// ```
/// use netboot_image::{Digest, Sha256Sums};
///
/// let digest = Digest::of(b"abc");
/// let mut sums = Sha256Sums::default();
/// sums.push(digest, "bzImage");
/// sums.push(digest, " two\nlines");
///
/// let text = sums.to_bytes();
/// let hex = digest.hex();
/// assert_eq!(text, format!("{hex}  bzImage\n\\{hex}   two\\nlines\n").into_bytes());
/// assert_eq!(Sha256Sums::decode(&text)?, sums);
/// # Ok::<(), netboot_image::SumsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sha256Sums {
    entries: Vec<SumsEntry>,
}

/// One file of a [`Sha256Sums`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SumsEntry {
    digest: Digest,
    name: Vec<u8>,
    form: SumsForm,
}

/// How a line is written. It makes no difference to the digest: on all systems of today text is
/// read as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SumsForm {
    /// `HEX  NAME`, what `sha256sum` writes.
    #[default]
    Text,
    /// `HEX *NAME`, what `sha256sum --binary` writes.
    Binary,
    /// `SHA256 (NAME) = HEX`, what `sha256sum --tag` and OpenSSL write.
    Tagged,
    /// `HEX NAME`, as BSD's `-r` writes. It is read, and written as [`Text`](Self::Text), since a
    /// file of such lines is misread when its first name begins with a space or `*`.
    Reversed,
}

/// A line of a checksum file that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
#[non_exhaustive]
pub struct SumsError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: SumsErrorReason,
}

/// What is wrong with a line of a checksum file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SumsErrorReason {
    /// It begins with none of the forms.
    #[error("no SHA-256 checksum line")]
    Form,
    /// There are not exactly 64 hex digits.
    #[error("no SHA-256 digest of 64 hex digits")]
    Digest,
    /// There is no name.
    #[error("no file name")]
    NoName,
    /// A name holds a backslash that stands for nothing, in a line that says that it is escaped.
    #[error("unknown escape in the file name")]
    Escape,
    /// A name holds a NUL.
    #[error("NUL in the file name")]
    Nul,
    /// Its form is reversed and an earlier line's is not.
    #[error("reversed form among lines of the usual form")]
    Mixed,
}

impl Sha256Sums {
    /// Reads a whole checksum file. Comments and empty lines are passed over.
    ///
    /// The memory it takes is a small multiple of the text's length.
    ///
    /// # Errors
    /// The first line that is none. `sha256sum -c` only warns of those: see [`lines`](Self::lines).
    pub fn decode(text: &[u8]) -> Result<Self, SumsError> {
        Ok(Self {
            entries: Self::lines(text).collect::<Result<_, _>>()?,
        })
    }

    /// Reads a checksum file line by line, and goes on after a line that is none.
    ///
    /// ```
    /// use netboot_image::Sha256Sums;
    ///
    /// let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    /// let text = format!("# made by hand\n{hex}  a b\noops\nSHA256 (c) = {hex}\n");
    /// let lines: Vec<_> = Sha256Sums::lines(text.as_bytes()).collect();
    /// assert_eq!(lines[0].as_ref().unwrap().name(), b"a b");
    /// assert_eq!(lines[1].as_ref().unwrap_err().line, 3);
    /// assert_eq!(lines[2].as_ref().unwrap().name(), b"c");
    /// ```
    pub fn lines(text: &[u8]) -> impl Iterator<Item = Result<SumsEntry, SumsError>> {
        let mut reversed = None;
        (1..)
            .zip(text.split_inclusive(|&byte| byte == b'\n'))
            .filter_map(move |(line, text)| {
                if text.starts_with(b"#") {
                    return None;
                }
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                if text.is_empty() {
                    return None;
                }
                Some(read_line(text, &mut reversed).map_err(|reason| SumsError { line, reason }))
            })
    }

    /// Adds a file at the end, in the usual form.
    ///
    /// The name may be any bytes that a file's name may be; a NUL, which none has, could not be
    /// read back.
    pub fn push(&mut self, digest: Digest, name: impl AsRef<[u8]>) {
        self.entries
            .push(SumsEntry::new(digest, name, SumsForm::Text));
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[SumsEntry] {
        &self.entries
    }

    /// The digest of the first entry of that name.
    #[must_use]
    pub fn digest_of(&self, name: impl AsRef<[u8]>) -> Option<Digest> {
        self.entries
            .iter()
            .find(|entry| entry.name == name.as_ref())
            .map(|entry| entry.digest)
    }

    /// The text of the file, as `sha256sum` writes it: each line in its form, a line feed after
    /// each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.entries
            .iter()
            .flat_map(|entry| entry.to_line())
            .collect()
    }
}

impl FromIterator<SumsEntry> for Sha256Sums {
    fn from_iter<T: IntoIterator<Item = SumsEntry>>(entries: T) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }
}

impl SumsEntry {
    /// An entry of the given form.
    pub fn new(digest: Digest, name: impl AsRef<[u8]>, form: SumsForm) -> Self {
        Self {
            digest,
            name: name.as_ref().to_owned(),
            form,
        }
    }

    /// The digest that the file should have.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The file's name, as its bytes are: unescaped, and possibly a path, absolute or with `..` in
    /// it.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How its line is or will be written.
    #[must_use]
    pub fn form(&self) -> SumsForm {
        self.form
    }

    /// The name as coreutils prints it: escaped where it must be, and whether it was.
    ///
    /// ```
    /// # use netboot_image::{Digest, SumsEntry, SumsForm};
    /// let entry = SumsEntry::new(Digest::of(b""), "a\nb", SumsForm::Text);
    /// assert_eq!(entry.escaped_name(), (b"a\\nb".to_vec(), true));
    /// ```
    #[must_use]
    pub fn escaped_name(&self) -> (Vec<u8>, bool) {
        let mut text = Vec::with_capacity(self.name.len());
        for &byte in &self.name {
            match byte {
                b'\\' => text.extend_from_slice(b"\\\\"),
                b'\n' => text.extend_from_slice(b"\\n"),
                b'\r' => text.extend_from_slice(b"\\r"),
                other => text.push(other),
            }
        }
        let escaped = text.len() != self.name.len();
        (text, escaped)
    }

    /// Reads the file below `dir` and tells whether it has the digest. A name that is a path is
    /// followed wherever it leads, as `sha256sum -c` does: check the name first where the list is a
    /// stranger's.
    ///
    /// # Errors
    /// What opening or reading the file failed with.
    pub fn check_in(&self, dir: impl AsRef<Path>) -> io::Result<bool> {
        let (found, _) = Digest::of_file(dir.as_ref().join(path_of(&self.name)?))?;
        Ok(found == self.digest)
    }

    fn to_line(&self) -> Vec<u8> {
        let (name, escaped) = self.escaped_name();
        let mut line = Vec::with_capacity(name.len() + 80);
        if escaped {
            line.push(b'\\');
        }
        let hex = self.digest.hex().to_string();
        let (before, between, after) = match self.form {
            SumsForm::Text | SumsForm::Reversed => (hex.as_str(), "  ", ""),
            SumsForm::Binary => (hex.as_str(), " *", ""),
            SumsForm::Tagged => ("SHA256", " (", ") = "),
        };
        line.extend_from_slice(before.as_bytes());
        line.extend_from_slice(between.as_bytes());
        line.extend_from_slice(&name);
        if self.form == SumsForm::Tagged {
            line.extend_from_slice(after.as_bytes());
            line.extend_from_slice(hex.as_bytes());
        }
        line.push(b'\n');
        line
    }
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> io::Result<&Path> {
    use std::os::unix::ffi::OsStrExt;
    Ok(Path::new(std::ffi::OsStr::from_bytes(name)))
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> io::Result<&Path> {
    std::str::from_utf8(name)
        .map(Path::new)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// A line as the grammar splits it, before the digits and the name are looked at.
enum Split<'a> {
    Tagged { name: &'a [u8], hex: &'a [u8] },
    Plain { hex: &'a [u8], name: &'a [u8] },
}

/// Reads a line without its end. `reversed` is what the untagged lines before it were.
fn read_line(line: &[u8], reversed: &mut Option<bool>) -> Result<SumsEntry, SumsErrorReason> {
    let (_, (_, escape, split)) = (blanks, opt(tag(&b"\\"[..])), split)
        .parse(line)
        .map_err(|_| SumsErrorReason::Form)?;
    let (hex, name, form) = match split {
        Split::Tagged { name, hex } => (hex, name, SumsForm::Tagged),
        Split::Plain { hex, name } => {
            // A marker is one only before a name: `HEX`, two spaces and nothing more names a file
            // called " ".
            let marker = match name {
                [] => return Err(SumsErrorReason::NoName),
                [b' ', _, ..] => Some(SumsForm::Text),
                [b'*', _, ..] => Some(SumsForm::Binary),
                _ => None,
            };
            match marker {
                None if *reversed == Some(false) => return Err(SumsErrorReason::Mixed),
                None => {
                    read_digest(hex)?;
                    *reversed = Some(true);
                    (hex, name, SumsForm::Reversed)
                }
                Some(_) if *reversed == Some(true) => (hex, name, SumsForm::Reversed),
                Some(form) => {
                    read_digest(hex)?;
                    *reversed = Some(false);
                    (hex, name.get(1..).unwrap_or_default(), form)
                }
            }
        }
    };
    let digest = read_digest(hex)?;
    if name.contains(&0) {
        return Err(SumsErrorReason::Nul);
    }
    let name = if escape.is_some() {
        unescape(name)?
    } else {
        name.to_owned()
    };
    Ok(SumsEntry { digest, name, form })
}

fn split(line: &[u8]) -> IResult<&[u8], Split<'_>> {
    alt((tagged, plain)).parse(line)
}

/// `SHA256`, at most one space, `(`, the name up to the last `)`, blanks, `=`, blanks, the digits.
/// What begins with the algorithm's name is no other form.
fn tagged(line: &[u8]) -> IResult<&[u8], Split<'_>> {
    let (inner, _) = (tag(&b"SHA256"[..]), opt(tag(&b" "[..])), tag(&b"("[..])).parse(line)?;
    let end = inner
        .iter()
        .rposition(|&byte| byte == b')')
        .unwrap_or(inner.len());
    let (after, name) = take(end).parse(inner)?;
    let (after, _) = (tag(&b")"[..]), blanks, tag(&b"="[..]), blanks).parse(after)?;
    let (after, hex) = rest.parse(after)?;
    Ok((after, Split::Tagged { name, hex }))
}

/// 64 bytes, one blank, and the rest: a marker and a name, or a name alone.
fn plain(line: &[u8]) -> IResult<&[u8], Split<'_>> {
    let (after, (hex, _, name)) =
        (take(64_usize), alt((tag(&b" "[..]), tag(&b"\t"[..]))), rest).parse(line)?;
    Ok((after, Split::Plain { hex, name }))
}

fn blanks(line: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte| byte == b' ' || byte == b'\t').parse(line)
}

fn read_digest(hex: &[u8]) -> Result<Digest, SumsErrorReason> {
    Digest::decode_hex(hex).map_err(|_| SumsErrorReason::Digest)
}

fn unescape(name: &[u8]) -> Result<Vec<u8>, SumsErrorReason> {
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'\\') => b'\\',
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                _ => return Err(SumsErrorReason::Escape),
            },
            other => other,
        });
    }
    Ok(plain)
}

//! How records stand in the lease database, so that damage costs what it hits and nothing else.
//!
//! ```text
//! file     header, record, record, …, zeros that were written ahead
//! header   "netboot leases\n" and a zero, the format's number, CRC-32 of both
//! record   1E F5, length of the content, CRC-32 of all but these two, number, content, 0A
//! ```
//!
//! Numbers are little-endian: length of 2 bytes, number of 8, the others of 4. Records are numbered
//! from 1 without a gap, so that a gap tells how many cannot be read. A file that was not cut off
//! ends with a zero.
//!
//! Behind bytes that are no whole record the reader looks for the next `1E F5` that begins one. A
//! content is UTF-8, in which no byte is F5: what a client has put into its lease cannot be taken
//! for a record, wherever the reader is set down.

use std::ops::Range;

const NAME: &[u8; 16] = b"netboot leases\n\0";
/// The format that is written, and the last that is read.
pub(super) const FORMAT: u32 = 1;
const MARK: [u8; 2] = [0x1e, 0xf5];
const HEAD: usize = 16;
const END: u8 = b'\n';
/// Places of damage that are named; further ones are only counted.
const NAMED: usize = 16;

/// The header of a database in this format.
pub(super) fn header() -> Vec<u8> {
    let mut header = NAME.to_vec();
    header.extend(FORMAT.to_le_bytes());
    header.extend(crc32fast::hash(&header).to_le_bytes());
    header
}

/// Whether a record can have this content: it has 65,535 bytes at most.
pub(super) fn fits(content: &str) -> bool {
    u16::try_from(content.len()).is_ok()
}

/// Appends a record; `None`, and nothing, where its content does not fit.
pub(super) fn append(out: &mut Vec<u8>, number: u64, content: &str) -> Option<()> {
    let length = u16::try_from(content.len()).ok()?.to_le_bytes();
    let number = number.to_le_bytes();
    out.extend(MARK);
    out.extend(length);
    out.extend(checksum(length, number, content.as_bytes()).to_le_bytes());
    out.extend(number);
    out.extend(content.as_bytes());
    out.push(END);
    Some(())
}

/// What can be read of a database.
#[derive(Debug, Default)]
pub(super) struct Contents<'b> {
    /// The number that its header names; `None` where the header is damaged.
    pub(super) format: Option<u32>,
    /// What the records hold, in order.
    pub(super) records: Vec<&'b str>,
    pub(super) tail: Tail,
    pub(super) damage: Damage,
}

/// Where records are appended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The number of the next record.
    pub(super) next: u64,
    /// Where the last whole record ends.
    pub(super) end: usize,
    /// Bytes of a last record that was not written to its end: its write was cut off.
    pub(super) torn: Range<usize>,
}

/// What cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Damage {
    /// Records that are not there any more.
    pub(super) records: u64,
    /// The first of the places that are damaged.
    pub(super) places: Vec<Range<usize>>,
}

impl Damage {
    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        self.places.is_empty()
    }

    fn add(&mut self, place: Range<usize>) {
        if self.places.len() < NAMED {
            self.places.push(place);
        }
    }
}

/// Reads all that can be read, whatever the bytes are.
pub(super) fn read(bytes: &[u8]) -> Contents<'_> {
    let mut contents = Contents {
        format: format(bytes),
        ..Contents::default()
    };
    let mut tail = Tail {
        next: 1,
        end: header().len().min(bytes.len()),
        torn: 0..0,
    };
    if contents.format.is_none() {
        contents.damage.add(0..tail.end);
    }
    while let Some((place, record)) = next(bytes, &tail) {
        if place.start > tail.end {
            contents.damage.records += record.number - tail.next;
            contents.damage.add(tail.end..place.start);
        }
        contents.records.push(record.content);
        tail.next = record.number.saturating_add(1);
        tail.end = place.end;
    }
    let written = bytes.iter().rposition(|byte| *byte != 0);
    let rest = tail.end..written.map_or(tail.end, |last| (last + 1).max(tail.end));
    let cut_off = bytes.last().is_none_or(|byte| *byte != 0);
    if is_torn(bytes.get(tail.end..).unwrap_or_default(), rest.len()) {
        tail.torn = rest;
    } else if cut_off || !rest.is_empty() {
        // What is behind a gap of zeros was no record.
        let hit = rest.len() > HEAD && bytes.get(rest.start).is_some_and(|byte| *byte != 0);
        contents.damage.records += u64::from(hit);
        contents.damage.add(rest);
    }
    contents.tail = tail;
    contents
}

struct Record<'b> {
    number: u64,
    content: &'b str,
}

fn format(bytes: &[u8]) -> Option<u32> {
    let (named, rest) = bytes.split_at_checked(NAME.len() + 4)?;
    let (name, format) = named.split_first_chunk()?;
    let whole = name == NAME && rest.first_chunk() == Some(&crc32fast::hash(named).to_le_bytes());
    whole.then_some(u32::from_le_bytes(*format.first_chunk()?))
}

/// The next whole record behind those that were read, and its place.
fn next<'b>(bytes: &'b [u8], tail: &Tail) -> Option<(Range<usize>, Record<'b>)> {
    let mut at = tail.end;
    loop {
        let rest = bytes.get(at..)?;
        let whole = whole(rest).filter(|(_, record)| record.number >= tail.next);
        if let Some((length, record)) = whole {
            return Some((at..at + length, record));
        }
        let skipped = rest.iter().skip(1).position(|byte| *byte == MARK[0])?;
        at += 1 + skipped;
    }
}

/// The record at the start of these bytes, with its length as a whole.
fn whole(bytes: &[u8]) -> Option<(usize, Record<'_>)> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let [m0, m1, l0, l1, c0, c1, c2, c3, number @ ..] = *head;
    let (content, end) = rest.split_at_checked(usize::from(u16::from_le_bytes([l0, l1])))?;
    let sum = u32::from_le_bytes([c0, c1, c2, c3]);
    let whole =
        [m0, m1] == MARK && end.first() == Some(&END) && checksum([l0, l1], number, content) == sum;
    let content = std::str::from_utf8(content).ok().filter(|_| whole)?;
    let number = u64::from_le_bytes(number);
    Some((HEAD + content.len() + 1, Record { number, content }))
}

/// Whether so many bytes of what is there begin a record, with zeros up to its end and behind.
fn is_torn(bytes: &[u8], written: usize) -> bool {
    let Some(&[m0, m1, l0, l1]) = bytes.first_chunk() else {
        return false;
    };
    let length = HEAD + usize::from(u16::from_le_bytes([l0, l1])) + 1;
    let begins = m0 == MARK[0] && (m1 == MARK[1] || written == 1);
    begins && written < length && length < bytes.len()
}

fn checksum(length: [u8; 2], number: [u8; 8], content: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&length);
    sum.update(&number);
    sum.update(content);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENTS: [&str; 3] = ["{\"a\":1}", "{\"address\":\"10.0.0.2\"}", "{}"];

    /// A database of three records with zeros behind, and where each record begins and ends.
    fn database() -> (Vec<u8>, Vec<Range<usize>>) {
        let mut bytes = header();
        let mut places = Vec::new();
        for (number, content) in (1..).zip(CONTENTS) {
            let from = bytes.len();
            append(&mut bytes, number, content).expect("it is short");
            places.push(from..bytes.len());
        }
        bytes.resize(512, 0);
        (bytes, places)
    }

    /// The bytes of the format, written by hand; the checksums are Python's `zlib.crc32`.
    #[test]
    fn the_format_is_what_it_is() {
        let (bytes, places) = database();
        assert_eq!(&bytes[..20], b"netboot leases\n\0\x01\0\0\0");
        assert_eq!(bytes[20..24], 0x4fea_0359u32.to_le_bytes());
        let mut record = vec![0x1e, 0xf5, 7, 0];
        record.extend(0x9bf1_25cfu32.to_le_bytes());
        record.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        record.extend(b"{\"a\":1}\n");
        assert_eq!(bytes[places[0].clone()], record);
    }

    #[test]
    fn a_whole_database_is_read_in_order() {
        let (bytes, places) = database();
        let contents = read(&bytes);
        assert_eq!(contents.format, Some(FORMAT));
        assert_eq!(contents.records, CONTENTS);
        let end = places[2].end;
        assert_eq!((contents.tail.next, contents.tail.end), (4, end));
        assert!(contents.tail.torn.is_empty());
        assert!(contents.damage.is_none());
    }

    #[test]
    fn a_flipped_bit_costs_the_record_that_it_is_in_and_no_other() {
        let (whole, places) = database();
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let contents = read(&bytes);
            let hit = places.iter().position(|place| place.contains(&(at / 8)));
            let mut left = CONTENTS.to_vec();
            hit.map(|hit| left.remove(hit));
            assert_eq!(contents.records, left, "bit {at}");
            let torn = &contents.tail.torn;
            let cut = hit == Some(2) && !torn.is_empty();
            assert!(!contents.damage.is_none() || cut, "bit {at}");
            let lost = u64::from(hit.is_some() && !cut);
            assert_eq!(contents.damage.records, lost, "bit {at}");
        }
    }

    #[test]
    fn what_was_cut_off_while_it_was_written_is_torn_and_not_damaged() {
        let (whole, places) = database();
        let last = places[2].clone();
        for written in last.clone().skip(1) {
            let mut bytes = whole.clone();
            bytes[written..].fill(0);
            let contents = read(&bytes);
            assert_eq!(contents.records, CONTENTS[..2]);
            assert!(contents.damage.is_none(), "{written}");
            let torn = &contents.tail.torn;
            // Zeros of the record itself are no different from those behind.
            assert!(
                torn.start == last.start && torn.end <= written,
                "{written}: {torn:?}"
            );
        }
    }

    #[test]
    fn a_file_that_lost_its_end_is_damaged() {
        let (whole, places) = database();
        for length in places[0].start..=places[2].end {
            let contents = read(&whole[..length]);
            assert!(!contents.damage.is_none(), "{length}");
            let left = places.iter().filter(|place| place.end <= length).count();
            assert_eq!(contents.records, CONTENTS[..left], "{length}");
        }
    }

    #[test]
    fn odd_bytes_behind_the_end_cost_nothing() {
        let (whole, _) = database();
        for odd in 1..=4095 {
            let mut bytes = whole.clone();
            bytes.extend((0..odd).map(|at: u16| at.to_le_bytes()[0] | 1));
            let contents = read(&bytes);
            assert_eq!(contents.records, CONTENTS);
            assert!(!contents.damage.is_none(), "it is said");
            assert_eq!(contents.damage.records, 0);
        }
    }

    #[test]
    fn no_record_is_found_in_what_a_client_has_put_into_another() {
        let mut inner = Vec::new();
        append(&mut inner, 2, "{\"forged\":true}").expect("it is short");
        // As it would have to be in a text.
        let inner = String::from_utf8_lossy(&inner);
        let mut bytes = header();
        append(&mut bytes, 1, &inner).expect("it is short");
        append(&mut bytes, 2, "{}").expect("it is short");
        bytes.push(0);
        bytes[header().len()] = 0;
        assert_eq!(read(&bytes).records, ["{}"]);
    }

    #[test]
    fn a_content_that_is_too_long_is_not_written() {
        let mut bytes = Vec::new();
        let long = " ".repeat(65_536);
        assert_eq!(append(&mut bytes, 1, &long), None);
        assert!(bytes.is_empty() && !fits(&long));
        assert_eq!(append(&mut bytes, 1, &long[1..]), Some(()));
    }

    #[test]
    fn whatever_is_damaged_nothing_is_read_that_was_not_written() {
        let (whole, places) = database();
        let end = places[2].end;
        let mut random = 1_u64;
        let mut below = |limit: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(random >> 33).expect("31 bits") % limit
        };
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..=below(8) {
                bytes[below(end + 8)] = below(256).to_le_bytes()[0];
            }
            let mut written = CONTENTS.iter();
            for record in read(&bytes).records {
                assert!(written.any(|content| *content == record), "{record}");
            }
        }
    }
}

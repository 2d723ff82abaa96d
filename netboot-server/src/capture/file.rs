//! Packets out of a pcap or a pcapng file, one by one.

use std::io::{self, Read};

use jiff::Timestamp;
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{
    Block, InterfaceDescriptionBlock, LegacyPcapReader, Linktype, PcapBlockOwned, PcapError,
    PcapNGReader,
};

use super::CaptureError;
use crate::telemetry::events::shown;

/// The longest block that is read. Capture programs record at most 256 KiB of a packet.
const LONGEST_BLOCK: usize = 1 << 20;

/// What is read at once, before a block is longer.
const READ_AT_ONCE: usize = 32 << 10;

/// Interfaces of a section of a pcapng file.
const INTERFACES: usize = 1_024;

/// The type of a pcapng file's first block, the same in both byte orders.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// One packet as it was recorded.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) at: Timestamp,
    pub(super) link_type: i32,
    /// The interface's name, where the file says it.
    pub(super) interface: Option<&'a str>,
    /// What was recorded of it.
    pub(super) bytes: &'a [u8],
}

/// Gives each packet, and says why the rest of the file was not read.
pub(super) fn read(
    reader: impl Read,
    on_packet: &mut dyn FnMut(&Packet<'_>),
) -> Result<Option<String>, CaptureError> {
    let mut failed = None;
    let mut reader = Whole {
        reader,
        failed: &mut failed,
    };
    let mut magic = [0; 4];
    let begun = reader.fill(&mut magic);
    let ended = match begun {
        0 => Err(CaptureError::Empty),
        1..4 => Err(CaptureError::NoCapture),
        _ => {
            let is_ng = magic == SECTION_HEADER;
            let whole = Whole {
                reader: magic.as_slice().chain(reader),
                failed: &mut None,
            };
            packets(whole, is_ng, on_packet)
        }
    };
    match failed {
        Some(error) => Err(CaptureError::Read(error)),
        None => ended,
    }
}

fn packets<'r>(
    reader: impl Read + 'r,
    is_ng: bool,
    on_packet: &mut dyn FnMut(&Packet<'_>),
) -> Result<Option<String>, CaptureError> {
    let blocks: Result<Box<dyn PcapReaderIterator + 'r>, _> = match is_ng {
        true => PcapNGReader::new(READ_AT_ONCE, reader).map(|it| Box::new(it) as _),
        false => LegacyPcapReader::new(READ_AT_ONCE, reader).map(|it| Box::new(it) as _),
    };
    let mut blocks = blocks.map_err(|error| match error {
        PcapError::Incomplete(_) => CaptureError::CutOff,
        _ => CaptureError::NoCapture,
    })?;
    let mut interfaces = Interfaces::default();
    let why = loop {
        let next = match blocks.next() {
            Ok((length, block)) => {
                interfaces.block(&block, on_packet);
                Next::Block(length)
            }
            Err(PcapError::Incomplete(_)) => Next::Refill,
            Err(PcapError::BufferTooSmall) => Next::Grow,
            Err(PcapError::Eof) => return Ok(None),
            Err(PcapError::UnexpectedEof) => Next::End,
            Err(_) => break "a block is damaged",
        };
        match next {
            // It would be read for ever.
            Next::Block(0) => break "a block has no length",
            Next::Block(length) => blocks.consume(length),
            Next::Refill if blocks.refill().is_ok() => {}
            Next::Refill => break "the file cannot be read further",
            Next::Grow if blocks.grow(LONGEST_BLOCK) => {}
            Next::Grow => break "a block is longer than 1 MiB",
            // The parser takes an end between two blocks for one within a block.
            Next::End if blocks.data().is_empty() => return Ok(None),
            Next::End => break "the file ends within a block",
        }
    };
    Ok(Some(why.into()))
}

/// What the parser asks for, once it lends no block any more.
enum Next {
    Block(usize),
    Refill,
    Grow,
    End,
}

/// What the packets of a section need of its interfaces.
#[derive(Debug, Default)]
struct Interfaces {
    /// Of a pcapng file.
    all: Vec<Interface>,
    /// The byte order of the section.
    is_big_endian: bool,
    /// Link type of a pcap file, and units of a second.
    legacy: (i32, u32),
}

#[derive(Debug)]
struct Interface {
    link_type: i32,
    name: Option<String>,
    units_per_second: u128,
    /// Seconds to add.
    offset: i64,
}

impl Interface {
    fn of(block: &InterfaceDescriptionBlock<'_>, is_big_endian: bool) -> Self {
        let Linktype(link_type) = block.linktype;
        let resolution = block.if_tsresol;
        let exponent = u32::from(resolution & 0x7f);
        let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
        Self {
            link_type,
            name: block.if_name().and_then(Result::ok).map(shown),
            // What is finer than a number can say has no time that anybody could mean.
            units_per_second: base.checked_pow(exponent).unwrap_or(u128::MAX),
            // The parser takes it for little endian in each file.
            offset: match is_big_endian {
                true => block.if_tsoffset.swap_bytes(),
                false => block.if_tsoffset,
            },
        }
    }

    fn time(&self, high: u32, low: u32) -> Timestamp {
        let units = (u128::from(high) << 32) | u128::from(low);
        let seconds = i64::try_from(units / self.units_per_second).unwrap_or(i64::MAX);
        let rest = (units % self.units_per_second).saturating_mul(1_000_000_000);
        let nanoseconds = i32::try_from(rest / self.units_per_second).unwrap_or(0);
        time(seconds.saturating_add(self.offset), nanoseconds)
    }
}

impl Interfaces {
    fn block(&mut self, block: &PcapBlockOwned<'_>, on_packet: &mut dyn FnMut(&Packet<'_>)) {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let units = match header.is_nanosecond_precision() {
                    true => 1_000_000_000,
                    false => 1_000_000,
                };
                // The upper bits say how long the frame check sequences are.
                self.legacy = (header.network.0 & 0xffff, units);
            }
            PcapBlockOwned::Legacy(block) => {
                let (link_type, units) = self.legacy;
                let fraction = u64::from(block.ts_usec) * (1_000_000_000 / u64::from(units.max(1)));
                on_packet(&Packet {
                    at: time(block.ts_sec.into(), i32::try_from(fraction).unwrap_or(0)),
                    link_type,
                    interface: None,
                    bytes: block.data,
                });
            }
            PcapBlockOwned::NG(Block::SectionHeader(block)) => {
                self.all.clear();
                self.is_big_endian = block.big_endian();
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                if self.all.len() < INTERFACES {
                    self.all.push(Interface::of(block, self.is_big_endian));
                }
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                let on = usize::try_from(block.if_id).ok();
                if let Some(on) = on.and_then(|number| self.all.get(number)) {
                    let at = on.time(block.ts_high, block.ts_low);
                    on_packet(&on.packet(at, block.packet_data()));
                }
            }
            // It has no time.
            PcapBlockOwned::NG(Block::SimplePacket(block)) => {
                if let Some(on) = self.all.first() {
                    on_packet(&on.packet(Timestamp::UNIX_EPOCH, block.packet_data()));
                }
            }
            PcapBlockOwned::NG(_) => {}
        }
    }
}

impl Interface {
    fn packet<'a>(&'a self, at: Timestamp, bytes: &'a [u8]) -> Packet<'a> {
        Packet {
            at,
            link_type: self.link_type,
            interface: self.name.as_deref(),
            bytes,
        }
    }
}

fn time(seconds: i64, nanoseconds: i32) -> Timestamp {
    Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A reader that gives less than it is asked for at its end only, which the parsers expect of their
/// first read. An error ends it, and is kept.
struct Whole<'e, R> {
    reader: R,
    failed: &'e mut Option<io::Error>,
}

impl<R: Read> Whole<'_, R> {
    fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    *self.failed = Some(error);
                    break;
                }
            }
        }
        filled
    }
}

impl<R: Read> Read for Whole<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.fill(buffer))
    }
}

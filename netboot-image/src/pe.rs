//! The header of a PE program, as EFI programs and kernels with an EFI stub have it: which
//! processor it is for, whether it is for EFI firmware, and where its sections are. From
//! Microsoft's PE format specification.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use crate::Architecture;
use crate::bytes::{u16_at, u32_at};

/// The header of a PE program.
///
/// Nothing of it is trusted: what its beginning does not hold, or what no file can hold, is not
/// there.
///
/// ```
/// use netboot_image::{Pe, PeMachine};
///
/// let mut program = vec![0; 0x46];
/// program[..2].copy_from_slice(b"MZ");
/// program[0x3c] = 0x40;
/// program[0x40..].copy_from_slice(b"PE\0\0\x64\xaa");
/// let pe = Pe::decode(&program).expect("a PE header");
/// assert_eq!(pe.machine(), PeMachine::ARM64);
/// assert_eq!(Pe::decode(b"#!ipxe\n"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pe {
    machine: PeMachine,
    subsystem: Option<u16>,
    sections: Vec<PeSection>,
    /// Where the last of them ends in the file; `None` where not every one is listed.
    end: Option<u64>,
}

/// The processor that a PE program is for: "Machine Types" in the specification, and the UEFI
/// specification's section 2.1.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeMachine(pub u16);

impl PeMachine {
    /// 32-bit x86.
    pub const I386: Self = Self(0x014c);
    /// 64-bit x86.
    pub const X86_64: Self = Self(0x8664);
    /// 32-bit ARM, as UEFI has it.
    pub const ARM32: Self = Self(0x01c2);
    /// 64-bit ARM.
    pub const ARM64: Self = Self(0xaa64);
    /// 64-bit RISC-V.
    pub const RISCV64: Self = Self(0x5064);
    /// 64-bit LoongArch.
    pub const LOONGARCH64: Self = Self(0x6264);
    /// EFI byte code, for any processor.
    pub const EBC: Self = Self(0x0ebc);

    /// The processor in a manifest's words; `None` where images are for no such processor.
    #[must_use]
    pub fn architecture(self) -> Option<Architecture> {
        match self {
            Self::X86_64 => Some(Architecture::X86_64),
            Self::I386 => Some(Architecture::I386),
            Self::ARM64 => Some(Architecture::Arm64),
            _ => None,
        }
    }
}

impl fmt::Display for PeMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::I386 => "32-bit x86",
            Self::X86_64 => "x86-64",
            Self::ARM32 => "32-bit ARM",
            Self::ARM64 => "arm64",
            Self::RISCV64 => "64-bit RISC-V",
            Self::LOONGARCH64 => "64-bit LoongArch",
            Self::EBC => "EFI byte code",
            Self(other) => return write!(f, "machine {other:#06x}"),
        })
    }
}

impl fmt::Debug for PeMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeMachine({:#06x})", self.0)
    }
}

/// A section of a PE program: a named part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeSection {
    name: [u8; 8],
    offset: u32,
    len: u32,
}

impl PeSection {
    /// Its name, at most eight bytes: `.cmdline`.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|&byte| byte == 0);
        self.name.get(..end.unwrap_or(8)).unwrap_or_default()
    }

    /// Where it begins in the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset.into()
    }

    /// How many bytes of the file are its content, without what pads it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len.into()
    }

    /// Whether it has no bytes in the file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Pe {
    /// How much of the beginning of a file [`read`](Self::read) looks at, in bytes. No linker known
    /// here puts a header farther behind, and a section takes 40 bytes of it.
    pub const HEAD_LEN: usize = 4096;

    /// The most sections that a program may have, as Windows has it; those behind them are not
    /// looked at.
    pub const MOST_SECTIONS: usize = 96;

    /// The header in the beginning of a file; `None` where the file is no PE program.
    #[must_use]
    pub fn decode(head: &[u8]) -> Option<Self> {
        if !head.starts_with(b"MZ") {
            return None;
        }
        let signature = usize::try_from(u32_at(head, 0x3c)?).ok()?;
        let header = head.get(signature..)?.strip_prefix(b"PE\0\0")?;
        let machine = PeMachine(u16_at(header, 0)?);
        let count = u16_at(header, 2).unwrap_or(0);
        let optional_len = usize::from(u16_at(header, 16).unwrap_or(0));
        let behind = header.get(COFF_LEN..).unwrap_or_default();
        let optional = behind.get(..optional_len).unwrap_or_default();
        let table = behind.get(optional_len..).unwrap_or_default();
        let sections = table
            .chunks_exact(SECTION_LEN)
            .take(usize::from(count).min(Self::MOST_SECTIONS))
            .filter_map(section);
        let sections: Vec<_> = sections.collect();
        let all_read = sections.len() == usize::from(count);
        let ends = table.chunks_exact(SECTION_LEN).take(sections.len());
        Some(Self {
            machine,
            // At the same place in PE32 and PE32+.
            subsystem: u16_at(optional, 68),
            end: all_read.then(|| ends.filter_map(end).max().unwrap_or(0)),
            sections,
        })
    }

    /// The header of a file, from its beginning; `None` where it is no PE program. At most
    /// [`HEAD_LEN`](Self::HEAD_LEN) bytes are read.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read(file: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = Vec::with_capacity(Self::HEAD_LEN);
        let most = u64::try_from(Self::HEAD_LEN).unwrap_or(u64::MAX);
        file.take(most).read_to_end(&mut head)?;
        Ok(Self::decode(&head))
    }

    /// The processor that it is for.
    #[must_use]
    pub fn machine(&self) -> PeMachine {
        self.machine
    }

    /// Whether EFI firmware is what it is for: an application, a driver or a ROM (subsystems 10 to
    /// 13).
    #[must_use]
    pub fn is_efi(&self) -> bool {
        matches!(self.subsystem, Some(10..=13))
    }

    /// Whether a file of this length has all of it: every section that its header counts is listed
    /// there and ends within the file.
    #[must_use]
    pub fn is_whole(&self, len: u64) -> bool {
        self.end.is_some_and(|end| end <= len)
    }

    /// Its sections in the order of the file.
    #[must_use]
    pub fn sections(&self) -> &[PeSection] {
        &self.sections
    }

    /// The first section of this name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&PeSection> {
        let mut sections = self.sections.iter();
        sections.find(|section| section.name() == name.as_bytes())
    }

    /// The content of the first section of this name, of which at most `most` bytes are read;
    /// `None` where there is no such section.
    ///
    /// # Errors
    /// Those of reading; that the section is longer than `most`, or than the file is.
    pub fn read_section(
        &self,
        file: &mut (impl Read + Seek),
        name: &str,
        most: u64,
    ) -> io::Result<Option<Vec<u8>>> {
        let Some(section) = self.section(name) else {
            return Ok(None);
        };
        let len = section.len();
        if len > most {
            let what = format!("section {name} has {len} bytes, more than {most}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        file.seek(SeekFrom::Start(section.offset()))?;
        let mut content = Vec::new();
        file.take(len).read_to_end(&mut content)?;
        if u64::try_from(content.len()).ok() != Some(len) {
            let what = format!("section {name} is cut short");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        Ok(Some(content))
    }
}

/// The length of the COFF file header behind the signature.
const COFF_LEN: usize = 20;

/// The length of a section header.
const SECTION_LEN: usize = 40;

fn section(header: &[u8]) -> Option<PeSection> {
    let in_memory = u32_at(header, 8)?;
    let in_file = u32_at(header, 16)?;
    Some(PeSection {
        name: header.get(..8)?.try_into().ok()?,
        // In the file it is padded to the file's alignment, in memory with zeros.
        len: in_file.min(in_memory),
        offset: u32_at(header, 20)?,
    })
}

/// Where a section ends in the file, what pads it included; one without content ends nowhere.
fn end(header: &[u8]) -> Option<u64> {
    let (len, offset) = (u32_at(header, 16)?, u32_at(header, 20)?);
    (len > 0).then(|| u64::from(offset) + u64::from(len))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// An EFI application for arm64 with two sections, by hand from the specification: the
    /// signature at 0x40, a PE32+ optional header of 0xf0 bytes, `.text` of 4 bytes at 0x200,
    /// `.cmdline` of 5 bytes padded to 0x10 at 0x210.
    fn program() -> Vec<u8> {
        let mut program = vec![0; 0x220];
        let mut put =
            |at: usize, bytes: &[u8]| program[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"MZ");
        put(0x3c, &[0x40]);
        put(0x40, b"PE\0\0\x64\xaa\x02\x00");
        put(0x54, &[0xf0, 0x00]);
        put(0x58, &[0x0b, 0x02]);
        put(0x58 + 68, &[10, 0]);
        put(
            0x148,
            b".text\0\0\0\x04\0\0\0\0\x10\0\0\x10\0\0\0\0\x02\0\0",
        );
        put(0x170, b".cmdline\x05\0\0\0\0\x20\0\0\x10\0\0\0\x10\x02\0\0");
        put(0x200, b"code");
        put(0x210, b"quiet");
        program
    }

    #[test]
    fn an_efi_program_tells_its_processor_and_its_sections() {
        let program = program();
        let pe = Pe::read(&mut &*program).expect("bytes").expect("a header");
        assert_eq!(pe.machine(), PeMachine::ARM64);
        assert_eq!(pe.machine().to_string(), "arm64");
        assert!(pe.is_efi());
        let names: Vec<_> = pe.sections().iter().map(PeSection::name).collect();
        assert_eq!(names, [&b".text"[..], b".cmdline"]);
        let mut file = Cursor::new(&program);
        let read = pe.read_section(&mut file, ".cmdline", 5);
        assert_eq!(read.expect("bytes").as_deref(), Some(&b"quiet"[..]));
        assert!(pe.read_section(&mut file, ".cmdline", 4).is_err());
        assert_eq!(
            pe.read_section(&mut file, ".linux", 5).expect("bytes"),
            None
        );
        let mut short = Cursor::new(&program[..0x212]);
        assert!(pe.read_section(&mut short, ".cmdline", 5).is_err());
        assert!(pe.is_whole(0x220));
        assert!(!pe.is_whole(0x21f), "its last section is cut short");
        let one = Pe::decode(&program[..0x170]).expect("a header");
        assert!(!one.is_whole(0x220), "a section is not listed");
    }

    #[test]
    fn a_program_of_another_system_is_not_for_efi() {
        let mut program = program();
        program[0x58 + 68] = 3;
        assert_eq!(Pe::decode(&program).map(|pe| pe.is_efi()), Some(false));
    }

    #[test]
    fn no_header_that_is_cut_short_or_points_nowhere_panics() {
        let program = program();
        for end in 0..program.len() {
            let pe = Pe::decode(&program[..end]);
            assert_eq!(pe.is_some(), end >= 0x46, "{end}");
        }
        for at in 0x3c..0x198 {
            let mut bad = program.clone();
            bad[at..at + 4].fill(0xff);
            if let Some(pe) = Pe::decode(&bad) {
                assert!(pe.sections().len() <= Pe::MOST_SECTIONS);
                let _ = pe.read_section(&mut Cursor::new(&bad), ".cmdline", 4096);
            }
        }
    }

    #[test]
    #[ignore = "needs the Debian packages ipxe and shim-signed"]
    fn the_programs_of_debian_are_read() {
        for (path, machine) in [
            ("/usr/lib/ipxe/ipxe.efi", Some(PeMachine::X86_64)),
            ("/usr/lib/shim/shimx64.efi.signed", Some(PeMachine::X86_64)),
            ("/usr/lib/ipxe/undionly.kpxe", None),
        ] {
            let mut file = std::fs::File::open(path).expect(path);
            let pe = Pe::read(&mut file).expect(path);
            assert_eq!(pe.as_ref().map(Pe::machine), machine, "{path}");
            assert_eq!(pe.as_ref().map(Pe::is_efi), machine.map(|_| true), "{path}");
            let len = file.metadata().expect(path).len();
            let whole = pe
                .as_ref()
                .map(|pe| (pe.is_whole(len), pe.is_whole(len / 2)));
            assert_eq!(whole, machine.map(|_| (true, false)), "{path}");
        }
    }
}

//! Unified kernels (UKI): what an EFI program has in the sections that systemd's stub looks at, as
//! the UAPI group's specification of them says.

use std::io::{self, Read, Seek, SeekFrom};

use crate::kernel::CMDLINE_LIMIT;
use crate::manifest::Extra;
use crate::{Kernel, Pe, UnifiedKernel, split_cmdline};

/// The longest section `.cmdline` that is read, in bytes: no kernel takes as much.
const MOST_CMDLINE: u64 = 16 * 1024;

/// What a program says of itself as a unified kernel; `None` where it has no section `.linux`.
///
/// # Errors
/// Those of reading; that its command line is no text, is too long or has a quote without a
/// partner.
pub(crate) fn read(pe: &Pe, file: &mut (impl Read + Seek)) -> io::Result<Option<UnifiedKernel>> {
    let Some(linux) = pe.section(".linux") else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(linux.offset()))?;
    let mut head = Vec::new();
    let most = u64::try_from(Kernel::HEAD_LEN).unwrap_or(u64::MAX);
    (&mut *file)
        .take(most.min(linux.len()))
        .read_to_end(&mut head)?;
    // A kernel of a form that is not known here takes what most take.
    let kernel = Kernel::decode(&head, linux.len()).ok();
    let cmdline_limit = kernel.map_or(CMDLINE_LIMIT, |kernel| kernel.cmdline_limit());
    let section = pe.read_section(file, ".cmdline", MOST_CMDLINE)?;
    let cmdline = match &section {
        Some(text) => words(text)?,
        None => Vec::new(),
    };
    Ok(Some(UnifiedKernel {
        cmdline_limit,
        cmdline,
        extra: Extra::default(),
    }))
}

/// The text ends at the first zero, as that of the stub does.
fn words(section: &[u8]) -> io::Result<Vec<String>> {
    let wrong = |why: String| {
        let what = format!("section .cmdline {why}");
        io::Error::new(io::ErrorKind::InvalidData, what)
    };
    let end = section.iter().position(|byte| *byte == 0);
    let (text, padding) = section.split_at(end.unwrap_or(section.len()));
    if padding
        .iter()
        .any(|byte| *byte != 0 && !byte.is_ascii_whitespace())
    {
        return Err(wrong("has text behind a zero, as UTF-16 does".to_owned()));
    }
    let text = std::str::from_utf8(text).map_err(|error| wrong(format!("is no text: {error}")))?;
    split_cmdline(text).map_err(|error| wrong(format!("cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::kernel::tests::tiny_bz_image;

    /// A program for x86-64 with these sections, by hand from the PE format: no optional header,
    /// each section's content on a boundary of 16 bytes behind the headers.
    pub(crate) fn program(sections: &[(&[u8; 8], &[u8])]) -> Vec<u8> {
        let mut program = vec![0; 0x200];
        program[..2].copy_from_slice(b"MZ");
        program[0x3c] = 0x40;
        program[0x40..0x46].copy_from_slice(b"PE\0\0\x64\x86");
        program[0x46] = u8::try_from(sections.len()).expect("few");
        for (index, (name, content)) in sections.iter().enumerate() {
            let header = 0x58 + index * 40;
            let number = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
            let (len, at) = (number(content.len()), number(program.len()));
            program[header..header + 8].copy_from_slice(*name);
            program[header + 8..header + 12].copy_from_slice(&len);
            program[header + 16..header + 20].copy_from_slice(&len);
            program[header + 20..header + 24].copy_from_slice(&at);
            program.extend_from_slice(content);
            program.resize(program.len().next_multiple_of(16), 0);
        }
        program
    }

    fn unified(program: &[u8]) -> io::Result<Option<UnifiedKernel>> {
        let pe = Pe::decode(program).expect("a PE program");
        read(&pe, &mut Cursor::new(program))
    }

    #[test]
    fn a_unified_kernel_tells_its_command_line_and_what_its_kernel_takes() {
        let mut kernel = tiny_bz_image();
        kernel[0x238] = 0xfe;
        let line = b"console=ttyS0  a=\"b c\"\n\0";
        let uki = program(&[(b".linux\0\0", &kernel), (b".cmdline", line)]);
        let uki = unified(&uki).expect("bytes").expect("a kernel");
        assert_eq!(uki.cmdline(), ["console=ttyS0", "a=\"b c\""]);
        assert_eq!(uki.cmdline_limit(), 2046);
        let bare = program(&[(b".linux\0\0", b"no kernel that is known")]);
        let bare = unified(&bare).expect("bytes").expect("a kernel");
        assert_eq!((bare.cmdline(), bare.cmdline_limit()), (&[][..], 2047));
    }

    #[test]
    fn a_program_without_a_kernel_in_it_has_no_command_line() {
        let shell = program(&[(b".text\0\0\0", b"code"), (b".cmdline", b"quiet")]);
        assert_eq!(unified(&shell).expect("bytes"), None);
    }

    #[test]
    fn a_command_line_that_is_none_is_refused() {
        let long = vec![b'x'; 16 * 1024 + 1];
        for line in [&b"a=\"b"[..], b"\xff", b"q\0u\0", &long] {
            let uki = program(&[(b".linux\0\0", b"x"), (b".cmdline", line)]);
            assert!(unified(&uki).is_err());
        }
        let whole = program(&[(b".linux\0\0", b"x"), (b".cmdline", b"quiet")]);
        assert!(unified(&whole[..whole.len() - 16]).is_err(), "cut short");
    }
}

//! What a file looks like, by its first bytes: for telling people what they gave where a kernel was
//! asked for.

use std::fmt;

use crate::bytes::u16_at;
use crate::{Pe, PeMachine};

/// What a file looks like. For messages: nothing is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Looks {
    /// It has no bytes.
    Empty,
    /// Every byte that was looked at is zero, as after a download that was only allocated.
    Zeros,
    /// gzip: a `vmlinuz` of arm64, or an initrd.
    Gzip,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
    /// bzip2.
    Bzip2,
    /// lz4.
    Lz4,
    /// A cpio archive, as initrds are within.
    Cpio,
    /// A Linux kernel: a bzImage or an arm64 Image.
    Kernel,
    /// ELF, such as `vmlinux`.
    Elf,
    /// A PE program, as EFI programs are.
    Efi {
        /// The processor that it is for.
        machine: PeMachine,
    },
    /// U-Boot's `uImage`.
    UImage,
    /// A squashfs.
    Squashfs,
    /// A disc image, ISO 9660.
    Iso,
    /// A tar archive.
    Tar,
    /// A page of HTML, as an error page that was saved under another name.
    Html,
    /// Another XML document, as the errors of object stores are.
    Xml,
    /// What Git has in the place of a file that Git LFS keeps.
    LfsPointer,
    /// A script with `#!`.
    Script,
    /// Other text.
    Text,
    /// None of these.
    Data,
}

impl Looks {
    /// What a file of `len` bytes with this beginning looks like.
    #[must_use]
    pub fn like(head: &[u8], len: u64) -> Self {
        const MAGIC: [(&[u8], Looks); 13] = [
            (b"\x1f\x8b", Looks::Gzip),
            (b"\xfd7zXZ\0", Looks::Xz),
            (b"\x28\xb5\x2f\xfd", Looks::Zstd),
            (b"BZh", Looks::Bzip2),
            (b"\x02\x21\x4c\x18", Looks::Lz4),
            (b"\x04\x22\x4d\x18", Looks::Lz4),
            (b"070701", Looks::Cpio),
            (b"070702", Looks::Cpio),
            (b"\x7fELF", Looks::Elf),
            (b"\x27\x05\x19\x56", Looks::UImage),
            (b"hsqs", Looks::Squashfs),
            (b"#!", Looks::Script),
            // The first line of its specification, version 1.
            (
                b"version https://git-lfs.github.com/spec/",
                Looks::LfsPointer,
            ),
        ];
        if len == 0 {
            return Self::Empty;
        }
        if head.get(0x202..0x206) == Some(b"HdrS") || head.get(56..60) == Some(b"ARM\x64") {
            return Self::Kernel;
        }
        if let Some((_, looks)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
            return *looks;
        }
        if let Some(looks) = markup(head) {
            return looks;
        }
        if let Some(pe) = Pe::decode(head) {
            return Self::Efi {
                machine: pe.machine(),
            };
        }
        if head.get(257..262) == Some(b"ustar") {
            return Self::Tar;
        }
        if Self::is_iso(head) {
            return Self::Iso;
        }
        if head.iter().all(|&byte| byte == 0) {
            return Self::Zeros;
        }
        let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..);
        if head.iter().take(512).all(is_text) && u16_at(head, 0).is_some() {
            Self::Text
        } else {
            Self::Data
        }
    }

    /// Whether a file with this beginning is a disc image, whatever else it is too: the identifier
    /// of its first volume descriptor is in sector 16 (ECMA-119 section 8.1).
    pub(crate) fn is_iso(head: &[u8]) -> bool {
        head.get(0x8001..0x8006) == Some(b"CD001")
    }
}

/// HTML or XML, whose first tag may come behind a byte order mark and blanks, in any case.
fn markup(head: &[u8]) -> Option<Looks> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = text.trim_ascii_start();
    let begins = |tag: &[u8]| {
        let start = text.get(..tag.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    if begins(b"<!doctype html") || begins(b"<html") || begins(b"<head") {
        Some(Looks::Html)
    } else {
        begins(b"<?xml").then_some(Looks::Xml)
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::Zeros => "nothing but zeros",
            Self::Gzip => "gzip data",
            Self::Xz => "xz data",
            Self::Zstd => "zstd data",
            Self::Bzip2 => "bzip2 data",
            Self::Lz4 => "lz4 data",
            Self::Cpio => "a cpio archive, as an initrd is",
            Self::Kernel => "a Linux kernel",
            Self::Elf => "an ELF file, as vmlinux is",
            Self::Efi { machine } if machine.architecture().is_some() => {
                return write!(f, "an EFI program for {machine}");
            }
            Self::Efi { machine } => return write!(f, "a PE program for {machine}"),
            Self::UImage => "a U-Boot image",
            Self::Squashfs => "a squashfs",
            Self::Iso => "an ISO 9660 disc image",
            Self::Tar => "a tar archive",
            Self::Html => "a page of HTML",
            Self::Xml => "an XML document",
            Self::LfsPointer => "a pointer of Git LFS, in whose place `git lfs pull` puts the file",
            Self::Script => "a script",
            Self::Text => "text",
            Self::Data => "data of no kind that is known here",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_what_it_looks_like() {
        let mut iso = vec![0; 0x9000];
        iso[0x8001..0x8006].copy_from_slice(b"CD001");
        let mut efi = b"MZ".to_vec();
        efi.resize(0x40, 0);
        efi[0x3c] = 0x40;
        efi.extend_from_slice(b"PE\0\0\x64\x86");
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a";
        let cases: [(&[u8], Looks, &str); 12] = [
            (b"", Looks::Empty, "an empty file"),
            (&[0; 600], Looks::Zeros, "nothing but zeros"),
            (b"\x1f\x8b\x08", Looks::Gzip, "gzip data"),
            (b"\x7fELF\x02\x01", Looks::Elf, "an ELF file, as vmlinux is"),
            (b"<html><head><title>404", Looks::Html, "a page of HTML"),
            (
                b"\xef\xbb\xbf\r\n<!doctype HTML>",
                Looks::Html,
                "a page of HTML",
            ),
            (
                b"<?xml version=\"1.0\"?><Error>",
                Looks::Xml,
                "an XML document",
            ),
            (
                pointer,
                Looks::LfsPointer,
                "a pointer of Git LFS, in whose place `git lfs pull` puts the file",
            ),
            (b"#!ipxe\nboot\n", Looks::Script, "a script"),
            (b"see the release notes\n", Looks::Text, "text"),
            (&iso, Looks::Iso, "an ISO 9660 disc image"),
            (
                &efi,
                Looks::Efi {
                    machine: PeMachine::X86_64,
                },
                "an EFI program for x86-64",
            ),
        ];
        for (bytes, looks, text) in cases {
            let len = u64::try_from(bytes.len()).expect("a small file");
            assert_eq!(Looks::like(bytes, len), looks);
            assert_eq!(looks.to_string(), text);
        }
    }
}

//! What the demo boots: a given kernel and initial RAM disk, or stand-ins made here.

use std::ops::ControlFlow;
use std::path::Path;

use netboot_image::{ImageName, NewImage, Store};

use netboot_server::{Chain, Failure};

/// The image's name.
pub(super) const NAME: &str = "demo";

/// Publishes the image into a state folder.
pub(super) fn publish(
    state: &Path,
    kernel: &Path,
    initrd: &Path,
    cmdline: &str,
) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(
            format!("storing {} and {}", kernel.display(), initrd.display()),
            Chain(error),
            "name a Linux kernel and its initial RAM disk",
        )
    };
    let name: ImageName = NAME.parse().map_err(|error| failed(&error))?;
    let image = NewImage::linux(name, kernel)
        .initrd(initrd)
        .cmdline(cmdline.split_whitespace())
        .label("Demo");
    let store = Store::create(state.join("http/images")).map_err(|error| failed(&error))?;
    let go_on = &mut |_: netboot_image::Progress<'_>| ControlFlow::Continue(());
    store
        .publish_with(std::time::UNIX_EPOCH, image, go_on)
        .map_err(|error| failed(&error))?;
    Ok(())
}

/// A stand-in for a kernel: the setup header of the x86 boot protocol, version 2.15, and noise.
/// Nothing could run it; a simulated machine only loads it.
pub(super) fn kernel() -> Vec<u8> {
    let mut kernel = noise(4 << 20, 1);
    let fields: [(usize, &[u8]); 8] = [
        (0x1f1, &[1]),                      // setup_sects
        (0x1f4, &[1, 0, 0, 0]),             // syssize
        (0x1fe, &[0x55, 0xaa]),             // boot_flag
        (0x202, b"HdrS"),                   // header
        (0x206, &[0x0f, 0x02]),             // version
        (0x20e, &[0, 0]),                   // kernel_version: none
        (0x211, &[1]),                      // loadflags: LOADED_HIGH
        (0x236, &[1, 0, 0xff, 0x07, 0, 0]), // xloadflags: 64 bit; cmdline_size 2047
    ];
    for (offset, bytes) in fields {
        if let Some(field) = kernel.get_mut(offset..offset + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    }
    kernel
}

/// A stand-in for an initial RAM disk: a cpio archive of one file of noise.
pub(super) fn initrd() -> Vec<u8> {
    let content = noise(12 << 20, 2);
    let mut archive = Vec::with_capacity(content.len() + 512);
    cpio_entry(&mut archive, "noise", &content);
    cpio_entry(&mut archive, "TRAILER!!!", &[]);
    archive
}

/// A stand-in for a boot program.
pub(super) fn program() -> Vec<u8> {
    noise(72 << 10, 3)
}

/// One file in cpio's "new ASCII" format: thirteen fields of eight hex digits, name and content
/// padded to four bytes.
fn cpio_entry(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    let (size, name_size) = (content.len(), name.len() + 1);
    let fields = [1, 0o100_644, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
    archive.extend(b"070701");
    for field in fields {
        archive.extend(format!("{field:08x}").bytes());
    }
    archive.extend(name.bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// Bytes that do not repeat, the same for the same seed (xorshift64).
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

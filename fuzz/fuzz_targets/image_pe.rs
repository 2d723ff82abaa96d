//! Any bytes as an EFI program: what its headers say, and each of its sections.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use netboot_image::Pe;

fuzz_target!(|data: &[u8]| {
    let Ok(Some(pe)) = Pe::read(&mut Cursor::new(data)) else {
        return;
    };
    let _ = (pe.is_efi(), pe.machine(), pe.is_whole(data.len() as u64));
    for section in pe.sections() {
        let name = String::from_utf8_lossy(section.name()).into_owned();
        let _ = (section.offset(), section.len(), pe.section(&name));
    }
    for name in [".cmdline", ".linux", ".uname"] {
        if let Ok(Some(content)) = pe.read_section(&mut Cursor::new(data), name, 4096) {
            assert!(content.len() <= 4096);
        }
    }
});

//! Any text as what a builder left to boot by, in the form of kexec.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_image::BootLine;

fuzz_target!(|source: &str| {
    if let Ok(line) = BootLine::parse_kexec(source) {
        assert!(!line.kernel.is_empty());
        for word in &line.cmdline {
            assert!(!word.is_empty() && !word.contains('\n'), "{word:?}");
        }
    }
});

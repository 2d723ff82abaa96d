//! Any text as a kernel's command line: its words, joined by spaces, are the same words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_image::split_cmdline;

fuzz_target!(|source: &str| {
    if let Ok(words) = split_cmdline(source) {
        assert!(words.iter().all(|word| !word.is_empty()));
        assert_eq!(split_cmdline(&words.join(" ")).as_ref(), Ok(&words));
    }
});

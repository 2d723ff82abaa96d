//! Any bytes in place of a machine's HTTP request: its path, query, Range, conditions.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let answer = netboot_fuzz::to_machines(data);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
    // Nothing goes wrong within the server, whatever is asked.
    assert!(!answer.starts_with(b"HTTP/1.1 500"));
});

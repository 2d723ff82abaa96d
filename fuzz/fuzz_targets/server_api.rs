//! Any bytes in place of a request to the API, bodies included: leases to import, installs, events.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let answer = netboot_fuzz::to_control(data);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
    assert!(!answer.starts_with(b"HTTP/1.1 500"));
});

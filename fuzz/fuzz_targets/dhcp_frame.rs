//! Any frame in place of one that carries a DECLINE.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../netboot-dhcp/src/driver/frame/payload.rs"]
mod payload;

fuzz_target!(|data: &[u8]| {
    if let Some((source, message)) = payload::message(data) {
        assert_eq!(source, data[6..12]);
        assert!(data.len() >= 14 + 8 + message.len());
    }
});

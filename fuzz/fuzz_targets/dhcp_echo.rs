//! Any packet in place of an answer to an ICMP echo of ours.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../netboot-dhcp/src/driver/echo.rs"]
mod echo;

fuzz_target!(|data: &[u8]| {
    let id = [data.len() as u8, 0];
    if echo::answered(data, id).is_some() {
        assert!(data.len() >= 20 + 16 || data[0] & 0xf < 5);
        assert!(data.windows(8).any(|window| window == echo::MARK));
    }
});

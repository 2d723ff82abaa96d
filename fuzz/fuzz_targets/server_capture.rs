//! Any bytes as a packet capture.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_server::capture;

fuzz_target!(|bytes: &[u8]| {
    let mut events = 0;
    let Ok(summary) = capture::read(bytes, &mut |_, _, _| events += 1) else {
        return;
    };
    let skipped = &summary.skipped;
    let unread = skipped.link_type + skipped.cut_off + skipped.fragments;
    let unread = unread + skipped.malformed + skipped.others;
    assert_eq!(summary.used + unread, summary.packets);
    assert!(summary.servers.len() <= capture::SERVERS);
    // A message of DHCP makes one event; an answer by HTTP at most two.
    assert!(events <= 2 * summary.used);
});

//! Any bytes as a lease database.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../netboot-server/src/leases/frame.rs"]
#[allow(dead_code)]
mod frame;

fuzz_target!(|data: &[u8]| {
    let contents = frame::read(data);
    let tail = &contents.tail;
    assert!(tail.end <= data.len() && tail.torn.end <= data.len());
    assert!(tail.torn.is_empty() || tail.torn.start == tail.end);
    // What was read of it can be written, and is read again.
    let mut written = frame::header();
    for (number, record) in (1..).zip(&contents.records) {
        frame::append(&mut written, number, record).expect("it was in a record");
    }
    let end = written.len();
    written.push(0);
    let again = frame::read(&written);
    assert_eq!(again.records, contents.records);
    assert_eq!((again.tail.end, again.damage.is_none()), (end, true));
});

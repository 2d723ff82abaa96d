//! Sequences of datagrams into a sender and a receiver. The first byte of each step is its length, the
//! second how many milliseconds pass before.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use netboot_tftp::{Agreed, Limits, Options, Receiver, Sender, TransferMode, TransferSettings};

fuzz_target!(|data: &[u8]| {
    let (settings, mut now, mut buf) = (TransferSettings::default(), Duration::ZERO, [0; 2048]);
    let asked = Options {
        blksize: Some(16),
        windowsize: Some(4),
        timeout: Some(1),
        tsize: Some(0),
    };
    let agreed = Agreed::by_server(&asked, &Limits::default(), Some(1000));
    let mut sender = Sender::reply(now, agreed, 1000, &settings);
    let mut receiver = Receiver::request(now, b"f", TransferMode::Octet, asked, 1000, &settings)
        .expect("a short name");
    let mut rest = data;
    while let [len, wait, tail @ ..] = rest {
        let (datagram, after) = tail.split_at(usize::from(*len).min(tail.len()));
        (rest, now) = (after, now + Duration::from_millis((*wait).into()));
        for _ in 0..4 {
            sender
                .poll_output(now, &mut buf)
                .expect("2048 bytes hold a block");
            receiver
                .poll_output(now, &mut buf)
                .expect("2048 bytes hold a request");
        }
        sender.handle_input(now, datagram);
        receiver.handle_input(now, datagram);
        assert!(sender.stats_at(now).bytes <= 1000 && receiver.stats_at(now).bytes <= 1000);
    }
});

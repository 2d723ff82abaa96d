//! Sequences of datagrams into senders and receivers, as the end that asks and the end that
//! answers. The first byte of each step is its length, the second how many milliseconds pass
//! before.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use netboot_tftp::{
    Agreed, Limits, Options, Receiver, Sender, SenderOutput, TransferMode::Octet, TransferSettings,
};

const ASKED: Options = Options::new()
    .with_blksize(16)
    .with_windowsize(4)
    .with_timeout(1)
    .with_tsize(0);

fuzz_target!(|data: &[u8]| {
    let (settings, mut now, mut buf) = (TransferSettings::default(), Duration::ZERO, [0; 2048]);
    let agreed = Agreed::by_server(&ASKED, &Limits::default(), Some(1000));
    let asking = Sender::request(now, b"f", Octet, ASKED, 1000, &settings).expect("a short name");
    let known = Sender::reply(now, agreed, 1000, &settings);
    let mut senders = [asking, known, Sender::reply(now, agreed, None, &settings)];
    let asking = Receiver::request(now, b"f", Octet, ASKED, 1000, &settings);
    let answering = Receiver::reply(now, agreed, 1000, &settings);
    let mut receivers = [asking.expect("a short name"), answering];
    let mut rest = data;
    while let [len, wait, tail @ ..] = rest {
        let (datagram, after) = tail.split_at(usize::from(*len).min(tail.len()));
        (rest, now) = (after, now + Duration::from_millis((*wait).into()));
        senders
            .iter_mut()
            .for_each(|s| step_sender(s, now, datagram, &mut buf));
        receivers
            .iter_mut()
            .for_each(|r| step_receiver(r, now, datagram, &mut buf));
    }
});

fn step_sender(sender: &mut Sender, now: Duration, datagram: &[u8], buf: &mut [u8]) {
    for _ in 0..4 {
        let output = sender
            .poll_output(now, buf)
            .expect("2048 bytes hold a block");
        if let SenderOutput::Data(run) = output
            && run.offset + run.len as u64 > 1000
        {
            let there = 1000_u64.saturating_sub(run.offset);
            let run = sender.end_of_file(&run, usize::try_from(there).expect("at most 1000"));
            assert!(run.payloads(buf).map(|gap| gap.len()).sum::<usize>() == run.len);
        }
    }
    sender.handle_input(now, datagram);
    assert!(sender.stats_at(now).bytes <= 1000);
}

fn step_receiver(receiver: &mut Receiver, now: Duration, datagram: &[u8], buf: &mut [u8]) {
    for _ in 0..4 {
        receiver
            .poll_output(now, buf)
            .expect("2048 bytes hold a request");
    }
    receiver.handle_input(now, datagram);
    assert!(receiver.stats_at(now).bytes <= 1000);
}

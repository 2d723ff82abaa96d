//! Each end alone against packets written by hand from the RFCs: one behaviour a test.

use std::time::Duration;

use netboot_tftp::{
    Agreed, ErrorCode, Limits, OackError, Options, Packet, Received, Receiver, ReceiverOutput,
    Sender, SenderOutput, TransferError, TransferMode, TransferSettings,
};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What a sender puts on the wire now, each datagram by itself, and when it wants to be asked
/// again.
fn drain(sender: &mut Sender, now: Duration, file: &[u8]) -> (Vec<Vec<u8>>, Option<Duration>) {
    let mut buf = vec![0; 65507];
    let mut sent = Vec::new();
    loop {
        let transmit = match sender.poll_output(now, &mut buf).unwrap() {
            SenderOutput::Transmit(transmit) => transmit,
            SenderOutput::Data(run) => {
                let mut rest = &file[usize::try_from(run.offset).unwrap()..][..run.len];
                for gap in run.payloads(&mut buf) {
                    let (head, tail) = rest.split_at(gap.len());
                    gap.copy_from_slice(head);
                    rest = tail;
                }
                run.transmit()
            }
            SenderOutput::Wait(deadline) => return (sent, Some(deadline)),
            SenderOutput::Done(_) | SenderOutput::Failed(..) => return (sent, None),
        };
        sent.extend(
            buf[..transmit.len]
                .chunks(transmit.segment_size)
                .map(<[u8]>::to_vec),
        );
    }
}

fn end_of(sender: &mut Sender, now: Duration) -> Result<u64, TransferError> {
    match sender.poll_output(now, &mut [0; 2048]).unwrap() {
        SenderOutput::Done(stats) => Ok(stats.bytes),
        SenderOutput::Failed(error, _) => Err(error),
        output => panic!("not over: {output:?}"),
    }
}

fn blocks(sent: &[Vec<u8>]) -> Vec<u16> {
    sent.iter()
        .map(|packet| match Packet::decode(packet) {
            Ok(Packet::Data { block, .. }) => block,
            other => panic!("not DATA: {other:?}"),
        })
        .collect()
}

/// A sender that answers this request, with a file of so many bytes.
fn answer(request: &[u8], size: u64) -> Sender {
    let Ok(Packet::Rrq(request)) = Packet::decode(request) else {
        panic!("not a read request");
    };
    let asked = Options::from_view(&request.options);
    let agreed = Agreed::by_server(&asked, &Limits::default(), Some(size));
    Sender::reply(ms(0), agreed, size, &TransferSettings::default())
}

const PLAIN: &[u8] = b"\x00\x01f\0octet\0";
const WINDOW_4: &[u8] = b"\x00\x01f\0octet\0blksize\x008\0windowsize\x004\0";

#[test]
fn a_plain_request_is_answered_by_block_1_of_512_bytes() {
    let file = [7; 600];
    let mut sender = answer(PLAIN, 600);
    let (sent, _) = drain(&mut sender, ms(0), &file);
    assert_eq!(sent, [[&[0, 3, 0, 1][..], &[7; 512]].concat()]);
    sender.handle_input(ms(1), &[0, 4, 0, 1]);
    let (sent, _) = drain(&mut sender, ms(1), &file);
    assert_eq!(sent, [[&[0, 3, 0, 2][..], &[7; 88]].concat()]);
    sender.handle_input(ms(2), &[0, 4, 0, 2]);
    assert_eq!(end_of(&mut sender, ms(2)), Ok(600));
    // An ERROR that comes now cannot take back what is done.
    sender.handle_input(ms(3), b"\x00\x05\x00\x00timed out\0");
    assert_eq!(end_of(&mut sender, ms(3)), Ok(600));
}

#[test]
fn options_are_answered_by_an_oack_and_data_waits_for_ack_0() {
    let mut sender = answer(b"\x00\x01f\0octet\0tsize\x000\0blksize\x001456\0", 5);
    let (sent, _) = drain(&mut sender, ms(0), b"hello");
    assert_eq!(sent, [b"\x00\x06tsize\x005\0blksize\x001456\0".to_vec()]);
    sender.handle_input(ms(1), &[0, 4, 0, 0]);
    let (sent, _) = drain(&mut sender, ms(1), b"hello");
    assert_eq!(sent, [b"\x00\x03\x00\x01hello".to_vec()]);
}

#[test]
fn a_request_whose_options_are_all_unparsable_is_answered_without_an_oack() {
    let mut sender = answer(b"\x00\x01f\0octet\0blksize\0abc\0", 2);
    let (sent, _) = drain(&mut sender, ms(0), b"hi");
    assert_eq!(sent, [b"\x00\x03\x00\x01hi".to_vec()]);
}

#[test]
fn blocks_of_8_bytes_and_of_511_are_served() {
    for (text, len) in [("8", 8), ("511", 511)] {
        let request = [b"\x00\x01f\0octet\0blksize\0", text.as_bytes(), b"\0"].concat();
        let file = [1; 600];
        let mut sender = answer(&request, 600);
        drain(&mut sender, ms(0), &file);
        sender.handle_input(ms(1), &[0, 4, 0, 0]);
        let (sent, _) = drain(&mut sender, ms(1), &file);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].len(), 4 + len);
    }
}

#[test]
fn a_size_probe_of_edk2_or_a_pxe_rom_is_no_failure() {
    // EDK2 ends it by ERROR 8, PXE ROMs and iPXE by ERROR 0, with these texts.
    for end in [
        &b"\x00\x05\x00\x08User aborted the transfer\0"[..],
        b"\x00\x05\x00\x00TFTP Aborted\0",
    ] {
        let mut sender = answer(b"\x00\x01f\0octet\0tsize\x000\0", 5);
        drain(&mut sender, ms(0), b"hello");
        sender.handle_input(ms(1), end);
        assert_eq!(drain(&mut sender, ms(1), b"hello"), (vec![], None));
        assert_eq!(end_of(&mut sender, ms(1)), Err(TransferError::SizeProbe));
    }
}

#[test]
fn an_error_of_the_client_ends_the_transfer_at_once() {
    let mut sender = answer(PLAIN, 5000);
    drain(&mut sender, ms(0), &[0; 5000]);
    sender.handle_input(ms(1), &[0, 4, 0, 1]);
    drain(&mut sender, ms(1), &[0; 5000]);
    sender.handle_input(ms(2), b"\x00\x05\x00\x03disk full\0");
    assert_eq!(drain(&mut sender, ms(2), &[0; 5000]), (vec![], None));
    assert_eq!(
        end_of(&mut sender, ms(2)),
        Err(TransferError::Peer {
            code: ErrorCode::DISK_FULL,
            message: "disk full".into()
        })
    );
}

#[test]
fn a_duplicate_ack_in_lockstep_sends_nothing() {
    let file = [0; 5000];
    let mut sender = answer(PLAIN, 5000);
    drain(&mut sender, ms(0), &file);
    sender.handle_input(ms(1), &[0, 4, 0, 1]);
    assert_eq!(blocks(&drain(&mut sender, ms(1), &file).0), [2]);
    for late in [1, 2, 10] {
        sender.handle_input(ms(late), &[0, 4, 0, 1]);
        assert_eq!(drain(&mut sender, ms(late), &file).0, Vec::<Vec<u8>>::new());
    }
}

#[test]
fn an_ack_inside_the_window_shows_the_gap_and_the_sender_goes_on_from_there() {
    let file = [0; 100];
    let mut sender = answer(WINDOW_4, 100);
    drain(&mut sender, ms(0), &file);
    sender.handle_input(ms(1), &[0, 4, 0, 0]);
    assert_eq!(blocks(&drain(&mut sender, ms(1), &file).0), [1, 2, 3, 4]);
    sender.handle_input(ms(2), &[0, 4, 0, 2]);
    assert_eq!(blocks(&drain(&mut sender, ms(2), &file).0), [3, 4, 5, 6]);
}

#[test]
fn a_repeated_ack_repairs_the_loss_of_a_windows_first_block_once() {
    let file = [0; 100];
    let mut sender = answer(WINDOW_4, 100);
    drain(&mut sender, ms(0), &file);
    sender.handle_input(ms(1), &[0, 4, 0, 0]);
    assert_eq!(blocks(&drain(&mut sender, ms(1), &file).0), [1, 2, 3, 4]);
    sender.handle_input(ms(2), &[0, 4, 0, 4]);
    assert_eq!(blocks(&drain(&mut sender, ms(2), &file).0), [5, 6, 7, 8]);
    sender.handle_input(ms(2), &[0, 4, 0, 4]);
    assert_eq!(
        drain(&mut sender, ms(2), &file).0.len(),
        0,
        "a duplicate from the network"
    );
    sender.handle_input(ms(4), &[0, 4, 0, 4]);
    assert_eq!(blocks(&drain(&mut sender, ms(4), &file).0), [5, 6, 7, 8]);
    sender.handle_input(ms(9), &[0, 4, 0, 4]);
    assert_eq!(
        drain(&mut sender, ms(9), &file).0.len(),
        0,
        "once, then the timer's turn"
    );
}

#[test]
fn acks_of_what_was_never_sent_change_nothing() {
    let file = [0; 100];
    let mut sender = answer(WINDOW_4, 100);
    drain(&mut sender, ms(0), &file);
    sender.handle_input(ms(1), &[0, 4, 0, 0]);
    drain(&mut sender, ms(1), &file);
    for wire in [5, 13, 0x8000, 0xffff_u16] {
        let [high, low] = wire.to_be_bytes();
        sender.handle_input(ms(2), &[0, 4, high, low]);
        assert_eq!(drain(&mut sender, ms(2), &file).0.len(), 0);
    }
    assert_eq!(sender.stats_at(ms(2)).ignored, 4);
    assert_eq!(sender.stats_at(ms(2)).bytes, 0);
}

#[test]
fn silence_is_answered_by_the_window_again_after_a_wait_that_doubles() {
    let file = [0; 100];
    let mut sender = answer(WINDOW_4, 100);
    drain(&mut sender, ms(0), &file);
    sender.handle_input(ms(10), &[0, 4, 0, 0]);
    // One round trip of 10 ms: RFC 6298 §2.2 gives 10 + 4 × 5.
    let (_, deadline) = drain(&mut sender, ms(10), &file);
    assert_eq!(deadline, Some(ms(40)));
    let (sent, deadline) = drain(&mut sender, ms(40), &file);
    assert_eq!(blocks(&sent), [1, 2, 3, 4]);
    assert_eq!(deadline, Some(ms(100)));
    let (sent, deadline) = drain(&mut sender, ms(100), &file);
    assert_eq!(blocks(&sent), [1, 2, 3, 4]);
    assert_eq!(deadline, Some(ms(220)));
    assert_eq!(sender.stats_at(ms(100)).retransmissions, 8);
}

#[test]
fn a_transfer_is_stalled_when_it_has_moved_and_then_waits_for_a_retry() {
    let file = [0; 5000];
    let mut sender = answer(PLAIN, 5000);
    let (_, deadline) = drain(&mut sender, ms(0), &file);
    drain(&mut sender, deadline.unwrap(), &file);
    assert!(
        !sender.is_stalled(),
        "a client that was never heard repeats its request"
    );
    sender.handle_input(ms(400), &[0, 4, 0, 1]);
    let (_, deadline) = drain(&mut sender, ms(400), &file);
    assert!(!sender.is_stalled());
    drain(&mut sender, deadline.unwrap(), &file);
    assert!(sender.is_stalled());
    sender.handle_input(deadline.unwrap(), &[0, 4, 0, 2]);
    assert!(!sender.is_stalled());
}

#[test]
fn a_window_waits_until_all_of_it_can_be_had_and_the_client_is_not_suspected_meanwhile() {
    let file = [0; 100];
    let mut sender = answer(WINDOW_4, 100);
    sender.set_available(0);
    drain(&mut sender, ms(0), &file);
    assert_eq!(sender.window(), 0..0);
    sender.handle_input(ms(10), &[0, 4, 0, 0]);
    assert_eq!(sender.window(), 0..32);
    let hour = Duration::from_secs(3600);
    for (available, now) in [(0, ms(10)), (31, ms(10_000)), (31, ms(3_000_000))] {
        sender.set_available(available);
        assert_eq!(drain(&mut sender, now, &file), (vec![], Some(hour)));
    }
    sender.set_available(63);
    let (sent, deadline) = drain(&mut sender, ms(3_000_000), &file);
    assert_eq!(blocks(&sent), [1, 2, 3, 4]);
    assert_eq!(deadline, Some(ms(3_000_030)));
    assert_eq!(sender.stats_at(ms(3_000_000)).timeouts, 0);
    // Block 3 is lost: it comes again with what follows and can be had, and again until it is
    // answered.
    sender.handle_input(ms(3_000_010), &[0, 4, 0, 2]);
    assert_eq!(sender.window(), 16..48);
    sender.set_available(40);
    let (sent, deadline) = drain(&mut sender, ms(3_000_010), &file);
    assert_eq!(blocks(&sent), [3, 4]);
    let (sent, _) = drain(&mut sender, deadline.unwrap(), &file);
    assert_eq!(blocks(&sent), [3, 4]);
    sender.set_available(u64::MAX);
    let (sent, _) = drain(&mut sender, deadline.unwrap(), &file);
    assert_eq!(blocks(&sent), [5, 6]);
}

#[test]
fn a_file_that_does_not_come_in_ends_the_transfer_at_its_time_limit() {
    let mut sender = answer(PLAIN, 5000);
    sender.set_available(511);
    let (_, end) = drain(&mut sender, ms(0), &[]);
    assert_eq!(end, Some(Duration::from_secs(3600)));
    let (sent, _) = drain(&mut sender, end.unwrap(), &[]);
    assert!(sent[0].starts_with(b"\x00\x05\x00\x00"));
    assert_eq!(
        end_of(&mut sender, end.unwrap()),
        Err(TransferError::TooLong)
    );
}

#[test]
fn a_dead_client_is_given_up_within_a_minute_and_told_so() {
    let mut sender = answer(PLAIN, 5000);
    let (_, mut wait) = drain(&mut sender, ms(0), &[0; 5000]);
    let mut last = (ms(0), Vec::new());
    while let Some(deadline) = wait {
        last.0 = deadline;
        (last.1, wait) = drain(&mut sender, deadline, &[0; 5000]);
    }
    assert_eq!(last.1, [b"\x00\x05\x00\x00timed out\0".to_vec()]);
    assert!(last.0 < Duration::from_secs(60));
    assert_eq!(
        end_of(&mut sender, last.0),
        Err(TransferError::TimedOut {
            retries: 12,
            all_sent: false
        })
    );
}

#[test]
fn a_peer_that_never_answers_is_sent_as_little_as_it_is_to_be() {
    let settings = TransferSettings::default().max_first_retries(1);
    let (mut sent, mut wait) = (0, Some(ms(0)));
    let mut sender = Sender::reply(ms(0), Agreed::default(), 5000, &settings);
    let mut stalled = Vec::new();
    while let Some(now) = wait {
        let (datagrams, next) = drain(&mut sender, now, &[0; 5000]);
        sent += datagrams.len();
        stalled.push(sender.is_stalled());
        wait = next;
    }
    assert_eq!(sent, 2, "block 1, and once more");
    // From then on the same request is one to answer anew.
    assert_eq!(stalled[..3], [false, false, true]);

    // One that answers gets every retry there is.
    let mut sender = Sender::reply(ms(0), Agreed::default(), 5000, &settings);
    drain(&mut sender, ms(0), &[0; 5000]);
    sender.handle_input(ms(1), b"\x00\x04\x00\x01");
    let (mut sent, mut wait) = (0, Some(ms(1)));
    while let Some(now) = wait {
        let (datagrams, next) = drain(&mut sender, now, &[0; 5000]);
        sent += datagrams.len();
        wait = next;
    }
    assert_eq!(sent, 14, "block 2, twelve times more, and the ERROR");
}

#[test]
fn a_window_is_never_allocated_from_the_request() {
    // 65535 blocks of 65464 bytes are 4 GiB; the sender works with what buffer it is given, and
    // clones into as many bytes as its type has.
    let request = b"\x00\x01f\0octet\0blksize\x0065464\0windowsize\x0065535\0";
    let Ok(Packet::Rrq(request)) = Packet::decode(request) else {
        panic!("not a read request");
    };
    let asked = Options::from_view(&request.options);
    let limits = Limits::default().max_blksize(65464).max_windowsize(65535);
    let agreed = Agreed::by_server(&asked, &limits, None);
    let mut sender = Sender::reply(ms(0), agreed, u64::MAX, &TransferSettings::default());
    let mut buf = vec![0; 65468];
    assert!(matches!(
        sender.poll_output(ms(0), &mut buf),
        Ok(SenderOutput::Transmit(_))
    ));
    sender.handle_input(ms(1), &[0, 4, 0, 0]);
    for block in 0..3_u64 {
        let Ok(SenderOutput::Data(run)) = sender.poll_output(ms(1), &mut buf) else {
            panic!("a block at a time");
        };
        assert_eq!((run.offset, run.len), (block * 65464, 65464));
    }
    assert!(size_of::<Sender>() < 512, "{}", size_of::<Sender>());
}

#[test]
fn a_client_that_was_never_heard_gets_14_small_packets_and_no_window() {
    // A forged address has to be a poor lever.
    for request in [
        PLAIN,
        WINDOW_4,
        b"\x00\x01f\0octet\0blksize\x001468\0windowsize\x0064\0",
    ] {
        let file = [0; 100_000];
        let mut sender = answer(request, 100_000);
        let (mut all, mut wait) = drain(&mut sender, ms(0), &file);
        while let Some(deadline) = wait {
            let (sent, next) = drain(&mut sender, deadline, &file);
            all.extend(sent);
            wait = next;
        }
        assert_eq!(all.len(), 14);
        assert!(all.iter().all(|packet| packet.len() <= 516));
    }
    for request in [
        &b"\x00\x02f\0octet\0"[..],
        b"\x00\x02f\0octet\0blksize\x001468\0",
    ] {
        let mut receiver = take(request, 1000);
        let (mut now, mut all) = (ms(0), Vec::new());
        loop {
            all.extend(poll(&mut receiver, now));
            match receiver.poll_output(now, &mut [0; 512]).unwrap() {
                ReceiverOutput::Wait(deadline) => now = deadline,
                output => {
                    assert!(matches!(output, ReceiverOutput::Failed(..)));
                    break;
                }
            }
        }
        assert_eq!(all.len(), 14);
        assert!(all.iter().all(|packet| packet.len() <= 516));
    }
}

#[test]
fn a_buffer_that_holds_no_block_is_said_so_and_nothing_is_lost() {
    let mut sender = answer(PLAIN, 600);
    let error = sender.poll_output(ms(0), &mut [0; 515]).unwrap_err();
    assert_eq!((error.needed, error.have), (516, 515));
    assert_eq!(blocks(&drain(&mut sender, ms(0), &[0; 600]).0), [1]);
}

#[test]
fn abort_tells_the_client_and_ends() {
    let mut sender = answer(PLAIN, 600);
    sender.abort(ErrorCode::NOT_DEFINED, "the file cannot be read");
    let (sent, _) = drain(&mut sender, ms(0), &[]);
    assert_eq!(
        sent,
        [b"\x00\x05\x00\x00the file cannot be read\0".to_vec()]
    );
    assert!(matches!(
        end_of(&mut sender, ms(0)),
        Err(TransferError::Aborted { .. })
    ));
}

fn ask(options: Options, limit: u64) -> Receiver {
    let settings = TransferSettings::default();
    let mut receiver =
        Receiver::request(ms(0), b"f", TransferMode::Octet, options, limit, &settings).unwrap();
    poll(&mut receiver, ms(0));
    receiver
}

/// What a receiver puts on the wire now.
fn poll(receiver: &mut Receiver, now: Duration) -> Vec<Vec<u8>> {
    let mut buf = [0; 512];
    let mut sent = Vec::new();
    while let ReceiverOutput::Transmit(transmit) = receiver.poll_output(now, &mut buf).unwrap() {
        sent.push(buf[..transmit.len].to_vec());
    }
    sent
}

fn window_4() -> Options {
    Options::new().with_blksize(8).with_windowsize(4)
}

fn data(block: u8) -> Vec<u8> {
    [&[0, 3, 0, block][..], &[block; 8]].concat()
}

#[test]
fn a_receiver_acknowledges_the_last_block_of_each_window() {
    let mut receiver = ask(window_4(), 1000);
    assert_eq!(receiver.agreed(), None);
    receiver.handle_input(ms(1), b"\x00\x06blksize\x008\0windowsize\x004\0");
    assert_eq!(receiver.agreed().map(Agreed::windowsize), Some(4));
    assert_eq!(poll(&mut receiver, ms(1)), [[0, 4, 0, 0]]);
    for block in 1..=3 {
        assert!(matches!(
            receiver.handle_input(ms(2), &data(block)),
            Received::Data { .. }
        ));
        assert_eq!(poll(&mut receiver, ms(2)).len(), 0);
    }
    receiver.handle_input(ms(2), &data(4));
    assert_eq!(poll(&mut receiver, ms(2)), [[0, 4, 0, 4]]);
}

#[test]
fn a_receiver_acknowledges_a_gap_once_with_the_last_block_in_order() {
    let mut receiver = ask(window_4(), 1000);
    receiver.handle_input(ms(1), b"\x00\x06blksize\x008\0windowsize\x004\0");
    poll(&mut receiver, ms(1));
    receiver.handle_input(ms(2), &data(1));
    assert_eq!(receiver.handle_input(ms(2), &data(3)), Received::Nothing);
    assert_eq!(poll(&mut receiver, ms(2)), [[0, 4, 0, 1]]);
    assert_eq!(receiver.handle_input(ms(2), &data(4)), Received::Nothing);
    assert_eq!(poll(&mut receiver, ms(2)).len(), 0);
    // The sender goes on from block 2, as RFC 7440 §4 has it.
    for block in 2..=5 {
        receiver.handle_input(ms(3), &data(block));
    }
    assert_eq!(poll(&mut receiver, ms(3)), [[0, 4, 0, 5]]);
}

/// RFC 7440 section 4: what is ahead of its turn shows a gap only within the window, and while
/// blocks are to come.
#[test]
fn a_block_beyond_the_window_or_the_end_is_ignored() {
    let mut receiver = ask(window_4(), 1000);
    receiver.handle_input(ms(1), b"\x00\x06blksize\x008\0windowsize\x004\0");
    poll(&mut receiver, ms(1));
    assert_eq!(receiver.handle_input(ms(2), &data(5)), Received::Nothing);
    assert_eq!(poll(&mut receiver, ms(2)).len(), 0);
    receiver.handle_input(ms(2), b"\x00\x03\x00\x01end");
    assert_eq!(poll(&mut receiver, ms(2)), [[0, 4, 0, 1]]);
    assert_eq!(receiver.handle_input(ms(3), &data(3)), Received::Nothing);
    assert_eq!(poll(&mut receiver, ms(3)).len(), 0);
    assert_eq!(receiver.stats_at(ms(3)).ignored, 2);
}

#[test]
fn a_lost_final_ack_is_repeated_while_dallying() {
    let mut receiver = ask(Options::default(), 1000);
    receiver.handle_input(ms(1), b"\x00\x03\x00\x01end");
    assert!(receiver.is_complete());
    assert_eq!(poll(&mut receiver, ms(1)), [[0, 4, 0, 1]]);
    assert_eq!(
        receiver.handle_input(ms(100), b"\x00\x03\x00\x01end"),
        Received::Nothing
    );
    assert_eq!(poll(&mut receiver, ms(100)), [[0, 4, 0, 1]]);
    // An ERROR that comes now cannot take back what is complete.
    receiver.handle_input(ms(101), b"\x00\x05\x00\x00timed out\0");
    let Ok(ReceiverOutput::Done(stats)) = receiver.poll_output(ms(251), &mut [0; 512]) else {
        panic!("not done");
    };
    assert_eq!((stats.bytes, stats.elapsed), (3, ms(1)));
}

#[test]
fn a_receiver_is_aborted_until_the_last_block_is_acknowledged() {
    let error = |text: &str| [b"\x00\x05\x00\x00", text.as_bytes(), b"\0"].concat();
    let mut receiver = ask(window_4(), 1000);
    receiver.handle_input(ms(1), b"\x00\x06blksize\x008\0windowsize\x004\0");
    poll(&mut receiver, ms(1));
    receiver.handle_input(ms(2), &data(1));
    receiver.abort(ErrorCode::NOT_DEFINED, "the disk is full");
    receiver.abort(ErrorCode::NOT_DEFINED, "nor is it told twice");
    assert_eq!(poll(&mut receiver, ms(2)), [error("the disk is full")]);
    receiver.abort(ErrorCode::NOT_DEFINED, "it is over");
    assert_eq!(poll(&mut receiver, ms(2)).len(), 0);

    // The last block is there, and its writing failed before it was acknowledged.
    let mut receiver = ask(Options::default(), 1000);
    receiver.handle_input(ms(1), b"\x00\x03\x00\x01end");
    receiver.abort(ErrorCode::NOT_DEFINED, "the disk is full");
    assert_eq!(poll(&mut receiver, ms(1)), [error("the disk is full")]);

    let mut receiver = ask(Options::default(), 1000);
    receiver.handle_input(ms(1), b"\x00\x03\x00\x01end");
    assert_eq!(poll(&mut receiver, ms(1)), [[0, 4, 0, 1]]);
    receiver.abort(ErrorCode::NOT_DEFINED, "too late");
    assert_eq!(poll(&mut receiver, ms(1)).len(), 0);
    assert!(receiver.is_complete());
}

#[test]
fn an_oack_that_was_not_asked_for_is_refused_by_error_8() {
    let mut receiver = ask(window_4(), 1000);
    receiver.handle_input(ms(1), b"\x00\x06blksize\x0016\0");
    let sent = poll(&mut receiver, ms(1));
    assert_eq!(sent.len(), 1);
    assert!(sent[0].starts_with(&[0, 5, 0, 8]));
    let Ok(ReceiverOutput::Failed(error, _)) = receiver.poll_output(ms(1), &mut [0; 512]) else {
        panic!("not failed");
    };
    assert_eq!(
        error,
        TransferError::Oack(OackError::BadValue { option: "blksize" })
    );
}

#[test]
fn a_file_over_the_limit_is_refused_by_error_3_before_its_first_block() {
    let asked = Options::new().with_tsize(0);
    let mut receiver = ask(asked, 1000);
    receiver.handle_input(ms(1), b"\x00\x06tsize\x001001\0");
    let sent = poll(&mut receiver, ms(1));
    assert!(sent[0].starts_with(&[0, 5, 0, 3]));

    // A server that does not tell is stopped by what it sends.
    let mut receiver = ask(Options::default(), 600);
    let block = |n| [&[0, 3, 0, n][..], &[0; 512]].concat();
    assert!(matches!(
        receiver.handle_input(ms(1), &block(1)),
        Received::Data { .. }
    ));
    poll(&mut receiver, ms(1));
    assert_eq!(receiver.handle_input(ms(2), &block(2)), Received::Nothing);
    assert!(poll(&mut receiver, ms(2))[0].starts_with(&[0, 5, 0, 3]));
}

#[test]
fn a_file_may_be_as_long_as_the_limit() {
    let mut receiver = ask(Options::new().with_tsize(0), 1024);
    receiver.handle_input(ms(1), b"\x00\x06tsize\x001024\0");
    assert_eq!(poll(&mut receiver, ms(1)), [[0, 4, 0, 0]]);
    for block in 1..=2 {
        let whole = [&[0, 3, 0, block][..], &[0; 512]].concat();
        receiver.handle_input(ms(2), &whole);
        assert_eq!(poll(&mut receiver, ms(2)), [[0, 4, 0, block]]);
    }
    receiver.handle_input(ms(3), &[0, 3, 0, 3]);
    assert!(receiver.is_complete());
}

#[test]
fn a_block_longer_than_agreed_is_ignored() {
    let mut receiver = ask(Options::default(), 10_000);
    let long = [&[0, 3, 0, 1][..], &[0; 513]].concat();
    assert_eq!(receiver.handle_input(ms(1), &long), Received::Nothing);
    assert_eq!(receiver.stats_at(ms(1)).ignored, 1);
}

#[test]
fn a_request_is_repeated_until_the_server_answers() {
    let mut receiver = ask(Options::default(), 1000);
    assert_eq!(poll(&mut receiver, ms(299)).len(), 0);
    assert_eq!(
        poll(&mut receiver, ms(300)),
        [b"\x00\x01f\0octet\0".to_vec()]
    );
    assert_eq!(poll(&mut receiver, ms(899)).len(), 0);
    assert_eq!(
        poll(&mut receiver, ms(900)),
        [b"\x00\x01f\0octet\0".to_vec()]
    );
}

/// A receiver that answers this write request.
fn take(request: &[u8], limit: u64) -> Receiver {
    let Ok(Packet::Wrq(request)) = Packet::decode(request) else {
        panic!("not a write request");
    };
    let asked = Options::from_view(&request.options);
    let agreed = Agreed::by_server(&asked, &Limits::default(), None);
    Receiver::reply(ms(0), agreed, limit, &TransferSettings::default())
}

#[test]
fn a_write_without_options_is_answered_by_ack_0_until_block_1_comes() {
    let mut receiver = take(b"\x00\x02f\0octet\0", 1000);
    assert_eq!(poll(&mut receiver, ms(0)), [[0, 4, 0, 0]]);
    assert_eq!(poll(&mut receiver, ms(300)), [[0, 4, 0, 0]]);
    assert!(matches!(
        receiver.handle_input(ms(301), b"\x00\x03\x00\x01end"),
        Received::Data { .. }
    ));
    assert_eq!(poll(&mut receiver, ms(301)), [[0, 4, 0, 1]]);
    assert!(receiver.is_complete());
}

#[test]
fn a_write_with_options_is_answered_by_an_oack_that_echoes_the_size() {
    let request = b"\x00\x02f\0octet\0tsize\x0017\0blksize\x008\0windowsize\x004\0";
    let oack = b"\x00\x06tsize\x0017\0blksize\x008\0windowsize\x004\0".to_vec();
    let mut receiver = take(request, 1000);
    assert_eq!(poll(&mut receiver, ms(0)), [oack]);
    // The client has seen the OACK, but its block 1 is lost.
    assert_eq!(receiver.handle_input(ms(1), &data(2)), Received::Nothing);
    assert_eq!(poll(&mut receiver, ms(1)), [[0, 4, 0, 0]]);
    // An OACK from a client is no sense.
    receiver.handle_input(ms(1), b"\x00\x06blksize\x008\0");
    assert_eq!(receiver.stats_at(ms(1)).ignored, 1);
}

#[test]
fn a_write_over_the_limit_is_refused_by_error_3_where_the_client_tells_the_size() {
    let mut receiver = take(b"\x00\x02f\0octet\0tsize\x001001\0", 1000);
    assert_eq!(
        poll(&mut receiver, ms(0)),
        [b"\x00\x05\x00\x03the file is too large\0".to_vec()]
    );
    let Ok(ReceiverOutput::Failed(error, _)) = receiver.poll_output(ms(0), &mut [0; 512]) else {
        panic!("not failed");
    };
    assert_eq!(error, TransferError::TooLarge { limit: 1000 });
}

/// A sender that asks to write a file of so many bytes.
fn give(options: Options, size: u64) -> Sender {
    let settings = TransferSettings::default();
    Sender::request(ms(0), b"f", TransferMode::Octet, options, size, &settings).unwrap()
}

#[test]
fn a_client_that_writes_takes_an_oack_or_ack_0_for_an_answer() {
    let asked = Options::new().with_blksize(8);
    let request = b"\x00\x02f\0octet\0blksize\x008\0".to_vec();
    for (answer, first, blksize) in [
        (&b"\x00\x06blksize\x008\0"[..], 12, 8),
        // The server knows no options: blocks of 512 bytes then.
        (&[0, 4, 0, 0], 24, 512),
    ] {
        let mut sender = give(asked, 20);
        assert_eq!(
            drain(&mut sender, ms(0), &[1; 20]).0,
            std::slice::from_ref(&request)
        );
        // Nothing leaves before the answer but the request again.
        sender.handle_input(ms(1), &[0, 4, 0, 1]);
        let (sent, _) = drain(&mut sender, ms(300), &[1; 20]);
        assert_eq!(sent, std::slice::from_ref(&request));
        sender.handle_input(ms(301), answer);
        let (sent, _) = drain(&mut sender, ms(301), &[1; 20]);
        assert_eq!((blocks(&sent), sent[0].len()), (vec![1], first));
        assert_eq!(sender.agreed().blksize(), blksize);
        // In lockstep the answer again does not send block 1 again.
        sender.handle_input(ms(400), answer);
        assert_eq!(drain(&mut sender, ms(400), &[1; 20]).0.len(), 0);
    }
}

#[test]
fn a_refused_write_ends_with_the_servers_reason_and_never_as_a_size_probe() {
    let asked = Options::new().with_tsize(20);
    for opened in [false, true] {
        let mut sender = give(asked, 20);
        drain(&mut sender, ms(0), &[1; 20]);
        if opened {
            sender.handle_input(ms(1), b"\x00\x06tsize\x0020\0");
        }
        sender.handle_input(ms(2), b"\x00\x05\x00\x00no room\0");
        assert_eq!(
            end_of(&mut sender, ms(2)),
            Err(TransferError::Peer {
                code: ErrorCode::NOT_DEFINED,
                message: "no room".into()
            })
        );
    }
    let mut sender = give(Options::default(), 20);
    drain(&mut sender, ms(0), &[1; 20]);
    sender.handle_input(ms(1), b"\x00\x06blksize\x001024\0");
    let (sent, _) = drain(&mut sender, ms(1), &[1; 20]);
    assert!(sent[0].starts_with(&[0, 5, 0, 8]));
}

#[test]
fn netascii_neither_asks_for_the_size_nor_tells_it() {
    let asked = Options::new().with_tsize(0);
    let (mode, settings) = (TransferMode::Netascii, TransferSettings::default());
    let mut receiver = Receiver::request(ms(0), b"f", mode, asked, 10, &settings).unwrap();
    assert_eq!(
        poll(&mut receiver, ms(0)),
        [b"\x00\x01f\0netascii\0".to_vec()]
    );
    assert_eq!(asked.in_mode(mode), Options::default());
    assert_eq!(asked.in_mode(TransferMode::Octet), asked);
}

/// What a sender of unknown size lays out when the file turns out to hold `size` bytes.
fn drain_until(sender: &mut Sender, now: Duration, size: u64) -> Vec<(u64, usize, usize)> {
    let mut buf = [0; 40];
    let mut runs = Vec::new();
    while let SenderOutput::Data(run) = sender.poll_output(now, &mut buf).unwrap() {
        let there = usize::try_from(size - run.offset).unwrap().min(run.len);
        let run = if there < run.len {
            sender.end_of_file(&run, there)
        } else {
            run
        };
        let blocks = run.payloads(&mut buf).count();
        assert_eq!(run.transmit().len, run.len + 4 * blocks);
        runs.push((run.offset, run.len, blocks));
    }
    runs
}

#[test]
fn a_file_of_unknown_size_ends_where_its_reader_says_so() {
    let asked = Options::new().with_blksize(8).with_windowsize(4);
    let agreed = Agreed::by_server(&asked, &Limits::default(), None);
    // A buffer of 40 bytes takes runs of three blocks of 8.
    for (size, runs, last) in [
        (0, vec![(0, 0, 1)], 1),
        (7, vec![(0, 7, 1)], 1),
        (8, vec![(0, 8, 2)], 2),
        (23, vec![(0, 23, 3)], 3),
        (24, vec![(0, 24, 3), (24, 0, 1)], 4),
        (25, vec![(0, 24, 3), (24, 1, 1)], 4),
    ] {
        let mut sender = Sender::reply(ms(0), agreed, None, &TransferSettings::default());
        sender.poll_output(ms(0), &mut [0; 128]).unwrap();
        sender.handle_input(ms(1), &[0, 4, 0, 0]);
        assert_eq!(drain_until(&mut sender, ms(1), size), runs, "{size} bytes");
        // A gap: the last block comes again, at the same place.
        if last > 1 {
            sender.handle_input(ms(2), &[0, 4, 0, last - 1]);
            let (offset, _, blocks) = drain_until(&mut sender, ms(2), size)[0];
            assert_eq!((offset, blocks), (u64::from(last - 1) * 8, 1));
        }
        sender.handle_input(ms(3), &[0, 4, 0, last]);
        assert_eq!(end_of(&mut sender, ms(3)), Ok(size));
        let stats = sender.stats_at(ms(3));
        assert_eq!(
            stats.packets_sent - stats.retransmissions,
            u64::from(last) + 1
        );
    }
}

//! Sender and receiver over a simulated link, with virtual time: loss, duplication, reordering and
//! delay in both directions, by seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use netboot_tftp::{
    Agreed, Direction, Limits, Options, Packet, Received, Receiver, ReceiverOutput, Sender,
    SenderOutput, Stats, TransferError, TransferMode, TransferSettings, Wrap,
};

/// How bad the link is. Chances are in thousandths.
#[derive(Debug, Clone, Copy, Default)]
struct Link {
    loss: u64,
    duplication: u64,
    delay_us: u64,
    jitter_us: u64,
    /// How much later than the packet its duplicate leaves.
    lag_us: u64,
}

/// What the receiver was given, and how both ends ended.
#[derive(Debug)]
struct Outcome {
    file: Vec<u8>,
    /// `None` at an end that no request ever reached.
    receiver: Option<Result<Stats, TransferError>>,
    sender: Option<Result<Stats, TransferError>>,
    elapsed: Duration,
    packets: u64,
}

/// Arrival time, order of sending, whether it goes to the sender, bytes.
type Flight = (Duration, u64, bool, Vec<u8>);

struct Simulation {
    now: Duration,
    link: Link,
    random: u64,
    sequence: u64,
    in_flight: BinaryHeap<Reverse<Flight>>,
    packets: u64,
}

impl Simulation {
    fn new(link: Link, seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            link,
            random: seed | 1,
            sequence: 0,
            in_flight: BinaryHeap::new(),
            packets: 0,
        }
    }

    /// xorshift64*.
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound.max(1)
    }

    fn send(&mut self, to_sender: bool, packet: &[u8]) {
        self.packets += 1;
        let copies = 1 + u64::from(self.below(1000) < self.link.duplication);
        for copy in 0..copies {
            if self.below(1000) < self.link.loss {
                continue;
            }
            let delay =
                self.link.delay_us + self.below(self.link.jitter_us + 1) + copy * self.link.lag_us;
            let arrival = self.now + Duration::from_micros(delay);
            self.sequence += 1;
            self.in_flight.push(Reverse((
                arrival,
                self.sequence,
                to_sender,
                packet.to_vec(),
            )));
        }
    }

    fn run(
        mut self,
        direction: Direction,
        file: &[u8],
        asked: Options,
        limits: &Limits,
        settings: &TransferSettings,
    ) -> Outcome {
        let (mode, size) = (TransferMode::Octet, file.len() as u64);
        let (mut sender, mut receiver) = (None, None);
        match direction {
            Direction::Read => {
                let end = Receiver::request(self.now, b"file", mode, asked, u64::MAX, settings);
                receiver = Some(end.unwrap());
            }
            Direction::Write => {
                let end = Sender::request(self.now, b"file", mode, asked, size, settings);
                sender = Some(end.unwrap());
            }
        }
        let mut got = Vec::new();
        let mut buf = vec![0; 65507];
        let (mut receiver_end, mut sender_end) = (None, None);
        loop {
            let mut wake = Duration::MAX;
            if let (Some(receiver), None) = (&mut receiver, &receiver_end) {
                loop {
                    match receiver.poll_output(self.now, &mut buf).unwrap() {
                        ReceiverOutput::Transmit(t) => self.send(true, &buf[..t.len]),
                        ReceiverOutput::Wait(deadline) => {
                            assert!(deadline > self.now, "a deadline that has passed would spin");
                            wake = wake.min(deadline);
                            break;
                        }
                        ReceiverOutput::Done(stats) => break receiver_end = Some(Ok(stats)),
                        ReceiverOutput::Failed(error, _) => break receiver_end = Some(Err(error)),
                    }
                }
            }
            if let (Some(sender), None) = (&mut sender, &sender_end) {
                loop {
                    match sender.poll_output(self.now, &mut buf).unwrap() {
                        SenderOutput::Transmit(t) => self.send(false, &buf[..t.len]),
                        SenderOutput::Data(run) => {
                            let start = usize::try_from(run.offset).unwrap();
                            let mut rest = &file[start..start + run.len];
                            for gap in run.payloads(&mut buf) {
                                let (head, tail) = rest.split_at(gap.len());
                                gap.copy_from_slice(head);
                                rest = tail;
                            }
                            assert!(rest.is_empty(), "the gaps hold the whole run");
                            let transmit = run.transmit();
                            for datagram in buf[..transmit.len].chunks(transmit.segment_size) {
                                self.send(false, datagram);
                            }
                        }
                        SenderOutput::Wait(deadline) => {
                            assert!(deadline > self.now, "a deadline that has passed would spin");
                            wake = wake.min(deadline);
                            break;
                        }
                        SenderOutput::Done(stats) => break sender_end = Some(Ok(stats)),
                        SenderOutput::Failed(error, _) => break sender_end = Some(Err(error)),
                    }
                }
            }
            let over = |begun: bool, ended: bool| !begun || ended;
            if over(receiver.is_some(), receiver_end.is_some())
                && over(sender.is_some(), sender_end.is_some())
            {
                break;
            }
            let next = self
                .in_flight
                .peek()
                .map_or(wake, |Reverse((at, ..))| wake.min(*at));
            self.now = self.now.max(next);
            while let Some(Reverse((at, ..))) = self.in_flight.peek()
                && *at <= self.now
            {
                let Reverse((_, _, to_sender, packet)) = self.in_flight.pop().unwrap();
                match Packet::decode(&packet) {
                    Ok(Packet::Rrq(request)) => {
                        let options = Options::from_view(&request.options);
                        let agreed = Agreed::by_server(&options, limits, Some(size));
                        sender
                            .get_or_insert_with(|| Sender::reply(self.now, agreed, size, settings));
                    }
                    Ok(Packet::Wrq(request)) => {
                        let options = Options::from_view(&request.options);
                        let agreed = Agreed::by_server(&options, limits, None);
                        receiver.get_or_insert_with(|| {
                            Receiver::reply(self.now, agreed, u64::MAX, settings)
                        });
                    }
                    _ if to_sender => {
                        if let Some(sender) = &mut sender {
                            sender.handle_input(self.now, &packet);
                        }
                    }
                    _ => {
                        if let Some(receiver) = &mut receiver
                            && let Received::Data { offset, payload } =
                                receiver.handle_input(self.now, &packet)
                        {
                            assert_eq!(offset, got.len() as u64, "bytes come in order, each once");
                            got.extend_from_slice(payload);
                        }
                    }
                }
            }
        }
        Outcome {
            file: got,
            receiver: receiver_end,
            sender: sender_end,
            elapsed: self.now,
            packets: self.packets,
        }
    }
}

fn content(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| u8::try_from(i * 31 % 251).unwrap())
        .collect()
}

fn options(blksize: u16, windowsize: u16) -> Options {
    Options::new()
        .with_blksize(blksize)
        .with_windowsize(windowsize)
        .with_tsize(0)
}

fn both<T: Copy>(shapes: &[T]) -> Vec<(T, Direction)> {
    let ways = [Direction::Read, Direction::Write];
    let pairs = shapes.iter().map(|shape| ways.map(|way| (*shape, way)));
    pairs.flatten().collect()
}

fn quiet() -> Link {
    Link {
        delay_us: 500,
        ..Link::default()
    }
}

#[test]
fn a_quiet_link_needs_no_retransmission() {
    let file = content(200_000);
    let shapes = [(512, 1), (1468, 1), (1428, 16), (1468, 64), (8, 5)];
    for ((blksize, windowsize), direction) in both(&shapes) {
        let outcome = Simulation::new(quiet(), 1).run(
            direction,
            &file,
            options(blksize, windowsize),
            &Limits::default(),
            &TransferSettings::default(),
        );
        assert_eq!(outcome.file, file);
        assert_eq!(outcome.receiver.unwrap().unwrap().retransmissions, 0);
        let sent = outcome.sender.unwrap().unwrap();
        assert_eq!((sent.retransmissions, sent.bytes), (0, 200_000));
    }
}

#[test]
fn an_exact_multiple_of_the_block_size_ends_with_an_empty_block() {
    for blocks in [0_u64, 1, 16, 17, 32] {
        let file = content(usize::try_from(blocks).unwrap() * 512);
        for (windowsize, direction) in both(&[1, 16]) {
            let outcome = Simulation::new(quiet(), 1).run(
                direction,
                &file,
                options(512, windowsize),
                &Limits::default(),
                &TransferSettings::default(),
            );
            assert_eq!(outcome.file, file);
            // An OACK or a request, and a block more than the bytes fill.
            assert_eq!(outcome.sender.unwrap().unwrap().packets_sent, blocks + 2);
        }
    }
}

#[test]
fn block_numbers_wrap_past_65535_to_zero_and_to_one() {
    let file = content(8 * 140_000 + 3);
    for wrap in [Wrap::Zero, Wrap::One] {
        for windowsize in [1, 64] {
            let settings = TransferSettings::default().wrap(wrap);
            let link = Link { loss: 1, ..quiet() };
            let outcome = Simulation::new(link, 7).run(
                Direction::Read,
                &file,
                options(8, windowsize),
                &Limits::default(),
                &settings,
            );
            assert!(outcome.file == file, "{wrap:?} × {windowsize}");
        }
    }
}

#[test]
fn a_window_of_65535_blocks_is_told_apart() {
    let limits = Limits::default().max_windowsize(65535);
    let file = content(8 * 200_000);
    for wrap in [Wrap::Zero, Wrap::One] {
        let settings = TransferSettings::default().wrap(wrap);
        let outcome = Simulation::new(quiet(), 3).run(
            Direction::Read,
            &file,
            options(8, 65535),
            &limits,
            &settings,
        );
        assert!(outcome.file == file, "{wrap:?}");
    }
}

#[test]
fn duplicates_do_not_multiply() {
    // The Sorcerer's Apprentice: every packet comes twice, at once or late, and nothing is sent
    // twice for it.
    let file = content(300_000);
    for (windowsize, direction) in both(&[1, 2, 16, 64]) {
        for lag_us in [0, 100, 900, 1100, 3000, 30_000] {
            let link = Link {
                duplication: 1000,
                lag_us,
                ..quiet()
            };
            let outcome = Simulation::new(link, 5).run(
                direction,
                &file,
                options(512, windowsize),
                &Limits::default(),
                &TransferSettings::default(),
            );
            assert_eq!(outcome.file, file);
            let sent = outcome.sender.unwrap().unwrap();
            assert_eq!(sent.retransmissions, 0, "window {windowsize}, lag {lag_us}");
        }
    }
}

#[test]
fn one_lost_packet_in_a_hundred_costs_milliseconds_and_not_seconds() {
    // 1 MiB in blocks of 1428 and windows of 16 over a round trip of 1 ms: issue 4's target is a
    // fifth of the best peer's 2 s.
    let link = Link {
        loss: 10,
        delay_us: 500,
        ..Link::default()
    };
    let file = content(1 << 20);
    let mut times: Vec<Duration> = (1..=20)
        .map(|seed| {
            let outcome = Simulation::new(link, seed * 1_000_003).run(
                Direction::Read,
                &file,
                options(1428, 16),
                &Limits::default(),
                &TransferSettings::default(),
            );
            assert_eq!(outcome.file, file);
            outcome.elapsed
        })
        .collect();
    times.sort();
    assert!(
        times[10] < Duration::from_millis(900),
        "median {:?}",
        times[10]
    );
    assert!(
        times[19] < Duration::from_millis(1600),
        "worst {:?}",
        times[19]
    );
}

#[test]
fn a_loss_in_the_first_exchange_does_not_slow_all_that_follows() {
    // 300 kB in windows of 64 over a round trip of 1 ms of which a fifth is lost: no window arrives
    // whole, and of a request or an OACK that was sent twice no round trip can be told.
    let link = Link {
        loss: 200,
        delay_us: 500,
        ..Link::default()
    };
    let file = content(300_000);
    for direction in [Direction::Read, Direction::Write] {
        let mut times: Vec<Duration> = (1..=40)
            .map(|seed| {
                let outcome = Simulation::new(link, seed * 1_000_003).run(
                    direction,
                    &file,
                    options(1468, 64),
                    &Limits::default(),
                    &TransferSettings::default(),
                );
                assert_eq!(outcome.file, file);
                // Not the time that the other end needs to give up where every last ACK was lost.
                let receiver = outcome.receiver.unwrap().unwrap();
                receiver.elapsed
            })
            .collect();
        times.sort();
        assert!(
            times[20] < Duration::from_millis(1500) && times[39] < Duration::from_secs(8),
            "median {:?}, worst {:?}",
            times[20],
            times[39]
        );
    }
}

#[test]
fn a_dead_link_ends_both_ends_with_a_reason() {
    let link = Link {
        loss: 1000,
        ..Link::default()
    };
    let outcome = Simulation::new(link, 1).run(
        Direction::Read,
        b"x",
        options(512, 1),
        &Limits::default(),
        &TransferSettings::default(),
    );
    assert!(matches!(
        outcome.receiver,
        Some(Err(TransferError::TimedOut { retries: 12, .. }))
    ));
    assert!(outcome.sender.is_none());
    assert_eq!(outcome.packets, 14);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Packets that are nearly right more often than not.
    fn datagram() -> impl Strategy<Value = Vec<u8>> {
        let numbered = (3..=4_u8, 0..=70_u8, 0..=20_usize).prop_map(|(opcode, block, len)| {
            let mut packet = vec![0, opcode, 0, block];
            packet.resize(4 + len, block);
            packet
        });
        prop_oneof![
            8 => numbered,
            1 => proptest::collection::vec(any::<u8>(), 0..40),
            1 => Just(b"\x00\x06blksize\x0016\0windowsize\x004\0".to_vec()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_sequence_of_datagrams_upsets_either_end(
            steps in proptest::collection::vec((0..400_u64, datagram()), 0..200),
        ) {
            let settings = TransferSettings::default();
            let (mut now, mut buf) = (Duration::ZERO, [0; 2048]);
            let agreed = Agreed::by_server(&options(16, 4), &Limits::default(), Some(1000));
            let mut sender = Sender::reply(now, agreed, 1000, &settings);
            let mut receiver = Receiver::request(now, b"f", TransferMode::Octet, options(16, 4), 1000, &settings).unwrap();
            let mut next = 0;
            for (wait, datagram) in steps {
                now += Duration::from_millis(wait);
                let mut turns = 0;
                while matches!(
                    sender.poll_output(now, &mut buf),
                    Ok(SenderOutput::Transmit(_) | SenderOutput::Data(_))
                ) {
                    turns += 1;
                    prop_assert!(turns < 10, "an end that never waits");
                }
                while matches!(receiver.poll_output(now, &mut buf), Ok(ReceiverOutput::Transmit(_))) {
                    turns += 1;
                    prop_assert!(turns < 20, "an end that never waits");
                }
                sender.handle_input(now, &datagram);
                if let Received::Data { offset, payload } = receiver.handle_input(now, &datagram) {
                    prop_assert_eq!(offset, next);
                    next += payload.len() as u64;
                }
                prop_assert!(sender.stats_at(now).bytes <= 1000 && next <= 1000);
            }
        }

        #[test]
        fn bytes_arrive_whole_or_both_ends_say_why(
            seed: u64,
            blksize in prop_oneof![Just(8_u16), Just(512), Just(1468), 8..1469_u16],
            windowsize in 1..=64_u16,
            blocks in 0..300_usize,
            tail in 0..1468_usize,
            loss in 0..=300_u64,
            duplication in 0..=300_u64,
            delay_us in 0..=20_000_u64,
            jitter_us in 0..=20_000_u64,
            wrap in prop_oneof![Just(Wrap::Zero), Just(Wrap::One)],
            direction in prop_oneof![Just(Direction::Read), Just(Direction::Write)],
        ) {
            let size = blocks * usize::from(blksize) + tail % usize::from(blksize);
            let file = content(size);
            let link = Link { loss, duplication, delay_us, jitter_us, lag_us: jitter_us };
            let settings = TransferSettings::default().wrap(wrap);
            let outcome = Simulation::new(link, seed)
                .run(direction, &file, options(blksize, windowsize), &Limits::default(), &settings);
            match &outcome.receiver {
                Some(Ok(stats)) => {
                    prop_assert_eq!(stats.bytes, size as u64);
                    prop_assert!(outcome.file == file);
                    // The sender may miss every one of the last ACKs; it then says that all was
                    // sent.
                    let sender_knows = matches!(
                        outcome.sender,
                        Some(Ok(_) | Err(TransferError::TimedOut { all_sent: true, .. }))
                    );
                    prop_assert!(sender_knows, "{:?}", outcome.sender);
                }
                Some(Err(_)) | None => prop_assert!(!matches!(outcome.sender, Some(Ok(_)))),
            }
            let most = settings.max_duration + Duration::from_secs(60);
            prop_assert!(outcome.elapsed < most);
        }
    }
}

//! TFTP: decoding, encoding, and one step of a sender: an ACK in, a window out.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use netboot_tftp::{
    Agreed, Limits, Options, Packet, Sender, SenderOutput, TransferSettings, encode_ack,
    encode_error,
};

fn packets(c: &mut Criterion) {
    let request = b"\x00\x01boot/ipxe.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x0016\0";
    c.bench_function("tftp/decode a read request and its options", |b| {
        b.iter(|| match Packet::decode(black_box(request)) {
            Ok(Packet::Rrq(view)) => Options::from_view(&view.options),
            other => panic!("not a read request: {other:?}"),
        });
    });
    c.bench_function("tftp/decode an ack", |b| {
        b.iter(|| Packet::decode(black_box(&[0, 4, 1, 2])));
    });
    let asked = Options::new()
        .with_blksize(1468)
        .with_tsize(0)
        .with_windowsize(16);
    let agreed = Agreed::by_server(&asked, &Limits::default(), Some(1 << 20));
    let mut buf = [0; 128];
    c.bench_function("tftp/encode an oack", |b| {
        b.iter(|| black_box(&agreed).encode_oack(&mut buf))
    });
    c.bench_function("tftp/encode an error", |b| {
        b.iter(|| {
            encode_error(
                netboot_tftp::ErrorCode::FILE_NOT_FOUND,
                black_box("file not found"),
                &mut buf,
            )
        });
    });
}

fn sender(c: &mut Criterion) {
    for windowsize in [1_u16, 16] {
        let asked = Options::default()
            .with_blksize(1428)
            .with_windowsize(windowsize);
        let limits = Limits::default();
        let mut group = c.benchmark_group("tftp/sender step");
        group.throughput(Throughput::Bytes(1428 * u64::from(windowsize)));
        group.bench_function(format!("window of {windowsize}"), |b| {
            let mut buf = vec![0; 65507];
            let mut now = Duration::ZERO;
            let agreed = Agreed::by_server(&asked, &limits, None);
            let settings = TransferSettings::default().max_duration(Duration::MAX);
            let mut sender = Sender::reply(now, agreed, None, &settings);
            sender
                .poll_output(now, &mut buf)
                .expect("room for the OACK");
            let mut acked = 0_u16;
            b.iter(|| {
                now += Duration::from_micros(10);
                sender.handle_input(now, &encode_ack(acked));
                let output = sender
                    .poll_output(now, &mut buf)
                    .expect("room for the window");
                assert!(matches!(output, SenderOutput::Data(_)));
                acked = acked.wrapping_add(windowsize);
                output
            });
        });
        group.finish();
    }
}

criterion_group!(benches, packets, sender);
criterion_main!(benches);

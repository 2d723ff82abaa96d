//! Any bytes as a file and as netascii, cut at places that the first two bytes choose.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_tftp::netascii::{Decoder, Encoder};

fuzz_target!(|data: &[u8]| {
    let [piece, room, file @ ..] = data else {
        return;
    };
    let (piece, mut out) = (
        usize::from(*piece).max(1),
        vec![0; usize::from(*room).max(1)],
    );
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let mut back = Vec::new();
    for mut rest in file.chunks(piece) {
        while !rest.is_empty() || encoder.is_pending() {
            let (read, written) = encoder.encode(rest, &mut out);
            rest = &rest[read..];
            decoder.decode(&out[..written], &mut back);
        }
    }
    decoder.finish(&mut back);
    assert_eq!(back, file);
    let mut any = Vec::new();
    file.chunks(piece)
        .for_each(|piece| Decoder::decode(&mut decoder, piece, &mut any));
    decoder.finish(&mut any);
    assert!(any.len() <= file.len());
});

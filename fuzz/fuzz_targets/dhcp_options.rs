//! A list of options that is changed step by step, beside a plain list of what it should hold: a
//! byte of what to do, one of code, one of length, and so many bytes of value, each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_dhcp::value::{Key, Value as _, VendorClass};
use netboot_dhcp::wire::{Encoding, Message, OptionCode, Options};

fuzz_target!(|data: &[u8]| {
    let mut options = Options::new();
    let mut model: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut rest = data;
    while let [step, code, len, tail @ ..] = rest {
        let (value, after) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = after;
        // Some values are longer than one option.
        let value = value.repeat(1 + usize::from(step >> 6));
        change(&mut options, &mut model, step & 3, *code, &value);
        let held = options.iter().map(|(code, data)| (code.0, data.to_vec()));
        assert!(held.eq(model.iter().cloned()));
    }
    read_back(options);
});

fn change(options: &mut Options, model: &mut Vec<(u8, Vec<u8>)>, step: u8, code: u8, value: &[u8]) {
    let place = model.iter().position(|(one, _)| *one == code);
    let mut pieces: Vec<_> = value
        .chunks(255)
        .map(|piece| (code, piece.to_vec()))
        .collect();
    if value.is_empty() {
        pieces.push((code, Vec::new()));
    }
    if matches!(code, 0 | 255) {
        pieces.clear();
    }
    match step {
        0 => options.add_raw(OptionCode(code), value),
        1 => options.put_raw(OptionCode(code), value),
        2 => {
            let value = VendorClass::decode(value).unwrap();
            options.put(Key::new(OptionCode(code)), &value);
        }
        _ => assert_eq!(options.remove(OptionCode(code)), place.is_some()),
    }
    if step != 0 {
        model.retain(|(one, _)| *one != code);
    }
    if step != 3 {
        let at = place.filter(|_| step != 0).unwrap_or(model.len());
        model.splice(at..at, pieces);
    }
}

fn read_back(options: Options) {
    let mut message = Message::request(1, netboot_dhcp::MacAddr([2, 0, 0, 0, 0, 1]).into());
    message.options = options;
    // Option 52 would move what follows.
    message.options.remove(OptionCode::OVERLOAD);
    for overload in [false, true] {
        let mut encoding = Encoding::default();
        encoding.limit = 1_472;
        encoding.overload = overload;
        let mut out = Vec::new();
        if message.encode(&encoding, &mut out).is_ok() {
            let read = Message::decode(&out).unwrap();
            for (code, _) in message.options.iter() {
                assert_eq!(read.options.raw(code), message.options.raw(code));
            }
        }
    }
}

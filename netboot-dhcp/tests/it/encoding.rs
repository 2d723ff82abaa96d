//! What is written where: long options, padding, limits, overload. Expected bytes are written by
//! hand after RFC 2131, 2132 and 3396.

use crate::packet::{MAC, Packet};
use netboot_dhcp::value::key;
use netboot_dhcp::wire::{Area, EncodeError, Encoding, Message, MessageView, OptionCode};
use std::net::Ipv4Addr;

fn view(bytes: &[u8]) -> MessageView<'_> {
    MessageView::decode(bytes).unwrap()
}

fn encode(message: &Message, limit: usize, overload: bool) -> Result<Vec<u8>, EncodeError> {
    let mut encoding = Encoding::default();
    encoding.limit = limit;
    encoding.overload = overload;
    let mut out = vec![1, 2, 3];
    let result = message.encode(&encoding, &mut out);
    assert_eq!(
        result.is_err(),
        out.is_empty(),
        "a message is whole or absent"
    );
    result.map(|()| out)
}

#[test]
fn long_option_is_split_at_255_bytes() {
    let mut message = Message::request(1, MAC.into());
    message.options.put_raw(OptionCode(224), &[7; 256]);
    let out = message.to_bytes().unwrap();
    assert_eq!(out[240..242], [224, 255]);
    assert_eq!(out[497..], [224, 1, 7, 255]);
    assert_eq!(
        view(&out).raw(OptionCode(224)).as_deref(),
        Some(&[7; 256][..])
    );
}

#[test]
fn message_is_padded_to_300_bytes_after_end() {
    let out = Message::request(1, MAC.into()).to_bytes().unwrap();
    assert_eq!(out.len(), 300);
    assert_eq!(out[240], 255);
    assert!(out[241..].iter().all(|byte| *byte == 0));
}

#[test]
fn what_does_not_fit_is_an_error_that_says_both_lengths() {
    let mut message = Message::request(1, MAC.into());
    message.options.put_raw(OptionCode(224), &[7; 100]);
    assert_eq!(
        encode(&message, 342, false),
        Err(EncodeError::TooLong {
            need: 343,
            limit: 342
        })
    );
    assert_eq!(encode(&message, 343, false).unwrap().len(), 343);
    assert_eq!(
        encode(&message, 100, true),
        Err(EncodeError::TooLong {
            need: 343,
            limit: 100
        })
    );
}

#[test]
fn overload_puts_what_does_not_fit_into_file_and_sname() {
    let mut message = Message::request(1, MAC.into());
    for code in 224..=229 {
        message.options.add_raw(OptionCode(code), &[code; 50]);
    }
    // Room for one option, option 52 and END in the option field; two in `file`, one in `sname`.
    message.options.remove(OptionCode(228));
    message.options.remove(OptionCode(229));
    let out = encode(&message, 300, true).unwrap();
    assert_eq!(out[240..242], [224, 50]);
    assert_eq!(out[292..296], [52, 1, 3, 255]);
    assert_eq!(out[108..110], [225, 50]);
    assert_eq!(out[160..162], [226, 50]);
    assert_eq!(out[212], 255);
    assert_eq!(out[44..46], [227, 50]);
    assert_eq!(out[96], 255);
    assert!(encode(&message, 299, true).is_ok());

    message.options.add_raw(OptionCode(228), &[228; 50]);
    assert!(matches!(
        encode(&message, 300, true),
        Err(EncodeError::TooLong { .. })
    ));
}

#[test]
fn overload_fills_each_field_to_its_last_byte_and_no_further() {
    // The option field ends with option 52 and END, `file` with END.
    let of = |first: usize, second: usize| {
        let mut message = Message::request(1, MAC.into());
        message.options.add_raw(OptionCode(224), &[1; 255][..first]);
        message
            .options
            .add_raw(OptionCode(225), &[2; 255][..second]);
        message.sname = [b's'; 64];
        encode(&message, 300, true)
    };
    let out = of(54, 125).unwrap();
    assert_eq!(out.len(), 300);
    assert_eq!(out[295..], [1, 52, 1, 1, 255]);
    assert_eq!((out[108], out[109], out[234], out[235]), (225, 125, 2, 255));
    assert!(of(55, 125).is_err());
    assert!(of(54, 126).is_err());
}

#[test]
fn options_that_lie_in_fields_already_are_not_moved() {
    let mut bytes = Packet::discover(MAC)
        .option(52, &[1])
        .at(108, &[17, 1, b'f', 255])
        .end();
    bytes.resize(300, 0);
    let mut message = Message::decode(&bytes).unwrap();
    message.options.add_raw(OptionCode(224), &[1; 54]);
    let too_long = |message: &Message| {
        let result = encode(message, 300, true);
        matches!(result, Err(EncodeError::TooLong { .. }))
    };
    assert!(too_long(&message), "in use, and said");
    message.options.remove(OptionCode::OVERLOAD);
    assert!(too_long(&message), "in use");
    message.options.remove(OptionCode::ROOT_PATH);
    assert!(!too_long(&message));
    message.options.put_raw(OptionCode::OVERLOAD, &[2]);
    assert!(too_long(&message), "said");
}

#[test]
fn overload_leaves_used_fields_alone() {
    let mut message = Message::request(1, MAC.into());
    message.options.add_raw(OptionCode(224), &[1; 50]);
    message.options.add_raw(OptionCode(225), &[2; 50]);
    message.file[..4].copy_from_slice(b"file");
    let out = encode(&message, 300, true).unwrap();
    assert_eq!(out[108..112], *b"file");
    assert_eq!(out[292..296], [52, 1, 2, 255]);
    assert_eq!(out[44..46], [225, 50]);
}

#[test]
fn option_made_longer_than_its_overloaded_field_is_an_error_that_says_so() {
    let mut bytes = Packet::discover(MAC)
        .option(52, &[2])
        .at(44, &[17, 1, b's', 255])
        .end();
    bytes.resize(300, 0);
    let mut message = Message::decode(&bytes).unwrap();
    message.options.put_raw(OptionCode::ROOT_PATH, &[b'r'; 61]);
    let out = message.to_bytes().unwrap();
    assert_eq!((out[44], out[45], out[107]), (17, 61, 255));
    message.options.put_raw(OptionCode::ROOT_PATH, &[b'r'; 62]);
    let out = message.to_bytes().unwrap();
    assert_eq!(out[107], b'r', "full to the last byte, without END");
    message.options.put_raw(OptionCode::ROOT_PATH, &[b'r'; 63]);
    let (area, need, capacity) = (Area::Sname, 66, 64);
    assert_eq!(
        encode(&message, 1_000, true),
        Err(EncodeError::AreaTooLong {
            area,
            need,
            capacity
        })
    );
}

#[test]
fn typed_value_above_255_bytes_is_split_like_any_other() {
    let addresses = vec![Ipv4Addr::new(10, 0, 0, 1); 64];
    let mut message = Message::request(1, MAC.into());
    message.options.put(key::ROUTERS, &addresses);
    assert_eq!(message.options.len(), 2);
    let out = message.to_bytes().unwrap();
    assert_eq!((out[240], out[241], out[497], out[498]), (3, 255, 3, 1));
    assert_eq!(view(&out).read(key::ROUTERS), Ok(Some(addresses)));
    assert_eq!(Message::decode(&out).unwrap(), message);
}

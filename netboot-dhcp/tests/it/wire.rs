//! Hostile and irregular bytes, written by hand after RFC 2131, 2132 and 3396.

use crate::packet::{MAC, Packet};
use netboot_dhcp::Seconds;
use netboot_dhcp::value::{Key, ReadError, ValueError, key};
use netboot_dhcp::wire::{
    Anomaly, Area, DecodeError, Message, MessageView, OptionCode, OptionError,
};
use std::net::Ipv4Addr;

fn view(bytes: &[u8]) -> MessageView<'_> {
    MessageView::decode(bytes).unwrap()
}

#[test]
fn every_length_below_240_is_too_short() {
    let bytes = Packet::discover(MAC).end();
    for len in 0..240 {
        assert_eq!(
            MessageView::decode(&bytes[..len]).unwrap_err(),
            DecodeError::TooShort { len }
        );
    }
    assert!(MessageView::decode(&bytes[..240]).is_ok());
}

#[test]
fn bootp_without_the_magic_cookie_is_told_apart() {
    let bytes = Packet::discover(MAC).at(236, &[99, 130, 83, 98]).end();
    let found = [99, 130, 83, 98];
    assert_eq!(
        MessageView::decode(&bytes).unwrap_err(),
        DecodeError::Bootp { found }
    );
}

#[test]
fn hlen_above_16_reads_as_16_and_is_kept() {
    for hlen in 17..=255 {
        let bytes = Packet::discover(MAC).at(2, &[hlen]).end();
        let view = view(&bytes);
        assert_eq!((view.hlen(), view.chaddr().len()), (hlen, 16));
        assert_eq!(view.mac(), None);
        assert_eq!(view.anomalies(), [Anomaly::HardwareLength { hlen }]);
        assert_eq!(Message::from(&view).to_bytes().unwrap()[2], hlen);
    }
}

#[test]
fn truncated_option_is_reported_with_its_offset_and_hides_none_before_it() {
    let mut bytes = Packet::discover(MAC).option(60, b"x").0;
    bytes.extend([12, 9, b'h', b'i']);
    let items: Vec<_> = view(&bytes).options().collect();
    assert_eq!(items.len(), 3);
    assert_eq!(items[1].unwrap().data, b"x");
    let error = OptionError::Truncated {
        code: OptionCode::HOST_NAME,
        offset: 246,
        declared: 9,
        available: 2,
    };
    assert_eq!(items[2], Err(error));
    assert_eq!(
        error.to_string(),
        "option 12 at offset 246 says 9 bytes where 2 are left"
    );
    bytes.truncate(247);
    assert_eq!(
        view(&bytes).options().last(),
        Some(Err(OptionError::NoLength {
            code: OptionCode::HOST_NAME,
            offset: 246
        }))
    );
}

#[test]
fn truncated_option_does_not_hide_those_in_overloaded_fields() {
    let mut bytes = Packet::discover(MAC)
        .option(52, &[3])
        .at(108, &[15, 1, b'f', 255])
        .at(44, &[17, 1, b's', 255])
        .0;
    bytes.extend([12, 200]);
    let view = view(&bytes);
    assert_eq!(view.options().filter(Result::is_err).count(), 1);
    assert_eq!(
        view.raw(OptionCode::DOMAIN_NAME).as_deref(),
        Some(&b"f"[..])
    );
    assert_eq!(view.raw(OptionCode::ROOT_PATH).as_deref(), Some(&b"s"[..]));
}

#[test]
fn bad_value_of_one_option_leaves_the_others_readable() {
    let bytes = Packet::discover(MAC)
        .option(51, &[1, 2, 3])
        .option(54, &[10, 0, 0, 1])
        .end();
    let view = view(&bytes);
    let cause = ValueError::Length {
        expected: 4,
        found: 3,
    };
    assert_eq!(
        view.read(key::LEASE_TIME),
        Err(ReadError {
            code: OptionCode::LEASE_TIME,
            cause
        })
    );
    assert_eq!(
        view.read(key::SERVER_ID),
        Ok(Some(Ipv4Addr::new(10, 0, 0, 1)))
    );
    assert_eq!(view.read(key::ROUTERS), Ok(None));
}

#[test]
fn fragments_of_an_option_are_joined_though_others_stand_between() {
    let bytes = Packet::discover(MAC)
        .option(67, b"http://10.0.0.1/")
        .option(12, b"h")
        .option(67, b"boot.ipxe")
        .end();
    let expected = b"http://10.0.0.1/boot.ipxe";
    assert_eq!(view(&bytes).boot_file().as_deref(), Some(&expected[..]));
    let message = Message::decode(&bytes).unwrap();
    assert_eq!(
        message.options.raw(OptionCode::BOOT_FILE_NAME).as_deref(),
        Some(&expected[..])
    );
    let out = message.to_bytes().unwrap();
    assert_eq!(out[..bytes.len()], bytes, "fragments stay where they were");
}

#[test]
fn fragments_are_joined_over_options_file_and_sname_in_this_order() {
    let bytes = Packet::discover(MAC)
        .option(52, &[3])
        .option(17, b"a")
        .at(108, &[17, 1, b'b', 255])
        .at(44, &[17, 1, b'c', 255])
        .end();
    assert_eq!(
        view(&bytes).raw(OptionCode::ROOT_PATH).as_deref(),
        Some(&b"abc"[..])
    );
    let places: Vec<_> = view(&bytes)
        .options()
        .map(|option| option.map(|option| (option.area, option.offset)))
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(
        places,
        [
            (Area::Options, 240),
            (Area::Options, 243),
            (Area::Options, 246),
            (Area::File, 108),
            (Area::Sname, 44)
        ]
    );
}

#[test]
fn overloaded_message_encodes_back_to_the_same_bytes() {
    let mut bytes = Packet::discover(MAC)
        .option(52, &[3])
        .at(108, &[17, 1, b'b', 255])
        .at(44, &[17, 1, b'c', 224, 0, 255])
        .end();
    bytes.resize(300, 0);
    assert_eq!(Message::decode(&bytes).unwrap().to_bytes().unwrap(), bytes);
}

/// Found by fuzzing: the bits of the second were written into the first.
#[test]
fn repeated_option_52_encodes_back_as_it_was() {
    let mut bytes = Packet::discover(MAC)
        .option(52, &[0])
        .option(52, &[1])
        .at(108, &[17, 1, b'b', 255])
        .end();
    bytes.resize(300, 0);
    assert_eq!(Message::decode(&bytes).unwrap().to_bytes().unwrap(), bytes);
}

#[test]
fn overload_is_said_again_if_its_option_was_taken_out() {
    let bytes = Packet::discover(MAC)
        .option(52, &[1])
        .at(108, &[17, 1, b'b', 255])
        .end();
    let mut message = Message::decode(&bytes).unwrap();
    message.options.remove(OptionCode::OVERLOAD);
    assert_eq!(
        message.to_bytes().unwrap()[240..247],
        [53, 1, 1, 52, 1, 1, 255]
    );
}

#[test]
fn option_52_is_heeded_only_where_it_may_stand() {
    for value in [&[0][..], &[4], &[1, 1], &[]] {
        let bytes = Packet::discover(MAC)
            .option(52, value)
            .at(108, b"undionly.kpxe")
            .end();
        let view = view(&bytes);
        assert_eq!(view.boot_file().as_deref(), Some(&b"undionly.kpxe"[..]));
        assert_eq!(view.anomalies(), [Anomaly::BadOverload { offset: 243 }]);
    }
    let nested = Packet::discover(MAC)
        .option(52, &[1])
        .at(108, &[52, 1, 2, 255])
        .at(44, b"tftp")
        .end();
    assert_eq!(view(&nested).server_name().as_deref(), Some(&b"tftp"[..]));
}

#[test]
fn file_and_sname_fold_with_their_options() {
    let plain = Packet::discover(MAC).at(108, b"a.efi").at(44, &[b's'; 64]);
    let bytes = plain.clone().end();
    assert_eq!(view(&bytes).boot_file().as_deref(), Some(&b"a.efi"[..]));
    assert_eq!(
        view(&bytes).server_name().as_deref(),
        Some(&[b's'; 64][..]),
        "a field without NUL is not lost"
    );
    let bytes = plain.option(67, b"b.efi\0").end();
    assert_eq!(view(&bytes).boot_file().as_deref(), Some(&b"b.efi"[..]));
    let bytes = Packet::discover(MAC).end();
    assert_eq!(view(&bytes).boot_file(), None);
    let overloaded = Packet::discover(MAC)
        .option(52, &[1])
        .at(108, &[12, 1, b'h', 255])
        .end();
    assert_eq!(view(&overloaded).boot_file(), None);
}

#[test]
fn missing_end_is_read_and_noted() {
    let bytes = Packet::discover(MAC).0;
    let view = view(&bytes);
    assert_eq!(view.options().count(), 1);
    let area = Area::Options;
    assert_eq!(view.anomalies(), [Anomaly::MissingEnd { area }]);
}

#[test]
fn pad_runs_are_skipped_and_bytes_after_end_are_not_options() {
    let mut packet = Packet::discover(MAC);
    packet.0.extend([0, 0, 0]);
    let mut bytes = packet.option(12, b"h").end();
    bytes.extend([255, 255, 12, 1]);
    let view = view(&bytes);
    assert_eq!(view.options().count(), 2);
    assert_eq!(view.raw(OptionCode::HOST_NAME).as_deref(), Some(&b"h"[..]));
    assert_eq!(view.anomalies(), [Anomaly::DataAfterEnd { offset: 250 }]);
    // The zeros between are padding.
    bytes[250..].copy_from_slice(&[0, 0, 12, 1]);
    let view = self::view(&bytes);
    assert_eq!(view.anomalies(), [Anomaly::DataAfterEnd { offset: 252 }]);
}

#[test]
fn what_is_regular_is_not_remarked_on_and_a_fault_is_said_once() {
    let mut bytes = Packet::discover(MAC)
        .option(52, &[3])
        .option(54, &[10, 0, 0, 1])
        .at(108, &[15, 1, b'f', 255])
        .at(44, &[17, 1, b's', 255])
        .end();
    assert_eq!(view(&bytes).anomalies(), []);
    // Behind an option that is cut off there can be no END.
    bytes.pop();
    bytes.extend([12, 9]);
    let error = OptionError::Truncated {
        code: OptionCode::HOST_NAME,
        offset: 252,
        declared: 9,
        available: 0,
    };
    assert_eq!(view(&bytes).anomalies(), [error.into()]);
}

#[test]
fn header_fields_are_where_the_rfc_has_them() {
    let bytes = Packet::discover(MAC)
        .at(0, &[1, 6, 6, 3])
        .at(8, &[1, 2])
        .broadcast()
        .end();
    let seen = view(&bytes);
    assert_eq!((seen.op(), seen.htype(), seen.hops()), (1, 6, 3));
    assert_eq!((seen.xid(), seen.secs()), (0xdead_beef, 0x0102));
    assert!(Message::from(&seen).broadcast());
    // RFC 2131 figure 2: the other bits are reserved.
    let bytes = Packet::discover(MAC).at(10, &[0x7f, 0xff]).end();
    assert!(!Message::from(&view(&bytes)).broadcast());
}

#[test]
fn options_of_a_message_are_read_as_those_of_its_bytes() {
    let bytes = Packet::discover(MAC).option(51, &[0, 0, 14, 16]).end();
    let mut options = Message::decode(&bytes).unwrap().options;
    assert!(!options.is_empty());
    assert_eq!(options.read(key::LEASE_TIME), Ok(Some(Seconds(3600))));
    assert!(options.remove(OptionCode::LEASE_TIME));
    assert_eq!(options.read(key::LEASE_TIME), Ok(None));
    assert!(options.remove(OptionCode::MESSAGE_TYPE));
    assert!(options.is_empty());
    // PAD and END are no options.
    for code in [OptionCode::PAD, OptionCode::END] {
        options.add(Key::<Seconds>::new(code), &Seconds(1));
        assert!(options.is_empty());
    }
}

#[test]
fn first_of_two_server_identifiers_counts_and_the_other_is_noted() {
    let bytes = Packet::discover(MAC)
        .option(54, &[10, 0, 0, 1])
        .option(54, &[10, 0, 0, 2])
        .end();
    let view = view(&bytes);
    assert_eq!(
        view.read(key::SERVER_ID),
        Ok(Some(Ipv4Addr::new(10, 0, 0, 1)))
    );
    assert_eq!(
        view.anomalies(),
        [Anomaly::RepeatedServerId { offset: 249 }]
    );
}

#[test]
fn unknown_repeated_and_empty_options_keep_their_order() {
    let bytes = Packet::discover(MAC)
        .option(224, b"x")
        .option(80, b"")
        .option(12, b"h")
        .option(224, b"")
        .end();
    let message = Message::decode(&bytes).unwrap();
    let codes: Vec<_> = message.options.iter().map(|(code, _)| code.0).collect();
    assert_eq!(codes, [53, 224, 80, 12, 224]);
    assert_eq!(message.to_bytes().unwrap()[..bytes.len()], bytes);
}

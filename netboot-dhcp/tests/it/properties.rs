//! Round trips, and no panic on any bytes.

use netboot_dhcp::HardwareAddr;
use netboot_dhcp::server::{Firmware, Subnet};
use netboot_dhcp::value::{
    AddressPair, Authentication, ClasslessRoute, DomainSearch, Enterprise, SubOptions, UserClass,
    Value, pxe,
};
use netboot_dhcp::wire::{Encoding, Message, MessageView, OptionCode};
use proptest::prelude::*;
use std::net::Ipv4Addr;

/// Options that a message can hold: any code but PAD and END, and option 52, which moves others.
fn options() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let code = (1..=254_u8).prop_filter("52 is tested by hand", |code| *code != 52);
    let data = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 250..520),
    ];
    prop::collection::vec((code, data), 0..20)
}

fn message() -> impl Strategy<Value = Message> {
    let header = (any::<u32>(), any::<[u8; 16]>(), any::<u8>(), any::<u16>());
    let fields = (any::<[u8; 32]>(), any::<u32>());
    (header, fields, options()).prop_map(|((xid, chaddr, hlen, flags), (text, yiaddr), options)| {
        let hardware = HardwareAddr::new(1, &chaddr).unwrap();
        let mut message = Message::reply(xid, hardware);
        message.hlen = hlen;
        message.flags = flags;
        message.yiaddr = Ipv4Addr::from_bits(yiaddr);
        message.file[..32].copy_from_slice(&text);
        message.sname[..32].copy_from_slice(&text);
        for (code, data) in options {
            message.options.add_raw(OptionCode(code), &data);
        }
        message
    })
}

/// Bytes that are a message as far as the header, and anything behind it.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let header = prop::collection::vec(any::<u8>(), 236);
    let tail = prop::collection::vec(any::<u8>(), 0..600);
    (header, tail).prop_map(|(mut bytes, tail)| {
        bytes.extend([99, 130, 83, 99]);
        bytes.extend(tail);
        bytes
    })
}

/// What can be read is written with the same bytes.
fn written_back<T: Value>(data: &[u8]) {
    if let Ok(value) = T::decode(data) {
        let mut out = Vec::new();
        value.encode(&mut out);
        assert_eq!(out, data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn encoded_message_reads_back_with_joined_options(message in message()) {
        let bytes = message.to_bytes().unwrap();
        prop_assert!(bytes.len() >= 300);
        let read = Message::decode(&bytes).unwrap();
        for (code, _) in message.options.iter() {
            prop_assert_eq!(read.options.raw(code), message.options.raw(code));
        }
        prop_assert_eq!((read.xid, read.chaddr, read.hlen), (message.xid, message.chaddr, message.hlen));
        prop_assert_eq!((read.sname, read.file), (message.sname, message.file));
        prop_assert_eq!((read.yiaddr, read.flags), (message.yiaddr, message.flags));
        // What was read is a fixed point: fragments stay fragments.
        prop_assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn encoded_message_never_exceeds_its_limit(message in message(), limit in 0..700_usize, overload: bool) {
        let mut encoding = Encoding::default();
        encoding.limit = limit;
        encoding.overload = overload;
        let mut out = Vec::new();
        if message.encode(&encoding, &mut out).is_ok() {
            prop_assert!(out.len() <= limit);
            let read = Message::decode(&out).unwrap();
            for (code, _) in message.options.iter() {
                prop_assert_eq!(read.options.raw(code), message.options.raw(code));
            }
        } else {
            prop_assert!(out.is_empty());
        }
    }

    #[test]
    fn hostile_bytes_are_read_without_panic_and_options_lie_where_they_say(bytes in hostile()) {
        let view = MessageView::decode(&bytes).unwrap();
        for option in view.options().flatten() {
            let data = &bytes[option.offset + 2..][..option.data.len()];
            prop_assert_eq!(data, option.data);
            prop_assert_eq!(bytes[option.offset], option.code.0);
            prop_assert!(view.raw(option.code).unwrap().len() >= option.data.len());
        }
        let faults = view.options().filter(Result::is_err).count();
        prop_assert!(faults <= 3, "at most one in each area");
        prop_assert!(view.chaddr().len() <= 16);
        let _ = (view.anomalies(), view.boot_file(), view.server_name());
        let shown = [view.to_string(), Message::from(&view).to_string(), format!("{view:?}")];
        for text in &shown {
            // Nothing in it works on a terminal.
            prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{}", text);
        }
        let lines = shown[0].lines().filter(|line| !line.starts_with("  ")).count();
        prop_assert_eq!(lines, 1, "no text begins a line of its own");
        let _ = Firmware::of::<&str>(&view, &[]);
        let mut encoding = Encoding::default();
        encoding.overload = true;
        let mut out = Vec::new();
        Message::from(&view).encode(&encoding, &mut out).unwrap();
        let again = MessageView::decode(&out).unwrap();
        let good = |view: &MessageView<'_>| -> Vec<_> {
            view.options().flatten().map(|option| (option.code, option.data.to_vec())).collect()
        };
        prop_assert_eq!(good(&again), good(&view));
    }

    #[test]
    fn any_bytes_are_a_user_class_and_come_back(data in prop::collection::vec(any::<u8>(), 0..40)) {
        let class = UserClass::decode(&data).unwrap();
        let mut out = Vec::new();
        class.encode(&mut out);
        prop_assert_eq!(&out, &data);
        prop_assert!(class.classes().map(<[u8]>::len).sum::<usize>() <= data.len());
    }

    #[test]
    fn sub_options_come_back(entries in prop::collection::vec((1..=254_u8, prop::collection::vec(any::<u8>(), 0..255)), 0..8)) {
        let mut options = SubOptions::new();
        for (code, data) in &entries {
            options.add_raw(*code, data).unwrap();
        }
        let mut out = Vec::new();
        options.encode(&mut out);
        prop_assert_eq!(SubOptions::decode(&out).unwrap(), options);
    }

    #[test]
    fn any_bytes_that_are_a_list_are_written_as_they_were(data in prop::collection::vec(any::<u8>(), 0..80)) {
        written_back::<Vec<AddressPair>>(&data);
        written_back::<Vec<Enterprise>>(&data);
        written_back::<Vec<pxe::BootServer>>(&data);
        written_back::<Vec<pxe::MenuItem>>(&data);
        written_back::<Vec<u16>>(&data);
        written_back::<i32>(&data);
        written_back::<Authentication>(&data);
        for vendor in Vec::<Enterprise>::decode(&data).unwrap_or_default() {
            let _ = (vendor.classes(), vendor.sub_options());
        }
    }

    #[test]
    fn routes_come_back(routes in prop::collection::vec((any::<u32>(), 0..=32_u8, any::<u32>()), 1..8)) {
        let address = Ipv4Addr::from_bits;
        let route = |(to, prefix, by)| ClasslessRoute::new(address(to), prefix, address(by)).unwrap();
        let routes: Vec<_> = routes.into_iter().map(route).collect();
        let mut out = Vec::new();
        routes.encode(&mut out);
        prop_assert_eq!(Vec::<ClasslessRoute>::decode(&out), Ok(routes));
    }

    #[test]
    fn any_bytes_are_domain_names_of_bounded_length_or_an_error(data in prop::collection::vec(prop_oneof![0..4_u8, Just(b'a'), 0xc0..0xc1_u8, any::<u8>()], 0..60)) {
        let _ = Vec::<ClasslessRoute>::decode(&data);
        if let Ok(names) = DomainSearch::decode(&data) {
            prop_assert!(names.iter().all(|name| (1..=253).contains(&name.len())));
            let mut out = Vec::new();
            names.encode(&mut out);
            prop_assert_eq!(DomainSearch::decode(&out), Ok(names));
        }
    }

    #[test]
    fn hardware_address_reads_what_it_writes(htype: u8, bytes in prop::collection::vec(any::<u8>(), 0..=16)) {
        let address = HardwareAddr::new(htype, &bytes).unwrap();
        prop_assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn subnet_reads_what_it_writes(bits: u32, prefix in 0..=32_u8) {
        let subnet = Subnet::new(Ipv4Addr::from_bits(bits), prefix).unwrap();
        prop_assert!(subnet.contains(Ipv4Addr::from_bits(bits)));
        prop_assert_eq!(subnet.to_string().parse(), Ok(subnet));
    }
}

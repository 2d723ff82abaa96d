//! Packets of real firmware and clients. Each file says where it comes from and what tshark reads
//! in it; that, and not this crate, gives the expected values.

use crate::packet::NOW;
use crate::site::PC;
use netboot_dhcp::client::{Client, Output, Profile};
use netboot_dhcp::server::Firmware;
use netboot_dhcp::value::{Arch, MessageType, VendorClassKind, ipxe, key};
use netboot_dhcp::wire::{Encoding, Message, MessageView, OptionCode};

pub(crate) struct Capture {
    name: &'static str,
    text: &'static str,
}

macro_rules! captures {
    ($($name:ident),*) => {
        [$(Capture {
            name: stringify!($name),
            text: include_str!(concat!("../captures/", stringify!($name), ".hex")),
        }),*]
    };
}

const CAPTURES: [Capture; 6] = captures!(
    dhclient_discover,
    ipxe_bios_discover,
    nmap_discover,
    ovmf_http_discover,
    ovmf_pxe_discover,
    udhcpc_discover
);

impl Capture {
    pub(crate) fn named(name: &str) -> &'static Self {
        CAPTURES.iter().find(|one| one.name == name).unwrap()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        hex(self.text.lines().last().unwrap())
    }

    /// What tshark says under this name.
    fn tshark(&self, field: &str) -> &'static str {
        let line = self.text.lines().find(|line| line.starts_with("# tshark"));
        let words = line.unwrap().split(' ');
        let mut found = words.filter_map(|word| word.strip_prefix(field)?.strip_prefix('='));
        found.next().unwrap()
    }

    fn tshark_options(&self) -> Vec<(u8, Vec<u8>)> {
        let pairs = self.tshark("options").split(',');
        pairs
            .map(|pair| pair.split_once(':').unwrap())
            .map(|(code, data)| (code.parse().unwrap(), hex(data)))
            .collect()
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn captures_are_read_as_tshark_reads_them() {
    for capture in &CAPTURES {
        let bytes = capture.bytes();
        let view = MessageView::decode(&bytes).unwrap();
        let name = capture.name;
        assert_eq!(
            format!("{:08x}", view.xid()),
            capture.tshark("xid"),
            "{name}"
        );
        assert_eq!(view.secs().to_string(), capture.tshark("secs"), "{name}");
        assert_eq!(
            format!("{:04x}", view.flags()),
            capture.tshark("flags"),
            "{name}"
        );
        assert_eq!(
            view.mac().unwrap().to_string(),
            capture.tshark("chaddr"),
            "{name}"
        );
        let options: Vec<_> = view
            .options()
            .map(|option| option.map(|option| (option.code.0, option.data.to_vec())))
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(options, capture.tshark_options(), "{name}");
        assert_eq!(view.message_type(), Some(MessageType::DISCOVER), "{name}");
        assert_eq!(view.anomalies(), [], "{name}");
    }
}

#[test]
fn captures_encode_back_to_the_same_bytes() {
    for capture in &CAPTURES {
        let bytes = capture.bytes();
        let message = Message::decode(&bytes).unwrap();
        let mut encoding = Encoding::default();
        encoding.min_len = bytes.len();
        let mut out = Vec::new();
        message.encode(&encoding, &mut out).unwrap();
        assert_eq!(out, bytes, "{}", capture.name);
    }
}

#[test]
fn firmware_is_told_apart() {
    let firmware = |name| {
        let bytes = Capture::named(name).bytes();
        let view = MessageView::decode(&bytes).unwrap();
        Firmware::of::<&str>(&view, &[])
    };
    assert_eq!(firmware("ipxe_bios_discover"), Firmware::Ipxe);
    assert_eq!(firmware("ovmf_pxe_discover"), Firmware::PxeClient);
    assert_eq!(firmware("ovmf_http_discover"), Firmware::HttpClient);
    for system in ["udhcpc_discover", "dhclient_discover", "nmap_discover"] {
        assert_eq!(firmware(system), Firmware::Other, "{system}");
    }
}

/// The models that other tests boot stand for real firmware: what servers tell it by is as it sends
/// it.
#[test]
fn models_send_what_their_firmware_sends() {
    for (profile, name) in [
        (Profile::pxe_uefi(PC), "ovmf_pxe_discover"),
        (Profile::http_uefi(PC), "ovmf_http_discover"),
        (Profile::ipxe(PC, Arch::X86_BIOS), "ipxe_bios_discover"),
    ] {
        let captured = Capture::named(name).bytes();
        let captured = MessageView::decode(&captured).unwrap();
        let Output::Transmit(sent) = Client::new(NOW, profile, 7).poll_output(NOW).unwrap() else {
            panic!("a DISCOVER is sent at once");
        };
        let sent = MessageView::decode(&sent.bytes).unwrap();
        for code in [53, 57, 60, 77, 93, 94].map(OptionCode) {
            assert_eq!(sent.raw(code), captured.raw(code), "{name}: {code}");
        }
        assert_eq!(sent.flags(), captured.flags(), "{name}");
    }
}

#[test]
fn typed_values_of_firmware_are_what_tshark_names() {
    let bytes = Capture::named("ovmf_http_discover").bytes();
    let view = MessageView::decode(&bytes).unwrap();
    assert_eq!(
        view.read(key::CLIENT_ARCH).unwrap(),
        Some(vec![Arch::X64_UEFI_HTTP])
    );
    let class = view.read(key::VENDOR_CLASS).unwrap().unwrap();
    assert_eq!(class.kind(), VendorClassKind::Http);
    assert_eq!(class.undi(), Some((3, 0)));
    let id = view.read(key::MACHINE_ID).unwrap().unwrap();
    assert_eq!(id.to_string(), "00000000-0000-0000-0000-000000000000");
    assert_eq!(view.read(key::MAX_MESSAGE_SIZE).unwrap(), Some(1472));
    let interface = view.read(key::CLIENT_NDI).unwrap().unwrap();
    assert_eq!(
        (interface.kind, interface.major, interface.minor),
        (1, 3, 0)
    );
}

#[test]
fn ipxe_says_what_it_can() {
    let bytes = Capture::named("ipxe_bios_discover").bytes();
    let view = MessageView::decode(&bytes).unwrap();
    let class = view.read(key::USER_CLASS).unwrap().unwrap();
    assert!(class.contains(b"iPXE"));
    let options = view.read(key::IPXE).unwrap().unwrap();
    // The capture's option 175 has b1 05 018086100e: bus type 1, vendor 8086, device 100e.
    assert_eq!(
        options.raw(ipxe::BUS_ID),
        Some(&[0x01, 0x80, 0x86, 0x10, 0x0e][..])
    );
    assert_eq!(options.raw(ipxe::VERSION), Some(&[1, 0, 0][..]));
    let features: Vec<_> = options
        .iter()
        .filter_map(|(code, _)| ipxe::feature(code))
        .collect();
    // Codes 17 22 13 11 27 19 29 10 21 15 18 12 in the capture's bytes, by the names in iPXE's
    // dhcp.h.
    assert_eq!(
        features,
        [
            "DNS",
            "ELF",
            "HTTP",
            "iSCSI",
            "Menu",
            "Multiboot",
            "NFS",
            "PXE extensions",
            "PXE",
            "TFTP",
            "bzImage",
            "AoE"
        ]
    );
}

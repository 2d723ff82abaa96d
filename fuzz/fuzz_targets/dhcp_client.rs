//! A client of some firmware that is sent one message after another: a byte of firmware, then a byte
//! of time, two of length, and so many bytes of message, each time.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};

use libfuzzer_sys::fuzz_target;
use netboot_dhcp::client::{Client, Output, Profile};
use netboot_dhcp::value::Arch;
use netboot_dhcp::{MacAddr, Timestamp, wire::MessageView};

const XID: u32 = 0x0102_0304;

fuzz_target!(|data: &[u8]| {
    let Some((firmware, mut rest)) = data.split_first() else {
        return;
    };
    let mut now = Timestamp(0);
    let mut client = Client::new(now, profile(*firmware), XID);
    while let [time, high, low, tail @ ..] = rest {
        if !poll(&mut client, now) {
            return;
        }
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (packet, after) = tail.split_at(len.min(tail.len()));
        rest = after;
        now = now.after_ms(u64::from(*time) * 100);
        if let Ok(message) = MessageView::decode(packet) {
            let port = [67, 4011][usize::from(time & 1)];
            client.handle_input(
                now,
                SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), port),
                &message,
            );
        }
    }
    poll(&mut client, now);
});

/// Has it say what it wants, and whether it goes on.
fn poll(client: &mut Client, now: Timestamp) -> bool {
    // A message goes out at most a few times for one that came in.
    for _ in 0..64 {
        match client.poll_output(now).expect("options that fit") {
            Output::Transmit(sent) => {
                let message = MessageView::decode(&sent.bytes).expect("what it sent");
                assert_eq!((message.op(), message.xid()), (1, XID));
            }
            Output::Wait(until) => {
                assert!(until > now);
                return true;
            }
            _ => return false,
        }
    }
    panic!("it does not come to an end");
}

fn profile(firmware: u8) -> Profile {
    let mac = MacAddr([2, 0, 0, 0, 0, 1]);
    match firmware % 9 {
        0 => Profile::pxe_bios(mac),
        1 => Profile::raspberry_pi_3(mac),
        2 => Profile::raspberry_pi_4(mac),
        3 => Profile::pxe_uefi(mac),
        4 => Profile::pxe_uefi_old(mac),
        5 => Profile::http_uefi(mac),
        6 => Profile::u_boot(mac),
        7 => Profile::ipxe(mac, Arch::X64_UEFI),
        _ => Profile::plain(mac.into()),
    }
}

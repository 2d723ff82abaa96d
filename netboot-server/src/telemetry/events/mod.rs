//! The event stream: every step of every boot, in a bounded ring.
//!
//! DHCP, TFTP and HTTP put in what happened; the log, and whoever watches, read it out. A reader
//! that falls behind the ring is told how many events it missed.

mod boots;
mod kind;
mod line;
mod ring;

use netboot_dhcp::MacAddr;
use serde::{Deserialize, Serialize};

pub use boots::{LoadedFiles, MACHINES, Progress, Summary};
pub(crate) use boots::{SILENCE, Step};
pub use kind::{InstallWord, Kind, Protocol, ScriptAction, Stage, TftpEnd, Unanswered};
pub use ring::{Events, RING, Read, Reader};

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Its number, counted from 1 since the service started.
    pub seq: u64,
    /// When, by the host's clock.
    pub at: jiff::Timestamp,
    /// Which boot of the machine it belongs to, counted from 1 since the service started; 0 where
    /// the machine is not known.
    pub boot_id: u64,
    /// The machine, where it is known.
    pub machine: Option<MacAddr>,
    /// How far its boot has come by it, where that is further than before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<Progress>,
    /// What happened.
    #[serde(flatten)]
    pub kind: Kind,
}

/// A stranger's text as it may stand in an event: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    // Nearly always there is nothing to be done.
    if text.len() <= LONGEST && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    text.chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use netboot_dhcp::value::MessageType;

    use super::*;

    fn malformed(count: u64) -> Kind {
        Kind::Malformed {
            protocol: "DHCP".into(),
            count,
            why: "too short".into(),
        }
    }

    fn dhcp(message: MessageType, stage: Stage) -> Kind {
        Kind::Dhcp {
            message,
            interface: "eth1".into(),
            address: None,
            host_name: None,
            boot_file: None,
            server: None,
            arch: None,
            uuid: None,
            refusal: None,
            stage,
        }
    }

    fn script() -> Kind {
        Kind::Script {
            client: Ipv4Addr::new(192, 168, 100, 150).into(),
            by: Protocol::Http,
            path: "/boot.ipxe".into(),
            boots: "the menu".into(),
            action: ScriptAction::Menu,
            images: [
                LoadedFiles::from([
                    "debian/@1/bzImage".to_owned(),
                    "debian/@1/initrd".to_owned(),
                ]),
                LoadedFiles::from(["shell/@1/shell.efi".to_owned()]),
            ]
            .into(),
        }
    }

    #[test]
    fn what_changes_a_state_outlasts_any_flood_for_readers_that_come_later() {
        let events = Events::default();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let install = |number| Kind::Install {
            name: "node-01".into(),
            number,
            installed: true,
            by: InstallWord::Machine,
        };
        let flood = |count: u64| {
            for number in 0..count {
                let mac = MacAddr([2, 0, 0, 0, 0, number.to_be_bytes()[7]]);
                events.emit(at, Some(mac), dhcp(MessageType::DISCOVER, Stage::Firmware));
            }
        };
        flood(10);
        events.emit(at, None, install(1));
        flood(20_000);
        events.emit(at, None, install(2));
        flood(20_000);
        let mut reader = events.replay();
        let mut read = std::iter::from_fn(|| reader.try_next());
        for (missed, number) in [(10, 1), (20_000, 2)] {
            assert!(matches!(read.next(), Some(Read::Missed(it)) if it == missed));
            let Some(Read::Event(event)) = read.next() else {
                panic!("the event itself");
            };
            assert_eq!(event.seq, number * 20_001 - 20_001 + 11);
            assert!(matches!(event.kind, Kind::Install { number: it, .. } if it == number));
        }
        assert!(
            matches!(read.next(), Some(Read::Missed(missed)) if missed == 20_000 - RING as u64)
        );
        assert_eq!(read.count(), RING);
    }

    #[test]
    fn a_reader_that_falls_behind_is_told_how_much_it_missed() {
        let events = Events::default();
        let mut reader = events.reader();
        let extra = 10;
        for count in 0..RING as u64 + extra {
            events.emit(jiff::Timestamp::UNIX_EPOCH, None, malformed(count));
        }
        assert!(matches!(reader.try_next(), Some(Read::Missed(missed)) if missed == extra));
        let mut read = 0;
        while let Some(Read::Event(event)) = reader.try_next() {
            read += 1;
            assert_eq!(event.seq, extra + read);
        }
        assert_eq!(read, RING as u64);
    }

    #[test]
    fn a_machine_that_starts_over_starts_the_next_boot() {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let steps = [
            (1, dhcp(MessageType::DISCOVER, Stage::Firmware)),
            (1, dhcp(MessageType::OFFER, Stage::Server)),
            // Not answered in time, so asked again.
            (1, dhcp(MessageType::DISCOVER, Stage::Firmware)),
            (1, dhcp(MessageType::ACK, Stage::Server)),
            (1, dhcp(MessageType::DISCOVER, Stage::Ipxe)),
            (1, dhcp(MessageType::ACK, Stage::Server)),
            (1, script()),
            (1, dhcp(MessageType::DISCOVER, Stage::System)),
            // Its ROM is iPXE: switched off and on.
            (2, dhcp(MessageType::DISCOVER, Stage::Ipxe)),
            (2, dhcp(MessageType::ACK, Stage::Server)),
            (3, dhcp(MessageType::DISCOVER, Stage::Firmware)),
        ];
        let events = Events::default();
        let mut reader = events.reader();
        let other = Some(MacAddr([2, 0, 0, 0, 0, 2]));
        for (boot_id, kind) in steps {
            let shown = format!("{kind:?}");
            events.emit(jiff::Timestamp::UNIX_EPOCH, Some(mac), kind);
            let Some(Read::Event(event)) = reader.try_next() else {
                panic!("an event");
            };
            assert_eq!(event.boot_id, boot_id, "{shown}");
        }
        events.emit(jiff::Timestamp::UNIX_EPOCH, other, script());
        assert!(matches!(reader.try_next(), Some(Read::Event(event)) if event.boot_id == 1));
    }

    #[test]
    fn a_boot_by_shim_and_grub_comes_to_its_image_and_misses_nothing() {
        let client = IpAddr::from(Ipv4Addr::new(192, 168, 100, 150));
        let sent = |name: &str| Kind::TftpSent {
            client,
            name: name.into(),
            bytes: 1,
            elapsed_ms: 1,
            blksize: 512,
            windowsize: 4,
            retransmissions: 0,
            confirmed: true,
        };
        let refused = |name: &str| Kind::TftpFailed {
            client,
            name: name.into(),
            why: "file not found".into(),
            end: TftpEnd::NotFound,
            bytes: 0,
            size: None,
            blksize: None,
        };
        // What Debian's shim and GRUB asked of a server, in this order.
        let steps = [
            dhcp(MessageType::DISCOVER, Stage::Firmware),
            dhcp(MessageType::ACK, Stage::Server),
            sent("shimx64.efi"),
            refused("revocations_sku.efi"),
            refused("revocations_sbat.efi"),
            refused("shim_certificate_0.efi"),
            sent("grubx64.efi"),
            refused("/grub/x86_64-efi/command.lst"),
            script(),
            refused("/grub/x86_64-efi/http.mod"),
            sent("/images/debian/@1/bzImage"),
            sent("/images/debian/@1/initrd"),
        ];
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let events = Events::default();
        let boot = |kind| {
            events.emit(jiff::Timestamp::UNIX_EPOCH, Some(mac), kind);
            let (_, boot) = events.boots().remove(0);
            (boot.progress, boot.failed)
        };
        let came_to = steps.map(boot);
        assert_eq!(came_to[6], (Progress::Program, None));
        assert_eq!(came_to[10], (Progress::Loading, None));
        assert_eq!(came_to[11], (Progress::Image, None));
        let missed = boot(refused("grubx64.efi"));
        assert_eq!(missed, (Progress::Image, Some(Progress::Program)));
        let missed = boot(refused("/images/debian/@1/initrd"));
        assert_eq!(missed, (Progress::Image, Some(Progress::Image)));
    }
}

//! Boots from a packet capture: what this server's event stream would say, had it been the one that
//! was recorded, whoever the server was.
//!
//! `file` reads pcap and pcapng block by block, `frame` finds UDP and TCP over IPv4 in what the link
//! carried, and `dhcp`, `tftp` and `http` make events of these. All are bounded: a capture of any
//! size is read in the memory of [`TRANSFERS`] transfers, [`CONNECTIONS`] connections and
//! [`ADDRESSES`] addresses.

mod dhcp;
mod file;
mod frame;
mod http;
mod machines;
mod records;
mod table;
mod tftp;

use std::io::Read;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use netboot_dhcp::MacAddr;
use serde::Serialize;

use crate::telemetry::events::Kind;
use frame::{Carried, Unread};
use machines::Machines;
pub use records::{EVENTS, RECORDS, Records, records};

/// Transfers by TFTP that are followed at the same time.
pub const TRANSFERS: usize = 4_096;

/// Connections by HTTP that are followed at the same time.
pub const CONNECTIONS: usize = 4_096;

/// Addresses whose machines are remembered.
pub const ADDRESSES: usize = 65_536;

/// DHCP servers that are named in a [`Summary`].
pub const SERVERS: usize = 64;

/// What was read, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Packets of the capture.
    pub packets: u64,
    /// Messages of DHCP, packets of TFTP and segments of HTTP among them.
    pub used: u64,
    /// Those that were not read, by why.
    pub skipped: Skipped,
    /// The DHCP servers that offered or acknowledged, by their identifiers; at most [`SERVERS`].
    pub servers: Vec<DhcpServer>,
    /// Transfers and connections that were forgotten because others needed their places.
    pub forgotten: u64,
    /// Why the rest of the capture was not read; `None` where it was read to its end.
    pub stopped: Option<String>,
}

/// Packets that were not read, by why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Skipped {
    /// Their link type is none that is known here.
    pub link_type: u64,
    /// The number of the last such link type.
    pub last_link_type: Option<i32>,
    /// Fewer of their bytes were recorded than were needed.
    pub cut_off: u64,
    /// They are fragments of IP packets.
    pub fragments: u64,
    /// They went by a port of DHCP or TFTP and are no such message.
    pub malformed: u64,
    /// They are of another protocol.
    pub others: u64,
}

/// A DHCP server of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DhcpServer {
    /// As it calls itself, or the source of its messages where it does not.
    pub address: Ipv4Addr,
    /// Its DHCPOFFERs.
    pub offers: u64,
    /// Those of them that name a boot file.
    pub offers_with_boot_file: u64,
    /// Its DHCPACKs.
    pub acks: u64,
}

/// Why a file is no capture, or cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// It cannot be read.
    #[error("the capture cannot be read")]
    Read(#[source] std::io::Error),
    /// It is empty.
    #[error("the capture is empty")]
    Empty,
    /// It begins neither as pcap nor as pcapng.
    #[error("it begins neither as pcap nor as pcapng")]
    NoCapture,
    /// Its first header is cut off.
    #[error("the capture ends within its first header")]
    CutOff,
}

/// Reads a capture, pcap or pcapng, and gives the events of the boots in it, in the order in which
/// they ended.
///
/// A capture that is damaged or cut off behind its header is read as far as it goes, and
/// [`Summary::stopped`] says why no further.
///
/// # Errors
///
/// [`CaptureError`] where it is no capture, or reading it fails.
pub fn read(
    reader: impl Read,
    on_event: &mut dyn FnMut(Timestamp, Option<MacAddr>, Kind),
) -> Result<Summary, CaptureError> {
    let mut boots = Boots::default();
    boots.summary.stopped = file::read(reader, &mut |packet| boots.packet(packet, on_event))?;
    Ok(boots.end(on_event))
}

/// Takes an event.
type OnEvent<'a> = dyn FnMut(Timestamp, Option<MacAddr>, Kind) + 'a;

/// What is known of the boots in a capture so far.
#[derive(Debug, Default)]
struct Boots {
    machines: Machines,
    tftp: tftp::Transfers,
    http: http::Connections,
    summary: Summary,
}

impl Boots {
    fn packet(&mut self, packet: &file::Packet<'_>, on_event: &mut OnEvent<'_>) {
        self.summary.packets += 1;
        let skipped = &mut self.summary.skipped;
        let found = match frame::read(packet) {
            Ok(found) => found,
            Err(Unread::LinkType(number)) => {
                skipped.link_type += 1;
                skipped.last_link_type = Some(number);
                return;
            }
            Err(Unread::CutOff) => return skipped.cut_off += 1,
            Err(Unread::Fragment) => return skipped.fragments += 1,
            Err(Unread::Other) => return skipped.others += 1,
        };
        let verdict = match &found.carried {
            Carried::Udp if dhcp::is_port(&found) => {
                let servers = &mut self.summary.servers;
                dhcp::message(packet, &found, &mut self.machines, servers, on_event)
            }
            Carried::Udp => self
                .tftp
                .datagram(packet.at, &found, &self.machines, on_event),
            Carried::Tcp(_) => self
                .http
                .segment(packet.at, &found, &self.machines, on_event),
        };
        match verdict {
            Verdict::Used => self.summary.used += 1,
            Verdict::Malformed if found.is_cut_off() => self.summary.skipped.cut_off += 1,
            Verdict::Malformed => self.summary.skipped.malformed += 1,
            Verdict::Other => self.summary.skipped.others += 1,
        }
    }

    fn end(mut self, on_event: &mut OnEvent<'_>) -> Summary {
        self.tftp.end(on_event);
        self.http.end(on_event);
        self.summary.forgotten = self.tftp.forgotten() + self.http.forgotten();
        self.summary
    }
}

/// What a protocol made of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Used,
    Malformed,
    Other,
}

/// Milliseconds between two packets; none where the later one has the earlier time.
fn elapsed_ms(from: Timestamp, to: Timestamp) -> u64 {
    let ms = to.as_millisecond().saturating_sub(from.as_millisecond());
    u64::try_from(ms).unwrap_or(0)
}

#[cfg(test)]
mod tests;

//! TFTP transfers of a capture, put together from their packets.

use std::net::{Ipv4Addr, SocketAddrV4};

use jiff::Timestamp;
use netboot_dhcp::MacAddr;
use netboot_tftp::{DEFAULT_BLKSIZE, ErrorCode, Options, Packet};

use super::frame::Found;
use super::machines::Machines;
use super::table::Table;
use super::{OnEvent, TRANSFERS, Verdict, elapsed_ms};
use crate::telemetry::events::{Kind, TftpEnd, shown};

const PORT: u16 = 69;

/// A transfer that says nothing for so long is over: twice as long as firmware and servers try.
const SILENCE_MS: u64 = 120_000;

/// By the client's address and port and the server's address: the server's port comes with its
/// first answer.
type By = (SocketAddrV4, Ipv4Addr);

/// The transfers that run.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    running: Table<By, Transfer>,
    forgotten: u64,
    swept: Option<Timestamp>,
}

#[derive(Debug)]
struct Transfer {
    client: SocketAddrV4,
    machine: Option<MacAddr>,
    name: String,
    began: Timestamp,
    last: Timestamp,
    options: Options,
    server_port: Option<u16>,
    /// Whether the server has answered options.
    has_options: bool,
    blksize: u16,
    windowsize: u16,
    tsize: Option<u64>,
    /// The last block that was sent, counted on beyond 65535.
    block: u64,
    bytes: u64,
    /// Whether that block was shorter than the others, and so the last one.
    all_sent: bool,
    /// The last block that the client acknowledged, 0 for the options; `None` before any.
    acknowledged: Option<u64>,
    retransmissions: u64,
}

/// How a transfer ended.
enum End<'a> {
    /// The client acknowledged all.
    Whole,
    /// The client said ERROR.
    ClientError(&'a str),
    /// The server said ERROR.
    ServerError(ErrorCode, &'a str),
    /// Nothing more was recorded.
    Silence,
}

impl Transfers {
    pub(super) fn datagram(
        &mut self,
        at: Timestamp,
        found: &Found<'_>,
        machines: &Machines,
        on_event: &mut OnEvent<'_>,
    ) -> Verdict {
        self.sweep(at, on_event);
        let (source, destination) = (found.source, found.destination);
        if destination.port() == PORT {
            return match Packet::decode(found.payload) {
                Ok(Packet::Rrq(request)) => {
                    let name = shown(&String::from_utf8_lossy(request.filename));
                    let options = Options::from_view(&request.options);
                    let machine = machines.find(*source.ip(), found.sender);
                    let begun = Transfer::new(at, source, machine, name, options);
                    self.begin((source, *destination.ip()), begun, on_event);
                    Verdict::Used
                }
                Ok(_) => Verdict::Other,
                Err(_) => Verdict::Malformed,
            };
        }
        let to_client = (destination, *source.ip());
        let to_server = (source, *destination.ip());
        if let Some(transfer) = self.running.find(&to_client)
            && *transfer.server_port.get_or_insert(source.port()) == source.port()
        {
            let Ok(packet) = Packet::decode(found.payload) else {
                return Verdict::Malformed;
            };
            transfer.last = at;
            if let Packet::Error { code, message } = packet {
                let why = error(code, message);
                self.over(&to_client, &End::ServerError(code, &why), on_event);
            } else {
                transfer.handle_sent(&packet, found.length);
            }
            return Verdict::Used;
        }
        if let Some(transfer) = self.running.find(&to_server)
            && transfer.server_port == Some(destination.port())
        {
            let Ok(packet) = Packet::decode(found.payload) else {
                return Verdict::Malformed;
            };
            transfer.last = at;
            match packet {
                Packet::Ack { block } if transfer.acknowledge(block) => {
                    self.over(&to_server, &End::Whole, on_event);
                }
                Packet::Error { code, message } => {
                    let why = error(code, message);
                    self.over(&to_server, &End::ClientError(&why), on_event);
                }
                _ => {}
            }
            return Verdict::Used;
        }
        Verdict::Other
    }

    pub(super) fn end(&mut self, on_event: &mut OnEvent<'_>) {
        for transfer in self.running.take(|_| true) {
            transfer.tell(&End::Silence, on_event);
        }
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn begin(&mut self, by: By, begun: Transfer, on_event: &mut OnEvent<'_>) {
        if let Some(before) = self.running.find(&by) {
            if before.name == begun.name && !before.all_sent && before.acknowledged.is_none() {
                before.retransmissions += 1;
                before.last = begun.last;
                return;
            }
            self.over(&by, &End::Silence, on_event);
        }
        if let Some(gone) = self.running.begin(by, begun, TRANSFERS) {
            self.forgotten += 1;
            gone.tell(&End::Silence, on_event);
        }
    }

    fn over(&mut self, by: &By, end: &End<'_>, on_event: &mut OnEvent<'_>) {
        if let Some(transfer) = self.running.remove(by) {
            transfer.tell(end, on_event);
        }
    }

    /// Ends what has been silent, looking at all of them once a while.
    fn sweep(&mut self, at: Timestamp, on_event: &mut OnEvent<'_>) {
        let swept = *self.swept.get_or_insert(at);
        if elapsed_ms(swept, at) < SILENCE_MS {
            return;
        }
        self.swept = Some(at);
        let is_over = |transfer: &Transfer| elapsed_ms(transfer.last, at) >= SILENCE_MS;
        for transfer in self.running.take(is_over) {
            transfer.tell(&End::Silence, on_event);
        }
    }
}

fn error(code: netboot_tftp::ErrorCode, message: &[u8]) -> String {
    let message = shown(&String::from_utf8_lossy(message));
    match message.is_empty() {
        true => format!("error {}", code.0),
        false => format!("error {}, {message}", code.0),
    }
}

impl Transfer {
    fn new(
        at: Timestamp,
        client: SocketAddrV4,
        machine: Option<MacAddr>,
        name: String,
        options: Options,
    ) -> Self {
        Self {
            client,
            machine,
            name,
            began: at,
            last: at,
            options,
            server_port: None,
            has_options: false,
            blksize: DEFAULT_BLKSIZE,
            windowsize: 1,
            tsize: None,
            block: 0,
            bytes: 0,
            all_sent: false,
            acknowledged: None,
            retransmissions: 0,
        }
    }

    fn handle_sent(&mut self, packet: &Packet<'_>, length: usize) {
        match packet {
            Packet::Oack(options) => {
                self.retransmissions += u64::from(self.has_options);
                self.has_options = true;
                let options = Options::from_view(options);
                self.blksize = options.blksize.unwrap_or(DEFAULT_BLKSIZE);
                self.windowsize = options.windowsize.unwrap_or(1);
                self.tsize = options.tsize;
            }
            Packet::Data { block, .. } => {
                let length = length.saturating_sub(netboot_tftp::DATA_HEADER_LEN);
                let ahead = block.wrapping_sub(low(self.block));
                // A half of the numbers is ahead, the other one behind.
                if ahead == 0 || ahead > u16::MAX / 2 || self.all_sent {
                    self.retransmissions += 1;
                    return;
                }
                // Blocks that the capture has not were full.
                let missed = u64::from(ahead) - 1;
                self.block += u64::from(ahead);
                self.bytes += missed * u64::from(self.blksize) + length as u64;
                self.all_sent = length < usize::from(self.blksize);
            }
            _ => {}
        }
    }

    /// Whether everything has arrived by that.
    fn acknowledge(&mut self, block: u16) -> bool {
        let behind = u64::from(low(self.block).wrapping_sub(block));
        if let Some(block) = self.block.checked_sub(behind) {
            self.acknowledged = self.acknowledged.max(Some(block));
        }
        self.all_sent && self.acknowledged == Some(self.block)
    }

    fn tell(self, end: &End<'_>, on_event: &mut OnEvent<'_>) {
        let client = (*self.client.ip()).into();
        let sent = |confirmed| Kind::TftpSent {
            client,
            name: self.name.clone(),
            bytes: self.bytes,
            elapsed_ms: elapsed_ms(self.began, self.last),
            blksize: self.blksize,
            windowsize: self.windowsize,
            retransmissions: self.retransmissions,
            confirmed,
        };
        let failed = |end, why| Kind::TftpFailed {
            client,
            name: self.name.clone(),
            why,
            end,
            bytes: self.bytes_acknowledged(),
            size: self.tsize,
            blksize: self.server_port.map(|_| self.blksize),
        };
        let kind = match end {
            End::Whole => sent(true),
            End::Silence if self.all_sent => sent(false),
            // Clients that wanted the size end it before they acknowledge any block.
            End::ClientError(_)
                if self.options.tsize.is_some() && self.acknowledged.unwrap_or(0) == 0 =>
            {
                Kind::TftpSizeProbe {
                    client,
                    name: self.name.clone(),
                    bytes: self.tsize,
                }
            }
            End::ClientError(why) => {
                failed(TftpEnd::ByClient, format!("the client ended it: {why}"))
            }
            End::ServerError(code, why) => {
                let end = match *code {
                    ErrorCode::FILE_NOT_FOUND => TftpEnd::NotFound,
                    _ => TftpEnd::Refused,
                };
                failed(end, format!("the server refused: {why}"))
            }
            End::Silence => {
                let end = match self.acknowledged {
                    None if self.server_port.is_none() => TftpEnd::NoAnswer,
                    None => TftpEnd::NoAck,
                    Some(0) => TftpEnd::NoBlockAck,
                    Some(_) => TftpEnd::Silent,
                };
                failed(end, self.silence())
            }
        };
        on_event(self.last, self.machine, kind);
    }

    fn bytes_acknowledged(&self) -> u64 {
        let acknowledged = self.acknowledged.unwrap_or(0);
        self.bytes.min(acknowledged * u64::from(self.blksize))
    }

    /// How far it came.
    fn silence(&self) -> String {
        if self.server_port.is_none() {
            return "no server answered".into();
        }
        let of = self
            .tsize
            .map_or_else(String::new, |size| format!(" of {size}"));
        let bytes = self.bytes;
        match self.acknowledged {
            None => format!("nothing was acknowledged; {bytes}{of} bytes were sent"),
            Some(block) => {
                format!("nothing came after the ACK of block {block}; {bytes}{of} bytes were sent")
            }
        }
    }
}

/// A block's number as it is on the wire.
fn low(block: u64) -> u16 {
    u16::try_from(block & 0xffff).unwrap_or(u16::MAX)
}

//! HTTP of a capture: what was asked and how much of the answer went by. No body is kept.

use std::net::SocketAddrV4;

use jiff::Timestamp;
use netboot_dhcp::MacAddr;

use super::frame::{Carried, Found, Segment};
use super::machines::Machines;
use super::table::Table;
use super::{CONNECTIONS, OnEvent, Verdict, elapsed_ms};
use crate::telemetry::events::{Kind, Protocol, ScriptAction, shown};

/// The longest head of a request or an answer.
const LONGEST_HEAD: usize = 8 * 1024;

/// Header fields of a head.
const HEADERS: usize = 64;

/// Methods that boot firmware and installers ask by.
const METHODS: [&[u8]; 4] = [b"GET ", b"HEAD ", b"POST ", b"PUT "];

/// How an iPXE script begins.
const SCRIPT: &[u8] = b"#!ipxe";

/// By client and server.
type By = (SocketAddrV4, SocketAddrV4);

/// The connections that are open.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Table<By, Connection>,
    forgotten: u64,
}

#[derive(Debug)]
struct Connection {
    client: SocketAddrV4,
    machine: Option<MacAddr>,
    /// The head of a request that is not whole yet.
    request: Head,
    asked: Option<Asked>,
    answer: Head,
}

/// Bytes of a head, in their order.
#[derive(Debug, Default)]
struct Head {
    bytes: Vec<u8>,
    /// The sequence number that comes next.
    next: Option<u32>,
}

/// A request, and what came of its answer.
#[derive(Debug)]
struct Asked {
    at: Timestamp,
    last: Timestamp,
    path: String,
    is_head: bool,
    status: Option<u16>,
    reason: String,
    /// Bytes of the body that were promised; `None` where its end is the connection's.
    length: Option<u64>,
    bytes: u64,
    is_script: bool,
}

impl Connections {
    pub(super) fn segment(
        &mut self,
        at: Timestamp,
        found: &Found<'_>,
        machines: &Machines,
        on_event: &mut OnEvent<'_>,
    ) -> Verdict {
        let Carried::Tcp(segment) = found.carried else {
            return Verdict::Other;
        };
        let from_client = (found.source, found.destination);
        let from_server = (found.destination, found.source);
        if segment.begins {
            // The port is used again.
            self.close(&from_client, on_event);
            return Verdict::Other;
        }
        let asks = METHODS
            .iter()
            .any(|method| found.payload.starts_with(method));
        let is_new = self.open.find(&from_client).is_none();
        if asks && is_new && self.open.find(&from_server).is_none() {
            let client = found.source;
            let connection = Connection {
                client,
                machine: machines.find(*client.ip(), found.sender),
                request: Head::default(),
                asked: None,
                answer: Head::default(),
            };
            if let Some(mut gone) = self.open.begin(from_client, connection, CONNECTIONS) {
                self.forgotten += 1;
                gone.tell(false, on_event);
            }
        }
        let (by, is_client) = match self.open.find(&from_client).is_some() {
            true => (from_client, true),
            false => (from_server, false),
        };
        let Some(connection) = self.open.find(&by) else {
            return Verdict::Other;
        };
        match is_client {
            true => connection.handle_request(at, segment, found, on_event),
            false => connection.handle_answer(at, segment, found, on_event),
        }
        if segment.ends {
            self.close(&by, on_event);
        }
        Verdict::Used
    }

    pub(super) fn end(&mut self, on_event: &mut OnEvent<'_>) {
        for mut connection in self.open.take(|_| true) {
            connection.tell(false, on_event);
        }
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn close(&mut self, by: &By, on_event: &mut OnEvent<'_>) {
        if let Some(mut connection) = self.open.remove(by) {
            connection.tell(true, on_event);
        }
    }
}

impl Head {
    /// Whether the segment has what comes next, which is added.
    fn takes(&mut self, segment: Segment, found: &Found<'_>) -> bool {
        let next = *self.next.get_or_insert(segment.sequence);
        let whole = !found.is_cut_off() && segment.sequence == next;
        if !whole || self.bytes.len() + found.payload.len() > LONGEST_HEAD {
            return false;
        }
        self.bytes.extend_from_slice(found.payload);
        self.next = Some(next.wrapping_add(wire_length(found)));
        true
    }
}

/// An IPv4 packet has at most 65,535 bytes.
fn wire_length(found: &Found<'_>) -> u32 {
    u32::try_from(found.length).unwrap_or(0)
}

impl Connection {
    fn handle_request(
        &mut self,
        at: Timestamp,
        segment: Segment,
        found: &Found<'_>,
        on_event: &mut OnEvent<'_>,
    ) {
        let asks = METHODS
            .iter()
            .any(|method| found.payload.starts_with(method));
        if self.request.bytes.is_empty() {
            let again = self
                .request
                .next
                .is_some_and(|next| is_before(segment.sequence, next));
            if !asks || again {
                return;
            }
            self.request.next = Some(segment.sequence);
        }
        if found.length == 0 || !self.request.takes(segment, found) {
            return;
        }
        let mut fields = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(&self.request.bytes) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => {
                let path = request.path.unwrap_or_default();
                let path = path.split('?').next().unwrap_or_default();
                let asked = Asked {
                    at,
                    last: at,
                    path: shown(path),
                    is_head: request.method == Some("HEAD"),
                    status: None,
                    reason: String::new(),
                    length: None,
                    bytes: 0,
                    is_script: false,
                };
                self.request.bytes.clear();
                // The answer before had no length of its own.
                self.tell(true, on_event);
                self.answer = Head::default();
                self.asked = Some(asked);
            }
            Err(_) => self.request.bytes.clear(),
        }
    }

    fn handle_answer(
        &mut self,
        at: Timestamp,
        segment: Segment,
        found: &Found<'_>,
        on_event: &mut OnEvent<'_>,
    ) {
        let Some(asked) = self.asked.as_mut().filter(|_| found.length > 0) else {
            return;
        };
        asked.last = at;
        if asked.status.is_some() {
            let next = self.answer.next.unwrap_or(segment.sequence);
            let end = segment.sequence.wrapping_add(wire_length(found));
            if asked.bytes == 0 && next == segment.sequence {
                asked.is_script = found.payload.starts_with(SCRIPT);
            }
            // What the capture has not went by all the same.
            if is_before(next, end) {
                asked.bytes += u64::from(end.wrapping_sub(next));
                self.answer.next = Some(end);
            }
        } else if self.answer.takes(segment, found) {
            asked.answered(&mut self.answer.bytes);
        }
        if asked.is_whole() {
            self.tell(true, on_event);
        }
    }

    /// Says what became of the request, where there is one.
    fn tell(&mut self, closed: bool, on_event: &mut OnEvent<'_>) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        // The status of a connection that never answered is none.
        let status = asked.status.unwrap_or(0);
        let complete = match asked.length {
            Some(length) => asked.bytes >= length,
            None => closed && asked.status.is_some(),
        };
        let client = (*self.client.ip()).into();
        let Asked { last, path, .. } = asked;
        let kind = match status {
            400.. => Kind::HttpRefused {
                client,
                path,
                status,
                why: asked.reason,
            },
            _ => {
                if asked.is_script {
                    let script = Kind::Script {
                        client,
                        by: Protocol::Http,
                        path: path.clone(),
                        boots: "a script of the recorded server".into(),
                        action: ScriptAction::Other,
                        images: [].into(),
                    };
                    on_event(last, self.machine, script);
                }
                Kind::HttpSent {
                    client,
                    path,
                    status,
                    bytes: asked.bytes,
                    elapsed_ms: elapsed_ms(asked.at, last),
                    complete,
                    whole: complete && status == 200 && !asked.is_head,
                }
            }
        };
        on_event(last, self.machine, kind);
    }
}

impl Asked {
    /// Reads the head of the answer, and what stands of the body behind it.
    fn answered(&mut self, bytes: &mut Vec<u8>) {
        let mut rest = bytes.as_slice();
        let mut fields;
        let (answer, body) = loop {
            fields = [httparse::EMPTY_HEADER; HEADERS];
            let mut answer = httparse::Response::new(&mut fields);
            let Ok(httparse::Status::Complete(head)) = answer.parse(rest) else {
                return;
            };
            rest = rest.get(head..).unwrap_or_default();
            // 100 Continue and its like come before the answer.
            if !matches!(answer.code, Some(100..200)) {
                break (answer, rest);
            }
        };
        let status = answer.code.unwrap_or_default();
        let mut fields = answer.headers.iter();
        let length = fields.find(|field| field.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|field| str::from_utf8(field.value).ok()?.trim().parse().ok());
        self.status = Some(status);
        self.reason = shown(answer.reason.unwrap_or_default());
        self.length = match self.is_head || matches!(status, 204 | 304) {
            true => Some(0),
            false => length,
        };
        self.bytes = body.len() as u64;
        self.is_script = body.starts_with(SCRIPT);
        *bytes = Vec::new();
    }

    fn is_whole(&self) -> bool {
        self.status.is_some() && self.length.is_some_and(|length| self.bytes >= length)
    }
}

/// Whether a sequence number is before another (RFC 9293 section 3.4).
fn is_before(number: u32, other: u32) -> bool {
    let ahead = other.wrapping_sub(number);
    ahead != 0 && ahead <= u32::MAX / 2
}

//! Clients by hand: what goes over the wire is written out here, save for DHCP, whose client is the
//! crate's own.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use netboot_dhcp::client::{Bound, Client, Output, Profile};
use netboot_dhcp::value::{MessageType, key};
use netboot_dhcp::wire::{Message, MessageView, OptionCode};
use netboot_dhcp::{HardwareAddr, MacAddr, Timestamp};
use netboot_ipxe::run::{Answer as Answered, Effect, Run};

use super::{PATIENCE, SERVER, Site, wait_until};

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value, empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

/// A connection, kept over several requests.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects to the boot network's port from an address of the loopback network.
    pub(crate) fn from(site: &Site, from: Ipv4Addr) -> Self {
        Self::to(from, site.ports.http)
    }

    /// Connects to a port of the server's from an address of the loopback network.
    pub(crate) fn to(from: Ipv4Addr, port: u16) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        let address = |ip, port| socket2::SockAddr::from(SocketAddr::from((ip, port)));
        socket.bind(&address(from, 0)).expect("a loopback address");
        socket
            .connect(&address(SERVER, port))
            .expect("a server that listens");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        Self(BufReader::new(stream))
    }

    /// Has it end by a reset, which the system remembers of no port for a minute.
    pub(crate) fn end_by_reset(&self) {
        let socket = socket2::SockRef::from(self.0.get_ref());
        socket.set_linger(Some(Duration::ZERO)).expect("an option");
    }

    /// Says that nothing more is asked.
    pub(crate) fn shut(&self) {
        let shut = self.0.get_ref().shutdown(Shutdown::Write);
        shut.expect("a connection");
    }

    /// Sends what the server may have closed the connection to; what comes back tells.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// Reads an answer; one to HEAD has no body.
    pub(crate) fn answer(&mut self, head: bool) -> Answer {
        let mut line = || {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a line");
            line.trim_end().to_owned()
        };
        let first = line();
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("a status line: {first:?}"));
        let mut headers = Vec::new();
        loop {
            let line = line();
            let Some((key, value)) = line.split_once(':') else {
                assert_eq!(line, "");
                break;
            };
            headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        let length = answer.header("content-length").parse();
        if !head && status != 304 {
            // Without a length nobody knows where the next answer begins.
            answer.body = vec![0; length.expect("an exact length")];
            self.0.read_exact(&mut answer.body).expect("a whole body");
        }
        answer
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {SERVER}\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(format!("{request}\r\n").as_bytes());
        self.answer(method == "HEAD")
    }

    /// Waits for the first byte of an answer.
    pub(crate) fn begun(&mut self) {
        assert!(!self.0.fill_buf().expect("an answer").is_empty());
    }

    /// Reads the head of an answer whose body has no stated end, and its first line.
    pub(crate) fn first_line(&mut self) -> String {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).expect("a header line");
        }
        self.chunk()
    }

    /// The next chunk of a body, as text.
    pub(crate) fn chunk(&mut self) -> String {
        let mut size = String::new();
        self.0.read_line(&mut size).expect("a chunk's size");
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a number");
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).expect("a chunk");
        chunk.truncate(size);
        String::from_utf8(chunk).expect("text")
    }

    /// Whether nothing has come that was not read yet.
    pub(crate) fn is_silent(&mut self) -> bool {
        let wait = |wait: bool, stream: &TcpStream| {
            stream.set_nonblocking(!wait).expect("an option");
        };
        wait(false, self.0.get_ref());
        let now = self.0.fill_buf().map_err(|error| error.kind());
        let is_silent = now == Err(ErrorKind::WouldBlock);
        wait(true, self.0.get_ref());
        is_silent
    }

    /// Whether the server has not closed it, as far as that has come; what came stays to be read.
    pub(crate) fn is_open(&self) -> bool {
        let stream = self.0.get_ref();
        stream.set_nonblocking(true).expect("an option");
        let peeked = stream.peek(&mut [0]).map_err(|error| error.kind());
        stream.set_nonblocking(false).expect("an option");
        matches!(peeked, Ok(1) | Err(ErrorKind::WouldBlock))
    }

    /// Waits for the next byte; whether the server closes in place of it.
    pub(crate) fn is_ended(&mut self) -> bool {
        matches!(self.0.fill_buf(), Ok(bytes) if bytes.is_empty())
    }

    /// What comes until the server closes or resets.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest);
        rest
    }
}

/// GET on a connection of its own.
pub(crate) fn get(site: &Site, from: Ipv4Addr, path: &str) -> Answer {
    Connection::from(site, from).ask("GET", path, &[])
}

/// A file by TFTP as RFC 1350 has it, 512 bytes a block; else the code and text of the ERROR.
pub(crate) fn tftp(site: &Site, from: Ipv4Addr, name: &[u8]) -> Result<Vec<u8>, (u16, String)> {
    let socket = UdpSocket::bind((from, 0)).expect("a loopback address");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let mut request = vec![0, 1];
    request.extend(name);
    request.extend(b"\0octet\0");
    socket
        .send_to(&request, (SERVER, site.ports.tftp))
        .expect("a datagram");
    let mut file = Vec::new();
    let mut expected = 1_u16;
    loop {
        let mut bytes = [0; 1024];
        let (length, server) = socket.recv_from(&mut bytes).expect("an answer");
        let (head, data) = bytes[..length].split_at(4);
        let number = u16::from_be_bytes([head[2], head[3]]);
        match head[1] {
            3 => {
                if number == expected {
                    file.extend(data);
                    expected += 1;
                }
                let ack = [0, 4, head[2], head[3]];
                socket.send_to(&ack, server).expect("a datagram");
                if data.len() < 512 {
                    return Ok(file);
                }
            }
            5 => {
                let text = data.strip_suffix(b"\0").unwrap_or(data);
                return Err((number, String::from_utf8_lossy(text).into_owned()));
            }
            other => panic!("opcode {other}"),
        }
    }
}

/// The `last`th machine.
pub(crate) fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

/// The `number`th of many machines.
pub(crate) fn machine(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr([6, 0, a, b, c, d])
}

/// A message of this type, for this address where one is named, to this server.
pub(crate) fn message(kind: MessageType, from: MacAddr, address: Option<Ipv4Addr>) -> Vec<u8> {
    let mut message = Message::request(7, from.into());
    message.options.put(key::MESSAGE_TYPE, &kind);
    if let Some(address) = address {
        message.options.put_raw(OptionCode(50), &address.octets());
        message.options.put(key::SERVER_ID, &SERVER);
    }
    message.to_bytes().expect("a message").to_vec()
}

/// The site's client port. A process that another test starts just now may have the last one for a
/// moment more.
pub(crate) fn client_socket(site: &Site) -> UdpSocket {
    let mut socket = None;
    wait_until("the site's own port is free", || {
        socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, site.ports.dhcp_client)).ok();
        socket.is_some()
    });
    socket.expect("it is bound")
}

/// DISCOVER to ACK as a plain client, or as this one.
pub(crate) fn lease(site: &Site, last: u8) -> Bound {
    lease_as(site, Profile::plain(HardwareAddr::from(mac(last))))
}

#[expect(clippy::disallowed_methods, reason = "a client over real sockets")]
pub(crate) fn lease_as(site: &Site, mut profile: Profile) -> Bound {
    let began = Instant::now();
    profile.server_port = site.ports.dhcp;
    // Long, so that a busy machine does not make it ask twice.
    profile.timeout_ms = 10_000;
    let socket = client_socket(site);
    let now = || {
        let millis = began.elapsed().as_millis();
        Timestamp(u64::try_from(millis).expect("a test does not last so long"))
    };
    let xid = std::process::id();
    let mut client = Client::new(now(), profile, xid);
    let mut bytes = vec![0; 2048];
    loop {
        match client.poll_output(now()).expect("a message") {
            Output::Transmit(transmit) => {
                // Loopback has no broadcast.
                let server = (SERVER, transmit.destination.port());
                socket.send_to(&transmit.bytes, server).expect("a datagram");
            }
            Output::Wait(until) => {
                let wait = Duration::from_millis(until.millis_since(now()).max(1));
                socket.set_read_timeout(Some(wait)).expect("a time");
                if let Ok((length, SocketAddr::V4(from))) = socket.recv_from(&mut bytes)
                    && let Ok(message) = MessageView::decode(&bytes[..length])
                {
                    client.handle_input(now(), from, &message);
                }
            }
            Output::Done(bound) => return bound,
            Output::Failed(failure) => panic!("no lease: {failure}"),
        }
    }
}

/// The answer to one DISCOVER; `None` where the server gives none to it and answers the next
/// client, which it would not do before.
pub(crate) fn discover(site: &Site, profile: Profile) -> Option<Vec<u8>> {
    let socket = client_socket(site);
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let known = Profile::plain(HardwareAddr::from(mac(1)));
    for (xid, profile) in [(1, profile), (2, known)] {
        let mut client = Client::new(Timestamp(0), profile, xid);
        let Ok(Output::Transmit(transmit)) = client.poll_output(Timestamp(0)) else {
            panic!("no DISCOVER");
        };
        let server = (SERVER, site.ports.dhcp);
        socket.send_to(&transmit.bytes, server).expect("a datagram");
    }
    let mut bytes = vec![0; 2048];
    let (length, _) = socket.recv_from(&mut bytes).expect("an answer");
    bytes.truncate(length);
    let message = MessageView::decode(&bytes).expect("a message");
    (message.xid() == 1).then_some(bytes)
}

/// What an `autoexec.ipxe` goes on with on a machine with these network cards, of which each gets
/// an address. iPXE runs it before any has: what is fetched before that is not reached.
pub(crate) fn goes_on_with(autoexec: &str, cards: &[&str]) -> String {
    let mut run = Run::new(autoexec).expect("a script");
    for (number, mac) in cards.iter().enumerate() {
        assert!(run.settings_mut().set(&format!("net{number}/mac"), mac));
    }
    let (mut answer, mut open) = (Answered::Done, false);
    loop {
        answer = match run.next(answer) {
            Effect::Dhcp { interfaces } => {
                let number = interfaces.first().and_then(|name| name.strip_prefix("net"));
                let number: usize = number.and_then(|it| it.parse().ok()).expect("a card");
                open = run.settings_mut().set("netX/mac", cards[number]);
                Answered::Done
            }
            Effect::Fetch { uri, .. } if open => return uri,
            Effect::Fetch { .. } => Answered::Failed,
            Effect::Echo { .. } | Effect::Sleep { .. } => Answered::Done,
            other => panic!("{other:?} in:\n{autoexec}"),
        };
    }
}

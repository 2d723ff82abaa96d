//! Other DHCP servers: one DHCPDISCOVER on an interface, and who answers.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use netboot_dhcp::client::{Client, Output, Profile};
use netboot_dhcp::wire::{MessageView, OptionCode};
use netboot_dhcp::{HardwareAddr, MacAddr, Timestamp};
use socket2::{Domain, Protocol, Socket, Type};

use super::Findings;

/// How long answers are waited for: dnsmasq pings an address for three seconds before it offers it.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn look(interface: &str, ours: &[Ipv4Addr], findings: &mut Findings) {
    let about = format!("other DHCP servers on {interface}");
    match answers(interface) {
        Err(error) => findings.warning(
            about,
            format!("cannot be asked for: {error}"),
            "run it as root, and name an interface that `ip link` shows",
        ),
        Ok(servers) => {
            let others: Vec<_> = servers
                .iter()
                .filter(|server| !ours.contains(server))
                .collect();
            for other in &others {
                findings.warning(
                    &about,
                    format!("{other} answers"),
                    "switch one of the two off there, or serve beside it with `mode = \"proxy\"`",
                );
            }
            if others.is_empty() {
                findings.ok(
                    about,
                    format!("none answers within {} s", PATIENCE.as_secs()),
                );
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "answers come in real time")]
fn answers(interface: &str) -> io::Result<BTreeSet<Ipv4Addr>> {
    let number = RandomState::new().hash_one(interface);
    let [.., a, b, c, d] = number.to_be_bytes();
    // A machine of nobody's: the address is locally administered.
    let mac = MacAddr([2, 0, a, b, c, d]);
    let xid = u32::from_be_bytes([a, b, c, d]);
    let mut profile = Profile::plain(HardwareAddr::from(mac));
    // This host does not hear what is sent to the machine's hardware address.
    profile.broadcast = true;
    let mut client = Client::new(Timestamp(0), profile, xid);
    let discover = loop {
        match client
            .poll_output(Timestamp(u64::from(u16::MAX)))
            .map_err(io::Error::other)?
        {
            Output::Transmit(transmit) => break transmit,
            Output::Wait(_) => {}
            _ => return Err(io::Error::other("there is nothing to ask")),
        }
    };
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_broadcast(true)?;
    // The host's own DHCP client has the port too.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, discover.source_port).into())?;
    let socket = UdpSocket::from(socket);
    socket.send_to(&discover.bytes, discover.destination)?;
    let until = Instant::now() + PATIENCE;
    let mut servers = BTreeSet::new();
    let mut buffer = [0; 2048];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(servers);
        }
        socket.set_read_timeout(Some(left))?;
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        let message = MessageView::decode(bytes)
            .ok()
            .filter(|message| message.xid() == xid);
        servers.extend(message.and_then(|message| server(&message, from.ip())));
    }
}

/// Who answers: as it names itself (option 54), else where the answer comes from.
fn server(message: &MessageView<'_>, from: IpAddr) -> Option<Ipv4Addr> {
    let named = message.raw(OptionCode::SERVER_ID);
    let named = named.and_then(|bytes| <[u8; 4]>::try_from(bytes.as_ref()).ok());
    match (named, from) {
        (Some(address), _) => Some(address.into()),
        (None, IpAddr::V4(address)) => Some(address),
        (None, IpAddr::V6(_)) => None,
    }
}

//! A DHCP relay agent (RFC 1542 section 4, RFC 3046 without its option) that hides what a boot ROM
//! is.
//!
//! All of QEMU's network ROMs in Debian are iPXE. Options 77 and 175 are taken out of its exchange
//! until an ACK has passed; to the server it is then a plain BIOS PXE ROM.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use netboot_dhcp::value::MessageType;
use netboot_dhcp::wire::{Message, MessageView, OptionCode};
use netboot_server::lab::Namespace;

/// Two networks: the server's own, and the machines' behind a relay agent, whose host also routes.
/// More may be said of the latter behind.
pub(crate) const NETWORKS: &str = r#"
    [[netboot.networks]]
    interface = "up0"
    server = "10.0.0.1"
    subnet = "10.0.0.0/24"
    [[netboot.networks]]
    name = "lab"
    server = "10.0.0.1"
    subnet = "192.168.50.0/24"
    gateway = "192.168.50.1"
    ranges = [{ start = "192.168.50.100", end = "192.168.50.200" }]
"#;

/// Starts the relay on two interfaces of a namespace; it ends with the test's process.
pub(crate) fn start(
    namespace: &Namespace,
    clients: &'static str,
    giaddr: Ipv4Addr,
    upstream: &'static str,
    server: Ipv4Addr,
) {
    let (clients, upstream) = namespace.run(move || (bind(clients), bind(upstream)));
    let (clients, upstream) = (Arc::new(clients), Arc::new(upstream));
    let disguised = Arc::new(AtomicBool::new(true));
    let (from, to, disguise) = (clients.clone(), upstream.clone(), disguised.clone());
    std::thread::spawn(move || {
        forward(&from, |message| {
            message.giaddr = giaddr;
            message.hops += 1;
            if disguise.load(Ordering::Relaxed) {
                message.options.remove(OptionCode::USER_CLASS);
                message.options.remove(OptionCode::IPXE);
            }
            let bytes = message.to_bytes().expect("a message that fits");
            to.send_to(&bytes, SocketAddrV4::new(server, 67))
                .expect("sent to the server");
        });
    });
    std::thread::spawn(move || {
        forward(&upstream, |message| {
            let kind = message.options.read(netboot_dhcp::value::key::MESSAGE_TYPE);
            let bytes = message.to_bytes().expect("a message that fits");
            clients
                .send_to(&bytes, SocketAddrV4::new(Ipv4Addr::BROADCAST, 68))
                .expect("sent to the client");
            if kind == Ok(Some(MessageType::ACK)) {
                disguised.store(false, Ordering::Relaxed);
            }
        });
    });
}

fn bind(interface: &str) -> UdpSocket {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).expect("a socket");
    socket
        .bind_device(Some(interface.as_bytes()))
        .expect("the interface");
    socket.set_broadcast(true).expect("broadcast");
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 67);
    socket.bind(&any.into()).expect("port 67");
    socket.into()
}

fn forward(socket: &UdpSocket, mut pass: impl FnMut(&mut Message)) {
    let mut buffer = [0; 2048];
    while let Ok((length, _)) = socket.recv_from(&mut buffer) {
        if let Ok(view) = MessageView::decode(&buffer[..length]) {
            pass(&mut Message::from(&view));
        }
    }
}

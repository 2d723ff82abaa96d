//! A program of somebody else's on netboot-dhcp.

use netboot_dhcp::value::{MessageType, key};
use netboot_dhcp::wire::{Message, MessageView};

fn main() {
    let mac = "52:54:00:12:34:56".parse().expect("a MAC address");
    let mut discover = Message::request(1, mac);
    discover.options.put(key::MESSAGE_TYPE, &MessageType::DISCOVER);
    let bytes = discover.to_bytes().expect("it fits");
    let view = MessageView::decode(&bytes).expect("a DHCP message");
    assert_eq!(view.message_type(), Some(MessageType::DISCOVER));
    println!("{} bytes, a {:?}", bytes.len(), view.message_type());
}

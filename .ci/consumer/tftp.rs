//! A program of somebody else's on netboot-tftp.

use netboot_tftp::Packet;

fn main() {
    let packet = Packet::decode(b"\x00\x01ipxe.efi\0octet\0blksize\x001428\0").expect("a request");
    assert!(matches!(packet, Packet::Rrq(_)));
    println!("{packet:?}");
    #[cfg(feature = "full")]
    {
        let files = netboot_tftp::server::Memory::from_iter([("hello", "hello, world")]);
        assert_eq!(files.len(), 1);
    }
}

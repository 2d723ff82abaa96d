//! What a frame carries: Ethernet II, IPv4 (RFC 791) and UDP (RFC 768), as a packet socket gives
//! them.

const ETHERNET_HEADER: usize = 14;
const UDP_HEADER: usize = 8;

/// The source of a frame, and what its datagram holds.
pub(super) fn message(frame: &[u8]) -> Option<([u8; 6], &[u8])> {
    let source = frame.get(6..12)?.try_into().ok()?;
    let packet = frame.get(ETHERNET_HEADER..)?;
    let udp = packet.get(usize::from(packet.first()? & 0xf) * 4..)?;
    // A short frame is filled up behind it.
    let length = usize::from(u16::from_be_bytes([*udp.get(4)?, *udp.get(5)?]));
    Some((source, udp.get(UDP_HEADER..length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_out_of_its_frame_without_what_fills_it_up() {
        // Ethernet II from 02:00:00:00:00:01, IPv4 with a header of six words, UDP with 3 bytes.
        let mut frame = vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 0, 1, 8, 0, 0x46]);
        frame.resize(14 + 24, 0);
        frame.extend([0, 68, 0, 67, 0, 11, 0, 0]);
        frame.extend(b"abc\0\0\0");
        assert_eq!(message(&frame), Some(([2, 0, 0, 0, 0, 1], &b"abc"[..])));
        for length in 0..frame.len() - 3 {
            assert_eq!(message(&frame[..length]), None, "{length}");
        }
    }
}

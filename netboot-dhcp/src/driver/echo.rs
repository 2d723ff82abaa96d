//! Answers to ICMP echoes (RFC 792), as a raw socket gives them: the IPv4 header and all.

use std::net::Ipv4Addr;

const ECHO_REPLY: u8 = 0;
/// Tells our echoes from other programs'.
pub(super) const MARK: [u8; 8] = *b"netboot?";

/// Who sent this packet, if it answers an echo of ours.
pub(super) fn answered(packet: &[u8], id: [u8; 2]) -> Option<Ipv4Addr> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let echo = packet.get(header..)?;
    let ours = *echo.first()? == ECHO_REPLY && echo.get(4..6)? == id && echo.get(8..16)? == MARK;
    ours.then(|| source.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_our_own_echo_counts() {
        // An IPv4 header from 10.0.0.9, by hand; then RFC 792's echo reply, id 7, sequence 1.
        let mut packet = vec![
            0x45, 0, 0, 36, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1,
        ];
        packet.extend([0, 0, 0xff, 0xff, 0, 7, 0, 1]);
        packet.extend(b"netboot?");
        assert_eq!(answered(&packet, [0, 7]), Some(Ipv4Addr::new(10, 0, 0, 9)));
        assert_eq!(answered(&packet, [0, 8]), None);
        for length in 0..packet.len() {
            assert_eq!(answered(&packet[..length], [0, 7]), None, "{length}");
        }
        packet[20] = 3;
        assert_eq!(answered(&packet, [0, 7]), None, "destination unreachable");
    }
}
